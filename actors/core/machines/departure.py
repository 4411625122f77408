"""How requests end whose node is deleted: what waits is cancelled, what has begun has failed.

Each says what is known of whether it was applied. Pure; the events, and the node's own end, are the decision's.
"""

from dataclasses import replace

from castiron.actors.core.machines.actions import EVENTS
from castiron.actors.core.state import Active
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.errors import NodeRemoved
from castiron.transport.vocabulary import Applied, Instant, RequestState


def cancelled(request: RequestRecord, node: NodeRecord, requester: str, now: Instant) -> RequestRecord:
    """Return a request that had not begun, ended.

    Args:
        requester: who deleted the node.
    """
    error = _deleted("The machine has not been touched.", node, requester, Applied.NO)
    return _ended(request, RequestState.CANCELLED, error, now)


def cut_short(
    request: RequestRecord, active: Active | None, node: NodeRecord, requester: str, now: Instant
) -> RequestRecord:
    """Return a request that had begun, ended.

    Args:
        active: where it stands; None: it was to be taken up again, and only what changes nothing is known to have
            changed nothing.
        requester: who deleted the node.
    """
    if active is not None:
        applied = active.action.applied()
    else:
        applied = Applied.UNKNOWN if request.verb in EVENTS else Applied.NO
    return _ended(request, RequestState.FAILED, _deleted(_ADVICE[applied], node, requester, applied), now)


_ADVICE = {
    Applied.NO: "Nothing was applied.",
    Applied.YES: "What was sent to the BMC was applied: look at the machine.",
    Applied.UNKNOWN: "What was sent to the BMC may have been applied: look at the machine.",
}


def _deleted(advice: str, node: NodeRecord, requester: str, applied: Applied) -> NodeRemoved:
    details = {"node": node.name, "node_uuid": node.uuid, "requester": requester}
    message = f"{node.name} was deleted before the request had ended. {advice}"
    return NodeRemoved(message, details=details, applied=applied)


def _ended(request: RequestRecord, state: RequestState, error: NodeRemoved, now: Instant) -> RequestRecord:
    return replace(request, state=state, ended_at=now, error=error.to_wire(), applied=error.applied, progress={})
