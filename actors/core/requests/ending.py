"""How requests end that have not started: each with its reason, its event, and those that depended on it.

The machine was not touched by any of them. What has started is ended by `actors.core.requests.running`. Pure.
"""

from castiron.actors.core.draft import Draft
from castiron.actors.core.requests import tracing
from castiron.store.records import NodeRecord, RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import (
    CastironError,
    DeadlineExceeded,
    NodeInMaintenance,
    NodeRemoved,
    PreconditionFailed,
    RequestCancelled,
    RequestExpired,
    RequestInterrupted,
    RequestSuperseded,
)
from castiron.transport.vocabulary import Applied, EventType, Instant, OnRestart, RequestID, RequestState

UNTOUCHED = "The machine has not been touched."


def cancel(draft: Draft, request: RequestRecord, requester: str) -> None:
    """End a request because nobody wants it any more."""
    details = {"request": request.id, "node": request.node_name, "requester": requester}
    error = RequestCancelled(f"It was cancelled by {requester} before it had started. {UNTOUCHED}", details=details)
    end_unstarted(draft, request, RequestState.CANCELLED, error)


def supersede(draft: Draft, request: RequestRecord, by: RequestRecord) -> None:
    """End a request that makes room for another one."""
    details = {"request": request.id, "superseded_by": by.id, "verb": by.verb, "requester": by.requester}
    error = RequestSuperseded(
        f"{by.verb} from {by.requester}, request {by.id}, superseded it before it had started. {UNTOUCHED}",
        details=details,
    )
    end_unstarted(draft, request, RequestState.CANCELLED, error)


def expire(draft: Draft) -> None:
    """End the requests that should have started by now."""
    for request in draft.state.queue:
        if request.deadline_at is not None and request.deadline_at <= draft.now and waits(draft, request.id):
            error = RequestExpired(
                f"It had not started by its deadline. {UNTOUCHED}",
                details={"request": request.id, "deadline_at": request.deadline_at},
            )
            end_unstarted(draft, request, RequestState.EXPIRED, error)


def leave_to_maintenance(draft: Draft) -> None:
    """End the requests that wait, but for those that are held: the node has just been put into maintenance."""
    record = draft.state.record
    details = {"node": record.name, "reason": record.maintenance_reason, "fault": record.fault}
    for request in draft.state.queue:
        if not request.hold and waits(draft, request.id):
            error = NodeInMaintenance(
                f"{record.name} was put into maintenance before it had started: {record.maintenance_reason or '-'}. "
                f"{UNTOUCHED} Ask again, or with `hold` to wait for the end of the maintenance.",
                details=dict(details),
            )
            end_unstarted(draft, request, RequestState.FAILED, error)


def interrupt(draft: Draft) -> None:
    """End the requests that were not to outlive their owner."""
    for request in draft.state.queue:
        if request.on_restart is OnRestart.FAIL and waits(draft, request.id):
            end_unstarted(draft, request, RequestState.FAILED, interrupted(request, Applied.NO, UNTOUCHED))


def interrupted(request: RequestRecord, applied: Applied, advice: str) -> RequestInterrupted:
    """Return the failure of a request whose owner ended before it."""
    message = f"The conductor, or the node's actor, was restarted, and it was not to go on after that. {advice}"
    return RequestInterrupted(message, details={"request": request.id}, applied=applied)


def overdue(request: RequestRecord, applied: Applied, advice: str) -> DeadlineExceeded:
    """Return the failure of a request whose owner did not end it by its time."""
    message = f"It had not ended by its time, and whoever was to end it did not. {advice}"
    return DeadlineExceeded(message, details={"deadline_at": request.overdue_at}, applied=applied)


def leave_to_removal(draft: Draft, requester: str) -> None:
    """End all requests that wait: the node is being deleted, and its last event tells of it."""
    for request in draft.state.queue:
        error = removed(draft.state.record, requester, Applied.NO, UNTOUCHED)
        draft.keep(_ended(request, RequestState.CANCELLED, error, draft.now))
    draft.state = replace(draft.state, queue=())


def removed(node: NodeRecord, requester: str, applied: Applied, advice: str) -> NodeRemoved:
    """Return the failure of a request whose node is deleted.

    Args:
        requester: who deleted it.
    """
    details = {"node": node.name, "node_uuid": node.uuid, "requester": requester}
    message = f"{node.name} was deleted before the request had ended. {advice}"
    return NodeRemoved(message, details=details, applied=applied)


def end_unstarted(draft: Draft, request: RequestRecord, state: RequestState, error: CastironError) -> None:
    """End a request that waits, and those that depend on it."""
    ended = _ended(request, state, error, draft.now)
    draft.keep(ended)
    draft.state = replace(draft.state, queue=tuple(other for other in draft.state.queue if other.id != request.id))
    told = {"verb": ended.verb, "state": ended.state.value, "requester": ended.requester, "error": ended.error}
    draft.tell(EventType.REQUEST_END, told, ended)
    fail_dependents(draft, ended)


def fail_dependents(draft: Draft, ended: RequestRecord) -> None:
    """End the requests that were to start after one that has not succeeded."""
    for request in draft.state.queue:
        if request.depends_on == ended.id and waits(draft, request.id):
            error = PreconditionFailed(
                f"It was to start after {ended.verb}, request {ended.id}, which {ended.state}. {UNTOUCHED}",
                details={"request": request.id, "depends_on": ended.id, "state": ended.state.value},
            )
            end_unstarted(draft, request, RequestState.FAILED, error)


def waits(draft: Draft, request_id: RequestID) -> bool:
    """Return whether a request still waits: it may have been ended together with one before it."""
    return any(request.id == request_id for request in draft.state.queue)


def _ended(request: RequestRecord, state: RequestState, error: CastironError, now: Instant) -> RequestRecord:
    error.applied = Applied.NO
    ended = replace(
        request, state=state, ended_at=now, error=error.to_wire(), applied=Applied.NO, progress={}, overdue_at=None
    )
    return replace(ended, trace=tracing.ended(request.trace, ended, now))
