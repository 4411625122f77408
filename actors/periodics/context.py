"""What a task that runs for each node is told of one: as its owner has published it last.

May come in: what a task needs to know of a node. Must not: what lets it change the node.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from castiron.transport.vocabulary import Fault, Instant, NodeName, NodeUUID, PowerState, ProvisionState


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """A node, when a run for it begins."""

    node: NodeName
    node_uuid: NodeUUID
    driver: str
    driver_info: Mapping[str, Any] = field(repr=False)
    """Secrets in the clear; kept out of repr."""
    properties: Mapping[str, Any]
    extra: Mapping[str, Any]
    power_state: PowerState | None
    """As its BMC reported it last; None: unknown."""
    power_state_at: Instant | None
    provision_state: ProvisionState
    maintenance: bool
    fault: Fault | None
    resource_class: str | None
    traits: tuple[str, ...]
    failed_checks: int
    """Power checks in a row that got no power state: more than none, and its BMC may be silent."""


When = Callable[[NodeContext], bool]
"""Chooses nodes."""
