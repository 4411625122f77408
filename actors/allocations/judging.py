"""Whether what is asked about an allocation can be done, and what is said when it cannot. Nothing is changed here."""

from castiron.actors.allocations.register import Register
from castiron.actors.core.allocations.ledger import Newcomer, first_record
from castiron.actors.core.fleet import UUID_LIKE
from castiron.actors.delivery import node_not_found
from castiron.actors.nodes.reporter import RECOVERY_PAUSE_S
from castiron.actors.services import Services
from castiron.store.errors import DuplicateAllocation, StaleAllocation, StoreError
from castiron.store.records import AllocationRecord
from castiron.transport.errors import (
    AllocationExists,
    AllocationNotFound,
    AllocationNotYours,
    ArgumentInvalid,
    CastironError,
    ConductorOverloaded,
    StoreUnavailable,
)
from castiron.transport.requester import identity_of
from castiron.transport.verbs import AllocationCreate, AllocationDelete, AllocationSet
from castiron.transport.vocabulary import AllocationUUID, NodeUUID

RETRY_AFTER_S = 0.5
"""A failed keeper has a successor within milliseconds, and what is under way for an allocation takes no longer."""


def first_of(services: Services, verb: AllocationCreate, requester: str) -> AllocationRecord:
    """Return the record of an allocation that is about to be made.

    Raises:
        AllocationExists: its name or uuid is another's.
        ArgumentInvalid: its name looks like a uuid.
        NodeNotFound: some candidates are unknown; all of these are named.
        ConductorOverloaded: there are as many as may be.
    """
    register, limit = services.board.allocations, services.settings.max_allocations
    _judge_name(register, verb.name)
    if verb.uuid is not None and register.get(verb.uuid) is not None:
        raise already_there(None, AllocationUUID(verb.uuid))
    if len(register) >= limit:
        raise ConductorOverloaded(
            f"There are {limit} allocations, which is the limit. Delete those that failed, or are not needed.",
            details={"limit": limit, "what": "allocations"},
            retry_after_s=RETRY_AFTER_S,
        )
    newcomer = Newcomer(
        uuid=AllocationUUID(verb.uuid or services.new_id()),
        candidates=_candidates(services, verb),
        requester=requester,
        now=services.clock.now(),
    )
    return first_record(verb, newcomer)


def changeable(register: Register, verb: AllocationSet | AllocationDelete, requester: str) -> AllocationRecord:
    """Return the allocation that somebody wants to change.

    Raises:
        AllocationNotFound, AllocationNotYours, AllocationExists, ArgumentInvalid: they cannot.
    """
    record = register.get(verb.allocation)
    if record is None:
        raise no_such_allocation(verb.allocation)
    if record.owner != identity_of(requester) and not verb.force:
        raise AllocationNotYours(
            f"Allocation {record.name or record.uuid} is {record.owner}'s. Force it if you mean it.",
            details={"allocation": record.uuid, "owner": record.owner},
        )
    if isinstance(verb, AllocationSet) and isinstance(verb.name, str) and verb.name != record.name:
        _judge_name(register, verb.name)
    return record


def no_such_allocation(name: str) -> AllocationNotFound:
    """Return the error for an allocation that nobody knows."""
    return AllocationNotFound(
        f"There is no allocation {name!r}. `castiron allocation list` shows all.", details={"allocation": name}
    )


def not_written(record: AllocationRecord, error: StoreError) -> CastironError:
    """Return what is said of a write that did not come about."""
    if isinstance(error, DuplicateAllocation):
        return already_there(record.name, record.uuid)
    if isinstance(error, StaleAllocation):
        return no_such_allocation(record.uuid)
    return StoreUnavailable(
        f"{error}. Nothing was changed.", details={"reason": str(error)}, retry_after_s=RECOVERY_PAUSE_S
    )


def too_many_changes(record: AllocationRecord, limit: int) -> ConductorOverloaded:
    """Return what is said where so many changes of an allocation wait already."""
    return ConductorOverloaded(
        f"{limit} changes of allocation {record.name or record.uuid} wait, which is the limit. Try again.",
        details={"limit": limit, "what": "allocation_changes"},
        retry_after_s=RETRY_AFTER_S,
    )


def being_replaced() -> ConductorOverloaded:
    """Return what is said while nobody keeps allocations."""
    return ConductorOverloaded(
        "The keeper of allocations is being replaced. Try again.",
        details={"what": "keeper"},
        retry_after_s=RETRY_AFTER_S,
    )


def _judge_name(register: Register, name: str | None) -> None:
    if name is None:
        return
    if UUID_LIKE.fullmatch(name):
        raise ArgumentInvalid(
            f"An allocation cannot be called {name}: it looks like a uuid. Choose another name.",
            details={"path": "$.name"},
        )
    other = register.get(name)
    if other is not None:
        raise already_there(name, other.uuid)


def already_there(name: str | None, uuid: AllocationUUID) -> AllocationExists:
    """Return the error for a name, or where that is None a uuid, that is another allocation's."""
    what = f"the uuid {uuid}" if name is None else f"the name {name}"
    return AllocationExists(
        f"Another allocation has {what}. Choose another, or delete that one.", details={"name": name, "uuid": uuid}
    )


def _candidates(services: Services, verb: AllocationCreate) -> tuple[NodeUUID, ...]:
    found = [(name, services.board.node(name)) for name in verb.candidate_nodes or ()]
    unknown = [name for name, published in found if published is None]
    if unknown:
        raise node_not_found(*unknown)
    return tuple(published.state.record.uuid for _, published in found if published is not None)
