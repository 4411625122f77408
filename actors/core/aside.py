"""What is written when a node is put aside because its actor keeps failing.

The node says so, what was under way or waiting ends as failed, and for each start that was announced there is an error.
Pure.
"""

from dataclasses import replace

from castiron.actors.core.actions import EVENTS
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


def put_aside(record: NodeRecord, requests: list[RequestRecord], now: Instant, failures: int) -> Change:
    """Return the change that puts a node aside.

    Args:
        record: the node as it is on disk.
        requests: those of the node that have not ended.
        failures: how often its actor failed.
    """
    reason = f"Its actor failed {failures} times in a row; the conductor's log says why."
    ended = tuple(_ended(request, reason, now) for request in requests)
    events = [_error(record, request, now) for request in ended if request.started_at and request.verb in EVENTS]
    events.append(
        EventDraft(
            type=EventType.NODE_FAULT_SET,
            at=now,
            node_uuid=record.uuid,
            node_name=record.name,
            payload={"fault": Fault.ACTOR_FAILURE.value, "reason": reason},
        )
    )
    aside = replace(
        record,
        maintenance=True,
        maintenance_reason=reason,
        fault=Fault.ACTOR_FAILURE,
        target_power_state=None,
        last_error=reason,
        updated_at=now,
        revision=Revision(record.revision + 1),
        node_seq=NodeSeq(record.node_seq + len(events)),
    )
    return Change(node=NodeUpdate(record=aside), requests=ended, events=tuple(events))


def _ended(request: RequestRecord, reason: str, now: Instant) -> RequestRecord:
    applied = Applied.UNKNOWN if request.started_at is not None else Applied.NO
    error = InternalError(f"The node was put aside. {reason}", details={"node": request.node_name}, applied=applied)
    return replace(
        request, state=RequestState.FAILED, ended_at=now, error=error.to_wire(), applied=applied, progress={}
    )


def _error(record: NodeRecord, request: RequestRecord, now: Instant) -> EventDraft:
    return EventDraft(
        type=EVENTS[request.verb][2],
        at=now,
        node_uuid=record.uuid,
        node_name=record.name,
        request_id=request.id,
        payload={"power_state": record.power_state, "error": request.error},
    )
