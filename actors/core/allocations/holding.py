"""What a node does when it is claimed, given back, or forgotten: one change of the node and of its allocation. Pure.

The node's actor decides, so that there is no window between looking and taking; and what it decides is one commit, so
that node and allocation never name each other by halves.
"""

from typing import Final

from castiron.actors.core.allocations.fitness import unfit, wish_of
from castiron.actors.core.allocations.ledger import told
from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import AnswerHolding, Refuse
from castiron.actors.core.messages import Claim, Release
from castiron.actors.core.requests.compatibility import PROVISION
from castiron.actors.core.requests.guards import lock_held
from castiron.actors.core.requests.obstacles import leaving
from castiron.actors.core.state import NodeState
from castiron.store.records import AllocationRemove, AllocationUpdate
from castiron.store.records.copying import replace
from castiron.transport.errors import AllocationNotFound, CastironError, NodeStateInvalid
from castiron.transport.requester import identity_of
from castiron.transport.vocabulary import AllocationState, EventType, ProvisionState, Revision

RELEASABLE: Final = frozenset(
    {
        ProvisionState.ENROLL,
        ProvisionState.MANAGEABLE,
        ProvisionState.AVAILABLE,
        ProvisionState.DEPLOY_FAILED,
        ProvisionState.CLEAN_FAILED,
        ProvisionState.INSPECT_FAILED,
        ProvisionState.ADOPT_FAILED,
        ProvisionState.ERROR,
    }
)
"""Where nobody's machine is on the node, and nothing is done to it: it may be given back. Ironic's rule, but for the
states of rescue and service that failed, in which an owner's machine is still there: it is undeployed first."""


def claim(draft: Draft, message: Claim) -> None:
    """Have the node be held by an allocation, if it can be had now. Idempotent."""
    record, allocation = draft.state.record, message.allocation
    if record.allocation_uuid == allocation.uuid:
        return draft.order(AnswerHolding(message.reply_to))
    obstacle = leaving(draft.state) or unfit(draft.state, wish_of(allocation))
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    held = replace(
        allocation,
        state=AllocationState.ACTIVE,
        node_uuid=record.uuid,
        updated_at=draft.now,
        revision=Revision(allocation.revision + 1),
    )
    draft.record(allocation_uuid=held.uuid)
    draft.hold(AllocationUpdate(record=held))
    draft.tell(EventType.ALLOCATION_CREATE_END, told(held, held.requester))
    return draft.order(AnswerHolding(message.reply_to))


def release(draft: Draft, message: Release) -> None:
    """Have the node be held by nobody, if nobody's machine is on it."""
    obstacle = leaving(draft.state) or _unreleasable(draft.state, message)
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    give_back(draft, message.requester, "deleted")
    return draft.order(AnswerHolding(message.reply_to))


def give_back(draft: Draft, requester: str, reason: str) -> None:
    """End the node's allocation, if it has one.

    Args:
        reason: what ended it, for whoever reads the event.
    """
    record = draft.state.record
    uuid = record.allocation_uuid
    if uuid is None:
        return
    draft.record(allocation_uuid=None)
    draft.hold(AllocationRemove(uuid=uuid))
    payload = {"requester": requester, "allocation": uuid, "node_uuid": record.uuid, "reason": reason}
    draft.tell(EventType.ALLOCATION_DELETE_END, payload)


def _unreleasable(state: NodeState, message: Release) -> CastironError | None:
    record = state.record
    if record.allocation_uuid != message.allocation_uuid:
        return AllocationNotFound(
            f"{record.name} is not held by allocation {message.allocation_uuid} any more.",
            details={"allocation": message.allocation_uuid},
        )
    if record.lock is not None and record.lock.owner != identity_of(message.requester):
        return lock_held(record)
    is_moving = any(request.verb == PROVISION for request in state.open)
    if record.maintenance or (record.provision_state in RELEASABLE and not is_moving):
        return None
    at = record.provision_state
    why = "and is about to be moved" if at in RELEASABLE else "where it is in use, or on its way"
    return NodeStateInvalid(
        f"{record.name} is {at}, {why}: its allocation cannot be deleted. `castiron node undeploy {record.name}` ends "
        "the allocation, too; in maintenance it can always be deleted.",
        details={"node": record.name, "provision_state": at.value, "target": "release", "accepts": []},
    )
