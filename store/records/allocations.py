"""An allocation: a node that somebody holds, or looks for; and what can become of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from castiron.store.records.maps import empty
from castiron.transport.vocabulary import AllocationState, AllocationUUID, Instant, NodeUUID, Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRecord:
    """One allocation as it is on disk."""

    uuid: AllocationUUID
    name: str | None = None
    """Unique among allocations."""
    state: AllocationState = AllocationState.ALLOCATING
    resource_class: str
    traits: tuple[str, ...] = ()
    """Sorted, no two the same."""
    candidate_nodes: tuple[NodeUUID, ...] = ()
    """Sorted; empty: any node."""
    owner: str
    """An identity, whatever the peer called itself."""
    requester: str
    """Who asked, with what the peer called itself."""
    extra: Mapping[str, Any] = field(default_factory=empty)
    node_uuid: NodeUUID | None = None
    error: Mapping[str, Any] | None = None
    """Why no node could be had, in the form of the wire."""
    deadline_at: Instant | None = None
    """Until when it waits for a node; None: it does not."""
    created_at: Instant
    updated_at: Instant
    revision: Revision = Revision(1)
    """Counts committed changes of this record; a write must carry the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationInsert:
    """A new allocation. `record.revision` must be 1. Fails if the uuid or the name exists."""

    record: AllocationRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationUpdate:
    """A changed allocation: written only if the row still has `record.revision - 1`."""

    record: AllocationRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRemove:
    """An allocation to forget."""

    uuid: AllocationUUID
    revision: Revision | None = None
    """Removed only if the row still has this one; None: whatever it has, which is for whoever owns its node."""


AllocationWrite = AllocationInsert | AllocationUpdate | AllocationRemove
"""What becomes of an allocation."""
