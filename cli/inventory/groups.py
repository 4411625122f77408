"""Groups that a conductor's nodes are in by what they are: `@class:big`, `@trait:CUSTOM_GPU`, `@driver:ipmi`.

The conductor is asked once, when the first of them is met, and not at all for groups of ClusterShell's configuration.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from castiron.cli.options import shared
from castiron.cli.reach import connect
from castiron.transport.groups import Groups, expand_with
from castiron.transport.replies import NodeView

SOURCES: Final = ("class", "trait", "driver")


def names_in(text: str) -> list[str]:
    """Return the names that a range with groups or wildcards stands for.

    Raises:
        ArgumentInvalid: it is no range, or a group cannot be resolved.
        ConductorLost: a group is the conductor's, and it does not answer.
    """

    @cache
    def nodes() -> list[NodeView]:
        with connect(shared()) as client:
            return client.nodes.list()

    sources = {source: lambda source=source: grouped(nodes())[source] for source in SOURCES}
    return expand_with(Groups(sources, lambda: [node.name for node in nodes()]), text)


def grouped(nodes: list[NodeView]) -> Mapping[str, Mapping[str, list[str]]]:
    """Return source → group → names."""
    found: dict[str, dict[str, list[str]]] = {source: {} for source in SOURCES}
    for node in nodes:
        found["driver"].setdefault(node.driver, []).append(node.name)
        if node.resource_class is not None:
            found["class"].setdefault(node.resource_class, []).append(node.name)
        for trait in node.traits:
            found["trait"].setdefault(trait, []).append(node.name)
    return found
