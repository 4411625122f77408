"""What is written when a node is put aside because its actor keeps failing, and when it is taken back.

The node says so, what was under way or waiting ends as failed, and for each start that was announced there is an error.
Maintenance that was set by hand stays what it was. Pure.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from castiron.actors.core.machines.actions import EVENTS, about
from castiron.actors.core.requests.callbacks import callbacks_of
from castiron.store.records import Change, EventDraft, NodeRecord, NodeUpdate, RequestRecord
from castiron.transport.errors import InternalError
from castiron.transport.vocabulary import (
    Applied,
    EventType,
    Fault,
    Instant,
    NodeSeq,
    RequestState,
    Revision,
)


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
    ended = tuple(_ended(request, reason, now, error_id) for request in requests)
    events = [_told(record, request, now) for request in ended if request.started_at is None or request.verb in EVENTS]
    fault = {"fault": Fault.ACTOR_FAILURE.value, "reason": reason, "error_id": error_id}
    events.append(
        EventDraft(type=EventType.NODE_FAULT_SET, at=now, node_uuid=record.uuid, node_name=record.name, payload=fault)
    )
    aside = replace(
        record,
        maintenance=True,
        maintenance_reason=record.maintenance_reason if _by_hand(record) else reason,
        fault=Fault.ACTOR_FAILURE,
        target_power_state=None,
        last_error=reason,
        updated_at=now,
        revision=Revision(record.revision + 1),
        node_seq=NodeSeq(record.node_seq + len(events)),
    )
    outbox = callbacks_of(ended, aside)
    return Change(node=NodeUpdate(record=aside), requests=ended, events=tuple(events), outbox=outbox)


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


def _was_announced(request: RequestRecord) -> bool:
    return request.started_at is not None and request.verb in EVENTS


def _ended(request: RequestRecord, reason: str, now: Instant, error_id: str) -> RequestRecord:
    applied = Applied.UNKNOWN if _was_announced(request) else Applied.NO
    message, details = f"The node was put aside. {reason}", {"node": request.node_name}
    error = InternalError(message, details=details, applied=applied, error_id=error_id)
    return replace(
        request, state=RequestState.FAILED, ended_at=now, error=error.to_wire(), applied=applied, progress={}
    )


def _told(record: NodeRecord, request: RequestRecord, now: Instant) -> EventDraft:
    """Return the event of a request's end: the error that follows its start, or that it ended without one."""
    unstarted = {"requester": request.requester, "verb": request.verb, "state": request.state.value}
    return EventDraft(
        type=EventType.REQUEST_END if request.started_at is None else EVENTS[request.verb].error,
        at=now,
        node_uuid=record.uuid,
        node_name=record.name,
        request_id=request.id,
        payload={**(unstarted if request.started_at is None else about(request, record)), "error": request.error},
    )
