"""One step of a list, under way: what its machine wants becomes effects, and what became of it is told. Pure.

Each beginning is committed before anything is asked, and each end before anything else begins. May come in: another
thing that a step may want. Must not: which step is next (`run`), or what the end of a list means (`driving`).
"""

from collections.abc import Mapping
from typing import Any, Final, assert_never

from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import CallDriver, CallWorker, DrawPassword, SetTimer
from castiron.actors.core.machines import check as checks
from castiron.actors.core.machines.job import JobAction
from castiron.actors.core.machines.password import PasswordAction
from castiron.actors.core.machines.pause import PauseAction
from castiron.actors.core.machines.turn import Ask, Delegate, Draw, Failed, Listen, StepNext, Succeeded, Wait
from castiron.actors.core.provision.catalogue import HOLD, machine_for
from castiron.actors.core.provision.run import Run
from castiron.actors.core.provision.steps import Step
from castiron.actors.core.requests import tracing
from castiron.actors.core.state import Active, Lane, StepAction
from castiron.actors.core.telling import steps as telling
from castiron.actors.core.timing import awake, let_go, limited
from castiron.actors.drivers.operations import ClearSEL, ReadFRU, ReadSensors
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import CastironError, StepInterrupted, StepTimeout, from_wire
from castiron.transport.vocabulary import (
    EventType,
    Instant,
    StepState,
)

LONG: Final = (ReadFRU, ReadSensors, ClearSEL)
"""Operations of many exchanges with the BMC, each of which has a time of its own."""


def begin_step(draft: Draft, active: Active, place: int, settings: Settings) -> Active:
    """Begin a step, or begin it again; the step `hold` ends at once."""
    run = run_of(active)
    one = run.steps[place]
    run = run.having(
        place,
        state=StepState.RUNNING,
        attempts=one.attempts + 1,
        started_at=draft.now,
        ended_at=None,
        until=Instant(draft.now + one.step.timeout_s),
        error=None,
    )
    active = replace(active, action=run)
    draft.tell(EventType.STEP_START, telling.about(active.request, run, place, draft.state.record), active.request)
    if one.step.step == HOLD:
        run = run.having(place, state=StepState.SUCCESS, ended_at=draft.now, until=None)
        draft.tell(EventType.STEP_END, telling.about(active.request, run, place, draft.state.record), active.request)
        return replace(active, action=replace(run, is_to_hold=True))
    action, following = machine_of(draft, active, place, settings).begin(draft.now)
    return launch(draft, active, Lane(place=place, action=action), following, settings)


def begin_revert(draft: Draft, active: Active, place: int, settings: Settings) -> Active:
    """Begin to take back what a step has done."""
    run = run_of(active)
    step = run.steps[place].step
    run = run.having(place, state=StepState.REVERTING, until=Instant(draft.now + step.timeout_s))
    active = replace(active, action=run)
    told = telling.about(active.request, run, place, draft.state.record)
    draft.tell(EventType.STEP_START, {**told, "revert": True}, active.request)
    action, following = machine_of(draft, active, place, settings, is_revert=True).begin(draft.now)
    return launch(draft, active, Lane(place=place, action=action, is_revert=True), following, settings)


def launch(draft: Draft, active: Active, lane: Lane, following: StepNext, settings: Settings) -> Active:
    """Open a lane for a step that has begun."""
    return follow(draft, replace(active, lanes=(*active.lanes, lane)), lane, following, settings)


def follow(draft: Draft, active: Active, lane: Lane, following: StepNext, settings: Settings) -> Active:
    """Turn what a step wants next into effects."""
    _keep_passwords(draft, lane.action)
    match following:
        case Ask():
            return _ask(draft, active, lane, following, settings)
        case Delegate() | Draw():
            return _delegate(draft, active, lane, following)
        case Wait(until=until):
            until = min(until, _until(active, lane))
            wake = draft.ticket()
            draft.order(SetTimer(wake, until))
            if isinstance(lane.action, PauseAction):  # its successor waits for the time that is left
                active = replace(active, action=run_of(active).having(lane.place, place=lane.action.progress()))
            return having(active, limited(draft, replace(awake(draft, lane), wake=wake), _until(active, lane)))
        case Listen(until=until):
            run = run_of(active).having(lane.place, state=StepState.WAITING, until=until, place=lane.action.progress())
            return having(replace(active, action=run), limited(draft, lane, until))
        case Succeeded(result=result):
            return _succeeded(draft, active, lane, result)
        case Failed(error=error):
            return _failed(draft, active, lane, error, settings)
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(following)


def _keep_passwords(draft: Draft, action: StepAction) -> None:
    """Have on disk what a change of the BMC's password is at: with the step's place, and before the BMC is told."""
    record = draft.state.record
    if not isinstance(action, PasswordAction):
        return
    if (action.info, action.kept) != (record.driver_info, record.other_passwords):
        draft.record(driver_info=action.info, other_passwords=action.kept)


def _ask(draft: Draft, active: Active, lane: Lane, following: Ask, settings: Settings) -> Active:
    checks.overtake(draft)
    run = run_of(active)
    name = run.name_of(lane.place)
    until = _until(active, lane)
    call = draft.ticket()
    is_long = isinstance(following.operation, LONG)
    deadline = until if is_long else min(until, Instant(draft.now + settings.command_timeout_s))
    active = replace(active, trace=tracing.asked(active.trace, following.operation, draft.now, step=name))
    if following.commit_first or run.steps[lane.place].place != lane.action.progress():
        run = run.having(lane.place, place=lane.action.progress())
    draft.order(CallDriver(call, following.operation, deadline))
    lane = limited(draft, replace(awake(draft, lane), call=call), until)
    return having(replace(active, action=run), lane)


def _delegate(draft: Draft, active: Active, lane: Lane, following: Delegate | Draw) -> Active:
    run = run_of(active)
    one = run.steps[lane.place]
    until = _until(active, lane)
    call = draft.ticket()
    name = one.step.name
    if isinstance(following, Draw):
        draft.order(DrawPassword(call))
    else:
        active = replace(active, trace=tracing.asked(active.trace, following.work, draft.now, step=name))
        draft.order(CallWorker(call, following.work, name, one.attempts, active.request.id, until))
    run = run.having(lane.place, place=lane.action.progress())
    lane = limited(draft, replace(awake(draft, lane), call=call), until)
    return having(replace(active, action=run), lane)


def _succeeded(draft: Draft, active: Active, lane: Lane, result: Mapping[str, Any]) -> Active:
    run = run_of(active)
    if run.steps[lane.place].retry_at is not None and isinstance(lane.action, PauseAction):
        return _without(draft, active, lane, run.having(lane.place, retry_at=None))
    state = StepState.REVERTED if lane.is_revert else StepState.SUCCESS
    run = run.having(lane.place, state=state, ended_at=draft.now, until=None, place={}, result=result or None)
    told = telling.about(active.request, run, lane.place, draft.state.record)
    more = {"revert": True} if lane.is_revert else {"result": telling.masked(run.steps[lane.place].result)}
    draft.tell(EventType.STEP_END, {**told, **more}, active.request)
    return _without(draft, active, lane, run)


def _failed(draft: Draft, active: Active, lane: Lane, error: CastironError, settings: Settings) -> Active:
    run = run_of(active)
    one = run.steps[lane.place]
    error.details.setdefault("node", draft.state.record.name)
    error.details.setdefault("step", one.step.name)
    told = {**telling.about(active.request, run, lane.place, draft.state.record), "error": error.to_wire()}
    active = _without(draft, active, lane, run)
    if lane.is_revert:
        run = run.having(lane.place, state=StepState.REVERT_FAILURE, ended_at=draft.now, until=None, place={})
        draft.tell(EventType.STEP_ERROR, {**told, "revert": True}, active.request)
        return replace(active, action=run)
    may_retry = run.failure is None and one.attempts <= one.step.retries and not isinstance(error, StepInterrupted)
    ended: dict[str, Any] = {"ended_at": draft.now, "until": None, "place": {}, "error": error.to_wire()}
    if may_retry:
        retry_at = Instant(draft.now + one.step.retry_delay_s)
        draft.tell(EventType.STEP_ERROR, {**told, "retry_at": retry_at}, active.request)
        run = run.having(lane.place, state=StepState.PENDING, retry_at=retry_at, **ended)
        return pause(draft, replace(active, action=run), lane.place, retry_at, settings)
    draft.tell(EventType.STEP_ERROR, told, active.request)
    run = run.having(lane.place, state=StepState.FAILURE, **ended)
    if run.failure is None:
        run = replace(run, failure=error.to_wire())
    return no_more_retries(draft, replace(active, action=run))


def pause(draft: Draft, active: Active, place: int, until: Instant, settings: Settings) -> Active:
    """Wait until a step may be tried again."""
    run = run_of(active)
    if until <= draft.now or run.failure is not None:
        return replace(active, action=run.having(place, retry_at=None))
    action, following = PauseAction(pause_s=0.0).resume({"until": until}, draft.now)
    run = run.having(place, until=until)
    return launch(draft, replace(active, action=run), Lane(place=place, action=action), following, settings)


def no_more_retries(draft: Draft, active: Active) -> Active:
    """Try nothing again: what waits for that has failed, as was told, and is taken back as what has failed is."""
    for lane in active.lanes:
        run = run_of(active)
        if run.steps[lane.place].retry_at is not None:
            run = run.having(lane.place, state=StepState.FAILURE, retry_at=None, until=None)
            active = _without(draft, active, lane, run)
    return active


def in_time(lane: Lane, following: StepNext, now: Instant) -> StepNext:
    """Give a step up that wants to go on though its time is over."""
    if isinstance(following, (Ask, Delegate, Wait)) and lane.limit_at is not None and now >= lane.limit_at:
        _, following = lane.action.expired(now)
        if isinstance(following, (Ask, Delegate, Wait, Listen)):
            message = "It had not ended by its time. Look at the machine, or allow more time."
            return Failed(StepTimeout(message, details={"deadline_at": lane.limit_at}, applied=lane.action.applied()))
    return following


def _until(active: Active, lane: Lane) -> Instant:
    """Return when a step is given up: by its own time, or by its machine's."""
    own = run_of(active).steps[lane.place].until
    machine = lane.action.until
    if isinstance(lane.action, PauseAction) or own is None:
        return Instant(max(machine, own or 0.0))
    return min(own, machine) if machine else own


def machine_of(draft: Draft, active: Active, place: int, settings: Settings, *, is_revert: bool = False) -> StepAction:
    """Return the machine that carries a step out, or takes it back: castiron's own, or a worker's job."""
    run = run_of(active)
    step = with_secrets(run.steps[place].step, active.request)
    machine = machine_for(step, run.stage, draft.state.record, settings, is_revert=is_revert)
    return JobAction(job=step, what="revert" if is_revert else "execute") if machine is None else machine


def with_secrets(step: Step, request: RequestRecord) -> Step:
    """Return a step with all its arguments: those that are secrets are kept with the request's own."""
    if not step.secret_args or step.wish is None:
        return step
    wished: Mapping[str, Any] = request.arguments["steps"][step.wish]["args"]
    return replace(step, args={**step.args, **{name: wished[name] for name in step.secret_args}})


def run_of(active: Active) -> Run:
    """Return the list that a request works through."""
    assert isinstance(active.action, Run)  # noqa: S101 - whoever comes here has looked
    return active.action


def having(active: Active, lane: Lane) -> Active:
    """Return the request with one lane as it is now."""
    return replace(active, lanes=tuple(lane if one.place == lane.place else one for one in active.lanes))


def waiting_lane(active: Active, name: str, attempt: int) -> Lane | None:
    """Return where a step waits for somebody's answer; None: it does not."""
    run = run_of(active)
    for lane in active.lanes:
        step = run.steps[lane.place]
        if (step.step.name, step.attempts, step.state) == (name, attempt, StepState.WAITING):
            return lane
    return None


def stopped(active: Active, action: StepAction) -> CastironError:
    """Return why a step was stopped: as the list was."""
    error = from_wire(run_of(active).failure or {})
    error.applied = action.applied()
    return error


def _without(draft: Draft, active: Active, lane: Lane, run: Run) -> Active:
    present = next((one for one in active.lanes if one.place == lane.place), lane)
    let_go(draft, present)
    return replace(active, action=run, lanes=tuple(one for one in active.lanes if one.place != lane.place))
