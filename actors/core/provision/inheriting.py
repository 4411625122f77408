"""What a predecessor left of a list of steps: taken up, or given up, as the table of `takeover` says. Pure.

May come in: what else may be found. Must not: what is done about it in a table's stead.
"""

from typing import Final, assert_never

from castiron.actors.core.draft import Draft
from castiron.actors.core.machines.job import JobAction
from castiron.actors.core.machines.turn import Failed
from castiron.actors.core.provision.catalogue import is_placed
from castiron.actors.core.provision.driving import abort, go_on
from castiron.actors.core.provision.lanes import follow, launch, machine_of, pause, run_of, with_secrets
from castiron.actors.core.provision.run import UNDER_WAY, Progress, Run
from castiron.actors.core.provision.takeover import Do, takeover
from castiron.actors.core.requests import tracing
from castiron.actors.core.state import Active, Lane
from castiron.actors.core.telling import steps as telling
from castiron.actors.core.timing import let_go
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import CastironError, StepInterrupted
from castiron.transport.vocabulary import (
    Applied,
    EventType,
    Instant,
    StepState,
)

MAX_TAKEN_UP: Final = 5
"""How often a step is begun again because its conductor, or its node's actor, ended while it ran: it may be why."""


def resume(draft: Draft, left: RequestRecord, settings: Settings) -> None:
    """Take up what a predecessor left: each step that was under way, as the table of `takeover` says."""
    draft.state = replace(draft.state, interrupted=None)
    trace = tracing.resumed(left.trace, draft.now)
    request = replace(left, attempts=left.attempts + 1, trace=trace)
    run = Run.from_progress(left.progress)
    active = Active(request=request, action=run, trace=trace, is_parked=True)
    draft.keep(request)
    for place in range(len(run.steps)):
        active = _take_over(draft, active, place, settings)
    if left.abort_by is not None and run_of(active).failure is None:
        return abort(draft, active, left.abort_by, settings)
    return go_on(draft, active, settings)


def break_off(draft: Draft, left: RequestRecord, error: CastironError) -> None:
    """Give up what a predecessor left: nothing of it is taken up again, but what can be taken back is."""
    run = lose(draft, left, error)
    run = replace(run, failure=run.failure or error.to_wire(), is_to_hold=False, is_held=False)
    trace = tracing.left_behind(left.trace, draft.now)
    left = replace(left, progress=run.progress(left.progress), trace=trace, overdue_at=None)
    draft.keep(left)
    draft.state = replace(draft.state, interrupted=left)


def lose(draft: Draft, left: RequestRecord, error: CastironError) -> Run:
    """Tell of the steps that were under way that nobody will hear of them any more; return where the list stands."""
    run = Run.from_progress(left.progress)
    for place, one in enumerate(run.steps):
        if one.state in UNDER_WAY or one.retry_at is not None:
            run = _lost(draft, left, run, place, error)
    return run


def cut_short(draft: Draft, active: Active, error: CastironError) -> None:
    """Let go of all steps: nobody listens any more."""
    for lane in active.lanes:
        let_go(draft, lane)
    run = run_of(active)
    for place, one in enumerate(run.steps):
        if one.state in UNDER_WAY:
            run = _lost(draft, active.request, run, place, error)


def _lost(draft: Draft, request: RequestRecord, run: Run, place: int, error: CastironError) -> Run:
    one = run.steps[place]
    if one.state in UNDER_WAY:
        told = telling.about(request, run, place, draft.state.record)
        more = {"revert": True} if one.state is StepState.REVERTING else {}
        draft.tell(EventType.STEP_ERROR, {**told, **more, "error": error.to_wire()}, request)
    if one.retry_at is not None:  # it has failed, as was told; it is not tried again
        return run.having(place, state=StepState.FAILURE, until=None, place={}, retry_at=None)
    state = StepState.REVERT_FAILURE if one.state is StepState.REVERTING else StepState.FAILURE
    return run.having(place, state=state, ended_at=draft.now, until=None, place={}, error=error.to_wire())


def _take_over(draft: Draft, active: Active, place: int, settings: Settings) -> Active:
    run = run_of(active)
    one = run.steps[place]
    if one.retry_at is not None:
        return pause(draft, active, place, one.retry_at, settings)
    do = takeover(one.state, one.step, is_placed=is_placed(one.step))
    if do in (Do.AGAIN, Do.VERIFY) and one.attempts > one.step.retries + MAX_TAKEN_UP:
        do = Do.FAIL
    is_revert = one.state is StepState.REVERTING
    match do:
        case Do.LEAVE:
            return active
        case Do.FAIL:
            action = machine_of(draft, active, place, settings, is_revert=is_revert)
            lane = Lane(place=place, action=action, is_revert=is_revert)
            return follow(
                draft, replace(active, lanes=(*active.lanes, lane)), lane, Failed(_interrupted(one)), settings
            )
        case Do.RESUME | Do.WAIT:
            machine = machine_of(draft, active, place, settings, is_revert=is_revert)
            action, following = machine.resume(one.place, draft.now)
        case Do.AGAIN:
            machine = machine_of(draft, active, place, settings, is_revert=is_revert)
            action, following = machine.begin(draft.now)
        case Do.VERIFY:
            action, following = JobAction(job=with_secrets(one.step, active.request), what="verify").begin(draft.now)
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(do)
    if do is not Do.WAIT:
        run = run.having(place, until=Instant(draft.now + one.step.timeout_s), attempts=one.attempts + 1)
    return launch(
        draft, replace(active, action=run), Lane(place=place, action=action, is_revert=is_revert), following, settings
    )


def _interrupted(one: Progress) -> StepInterrupted:
    often = one.attempts > one.step.retries + MAX_TAKEN_UP
    why = "which is not begun again: it may be the cause" if often else "which must not be done twice"
    times = ", again and again" if often else ""
    return StepInterrupted(
        f"The conductor, or the node's actor, ended while {one.step.name} ran{times}, {why}. Look at the machine.",
        details={"step": one.step.name},
        applied=Applied.UNKNOWN,
    )
