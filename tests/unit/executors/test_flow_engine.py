"""What is TaskFlow's own about a list: what it saves, what counts after a restart, and engines that nobody has."""

import gc
import logging
from dataclasses import replace
from typing import Any

import pytest

from castiron.actors.core.provision.run import Begin, Finish, Progress, Revert, Run
from castiron.actors.core.provision.steps import Step
from castiron.actors.executors.taskflow.engine import FlowEngine
from castiron.actors.executors.taskflow.flows import after_of, nearest
from castiron.transport.vocabulary import EngineMode, Instant, ProvisionState, StepState

FAILURE: dict[str, Any] = {"code": "step.failed", "message": "It did not work.", "details": {}}


def listed(*names: str, mode: EngineMode = EngineMode.SERIAL, **terms: Any) -> Run:
    steps = tuple(Progress(step=Step(name=name, interface="test", step=name, **terms)) for name in names)
    return Run(stage=ProvisionState.CLEANING, mode=mode, steps=steps)


def test_what_taskflow_saves_is_plain_data_and_says_where_its_atoms_stand() -> None:
    run = listed("a", "b").having(0, state=StepState.SUCCESS, started_at=Instant(1.0))

    flow = FlowEngine("k", run).moves(run).flow

    assert flow == {
        "state": "RUNNING",
        "atoms": {"0 a": "SUCCESS EXECUTE", "1 b": "RUNNING EXECUTE", "2 the end": "PENDING EXECUTE"},
    }


@pytest.mark.parametrize(
    ("state", "saved", "next_up"),
    [
        (StepState.SUCCESS, "PENDING EXECUTE", Begin(1)),
        (StepState.SUCCESS, "RUNNING EXECUTE", Begin(1)),
        (StepState.PENDING, "SUCCESS EXECUTE", Begin(0)),
        (StepState.PENDING, "FAILURE REVERT", Begin(0)),
    ],
)
def test_where_taskflow_had_saved_something_else_the_record_counts_and_that_is_logged(
    state: StepState, saved: str, next_up: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a kill between the two, in either order, if they were not in one commit."""
    flow = {"state": "RUNNING", "atoms": {"0 a": saved, "1 b": "PENDING EXECUTE", "2 the end": "PENDING EXECUTE"}}
    run = replace(listed("a", "b").having(0, state=state), flow=flow)

    with caplog.at_level(logging.INFO):
        moves = FlowEngine("k", Run.from_progress(run.progress())).moves(run).moves

    assert moves == (next_up,)
    assert "which counts" in caplog.text


def test_a_step_that_is_under_way_after_a_restart_is_not_begun_again() -> None:
    run = listed("a", "b").having(0, state=StepState.WAITING)

    engine = FlowEngine("k", run)

    assert engine.moves(run).moves == ()
    assert engine.moves(run.having(0, state=StepState.SUCCESS)).moves == (Begin(1),)


def test_taking_back_goes_on_after_a_restart_at_what_is_left() -> None:
    run = listed("a", "b", "c", has_revert=True)
    run = run.having(0, state=StepState.SUCCESS, started_at=Instant(1.0))
    run = run.having(1, state=StepState.REVERT_FAILURE, started_at=Instant(2.0))
    run = replace(run, failure=FAILURE)

    engine = FlowEngine("k", run)

    assert engine.moves(run).moves == (Revert(0),)
    assert engine.moves(run.having(0, state=StepState.REVERTED)).moves == (Finish(),)


def test_steps_that_wait_for_each_other_are_told_as_that() -> None:
    first, second = listed("a", after=("b",)).steps[0], listed("b", after=("a",)).steps[0]
    run = Run(stage=ProvisionState.CLEANING, mode=EngineMode.PARALLEL, steps=(first, second))

    with pytest.raises(ValueError, match="cycle"):
        FlowEngine("k", run)


def test_a_flow_has_no_more_links_than_it_takes() -> None:
    steps = [(str(place), None) for place in range(64)]

    links = nearest([after_of(place, steps) for place in range(64)])

    assert sum(len(before) for before in links) == 64, "each is after the one before it, and the end after the last"


def test_an_engine_that_nobody_has_ends_by_itself() -> None:
    """TaskFlow ends what it runs when its generator is thrown away; it must not wait for atoms that nobody does."""
    run = listed(*"abcd", mode=EngineMode.PARALLEL, after=())
    FlowEngine("k", run).moves(run)

    gc.collect()  # the test's own time-out is what fails


def test_an_engine_can_be_closed_twice_and_in_the_middle() -> None:
    run = listed("a", "b")
    engine = FlowEngine("k", run)
    engine.moves(run)

    engine.close()
    engine.close()


def test_of_independent_steps_the_one_that_began_last_is_taken_back_first_and_one_by_one() -> None:
    run = listed(*"abc", mode=EngineMode.PARALLEL, after=(), has_revert=True)
    engine = FlowEngine("k", run)
    engine.moves(run)
    for place, at in ((0, 2.0), (1, 3.0), (2, 1.0)):
        run = run.having(place, state=StepState.SUCCESS, started_at=Instant(at))
    run = replace(run, failure=FAILURE)

    taken = list[int]()
    while isinstance(move := engine.moves(run).moves[0], Revert):
        taken.append(move.place)
        assert engine.moves(run.having(move.place, state=StepState.REVERTING)).moves == ()
        run = run.having(move.place, state=StepState.REVERTED)

    assert taken == [1, 0, 2]
    assert move == Finish()
