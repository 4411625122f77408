"""A request that moves a node: begun with its permit, its steps driven to their ends, ended once. Pure.

`run` says which step is next, a step's machine says what is to be asked, and here both become what must be on disk and
what follows. Each step's beginning is committed before anything is asked for it, and its end before anything else
begins. Steps return results; none of them has a way into the state machine.
"""

from collections.abc import Mapping
from typing import Any, Final, assert_never

from castiron.actors.core.draft import Draft
from castiron.actors.core.executing import turns
from castiron.actors.core.machines.actions import verb_of
from castiron.actors.core.machines.job import JobAction
from castiron.actors.core.machines.pause import CallBackAction
from castiron.actors.core.machines.turn import Ask, Delegate, Draw, Failed, Listen, Succeeded, Wait
from castiron.actors.core.messages import Heard, Moved, TimerDue
from castiron.actors.core.provision.courses import EVENTS_OF, KINDS, finish_of, stages_of
from castiron.actors.core.provision.lanes import (
    begin_revert,
    begin_step,
    follow,
    having,
    in_time,
    no_more_retries,
    run_of,
    stopped,
)
from castiron.actors.core.provision.moving import move
from castiron.actors.core.provision.run import Begin, Finish, Move, Progress, Revert, Run, Stop
from castiron.actors.core.provision.states import WORKING, after, held_from
from castiron.actors.core.provision.steps import Step
from castiron.actors.core.requests import tracing
from castiron.actors.core.requests.closing import close
from castiron.actors.core.requests.ending import end_unstarted
from castiron.actors.core.requests.obstacles import misplaced
from castiron.actors.core.state import Active, Lane
from castiron.actors.core.telling import steps as telling
from castiron.actors.core.timing import let_go, limited, stop
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import CastironError, DeadlineExceeded, RequestAborted, StepFailed, from_wire
from castiron.transport.verbs import NodeProvisionSet
from castiron.transport.vocabulary import (
    EngineMode,
    EventType,
    Instant,
    ProvisionEvent,
    ProvisionState,
    RequestState,
    StepKind,
    StepState,
    TraceWord,
)

FOUND_AS: Final = {
    "read_device_id": "device_id",
    "read_guid": "system_guid",
    "read_fru": "fru",
    "read_sensors": "sensors",
}
"""Step of an inspection → the property that holds what it has found."""


SILENT: Final = "The executor does not say which step is next. What was done is taken back without it."


def begin(draft: Draft, first: RequestRecord, settings: Settings) -> None:
    """Begin a request that has its permit, if the node's state still allows it."""
    verb = _verb(first)
    event = EVENTS_OF[verb.target]
    refusal = misplaced(draft.state, verb.target)
    if refusal is not None:
        return end_unstarted(draft, first, RequestState.FAILED, refusal)
    draft.state = replace(draft.state, queue=tuple(one for one in draft.state.queue if one.id != first.id))
    trace = tracing.noted(first.trace, TraceWord.STARTED, draft.now)
    request = replace(first, state=RequestState.RUNNING, started_at=draft.now, attempts=first.attempts + 1, trace=trace)
    state = move(
        draft, request, event, EventType.PROVISION_SET_START, target=_meant(verb, is_retired=draft.state.record.retired)
    )
    if state not in WORKING:
        return _arrived(draft, request)
    active = Active(request=request, action=_run(request, state, settings), trace=request.trace)
    return go_on(draft, active, settings)


def heard(draft: Draft, active: Active, message: Heard, settings: Settings) -> None:
    """Take in the outcome of what a step asked for."""
    lane = next(one for one in active.lanes if one.call == message.ticket)
    name = run_of(active).name_of(lane.place)
    active = replace(active, trace=tracing.heard(active.trace, message.outcome, draft.now, step=name))
    action, following = lane.action.heard(message.outcome, draft.now)
    if action.observed is not None:
        power_state, at = action.observed
        draft.state = draft.state.recording(power_state=power_state, power_state_at=at)
    lane = replace(lane, call=None, action=action)
    if lane.is_stopping and isinstance(following, (Ask, Delegate, Draw, Wait, Listen)):
        following = Failed(stopped(active, action))
    active = follow(draft, having(active, lane), lane, in_time(lane, following, draft.now), settings)
    return go_on(draft, active, settings)


def due(draft: Draft, active: Active, message: TimerDue, settings: Settings) -> None:
    """Go on after a step's wait, or give it up because its time is over; or the whole list, because its own is."""
    if message.ticket == active.turn:
        return moved(draft, active, Moved(ticket=message.ticket, error=StepFailed(SILENT)), settings)
    if message.ticket == active.limit:
        return _expire(draft, replace(active, limit=None), settings)
    lane = next(one for one in active.lanes if message.ticket in (one.wake, one.limit))
    if message.ticket == lane.limit:
        action, following = lane.action.expired(draft.now)
        lane = replace(lane, limit=None, limit_at=None, action=action)
        if lane.is_stopping:
            following = Failed(stopped(active, action))
    else:
        action, following = lane.action.woke(draft.now)
        lane = replace(lane, wake=None, action=action)
    active = follow(draft, having(active, lane), lane, in_time(lane, following, draft.now), settings)
    return go_on(draft, active, settings)


def abort(draft: Draft, active: Active, requester: str, settings: Settings) -> None:
    """End the list, because nobody wants it any more."""
    failure = RequestAborted(
        f"It was aborted by {requester}.", details={"request": active.request.id, "requester": requester}
    )
    return _give_up(draft, active, failure, settings)


def _expire(draft: Draft, active: Active, settings: Settings) -> None:
    """End the list, because its time is over; one that goes back already does so in the time that this takes."""
    if run_of(active).failure is not None:
        draft.state = replace(draft.state, active=active)
        return None
    message = f"It had not ended within {active.request.arguments['timeout_s']:g} s, its timeout_s."
    failure = DeadlineExceeded(message, details={"request": active.request.id, "deadline_at": active.limit_at})
    return _give_up(draft, active, failure, settings)


def _give_up(draft: Draft, active: Active, failure: CastironError, settings: Settings) -> None:
    """End the list: no step begins any more, what runs is asked to stop, and what can be taken back is.

    A step that must not be interrupted runs to its end; one that asks a BMC for something ends with that exchange, and
    one that waits for somebody ends now.
    """
    run = replace(run_of(active), failure=failure.to_wire(), is_to_hold=False, is_held=False)
    active = no_more_retries(draft, replace(active, action=run))
    until = Instant(draft.now + settings.command_timeout_s)
    for lane in active.lanes:
        if lane.is_revert or not run_of(active).steps[lane.place].step.abortable:
            continue
        if lane.call is None:
            active = follow(draft, active, lane, Failed(stopped(active, lane.action)), settings)
        else:
            stop(draft, lane)
            stopping = limited(draft, replace(lane, is_stopping=True), min(until, lane.limit_at or until))
            active = having(active, stopping)
    return go_on(draft, active, settings)


def hold(draft: Draft, active: Active, settings: Settings) -> None:
    """Have the list stop between two steps. Idempotent."""
    run = run_of(active)
    go_on(draft, replace(active, action=replace(run, is_to_hold=not run.is_held)), settings, is_changed=True)


def unhold(draft: Draft, active: Active, settings: Settings) -> None:
    """Let a list that is held, or is to be held, go on."""
    run = run_of(active)
    if run.is_held:
        move(draft, active.request, ProvisionEvent.UNHOLD, EventType.PROVISION_SET_SUCCESS)
        move(draft, active.request, ProvisionEvent.RESUME, EventType.PROVISION_SET_SUCCESS)
    active = replace(active, action=replace(run, is_to_hold=False, is_held=False))
    go_on(draft, active, settings, is_changed=True)


def answered(
    draft: Draft, active: Active, lane: Lane, outcome: Mapping[str, Any] | CastironError, settings: Settings
) -> None:
    """Take in how a step ended that somebody else carries out.

    Args:
        outcome: what it came to, or why it failed.
    """
    following = Failed(outcome) if isinstance(outcome, CastironError) else Succeeded(outcome)
    return go_on(draft, follow(draft, active, lane, following, settings), settings)


def alive(draft: Draft, active: Active, lane: Lane, progress: Mapping[str, Any], settings: Settings) -> None:
    """Take in a sign of life of whoever carries a step out: its time begins anew."""
    if progress:
        draft.tell(
            EventType.STEP_PROGRESS,
            {**telling.about(active.request, run_of(active), lane.place, draft.state.record), "progress": progress},
            active.request,
        )
    if isinstance(lane.action, CallBackAction | JobAction):
        action, following = lane.action.alive(draft.now)
        lane = replace(lane, action=action)
        active = follow(draft, having(active, lane), lane, following, settings)
    return go_on(draft, active, settings, is_changed=True)


def go_on(draft: Draft, active: Active, settings: Settings, *, is_changed: bool = False) -> None:
    """Make all moves that can be made now, then say where the node stands."""
    before = None if is_changed else draft.state.active
    active = turns.without_engine(draft, active, run_of(active))
    while moves := turns.own_moves(active, run_of(active), settings):
        made = _make_all(draft, active, moves, settings)
        if made is None:
            return None
        active = made
    if turns.is_asked(active, settings):
        active = turns.ask(draft, active, run_of(active))
        active = turns.park(draft, active, run_of(active))
    return _settle(draft, active, before)


def unparked(draft: Draft, active: Active) -> None:
    """Go on with a list that has an engine again."""
    active = turns.unparked(draft, active, run_of(active))
    return _settle(draft, active, draft.state.active)


def moved(draft: Draft, active: Active, message: Moved, settings: Settings) -> None:
    """Make the moves that the executor has chosen; without it, take back what has been done."""
    active, moves = turns.answered(draft, active, run_of(active), message)
    made = _make_all(draft, active, moves, settings)
    return None if made is None else go_on(draft, made, settings)


def _make_all(draft: Draft, active: Active, moves: tuple[Move, ...], settings: Settings) -> Active | None:
    """Make moves of one turn, in order; what one comes to at once may rule the next out."""
    for one in moves:
        if not run_of(active).allows(one):
            continue
        made = _make(draft, active, one, settings)
        if made is None:
            return None
        active = made
    return active


def _make(draft: Draft, active: Active, one: Move, settings: Settings) -> Active | None:
    """Make a move; None: the request has ended, or goes on in another state."""
    if isinstance(one, Begin | Revert):
        _wake(draft, active)
    match one:
        case Begin(place=place):
            return begin_step(draft, active, place, settings)
        case Revert(place=place):
            return begin_revert(draft, active, place, settings)
        case Stop():
            return _stop(draft, active)
        case Finish():
            return _finish(draft, active, settings)
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(one)


def _stop(draft: Draft, active: Active) -> Active:
    """Hold between two steps, where the state can be held; where it cannot, go on."""
    run = replace(run_of(active), is_to_hold=False)
    if held_from(draft.state.record.provision_state) is None:
        return replace(active, action=run)
    move(draft, active.request, ProvisionEvent.HOLD, EventType.PROVISION_SET_SUCCESS)
    return replace(active, action=replace(run, is_held=True))


def _finish(draft: Draft, active: Active, settings: Settings) -> Active | None:
    run = run_of(active)
    request = active.traced
    draft.state = replace(draft.state, active=None)
    if run.failure is not None:
        let_go(draft, active)
        error = from_wire(run.failure)
        error.applied = run.applied()
        error.details.setdefault("node", draft.state.record.name)
        error.details["steps"] = telling.summaries(run)
        close(draft, request, error)
        return None
    verb = _verb(request)
    _note_findings(draft, run)
    if draft.state.record.provision_state not in WORKING:  # the last step to end was one that somebody else ended
        move(draft, request, ProvisionEvent.RESUME, EventType.PROVISION_SET_SUCCESS)
    event = finish_of(run.stage, verb.target, is_retired=draft.state.record.retired)
    to = after(run.stage, event)
    if to is None or to not in WORKING:
        let_go(draft, active)
        result = {**(request.result or {}), "steps": [*_done_before(request), *telling.summaries(run)]}
        close(draft, replace(request, result=result), None, event)
        return None
    move(draft, request, event, EventType.PROVISION_SET_SUCCESS)
    request = replace(request, result={"steps": [*_done_before(request), *telling.summaries(run)]})
    go_on(draft, replace(active, request=request, action=_run(request, to, settings)), settings, is_changed=True)
    return None


def _note_findings(draft: Draft, run: Run) -> None:
    """Put what an inspection has found into the node's properties; what it could not read stays as it was."""
    found = {
        FOUND_AS[one.step.step]: one.result
        for one in run.steps
        if run.stage is ProvisionState.INSPECTING and one.step.step in FOUND_AS and one.result
    }
    known = {key: value for key, value in found.items() if value.get("supported", True)}
    if known:
        draft.record(properties={**draft.state.record.properties, **known})


def _settle(draft: Draft, active: Active, before: Active | None) -> None:
    """Say where the node stands, and see to it that what a successor must know is on disk."""
    run = run_of(active)
    active = _bounded(draft, active)
    if not run.is_held and active.turn is None and active.engine_wish is None:
        _tend_wait(draft, active, run)
    if before is None or before.action != run or before.request != active.request:
        overdue_at = None if run.is_held or not active.lanes else run.until
        progress = run.progress(active.request.progress)
        request = replace(active.request, trace=active.trace, progress=progress, overdue_at=overdue_at)
        draft.keep(request)
        active = replace(active, request=request)
    draft.state = replace(draft.state, active=active)


def _bounded(draft: Draft, active: Active) -> Active:
    """Keep the timer of the whole list, where it was asked for with one."""
    timeout_s, began_at = active.request.arguments.get("timeout_s"), active.request.started_at
    if timeout_s is None or began_at is None:
        return active
    return limited(draft, active, Instant(began_at + timeout_s))


def _tend_wait(draft: Draft, active: Active, run: Run) -> None:
    """Bring the node's state in step with whether all that is under way is somebody else's to end."""
    states = {run.steps[lane.place].state for lane in active.lanes}
    waits = bool(states) and states <= {StepState.WAITING}
    state = draft.state.record.provision_state
    event = ProvisionEvent.WAIT if waits else ProvisionEvent.RESUME
    if (state in WORKING) is waits and after(state, event) is not None:
        move(draft, active.request, event, EventType.PROVISION_SET_SUCCESS)


def _wake(draft: Draft, active: Active) -> None:
    """Bring the node back from a wait, or a hold: the event of what begins tells the state that holds with it."""
    for event in (ProvisionEvent.UNHOLD, ProvisionEvent.RESUME):
        state = draft.state.record.provision_state
        if state not in WORKING and after(state, event) is not None:
            move(draft, active.request, event, EventType.PROVISION_SET_SUCCESS)


def _run(request: RequestRecord, stage: ProvisionState, settings: Settings) -> Run:
    verb = _verb(request)
    planned = request.progress.get("plan", {}).get(KINDS[stage].value, ())
    mode = verb.engine_mode or EngineMode(settings.engine_mode)
    return Run(stage=stage, mode=mode, steps=tuple(Progress(step=Step.from_map(one)) for one in planned))


def _verb(request: RequestRecord) -> NodeProvisionSet:
    verb = verb_of(request)
    assert isinstance(verb, NodeProvisionSet)  # noqa: S101 - whoever comes here has looked at the verb's tag
    return verb


def _meant(verb: NodeProvisionSet, *, is_retired: bool) -> ProvisionState | None:
    is_cleaned = StepKind.CLEAN in stages_of(verb.target)
    is_kept = finish_of(ProvisionState.CLEANING, verb.target, is_retired=is_retired) is ProvisionEvent.MANAGE
    return ProvisionState.MANAGEABLE if is_cleaned and is_kept else None


def _arrived(draft: Draft, request: RequestRecord) -> None:
    """End a request whose verb leads to a state of rest at once."""
    draft.state = replace(draft.state, active=None)
    close(draft, request, None, None)


def _done_before(request: RequestRecord) -> list[Any]:
    return list((request.result or {}).get("steps", ()))
