"""A request that runs: begun with its permit, driven by its machine, ended once.

What a machine wants next becomes effects here. A start and its event are one commit; for each start there is exactly
one end or error, later. Which requests run, and in which order, is decided elsewhere. Pure.
"""

from collections.abc import Callable
from typing import Final, assert_never

from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import CallDriver, ReleasePermit, SetTimer
from castiron.actors.core.machines import check as checks
from castiron.actors.core.machines.actions import (
    EVENTS,
    POWER_SET,
    PROVISION_SET,
    about,
    action_for,
    target_power_state,
)
from castiron.actors.core.machines.turn import Ask, Failed, Next, Succeeded, Wait
from castiron.actors.core.messages import Heard, PermitGranted, TimerDue
from castiron.actors.core.provision import driving, inheriting
from castiron.actors.core.provision.run import Run
from castiron.actors.core.requests import tracing
from castiron.actors.core.requests.closing import close
from castiron.actors.core.requests.ending import end_unstarted
from castiron.actors.core.requests.guards import overtaken
from castiron.actors.core.state import Action, Active, Ticket
from castiron.actors.core.timing import awake, let_go, limited
from castiron.actors.drivers.base import Done, GetPower
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import CastironError, RequestAborted
from castiron.transport.vocabulary import Applied, Instant, PowerState, RequestState, TraceWord

ADVICE: Final = {
    Applied.NO: "Nothing was applied.",
    Applied.YES: "What was sent to the BMC was applied: look at the machine.",
    Applied.UNKNOWN: "What was sent to the BMC may have been applied: look at the machine.",
}
"""What whoever ends a request should know of what it did."""


def permit_granted(draft: Draft, message: PermitGranted, settings: Settings) -> None:
    """Begin the first request, or take it up again."""
    first = draft.state.first
    if first is None or draft.state.permit != message.request_id:
        return draft.order(ReleasePermit(message.request_id))  # nobody wants it any more
    if draft.state.active is not None:
        return None  # told twice; it is held already
    if draft.state.interrupted is None:
        refusal = overtaken(draft.state.record, first)
        if refusal is not None:
            return end_unstarted(draft, first, RequestState.FAILED, refusal)
    checks.overtake(draft)
    if first.verb == PROVISION_SET:
        return (driving.begin if draft.state.interrupted is None else inheriting.resume)(draft, first, settings)
    action = action_for(first, draft.state.record, settings)
    if draft.state.interrupted is not None:
        action, following = action.resume(first.progress, draft.now)
        draft.state = replace(draft.state, interrupted=None)
        first = replace(first, trace=tracing.resumed(first.trace, draft.now))
    else:
        action, following = action.begin(draft.now)
        draft.state = replace(draft.state, queue=tuple(one for one in draft.state.queue if one.id != first.id))
        first = _started(draft, first)
    request = replace(first, attempts=first.attempts + 1, progress=action.progress(), overdue_at=action.until)
    draft.keep(request)
    return _follow(draft, Active(request=request, action=action, trace=request.trace), action, following, settings)


def is_heard(active: Active | None, message: Heard) -> bool:
    """Return whether an outcome is the running request's, and still of interest."""
    return active is not None and message.ticket in (active.call, *(lane.call for lane in active.lanes))


def heard(draft: Draft, active: Active, message: Heard, settings: Settings) -> None:
    """Take in the outcome of what it asked the driver for."""
    action = active.action
    if isinstance(action, Run):
        return driving.heard(draft, active, message, settings)
    active = replace(active, trace=tracing.heard(active.trace, message.outcome, draft.now))
    if active.looks:
        seen = message.outcome.value if isinstance(message.outcome, Done) else None
        return _end_aborted(draft, active, seen if isinstance(seen, PowerState) else None)
    action, following = action.heard(message.outcome, draft.now)
    if action.observed is not None:
        power_state, at = action.observed
        draft.state = draft.state.recording(power_state=power_state, power_state_at=at)
    active = replace(active, call=None, action=action)
    if active.abort_until is not None and isinstance(following, (Ask, Wait)):
        return _look_last(draft, active, active.abort_until)
    action, following = _in_time(action, following, draft.now)
    return _follow(draft, active, action, following, settings)


def is_due(active: Active | None, ticket: Ticket) -> bool:
    """Return whether a timer is the running request's."""
    if active is None:
        return False
    return ticket in (active.limit, active.wake, active.turn) or any(
        ticket in (lane.limit, lane.wake) for lane in active.lanes
    )


def due(draft: Draft, active: Active, message: TimerDue, settings: Settings) -> None:
    """Go on after a wait, or give up because the time is over."""
    action = active.action
    if isinstance(action, Run):
        return driving.due(draft, active, message, settings)
    if message.ticket == active.limit and active.abort_until is not None:
        return _end_aborted(draft, replace(active, limit=None), None)
    if message.ticket == active.limit:
        action, following = action.expired(draft.now)
        return _follow(draft, replace(active, limit=None, limit_at=None), action, following, settings)
    action, following = action.woke(draft.now)
    action, following = _in_time(action, following, draft.now)
    return _follow(draft, replace(active, wake=None), action, following, settings)


def abort(draft: Draft, requester: str, settings: Settings) -> None:
    """End the request that runs: after the exchange with the BMC that is under way, and a last look at the machine."""
    request = draft.state.running
    if request is None or request.abort_by is not None:
        return None
    trace = tracing.noted(draft.state.traced(request).trace, TraceWord.ABORT, draft.now, requester=requester)
    request = replace(request, abort_by=requester, trace=trace)
    draft.keep(request)
    draft.state = draft.state.having(request)
    active = draft.state.active
    if active is None:
        return None if request.verb == PROVISION_SET else end_aborted_before(draft, request)
    if isinstance(active.action, Run):
        return driving.abort(draft, active, requester, settings)
    until = min(Instant(draft.now + settings.command_timeout_s), active.action.until)
    active = limited(draft, awake(draft, replace(active, abort_until=until)), until)
    if active.call is None:
        return _look_last(draft, active, until)
    draft.state = replace(draft.state, active=active)
    return None


def end_aborted_before(draft: Draft, request: RequestRecord) -> None:
    """End a request that was being aborted when its owner ended; nobody has looked at the machine since.

    A list of steps is taken up again first: what it has done may have to be taken back.
    """
    if request.verb != PROVISION_SET:
        end_interrupted(draft, lambda applied: _aborted(draft, request, applied, None))


def end_interrupted(draft: Draft, failure: Callable[[Applied], CastironError]) -> None:
    """End a request that its owner left behind, without taking it up again.

    Args:
        failure: makes the error from what is known of what was applied.
    """
    request = draft.state.interrupted
    if request is None:
        return None
    error = failure(left_behind(request))
    if request.verb == PROVISION_SET:
        return inheriting.break_off(draft, request, error)
    draft.state = replace(draft.state, interrupted=None)
    return close(draft, replace(request, trace=tracing.left_behind(request.trace, draft.now)), error)


def cut_short(draft: Draft, failure: Callable[[Applied], CastironError]) -> None:
    """End the request that has begun, at once: nobody listens to its machine any more."""
    active, left = draft.state.active, draft.state.interrupted
    if left is not None:
        draft.state = replace(draft.state, interrupted=None)
        error = failure(left_behind(left))
        if left.verb == PROVISION_SET:
            inheriting.lose(draft, left, error)
        return close(draft, replace(left, trace=tracing.left_behind(left.trace, draft.now)), error)
    if active is None:
        return None
    let_go(draft, active)
    if isinstance(active.action, Run):
        inheriting.cut_short(draft, active, failure(active.action.applied()))
    draft.state = replace(draft.state, active=None)
    return close(draft, active.traced, failure(active.action.applied()))


def left_behind(request: RequestRecord) -> Applied:
    """Return what is known of what was sent for a request that its owner left behind."""
    if request.verb == PROVISION_SET:
        return Run.from_progress(request.progress).applied()
    if request.verb not in EVENTS:
        return Applied.NO
    sends_after_commit = request.verb == POWER_SET and "sent" in request.progress
    return Applied.NO if sends_after_commit and not request.progress["sent"] else Applied.UNKNOWN


def _started(draft: Draft, request: RequestRecord) -> RequestRecord:
    """Note that a request has begun, and announce it if it is to change anything."""
    events = EVENTS.get(request.verb)
    if events is not None:
        draft.record(target_power_state=target_power_state(request), last_error=None)
        draft.tell(events.start, about(request, draft.state.record), request)
    trace = tracing.noted(request.trace, TraceWord.STARTED, draft.now)
    return replace(request, state=RequestState.RUNNING, started_at=draft.now, trace=trace)


def _in_time(action: Action, following: Next, now: Instant) -> tuple[Action, Next]:
    """Give an action up that wants to go on though its time is over."""
    if isinstance(following, (Ask, Wait)) and now >= action.until:
        return action.expired(now)
    return action, following


def _follow(draft: Draft, active: Active, action: Action, following: Next, settings: Settings) -> None:
    """Turn what an action wants next into effects."""
    match following:
        case Ask(operation=operation, commit_first=commit_first):
            active = replace(active, trace=tracing.asked(active.trace, operation, draft.now))
            if commit_first:
                request = replace(active.traced, progress=action.progress(), overdue_at=action.until)
                draft.keep(request)
                active = replace(active, request=request)
            call = draft.ticket()
            deadline = min(action.until, draft.now + settings.command_timeout_s)
            active = limited(draft, replace(awake(draft, active), action=action, call=call), action.until)
            draft.order(CallDriver(call, operation, Instant(deadline)))
            draft.state = replace(draft.state, active=active)
        case Wait(until=until):
            wake = draft.ticket()
            trace = tracing.waits(active.trace, draft.now, until)
            active = limited(draft, replace(active, action=action, wake=wake, trace=trace), action.until)
            draft.order(SetTimer(wake, min(until, action.until)))
            draft.state = replace(draft.state, active=active)
        case Succeeded(result=result):
            let_go(draft, active)
            close(draft, replace(active.traced, result=result), None)
        case Failed(error=error):
            error.details.setdefault("node", draft.state.record.name)
            let_go(draft, active)
            close(draft, active.traced, error)
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(following)


def _look_last(draft: Draft, active: Active, until: Instant) -> None:
    """Look at the machine that is left as it is, unless it has just been seen or there is no time left."""
    observed = active.action.observed
    if observed is not None and observed[1] == draft.now:
        return _end_aborted(draft, active, observed[0])
    if draft.now >= until:
        return _end_aborted(draft, active, None)
    call = draft.ticket()
    draft.order(CallDriver(call, GetPower(), until))
    trace = tracing.asked(active.trace, GetPower(), draft.now)
    draft.state = replace(draft.state, active=replace(active, call=call, looks=True, trace=trace))
    return None


def _end_aborted(draft: Draft, active: Active, seen: PowerState | None) -> None:
    let_go(draft, active)
    if seen is not None:
        draft.state = draft.state.recording(power_state=seen, power_state_at=draft.now)
    close(draft, active.traced, _aborted(draft, active.request, active.action.applied(), seen))


def _aborted(draft: Draft, request: RequestRecord, applied: Applied, seen: PowerState | None) -> RequestAborted:
    shown = "What state the machine is in is not known" if seen is None else f"The machine is at {seen}"
    return RequestAborted(
        f"It was aborted by {request.abort_by}. {shown}. {ADVICE[applied]}",
        details={
            "request": request.id,
            "requester": request.abort_by,
            "power_state": seen,
            "power_state_at": None if seen is None else draft.now,
        },
        applied=applied,
    )
