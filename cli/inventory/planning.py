"""What an entry of an inventory would change of a node: which action, and which fields, without a secret. Pure.

Whether a secret differs only the conductor knows: it compares, and says which of the node's fields would change.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from castiron.cli.inventory.entries import MAPS, Entry
from castiron.cli.output.render import word
from castiron.transport.errors import CastironError
from castiron.transport.replies import NodeView
from castiron.transport.replies.machines import MASK


class Action(StrEnum):
    """What is done about an entry."""

    CREATE = "create"
    CHANGE = "change"
    DIFFERS = "differs"
    """The node is there, and not as the file says; nobody asked to change it."""
    NOTHING = "nothing"
    """All is so already."""
    FAIL = "fail"


class Difference(NamedTuple):
    """A field that an entry would change."""

    field: str
    before: str | None
    after: str | None
    """None, both: they are not shown."""

    def __str__(self) -> str:
        return self.field if self.after is None else f"{self.field}: {self.before} -> {self.after}"


class Plan(NamedTuple):
    """What is to be done, or was, about an entry."""

    entry: Entry
    action: Action
    differences: tuple[Difference, ...] = ()
    error: CastironError | None = None


SECRETS: Final = "driver_info (a secret)"


def made(entry: Entry) -> tuple[Difference, ...]:
    """Return the fields that a new node gets. No value: which of them are secrets only the driver knows."""
    return tuple(Difference(name, None, None) for name in _flat(entry.fields))


def differences(entry: Entry, view: NodeView, changed: list[str]) -> tuple[Difference, ...]:
    """Return the fields that change when a node becomes as its entry says.

    Args:
        entry: the entry.
        view: the node, secrets masked.
        changed: the fields that the conductor says would change.
    """
    found = tuple(_differences(entry.fields, view))
    is_told = any(one.field.startswith("driver_info") for one in found)
    secret = () if is_told or "driver_info" not in changed else (Difference(SECRETS, None, None),)
    return found + secret


def _differences(fields: Mapping[str, Any], view: NodeView) -> Iterator[Difference]:
    for name, wanted in fields.items():
        there = getattr(view, name)
        if name not in MAPS:
            wanted = sorted(wanted) if name == "traits" else wanted  # noqa: PLW2901 - as the node has them
            if wanted != there:
                yield Difference(name, word(there), word(wanted))
            continue
        for key, value in wanted.items():
            before = there.get(key)
            if before == MASK or _same(name, before, value):
                continue
            is_shown = name != "driver_info" or (key in there and view.driver == fields.get("driver", view.driver))
            yield Difference(f"{name}.{key}", *((word(before), word(value)) if is_shown else (None, None)))


def _same(name: str, before: Any, after: Any) -> bool:
    """Return whether values are equal; a driver reads numbers from text."""
    return bool(before == after) or (name == "driver_info" and before is not None and str(before) == str(after))


def _flat(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        yield from (f"{name}.{key}" for key in value) if name in MAPS else [name]
