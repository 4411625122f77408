"""Whether a node can be had, and by whom: one judgement for what is published, and for the node's own actor. Pure.

It is made beforehand to choose a node, and once more by the node's actor when it is claimed.

May come in: another reason why a node cannot be had. Must not: which of those that can is taken.

Source: Ironic's allocations: available, not associated, not in maintenance, power state known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from castiron.actors.core.requests.compatibility import PROVISION
from castiron.actors.core.state import NodeState
from castiron.store.records import AllocationRecord
from castiron.transport.errors import CastironError, NodeAllocated, NodeStateInvalid
from castiron.transport.vocabulary import NodeUUID, ProvisionState


class Fit(StrEnum):
    """Why a node cannot be had: the first that holds, in this order."""

    ALLOCATED = "allocated"
    UNAVAILABLE = "not available"
    MAINTENANCE = "in maintenance"
    RETIRED = "retired"
    POWER_UNKNOWN = "in an unknown power state"
    BUSY = "about to be moved"
    LOCKED = "locked by somebody"
    FREE = "free"
    """It can be had."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a node."""

    resource_class: str
    traits: frozenset[str]
    candidates: tuple[NodeUUID, ...]
    """One of these; empty: any."""
    owner: str
    """Whose it will be: nodes that they have locked themselves can be had by them, if they name them."""


def wish_of(record: AllocationRecord) -> Wish:
    """Return what an allocation is about."""
    return Wish(record.resource_class, frozenset(record.traits), record.candidate_nodes, record.owner)


def fit_of(state: NodeState) -> Fit:
    """Return why nobody can have a node; FREE: somebody can."""
    record = state.record
    stands: Mapping[Fit, bool] = {
        Fit.ALLOCATED: record.allocation_uuid is not None,
        Fit.UNAVAILABLE: record.provision_state is not ProvisionState.AVAILABLE or state.leaving,
        Fit.MAINTENANCE: record.maintenance,
        Fit.RETIRED: record.retired,
        Fit.POWER_UNKNOWN: record.power_state is None,
        Fit.BUSY: any(request.verb == PROVISION for request in state.open),
        Fit.LOCKED: record.lock is not None,
    }
    return next((fit for fit, holds in stands.items() if holds), Fit.FREE)


def stands_as(state: NodeState, before: NodeState) -> bool:
    """Return whether nothing has changed that `fit_of` looks at, nor what a node is; one that was only checked."""
    return (
        state.record is before.record
        and state.active is before.active
        and state.queue is before.queue
        and state.interrupted is before.interrupted
        and state.leaving is before.leaving
    )


def is_had_by(fit: Fit, lock_owner: str | None, wish: Wish) -> bool:
    """Return whether somebody can have a node of the right class and traits."""
    return fit is Fit.FREE or (fit is Fit.LOCKED and lock_owner == wish.owner and bool(wish.candidates))


def unfit(state: NodeState, wish: Wish) -> CastironError | None:
    """Return why somebody cannot have a node, whatever was published before."""
    record, fit = state.record, fit_of(state)
    lock_owner = None if record.lock is None else record.lock.owner
    if fit is Fit.ALLOCATED:
        return NodeAllocated(
            f"{record.name} is held by allocation {record.allocation_uuid}.",
            details={"node": record.name, "allocation": record.allocation_uuid},
        )
    if not is_had_by(fit, lock_owner, wish):
        return _misfit(state, f"it is {fit.value}")
    if record.resource_class != wish.resource_class:
        return _misfit(state, f"its resource class is {record.resource_class}")
    if not wish.traits.issubset(record.traits):
        return _misfit(state, f"it lacks {', '.join(sorted(wish.traits - set(record.traits)))}")
    if wish.candidates and record.uuid not in wish.candidates:
        return _misfit(state, "it is no candidate")
    return None


def _misfit(state: NodeState, why: str) -> NodeStateInvalid:
    record = state.record
    return NodeStateInvalid(
        f"{record.name} cannot be allocated: {why}.",
        details={"node": record.name, "provision_state": record.provision_state.value, "target": _ALLOCATE},
    )


_ALLOCATE: Final = "allocate"
