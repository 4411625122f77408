"""Whatever list, and whatever comes of its steps: TaskFlow says what the built-in executor says."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.actors.core.executing.turns import can_be_made
from castiron.actors.core.provision.run import UNDER_WAY, Begin, Finish, Move, Progress, Revert, Run, Stop
from castiron.actors.core.provision.steps import Step
from castiron.actors.executors.builtin import BuiltInEngine
from castiron.actors.executors.executor import Engine, Open
from castiron.actors.executors.taskflow.engine import FlowEngine
from castiron.transport.vocabulary import EngineMode, Instant, ProvisionState, StepState

FAILURE: dict[str, Any] = {"code": "step.failed", "message": "It did not work.", "details": {}}
MAX_MOVES = 200


@st.composite
def lists(draw: st.DrawFn) -> Run:
    """Return a list whose steps are after earlier ones, if they say so."""
    steps = list[Progress]()
    for place in range(draw(st.integers(0, 7))):
        earlier = [one.step.name for one in steps]
        after = draw(st.sampled_from([None, [], [], earlier[-1:], earlier[:1]]))
        step = Step(
            name=f"s{place}",
            interface="test",
            step="s",
            after=None if after is None else tuple(after),
            has_revert=draw(st.sampled_from([True, True, False])),
            retries=draw(st.integers(0, 1)),
        )
        steps.append(Progress(step=step))
    return Run(
        stage=ProvisionState.CLEANING,
        mode=draw(st.sampled_from([EngineMode.PARALLEL, EngineMode.PARALLEL, EngineMode.SERIAL])),
        steps=tuple(steps),
    )


class Teller:
    """Carries a list out as the node's actor does, with outcomes that were drawn; notes what it was told to do."""

    def __init__(self, make: Open, run: Run) -> None:
        self.make = make
        self.run = run
        self.engine: Engine = make("k", run)
        self.told = list[Move]()
        self.now = 1.0

    def ask(self) -> bool:
        """Make the moves that are next; return whether the list has ended, or is held."""
        moves = self.engine.moves(self.run).moves
        assert all(can_be_made(self.run, one) for one in moves)
        for one in moves:
            self.told.append(one)
            self.now += 1.0
            match one:
                case Begin(place=place):
                    attempts = self.run.steps[place].attempts + 1
                    terms: dict[str, Any] = {"attempts": attempts, "started_at": Instant(self.now)}
                    self.run = self.run.having(place, state=StepState.RUNNING, **terms)
                case Revert(place=place):
                    self.run = self.run.having(place, state=StepState.REVERTING)
                case Stop():
                    self.run = replace(self.run, is_to_hold=False, is_held=True)
                case Finish():
                    return True
        return False

    def end(self, place: int, *, well: bool) -> None:
        """End a step that is under way."""
        one = self.run.steps[place]
        if one.state is StepState.REVERTING:
            self.run = self.run.having(place, state=StepState.REVERTED if well else StepState.REVERT_FAILURE)
        elif well:
            self.run = self.run.having(place, state=StepState.SUCCESS)
        elif self.run.failure is None and one.attempts <= one.step.retries:
            self.run = self.run.having(place, state=StepState.PENDING)
        else:
            self.run = replace(self.run.having(place, state=StepState.FAILURE), failure=self.run.failure or FAILURE)

    def crash(self) -> None:
        """Lose the engine, and go on from what was written."""
        self.engine.close()
        self.run = Run.from_progress(self.run.progress())
        self.engine = self.make("k", self.run)


def under_way(run: Run) -> list[int]:
    return [place for place, one in enumerate(run.steps) if one.state in UNDER_WAY]


@given(run=lists(), data=st.data())
@settings(max_examples=40, deadline=None)
def test_taskflow_says_what_the_built_in_executor_says(run: Run, data: st.DataObject) -> None:
    tellers = [Teller(BuiltInEngine, run), Teller(FlowEngine, run)]
    for _ in range(MAX_MOVES):
        ended = [teller.ask() for teller in tellers]
        assert tellers[0].told == tellers[1].told
        assert tellers[0].run == tellers[1].run
        if any(ended):
            assert all(ended)
            break
        run = tellers[0].run
        what = data.draw(st.sampled_from(["end", "end", "end", "fail", "abort", "hold", "crash"]))
        busy = under_way(run)
        place = data.draw(st.sampled_from(busy)) if busy else None
        for teller in tellers:
            if teller.run.is_held:
                teller.run = replace(teller.run, is_held=False)
            if what == "crash":
                teller.crash()
            elif what == "abort" and run.failure is None:
                teller.run = replace(teller.run, failure=FAILURE, is_to_hold=False, is_held=False)
            elif what == "hold" and run.failure is None:
                teller.run = replace(teller.run, is_to_hold=True)
            elif place is not None:
                teller.end(place, well=what != "fail")
    else:
        raise AssertionError("it does not come to an end")
    for teller in tellers:
        teller.engine.close()
