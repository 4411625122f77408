"""Steps that are coroutines, in virtual time: what they are given, what their ends mean, and that aborts reach them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import Pool
from castiron.actors.coroutines.coroutines import Coroutines
from castiron.actors.coroutines.virtual import ClockLoop
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import Done, NotDone, Outcome
from castiron.actors.drivers.work import Deferred, RunStep
from castiron.actors.steps import StepContext, deferred, flow_step, step
from castiron.actors.steps.results import Reports
from castiron.actors.steps.shelf import Shelf
from castiron.actors.steps.workers import Job, Workers
from castiron.testing.simulation.house import Moments
from castiron.transport.errors import BMCUnreachable, StepFailed, StepTimeout
from castiron.transport.vocabulary import Applied, Instant, Seconds


@step(interface="test")
async def tells(context: StepContext, size: int = 1) -> dict[str, Any]:
    """Tell of its progress, between two naps."""
    for percent in (0, 50):
        context.report({"percent": percent})
        await asyncio.sleep(10.0)
    return {"size": size, "node": context.node}


@tells.revert
def takes_back(context: StepContext, size: int = 1) -> None:
    """Block, where its step awaits."""
    del context, size


@tells.verify
async def is_done(context: StepContext, size: int = 1) -> bool:
    """Look, and await meanwhile."""
    del context
    await asyncio.sleep(1.0)
    return size == 2


@step(interface="test")
async def sleeps(context: StepContext) -> None:
    """Last for a day."""
    assert not context.cancelled.is_set()
    await asyncio.sleep(86_400.0)


@step(interface="test")
async def tidies(context: StepContext) -> dict[str, Any]:
    """Say what it has left, when it is asked to stop."""
    try:
        await asyncio.sleep(86_400.0)
    except asyncio.CancelledError:
        return {"stopped": context.cancelled.is_set()}
    return {}


@step(interface="test")
async def later(context: StepContext) -> Deferred:
    """Leave its end to somebody."""
    del context
    return deferred(60.0)


@step(interface="test")
async def raises(context: StepContext) -> None:
    """Fail."""
    raise ValueError(context.node)


@step(interface="test")
async def cancels_itself(context: StepContext) -> None:
    """Be cancelled by nobody."""
    del context
    raise asyncio.CancelledError


@step(interface="test")
async def exits(context: StepContext) -> None:
    """Want the process to end."""
    del context
    raise SystemExit(3)


@step(interface="test")
async def knows_why(context: StepContext) -> None:
    """Fail with one of castiron's own errors."""
    raise BMCUnreachable(f"{context.node} is silent.", applied=Applied.NO)


@step(interface="test")
def forgets_to_await(context: StepContext) -> Any:
    """Return a coroutine, where it should be one."""
    return sleeps.part("execute")(context)


STEPS = (tells, sleeps, tidies, later, raises, cancels_itself, exits, knows_why, forgets_to_await)


class World:
    def __init__(self, limit: int = 2) -> None:
        self.clock = VirtualClock()
        home = Moments(self.clock)
        coroutines = Coroutines("coroutine_steps", limit, self.clock, ClockLoop(self.clock))
        self.threads: Pool = Bulkhead("steps", limit, self.clock, home=home)
        self.coroutines = coroutines
        self.workers = Workers(Shelf(STEPS), Bulkhead("steps", limit, self.clock, home=home), coroutines)
        self.reports: list[Any] = []

    def submit(
        self, name: str, what: str = "execute", deadline: float = 1e12, **args: Any
    ) -> tuple[list[Outcome], Callable[[], None]]:
        told: list[Outcome] = []
        context = StepContext(
            node="n1",
            node_uuid="u",
            driver="fake",
            driver_info={},
            properties={},
            attempt=1,
            deadline=Instant(deadline),
            token="t",
            report=Reports(self.reports.append),
        )
        work = RunStep(interface="test", step=name, args=args, what=what)
        return told, self.workers.submit(Job(work=work, context=context, done=told.append))

    def outcome(self, name: str, what: str = "execute", **args: Any) -> Outcome:
        told, _ = self.submit(name, what, **args)
        self.clock.advance(Seconds(100.0))
        (outcome,) = told
        return outcome


@pytest.fixture
def world() -> World:
    return World()


def test_it_has_its_arguments_and_its_context_and_tells_of_its_progress(world: World) -> None:
    assert world.outcome("tells", size=3) == Done(value={"size": 3, "node": "n1"})
    assert world.reports == [{"percent": 0}, {"percent": 50}]


def test_each_part_is_the_one_or_the_other(world: World) -> None:
    assert world.outcome("tells", "revert", size=3) == Done(value={})
    assert world.outcome("tells", "verify", size=2) == Done(value=True)
    assert world.outcome("tells", "verify", size=3) == Done(value=False)
    assert world.outcome("later") == Done(value=Deferred(60.0))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raises", "test.raises raised ValueError: n1"),
        ("cancels_itself", "test.cancels_itself raised CancelledError"),
        ("exits", "test.exits raised SystemExit: 3"),
        ("forgets_to_await", "returned a coroutine that nobody awaits: write it `async def`."),
    ],
)
def test_what_it_raises_is_its_failure(world: World, name: str, says: str) -> None:
    told = world.outcome(name)

    assert isinstance(told, NotDone)
    assert isinstance(told.error, StepFailed)
    assert says in told.error.message
    assert isinstance(world.outcome("tells"), Done)


def test_an_error_of_castirons_own_is_told_as_it_is(world: World) -> None:
    told = world.outcome("knows_why")

    assert isinstance(told, NotDone)
    assert isinstance(told.error, BMCUnreachable)
    assert told.applied is Applied.NO


def test_an_abort_cancels_it_and_its_place_is_anothers(world: World) -> None:
    told, stop = world.submit("sleeps")
    world.clock.advance(Seconds(5.0))

    stop()
    world.clock.advance(Seconds(0.0))

    (outcome,) = told
    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.error, StepFailed)
    assert outcome.error.message == "test.sleeps was cancelled, as it was asked to stop."
    assert outcome.applied is Applied.UNKNOWN
    assert world.coroutines.counters()["running"] == 0


def test_what_it_says_when_it_is_cancelled_is_heard(world: World) -> None:
    told, stop = world.submit("tidies")
    world.clock.advance(Seconds(5.0))

    stop()
    world.clock.advance(Seconds(0.0))

    assert told == [Done(value={"stopped": True})]


def test_one_that_has_had_its_time_is_told_as_one_that_blocks(world: World) -> None:
    told, _ = world.submit("sleeps", deadline=50.0)
    world.clock.advance(Seconds(60.0))

    (outcome,) = told
    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.error, StepTimeout)
    assert outcome.applied is Applied.UNKNOWN
    assert world.coroutines.counters() == {"running": 0, "long": 0, "waiting": 0, "hung": 0}


def test_at_the_end_of_the_conductor_it_is_cancelled_and_nobody_is_told(world: World) -> None:
    told, _ = world.submit("sleeps")
    world.clock.advance(Seconds(5.0))

    world.workers.stop()
    world.clock.advance(Seconds(5.0))

    assert told == []
    assert world.coroutines.counters()["running"] == 0


def test_it_takes_no_worker(world: World) -> None:
    for _ in range(2):
        world.submit("sleeps")
    world.clock.advance(Seconds(1.0))

    assert world.workers.counters() == {"running": 0, "waiting": 0, "hung": 0}
    assert world.coroutines.counters()["running"] == 2


def test_the_function_of_a_flow_awaits_nothing() -> None:
    with pytest.raises(ValueError, match="write it `def`"):

        @flow_step(interface="test")
        async def flow(context: StepContext) -> None:
            del context
