"""What a node's actor does about a message: the whole of it, as one pure function.

    decide(state, message, now, settings) -> Decision(state, effects, change)

Rules that keep it honest: a request that cannot start leaves no trace in the record (permit first); a start and its
event are one commit; for each start there is exactly one end or error, later; what the actor did not order, or ordered
before its latest recovery, is ignored by its ticket. One function a message; within an action its machine decides.
"""

from dataclasses import replace
from typing import Any, Final, assert_never

from castiron.actors.core import maintenance
from castiron.actors.core.aside import taken_back
from castiron.actors.core.audit import told_changes
from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import (
    Accept,
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
from castiron.actors.core.machines import check as checks
from castiron.actors.core.machines.actions import EVENTS, about, action_for, target_power_state
from castiron.actors.core.machines.departure import cancelled, cut_short
from castiron.actors.core.machines.turn import Ask, Failed, Next, Succeeded, Wait
from castiron.actors.core.messages import (
    Amend,
    Heard,
    Message,
    PermitGranted,
    Recover,
    Remove,
    SetMaintenance,
    Submit,
    TimerDue,
)
from castiron.actors.core.obstacles import leaving, locked, running, stale
from castiron.actors.core.state import Action, Active, NodeState
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.transport.errors import CastironError
from castiron.transport.verbs import arguments_of, tag_of
from castiron.transport.vocabulary import EventType, Fault, Instant, RequestState

LAST_WORD_S: Final = 0.25
"""After an action's time, for the driver's last outcome, which says better than a timer why there was no answer."""


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
            _recover(draft, message, settings)
        case Amend():
            _amend(draft, message)
        case Remove():
            _remove(draft, message)
        case SetMaintenance():
            _set_maintenance(draft, message)
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(message)
    checks.tend(draft, settings)
    return draft.finish()


def suspend(state: NodeState) -> NodeState:
    """Return the node with what is under way put back into the hands of whoever recovers it, and no permit held."""
    check = replace(state.check, is_begun=False, timer=None, call=None)
    return replace(state, active=None, interrupted=state.running, permit=None, check=check)


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
    draft.order(Accept(message.reply_to, request))
    return draft.enqueue(request)


def _permit_granted(draft: Draft, message: PermitGranted, settings: Settings) -> None:
    first = draft.state.first
    if first is None or draft.state.permit != message.request_id:
        return draft.order(ReleasePermit(message.request_id))  # nobody wants it any more
    if draft.state.active is not None:
        return None  # told twice; it is held already
    checks.overtake(draft)
    action = action_for(first, draft.state.record, settings)
    if draft.state.interrupted is not None:
        action, following = action.resume(first.progress, draft.now)
        draft.state = replace(draft.state, interrupted=None)
    else:
        action, following = action.begin(draft.now)
        draft.state = replace(draft.state, queue=draft.state.queue[1:])
        first = _started(draft, first)
    request = replace(first, attempts=first.attempts + 1, progress=action.progress(), deadline_at=action.until)
    draft.keep(request)
    return _follow(draft, Active(request=request, action=action), action, following, settings)


def _started(draft: Draft, request: RequestRecord) -> RequestRecord:
    """Note that a request has begun, and announce it if it is to change anything."""
    events = EVENTS.get(request.verb)
    if events is not None:
        draft.record(target_power_state=target_power_state(request), last_error=None)
        draft.tell(events.start, about(request, draft.state.record), request)
    return replace(request, state=RequestState.RUNNING, started_at=draft.now)


def _heard(draft: Draft, message: Heard, settings: Settings) -> None:
    if checks.is_heard(draft.state, message):
        return checks.heard(draft, message, settings)
    active = draft.state.active
    if active is None or active.call != message.ticket:
        return None
    action, following = active.action.heard(message.outcome, draft.now)
    if action.observed is not None:
        power_state, at = action.observed
        draft.state = draft.state.recording(power_state=power_state, power_state_at=at)
    action, following = _in_time(action, following, draft.now)
    return _follow(draft, replace(active, call=None), action, following, settings)


def _timer_due(draft: Draft, message: TimerDue, settings: Settings) -> None:
    if checks.is_due(draft.state, message):
        return checks.start(draft, message, settings)
    active = draft.state.active
    if active is None:
        return None
    if message.ticket == active.limit:
        action, following = active.action.expired(draft.now)
        return _follow(draft, replace(active, limit=None, limit_at=None), action, following, settings)
    if message.ticket == active.wake:
        action, following = active.action.woke(draft.now)
        action, following = _in_time(action, following, draft.now)
        return _follow(draft, replace(active, wake=None), action, following, settings)
    return None


def _in_time(action: Action, following: Next, now: Instant) -> tuple[Action, Next]:
    """Give an action up that wants to go on though its time is over."""
    if isinstance(following, (Ask, Wait)) and now >= action.until:
        return action.expired(now)
    return action, following


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
            draft.order(SetTimer(wake, min(until, action.until)))
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
    draft.order(SetTimer(limit, Instant(action.until + LAST_WORD_S)))
    return replace(active, limit=limit, limit_at=action.until)


def _let_go(draft: Draft, active: Active) -> None:
    if active.limit is not None:
        draft.order(CancelTimer(active.limit))
    _awake(draft, active)


def _end(draft: Draft, active: Active, request: RequestRecord, error: CastironError | None) -> None:
    _let_go(draft, active)
    request = replace(request, ended_at=draft.now, progress={})
    draft.keep(request)
    events = EVENTS.get(request.verb)
    if events is not None:
        outcome = {"error": request.error} if error else dict(request.result or {})
        payload = {**about(request, draft.state.record), **outcome}
        draft.record(target_power_state=None, last_error=error.message if error else None)
        draft.tell(events.error if error else events.end, payload, request)
    draft.state = replace(draft.state, active=None, permit=None)
    draft.order(ReleasePermit(request.id))
    draft.ask_for_permit()


def _recover(draft: Draft, message: Recover, settings: Settings) -> None:
    state = draft.state
    if state.leaving:
        return
    back = taken_back(state.record)
    if back:
        draft.record(**back)
        draft.tell(
            EventType.NODE_FAULT_CLEARED, {"fault": Fault.ACTOR_FAILURE.value, "power_state": state.record.power_state}
        )
    draft.ask_for_permit()
    checks.begin(draft, settings, message.check_within_s)


def _amend(draft: Draft, message: Amend) -> None:
    state, amendment = draft.state, message.amendment
    obstacle: CastironError | None = leaving(state) or stale(state.record, message.revision)
    if obstacle is None and amendment.is_way_to_bmc:
        obstacle = locked(state, draft.now)
    if obstacle is not None:
        return draft.order(TellFleet(applied=False), Refuse(message.reply_to, obstacle))
    changes = amendment.changes(state.record)
    if changes:
        if "driver_info" in changes:
            draft.order(Renew())
        draft.record(**changes)
        told: dict[str, Any] = {
            "changed": sorted(changes.keys() - {"secret_keys"}),
            "changes": told_changes(state.record, changes),
            "requester": message.requester,
        }
        if "name" in changes:
            told["previous_name"] = state.record.name
        draft.tell(EventType.NODE_UPDATE_END, told)
    # The fleet first: whoever is told of a new name may ask for the old one at once.
    return draft.order(TellFleet(applied=True), AnswerNode(message.reply_to))


def _remove(draft: Draft, message: Remove) -> None:
    state = draft.state
    obstacle = leaving(state) or stale(state.record, message.revision)
    if obstacle is None and not message.force:
        obstacle = running(state, draft.now)
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    _end_all(draft, message.requester)
    draft.remove()
    draft.state = replace(draft.state, leaving=True)
    draft.tell(EventType.NODE_DELETE_END, {"requester": message.requester})
    return draft.order(Retire(message.reply_to, state.record.name))


def _end_all(draft: Draft, requester: str) -> None:
    """End what is under way and what waits: the node will be there for none of it."""
    state = draft.state
    if state.active is not None:
        _let_go(draft, state.active)
    if state.running is not None:
        ended = cut_short(state.running, state.active, state.record, requester, draft.now)
        draft.keep(ended)
        events = EVENTS.get(ended.verb)
        if events is not None:
            draft.record(target_power_state=None)
            draft.tell(events.error, {**about(ended, state.record), "error": ended.error}, ended)
    for request in state.queue:
        draft.keep(cancelled(request, state.record, requester, draft.now))
    if state.permit is not None:
        draft.order(ReleasePermit(state.permit))
    draft.state = replace(draft.state, active=None, interrupted=None, queue=(), permit=None)


def _set_maintenance(draft: Draft, message: SetMaintenance) -> None:
    obstacle = leaving(draft.state)
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    before = draft.state.record
    changes = maintenance.changes(before, message)
    if changes:
        draft.record(**changes)
        draft.check = replace(draft.check, failures=0, forced=0)  # whoever says so has looked: it is counted anew
        told = maintenance.told(before, draft.state.record, message.requester)
        draft.tell(EventType.MAINTENANCE_SET_END, told)
    return draft.order(AnswerNode(message.reply_to))
