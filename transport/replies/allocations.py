"""What a conductor answers about allocations."""

from typing import Any

from msgspec import Struct, field

from castiron.transport.vocabulary import AllocationState


class AllocationView(Struct, frozen=True, kw_only=True):
    """An allocation as it stands."""

    uuid: str
    name: str | None
    state: AllocationState
    node_uuid: str | None
    """The node that is held; nil: none yet, or none at all."""
    resource_class: str
    traits: list[str]
    """What the node must have, sorted."""
    candidate_nodes: list[str]
    """Uuids of the nodes of which it must be one; empty: any."""
    owner: str
    """Who asked for it: an identity, as in a request's `requester`, without what the peer called itself."""
    extra: dict[str, Any]
    last_error: str | None = None
    """Why no node could be had, for people."""
    error: dict[str, Any] | None = None
    """The same in the form of the wire; `details` count the nodes."""
    deadline_at: float | None = None
    """Until when it waits for a node; nil: it does not, or did not."""
    created_at: float
    """This and the other times: seconds since 1970-01-01 UTC."""
    updated_at: float
    revision: int


class AllocationListed(Struct, frozen=True, kw_only=True):
    """A page of allocations."""

    allocations: list[AllocationView] = field(default_factory=list[AllocationView])
    next_marker: str | None = None
    """Pass it as `marker` for the next page; nil: this was the last."""
