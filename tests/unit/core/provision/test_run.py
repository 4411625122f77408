"""Which step is next: serial and parallel, failing, held."""

from dataclasses import replace
from typing import Any

import pytest

from castiron.actors.core.executing.turns import can_be_made
from castiron.actors.core.provision.run import Begin, Finish, Progress, Revert, Run, Stop
from castiron.actors.core.provision.steps import Step
from castiron.transport.vocabulary import EngineMode, Instant, ProvisionState, StepState

FAILURE: dict[str, Any] = {"code": "step.failed", "message": "It did not work.", "details": {}}


def steps(*names: str, **terms: Any) -> tuple[Progress, ...]:
    return tuple(Progress(step=Step(name=name, interface="test", step=name, **terms)) for name in names)


def run(*names: str, mode: EngineMode = EngineMode.SERIAL, **terms: Any) -> Run:
    return Run(stage=ProvisionState.CLEANING, mode=mode, steps=steps(*names, **terms))


def ended(of: Run, place: int, state: StepState, at: float = 1.0) -> Run:
    return of.having(place, state=state, attempts=1, started_at=Instant(at), ended_at=Instant(at + 1.0))


def test_an_empty_list_ends_at_once() -> None:
    assert run().moves() == (Finish(),)


def test_serial_steps_begin_one_after_the_other() -> None:
    work = run("a", "b")

    assert work.moves() == (Begin(0),)
    assert ended(work, 0, StepState.RUNNING).moves() == ()
    work = ended(work, 0, StepState.SUCCESS)
    assert work.moves() == (Begin(1),)
    assert ended(work, 1, StepState.SUCCESS).moves() == (Finish(),)


def test_parallel_steps_begin_when_those_they_are_after_have_succeeded() -> None:
    first, second, third = steps("a", "b", after=()) + steps("c", after=("b",))
    work = Run(stage=ProvisionState.CLEANING, mode=EngineMode.PARALLEL, steps=(first, second, third))

    assert work.moves() == (Begin(0), Begin(1))
    busy = ended(ended(work, 0, StepState.RUNNING), 1, StepState.SUCCESS)
    assert busy.moves() == (Begin(2),)


def test_a_parallel_step_that_says_nothing_is_after_all_before_it() -> None:
    work = run("a", "b", mode=EngineMode.PARALLEL)

    assert work.moves() == (Begin(0),)


def test_the_serial_mode_does_not_care_what_steps_are_after() -> None:
    assert run("a", "b", after=()).moves() == (Begin(0),)


@pytest.mark.parametrize("under_way", [StepState.RUNNING, StepState.WAITING])
def test_nothing_is_taken_back_while_something_runs(under_way: StepState) -> None:
    work = run("a", "b", mode=EngineMode.PARALLEL, after=(), has_revert=True)
    work = ended(ended(work, 0, StepState.FAILURE), 1, under_way)

    assert replace(work, failure=FAILURE).moves() == ()


def test_what_began_last_is_taken_back_first_and_what_failed_as_well() -> None:
    work = ended(ended(run("a", "b", "c", has_revert=True), 0, StepState.SUCCESS, 1.0), 1, StepState.FAILURE, 2.0)
    work = replace(work, failure=FAILURE)

    assert work.moves() == (Revert(1),)
    work = work.having(1, state=StepState.REVERTED)
    assert work.moves() == (Revert(0),)
    assert work.having(0, state=StepState.REVERT_FAILURE).moves() == (Finish(),)


def test_what_cannot_be_taken_back_is_left() -> None:
    work = ended(run("a"), 0, StepState.SUCCESS)

    assert replace(work, failure=FAILURE).moves() == (Finish(),)


def test_a_list_that_is_to_be_held_stops_between_two_steps() -> None:
    work = replace(run("a", "b"), is_to_hold=True)

    assert ended(work, 0, StepState.RUNNING).moves() == ()
    assert ended(work, 0, StepState.SUCCESS).moves() == (Stop(),)
    assert replace(work, is_held=True).moves() == ()


@pytest.mark.parametrize("known", [{"failure": FAILURE}, {"is_to_hold": True}])
def test_no_step_begins_any_more_once_one_of_the_same_turn_has_failed_or_holds(known: dict[str, Any]) -> None:
    work = run("a", "b", mode=EngineMode.PARALLEL, after=(), has_revert=True)
    turn = work.moves()
    assert all(work.allows(one) for one in turn)

    work = replace(work, **known)

    assert [work.allows(one) for one in turn] == [False, False]
    assert all(work.allows(one) for one in (Revert(0), Stop(), Finish()))


def test_what_is_stored_comes_back_equal() -> None:
    work = ended(run("a", "b", args={"n": 1}, after=("x",), retries=2), 0, StepState.FAILURE)
    work = work.having(1, state=StepState.RUNNING, place={"sent": ["on"]}, until=Instant(9.0), retry_at=Instant(3.0))
    work = replace(work, failure=FAILURE, is_to_hold=True)

    assert Run.from_progress(work.progress()) == work


def test_an_executors_move_counts_only_where_the_list_stands_so_that_it_can_be_made() -> None:
    work = ended(run("a", "b"), 0, StepState.SUCCESS)
    busy = ended(work, 1, StepState.RUNNING)
    done = ended(work, 1, StepState.SUCCESS)
    to_hold, failed = replace(work, is_to_hold=True), replace(work, failure=FAILURE)

    assert [can_be_made(one, Begin(1)) for one in (work, busy, failed, replace(work, is_held=True))] == [
        True,
        False,
        False,
        False,
    ]
    assert not can_be_made(work, Begin(2))
    assert [can_be_made(one, Stop()) for one in (to_hold, work, replace(busy, is_to_hold=True), failed)] == [
        True,
        False,
        False,
        False,
    ]
    assert [can_be_made(one, Finish()) for one in (done, failed, work, busy)] == [True, True, False, False]
    assert not can_be_made(work, Revert(0))
