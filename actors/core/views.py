"""How nodes and requests look to whoever asks: records turned into replies, secrets masked.

Pure; made when somebody reads, from what was published after the latest commit.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

from castiron.actors.core.requests import obstacles
from castiron.actors.core.state import NodeState
from castiron.actors.core.telling.steps import steps_of
from castiron.store.records import EventRecord, NodeAlarm, NodeLock, NodeRecord, RequestRecord, TraceEntry
from castiron.store.records.copying import replace
from castiron.transport.events import EventView
from castiron.transport.replies import MASK, AlarmView, LockView, NodeView, RequestSummary, RequestView, TraceStep
from castiron.transport.vocabulary import Instant
from castiron.transport.webhooks.addresses import shown

_OF_RECORD: Final = frozenset(NodeView.__struct_fields__) & {field.name for field in fields(NodeRecord)} - {
    "driver_info",
    "traits",
    "lock",
    "alarms",
}
"""Fields of a view that the record has as they are."""


def node_view(state: NodeState, now: Instant) -> NodeView:
    """Return the node as it stands."""
    record = state.record
    accepts, refuses = _verbs(state, now)
    return NodeView(
        uuid=record.uuid,
        name=record.name,
        driver=record.driver,
        driver_info=_masked(record.driver_info, record.secret_keys),
        properties=dict(record.properties),
        extra=dict(record.extra),
        power_state=record.power_state,
        power_state_at=state.power_state_at,
        target_power_state=record.target_power_state,
        provision_state=record.provision_state,
        target_provision_state=record.target_provision_state,
        maintenance=record.maintenance,
        maintenance_reason=record.maintenance_reason,
        fault=record.fault,
        last_error=record.last_error,
        power_state_change_timeout_s=record.power_state_change_timeout_s,
        soft_power_off_timeout_s=record.soft_power_off_timeout_s,
        power_check_interval_s=record.power_check_interval_s,
        power_check_failures=state.check.failures,
        power_check_pace=state.check.pace,
        power_check_due_at=state.check.due_at,
        created_at=record.created_at,
        updated_at=record.updated_at,
        revision=record.revision,
        protected=record.protected,
        protected_reason=record.protected_reason,
        retired=record.retired,
        retired_reason=record.retired_reason,
        disable_power_off=record.disable_power_off,
        resource_class=record.resource_class,
        traits=list(record.traits),
        allocation_uuid=record.allocation_uuid,
        instance_uuid=record.allocation_uuid,
        lock=_lock(record.lock),
        sensor_data_interval_s=record.sensor_data_interval_s,
        alarms=_alarms(record.alarms),
        active_request=None if state.running is None else _summary(state.running, step=_step(state)),
        queued_requests=[_summary(request, position=place) for place, request in enumerate(state.queue, start=1)],
        accepts=accepts,
        refuses=refuses,
    )


def field_of(state: NodeState, now: Instant, name: str) -> Any:
    """Return what the node's view has in one of its fields, without making the view where that can be.

    It halves the time of a list with conditions: 21 ms instead of 45 for 10,000 nodes.
    """
    if name in _OF_RECORD:
        return getattr(state.record, name)
    if name == "driver_info":
        return _masked(state.record.driver_info, state.record.secret_keys)
    if name == "instance_uuid":
        return state.record.allocation_uuid
    if name in _MADE:
        return _MADE[name](state.record)
    return getattr(node_view(state, now), name)


def _alarms(alarms: Mapping[str, NodeAlarm]) -> dict[str, AlarmView]:
    return {
        rule: AlarmView(state=alarm.state, since=alarm.since, sensor=alarm.sensor, value=alarm.value)
        for rule, alarm in alarms.items()
    }


def _lock(lock: NodeLock | None) -> LockView | None:
    return None if lock is None else LockView(owner=lock.owner, reason=lock.reason, since=lock.since)


_MADE: Final[Mapping[str, Callable[[NodeRecord], Any]]] = {
    "traits": lambda record: list(record.traits),
    "lock": lambda record: _lock(record.lock),
    "alarms": lambda record: _alarms(record.alarms),
}
"""Fields of a view that are made of one of the record's."""


def request_view(request: RequestRecord, state: NodeState | None = None, ahead: int | None = None) -> RequestView:
    """Return the request as it stands.

    Args:
        state: of its node, which knows what it is doing now, or where it stands in line.
        ahead: requests that get a permit before it; None: it does not wait for one, or nobody has looked.
    """
    active = None if state is None else state.active
    return RequestView(
        id=request.id,
        node=request.node_name,
        node_uuid=request.node_uuid,
        verb=request.verb,
        arguments=_masked(request.arguments, request.secret_keys),
        requester=request.requester,
        state=request.state,
        accepted_at=request.accepted_at,
        started_at=request.started_at,
        ended_at=request.ended_at,
        deadline_at=request.deadline_at,
        # Of one that has ended it stays on disk, as evidence of whether it was kept; who asks is not to wait for it.
        overdue_at=request.overdue_at if request.ended_at is None else None,
        policy=request.policy,
        hold=request.hold,
        on_restart=request.on_restart,
        key=request.key,
        depends_on=request.depends_on,
        requesters=list(request.wanted_by),
        merged=request.merged,
        position=None if state is None else _position(state, request),
        ahead=ahead,
        aborted_by=request.abort_by,
        callback_urls=[shown(url) for url in request.callbacks],
        attempts=request.attempts,
        step=None if active is None or active.request.id != request.id else active.action.step(),
        runbook=request.runbook,
        steps=steps_of(request),
        result=None if request.result is None else dict(request.result),
        error=None if request.error is None else dict(request.error),
    )


def listed(request: RequestRecord, state: NodeState | None = None) -> RequestView:
    """Return the request as lists have it: without its steps, which may be sixty-four, with a result each."""
    error = request.error
    if error is not None and "steps" in error.get("details", {}):
        error = {**error, "details": _but_steps(error["details"])}
    lean = replace(request, arguments=_but_steps(request.arguments), progress={}, error=error)
    lean = lean if request.result is None else replace(lean, result=_but_steps(request.result))
    return request_view(lean, state)


def _but_steps(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "steps"}


def trace_steps(trace: Iterable[TraceEntry]) -> list[TraceStep]:
    """Return a trace as it is told."""
    return [
        TraceStep(word=entry.word, at=entry.at, until=entry.until, count=entry.count, details=dict(entry.details))
        for entry in trace
    ]


def event_view(event: EventRecord) -> EventView:
    """Return the event as it is published, and as it is read again later."""
    draft = event.draft
    return EventView(
        seq=event.seq,
        node_seq=event.node_seq,
        type=draft.type.value,
        at=draft.at,
        node=draft.node_name,
        node_uuid=draft.node_uuid,
        request=draft.request_id,
        payload=dict(draft.payload),
    )


def _position(state: NodeState, request: RequestRecord) -> int | None:
    return next((place for place, one in enumerate(state.queue, start=1) if one.id == request.id), None)


def _masked(values: Mapping[str, Any], secret_keys: frozenset[str]) -> dict[str, Any]:
    return {key: MASK if key in secret_keys and value is not None else value for key, value in values.items()}


def _step(state: NodeState) -> str | None:
    return None if state.active is None else state.active.action.step()


def _summary(request: RequestRecord, *, step: str | None = None, position: int | None = None) -> RequestSummary:
    return RequestSummary(
        id=request.id,
        verb=request.verb,
        requester=request.requester,
        state=request.state,
        accepted_at=request.accepted_at,
        step=step,
        position=position,
        deadline_at=request.deadline_at,
        overdue_at=request.overdue_at,
        hold=request.hold,
        depends_on=request.depends_on,
        requesters=list(request.wanted_by),
    )


def _verbs(state: NodeState, now: Instant) -> tuple[list[str], dict[str, str]]:
    """Judge every verb that changes a node or reaches its BMC, as whoever answers for the node would now."""
    found = obstacles.obstacles(state)
    if found is obstacles.NOTHING:
        return list(found), {}
    accepts: list[str] = []
    refuses: dict[str, str] = {}
    for tag, obstacle in found.items():
        if obstacle is None:
            accepts.append(tag)
        else:
            error = obstacles.busy_with(state, tag, obstacle, now) if isinstance(obstacle, RequestRecord) else obstacle
            refuses[tag] = f"{error.code}: {error.message}"
    return accepts, refuses
