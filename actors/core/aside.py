"""What is written when a node is put aside because its actor keeps failing, and when it is taken back.

The node says so, what was under way or waiting ends as failed, and for each start that was announced there is an error.
A node that was moving is in the state of a move that failed, with where its steps stood; nothing is taken back, as
nobody is there to do it. Maintenance that was set by hand stays what it was. Pure.
"""

from collections.abc import Mapping
from typing import Any

from castiron.actors.core.draft import Draft
from castiron.actors.core.machines.actions import EVENTS, PROVISION_SET, about
from castiron.actors.core.provision.inheriting import lose
from castiron.actors.core.requests.closing import close
from castiron.actors.core.requests.obstacles import UNDER_WAY
from castiron.actors.core.state import NodeState
from castiron.actors.core.telling.steps import summaries
from castiron.store.records import Change, NodeRecord, RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import InternalError
from castiron.transport.vocabulary import Applied, EventType, Fault, Instant, RequestState


def put_aside(
    record: NodeRecord, requests: list[RequestRecord], now: Instant, failures: int, *, error_id: str
) -> Change:
    """Return the change that puts a node aside.

    Args:
        record: the node as it is on disk.
        requests: those of the node that have not ended.
        failures: how often its actor failed.
        error_id: under which the log says why; it is in the event and in the errors of the requests.
    """
    reason = f"Its actor failed {failures} times in a short time; the conductor's log says why."
    draft = Draft(NodeState(record=record), now)
    for request in requests:
        error = InternalError(
            f"The node was put aside. {reason}", details={"node": request.node_name}, error_id=error_id
        )
        _end(draft, request, error)
    draft.record(
        maintenance=True,
        maintenance_reason=record.maintenance_reason if _by_hand(record) else reason,
        fault=Fault.ACTOR_FAILURE,
        target_power_state=None,
        last_error=reason,
    )
    draft.tell(EventType.NODE_FAULT_SET, {"fault": Fault.ACTOR_FAILURE.value, "reason": reason, "error_id": error_id})
    change = draft.finish().change
    assert change is not None  # noqa: S101 - the record has changed
    return change


def taken_back(record: NodeRecord) -> Mapping[str, Any]:
    """Return which fields of the record change, and to what, when a node that may be aside has an actor again."""
    if record.fault is not Fault.ACTOR_FAILURE:
        return {}
    if _by_hand(record):
        return {"fault": None}
    return {"fault": None, "maintenance": False, "maintenance_reason": None}


def _by_hand(record: NodeRecord) -> bool:
    """Whether a hand set the maintenance: putting aside gives its reason in both places, and a check sets its fault."""
    is_ours = record.fault is Fault.ACTOR_FAILURE and record.maintenance_reason == record.last_error
    return record.maintenance and not is_ours and record.fault is not Fault.POWER_FAILURE


def _end(draft: Draft, request: RequestRecord, error: InternalError) -> None:
    """End a request: with the error that follows its start, if that was told, and with where its steps stand."""
    is_moving = request.verb == PROVISION_SET and request.started_at is not None
    if is_moving and draft.state.record.provision_state in UNDER_WAY:
        _lose(draft, request, error)
        return close(draft, request, error)
    events = None if request.started_at is None else EVENTS.get(request.verb)
    error.applied = Applied.UNKNOWN if events is not None else Applied.NO
    ended = replace(
        request,
        state=RequestState.FAILED,
        ended_at=draft.now,
        error=error.to_wire(),
        applied=error.applied,
        progress={},
    )
    draft.keep(ended)
    if request.started_at is None:
        told = {"requester": request.requester, "verb": request.verb, "state": ended.state.value}
        draft.tell(EventType.REQUEST_END, {**told, "error": ended.error}, ended)
    elif events is not None:
        draft.tell(events.error, {**about(ended, draft.state.record), "error": ended.error}, ended)
    return None


def _lose(draft: Draft, request: RequestRecord, error: InternalError) -> None:
    """Say where the steps of a request stand, if that can be read: it may be what its actor failed at."""
    error.applied = Applied.UNKNOWN
    try:
        run = lose(draft, request, error)
    except (KeyError, TypeError, ValueError):
        return
    error.applied = run.applied()
    error.details["steps"] = summaries(run)
