"""What a node's actor does about a message: the whole of it, as one pure function.

    decide(state, message, now, settings) -> Decision(state, effects, change)

Rules that keep it honest: a request that cannot start leaves no trace in the record (permit first); a start and its
event are one commit; for each start there is exactly one end or error, later; what the actor did not order, or ordered
before its latest recovery, is ignored by its ticket. One function a message; within an action its machine decides.
"""

from dataclasses import replace
from typing import Any, assert_never

from castiron.actors.core.actions import EVENTS, action_for, target_power_state
from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import (
    Accept,
    AcquirePermit,
    AnswerNode,
    CallDriver,
    CancelTimer,
    Decision,
    Refuse,
    ReleasePermit,
    Renew,
    Retire,
    SetTimer,
    TellFleet,
)
from castiron.actors.core.messages import (
    Amend,
    Heard,
    Message,
    PermitGranted,
    Recover,
    Remove,
    Submit,
    TimerDue,
)
from castiron.actors.core.state import Action, Active, NodeState
from castiron.actors.core.turn import Ask, Failed, Next, Succeeded, Wait
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.transport.errors import CastironError, NodeLocked, RevisionStale
from castiron.transport.verbs import arguments_of, tag_of
from castiron.transport.vocabulary import EventType, Fault, Instant, RequestState


def decide(state: NodeState, message: Message, now: Instant, settings: Settings) -> Decision:
    """Return what follows from a message. Pure."""
    draft = Draft(state, now)
    match message:
        case Submit():
            _submit(draft, message)
        case PermitGranted():
            _permit_granted(draft, message, settings)
        case Heard():
            _heard(draft, message, settings)
        case TimerDue():
            _timer_due(draft, message, settings)
        case Recover():
            _recover(draft)
        case Amend():
            _amend(draft, message)
        case Remove():
            _remove(draft, message)
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(message)
    return draft.finish()


def locked(state: NodeState, now: Instant) -> NodeLocked | None:
    """Return why the node takes no other request now, None if it does."""
    first = state.first
    if first is None:
        return None
    age_s = max(0.0, now - first.accepted_at)
    return NodeLocked(
        f"{state.record.name} is busy: {first.verb} from {first.requester}, {age_s:.1f} s ago, is not finished. "
        f"Wait for request {first.id}, or try again later.",
        details={
            "node": state.record.name,
            "request": first.id,
            "verb": first.verb,
            "age_s": age_s,
            "requester": first.requester,
        },
    )


def suspend(state: NodeState) -> NodeState:
    """Return the node with what is under way put back into the hands of whoever recovers it."""
    if state.active is None:
        return state
    return replace(state, active=None, interrupted=state.active.request)


def _submit(draft: Draft, message: Submit) -> None:
    obstacle = locked(draft.state, draft.now)
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    record = draft.state.record
    request = RequestRecord(
        id=message.request_id,
        node_uuid=record.uuid,
        node_name=record.name,
        verb=tag_of(message.verb),
        arguments=arguments_of(message.verb),
        requester=message.requester,
        state=RequestState.QUEUED,
        accepted_at=draft.now,
    )
    draft.keep(request)
    draft.state = replace(draft.state, queue=(*draft.state.queue, request))
    draft.order(Accept(message.reply_to, request), AcquirePermit(request.id))
    return None


def _permit_granted(draft: Draft, message: PermitGranted, settings: Settings) -> None:
    first = draft.state.first
    if first is None or first.id != message.request_id or draft.state.active is not None:
        return draft.order(ReleasePermit(message.request_id))
    action = action_for(first, draft.state.record, settings)
    if draft.state.interrupted is not None:
        action, following = action.resume(first.progress, draft.now)
        draft.state = replace(draft.state, interrupted=None)
    else:
        action, following = action.begin(draft.now)
        draft.state = replace(draft.state, queue=draft.state.queue[1:])
        first = replace(first, state=RequestState.RUNNING, started_at=draft.now)
        draft.record(target_power_state=target_power_state(first), last_error=None)
        _announce(draft, first, 0, {"to_power": draft.state.record.target_power_state})
    request = replace(first, attempts=first.attempts + 1, progress=action.progress(), deadline_at=action.until)
    draft.keep(request)
    return _follow(draft, Active(request=request, action=action), action, following, settings)


def _heard(draft: Draft, message: Heard, settings: Settings) -> None:
    active = draft.state.active
    if active is None or active.call != message.ticket:
        return None
    action, following = active.action.heard(message.outcome, draft.now)
    if action.observed is not None:
        power_state, at = action.observed
        draft.state = draft.state.recording(power_state=power_state, power_state_at=at)
    return _follow(draft, replace(active, call=None), action, following, settings)


def _timer_due(draft: Draft, message: TimerDue, settings: Settings) -> None:
    active = draft.state.active
    if active is None:
        return None
    if message.ticket == active.limit:
        action, following = active.action.expired(draft.now)
        return _follow(draft, replace(active, limit=None, limit_at=None), action, following, settings)
    if message.ticket == active.wake:
        action, following = active.action.woke(draft.now)
        return _follow(draft, replace(active, wake=None), action, following, settings)
    return None


def _follow(draft: Draft, active: Active, action: Action, following: Next, settings: Settings) -> None:
    """Turn what an action wants next into effects."""
    match following:
        case Ask(operation=operation, commit_first=commit_first):
            if commit_first:
                request = replace(active.request, progress=action.progress(), deadline_at=action.until)
                draft.keep(request)
                active = replace(active, request=request)
            call = draft.ticket()
            deadline = min(action.until, draft.now + settings.command_timeout_s)
            active = _limited(draft, replace(_awake(draft, active), action=action, call=call), action)
            draft.order(CallDriver(call, operation, Instant(deadline)))
            draft.state = replace(draft.state, active=active)
        case Wait(until=until):
            wake = draft.ticket()
            active = _limited(draft, replace(active, action=action, wake=wake), action)
            draft.order(SetTimer(wake, until))
            draft.state = replace(draft.state, active=active)
        case Succeeded(result=result):
            _end(draft, active, replace(active.request, state=RequestState.SUCCEEDED, result=result), None)
        case Failed(error=error):
            error.details.setdefault("node", draft.state.record.name)
            failed = replace(active.request, state=RequestState.FAILED, error=error.to_wire(), applied=error.applied)
            _end(draft, active, failed, error)
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(following)


def _awake(draft: Draft, active: Active) -> Active:
    if active.wake is not None:
        draft.order(CancelTimer(active.wake))
    return replace(active, wake=None)


def _limited(draft: Draft, active: Active, action: Action) -> Active:
    """Keep the timer of the action's end in step with the action."""
    if active.limit_at == action.until:
        return active
    if active.limit is not None:
        draft.order(CancelTimer(active.limit))
    limit = draft.ticket()
    draft.order(SetTimer(limit, action.until))
    return replace(active, limit=limit, limit_at=action.until)


def _end(draft: Draft, active: Active, request: RequestRecord, error: CastironError | None) -> None:
    if active.limit is not None:
        draft.order(CancelTimer(active.limit))
    _awake(draft, active)
    request = replace(request, ended_at=draft.now, progress={})
    draft.keep(request)
    draft.record(target_power_state=None, last_error=None if error is None else error.message)
    draft.state = replace(draft.state, active=None)
    told = {"power_state": draft.state.record.power_state, **(request.result or {})}
    _announce(draft, request, 1 if error is None else 2, told if error is None else {**told, "error": request.error})
    draft.order(ReleasePermit(request.id))
    if draft.state.queue:
        draft.order(AcquirePermit(draft.state.queue[0].id))


def _announce(draft: Draft, request: RequestRecord, which: int, payload: dict[str, Any]) -> None:
    events = EVENTS.get(request.verb)
    if events is not None:
        draft.tell(events[which], payload, request)


def _recover(draft: Draft) -> None:
    draft.state = suspend(draft.state)
    if draft.state.record.fault is Fault.ACTOR_FAILURE:
        draft.record(maintenance=False, maintenance_reason=None, fault=None)
        draft.tell(EventType.NODE_UPDATE_END, {"fault": None, "maintenance": False})
    first = draft.state.first
    if first is not None:
        draft.order(AcquirePermit(first.id))


def _amend(draft: Draft, message: Amend) -> None:
    amendment = message.amendment
    obstacle: CastironError | None = _stale(draft.state, message.revision)
    if obstacle is None and amendment.is_identity:
        obstacle = locked(draft.state, draft.now)
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle), TellFleet(applied=False))
    previous_name = draft.state.record.name
    changes = dict(amendment.attributes)
    if amendment.name is not None:
        changes["name"] = amendment.name
    if amendment.driver is not None:
        changes["driver"] = amendment.driver
    if amendment.driver_info is not None:
        changes["driver_info"] = amendment.driver_info.info
        changes["secret_keys"] = amendment.driver_info.secret_keys
        changes["bmc_address"] = amendment.driver_info.bmc_address
        draft.order(Renew())
    draft.record(**changes)
    changed = sorted(changes.keys() - {"secret_keys"})
    draft.tell(EventType.NODE_UPDATE_END, {"changed": changed, "previous_name": previous_name})
    return draft.order(AnswerNode(message.reply_to), TellFleet(applied=True))


def _remove(draft: Draft, message: Remove) -> None:
    obstacle: CastironError | None = _stale(draft.state, message.revision) or locked(draft.state, draft.now)
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    draft.remove()
    draft.tell(EventType.NODE_DELETE_END, {})
    return draft.order(Retire(message.reply_to, draft.state.record.name))


def _stale(state: NodeState, revision: int | None) -> RevisionStale | None:
    have = state.record.revision
    if revision is None or revision == have:
        return None
    return RevisionStale(
        f"{state.record.name} has changed: its revision is {have}, not {revision}. Read it again and decide anew.",
        details={"node": state.record.name, "have": have, "want": revision},
    )
