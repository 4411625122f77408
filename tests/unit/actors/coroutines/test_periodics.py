"""Periodic tasks that are coroutines, in virtual time: when they run, and that they run as those that block."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.coroutines.coroutines import Coroutines
from castiron.actors.coroutines.virtual import ClockLoop
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.periodics.declaring import NeverAgain, periodic
from castiron.actors.periodics.task import Stand, Watcher
from castiron.actors.periodics.worker import PeriodicWorker
from castiron.testing.simulation.house import Moments
from castiron.transport.vocabulary import Instant, Seconds


class World:
    def __init__(self, *calls: Callable[..., Any], limit: int = 10) -> None:
        self.clock = VirtualClock(Instant(1_000.0))
        self.coroutines = Coroutines("coroutine_periodics", limit, self.clock, ClockLoop(self.clock))
        pool = Bulkhead("periodics", limit, self.clock, home=Moments(self.clock))
        self.failed: list[BaseException] = []
        self.worker = PeriodicWorker(
            [(call, None, None) for call in calls],
            clock=self.clock,
            pool=pool,
            quick=pool,
            coroutines=self.coroutines,
            rng=Random(1),
            on_failure=lambda _, failure: self.failed.append(failure),
        )
        self.worker.start(allow_empty=True)

    def watcher(self) -> Watcher:
        (watcher,) = self.worker.iter_watchers()
        return watcher


def test_one_runs_again_and_again_and_never_overlaps_itself() -> None:
    runs: list[tuple[float, str]] = []

    @periodic(10.0)
    async def look() -> None:
        runs.append((world.clock.now(), "begins"))
        await asyncio.sleep(25.0)
        runs.append((world.clock.now(), "ends"))

    world = World(look)
    world.clock.advance(Seconds(70.0))

    assert runs == [(1_010.0, "begins"), (1_035.0, "ends"), (1_035.0, "begins"), (1_060.0, "ends"), (1_060.0, "begins")]
    assert (world.watcher().runs, world.watcher().average_elapsed) == (2, 25.0)


def test_many_await_at_once_and_hold_up_no_other() -> None:
    quick: list[float] = []

    @periodic(10.0, run_immediately=True)
    async def slow() -> None:
        await asyncio.sleep(1_000.0)

    @periodic(10.0)
    async def look() -> None:
        quick.append(world.clock.now())

    world = World(*[slow] * 9, look)
    world.clock.advance(Seconds(35.0))

    assert quick == [1_010.0, 1_020.0, 1_030.0]
    assert world.coroutines.counters()["running"] == 9


def test_one_that_has_had_its_time_is_cancelled_and_the_next_run_comes() -> None:
    cancelled: list[float] = []

    @periodic(10.0, timeout_s=3.0)
    async def hangs() -> None:
        try:
            await asyncio.sleep(1_000.0)
        finally:
            cancelled.append(world.clock.now())

    world = World(hangs)
    world.clock.advance(Seconds(35.0))

    assert cancelled == [1_013.0, 1_023.0, 1_033.0]
    assert [type(failure).__name__ for failure in world.failed] == ["Overdue"] * 3
    assert (world.watcher().failures, world.watcher().successes) == (3, 0)


def test_one_that_swallows_its_cancellation_hangs_until_it_ends_and_never_overlaps_itself() -> None:
    begun: list[float] = []

    @periodic(10.0, timeout_s=3.0)
    async def stubborn() -> None:
        begun.append(world.clock.now())
        try:
            await asyncio.sleep(1_000.0)
        except asyncio.CancelledError:
            await asyncio.sleep(50.0)

    world = World(stubborn)
    world.clock.advance(Seconds(40.0))
    assert world.watcher().stand is Stand.HUNG
    assert world.coroutines.counters()["hung"] == 1

    world.clock.advance(Seconds(40.0))

    assert begun == [1_010.0, 1_063.0]
    assert world.failed


def test_a_failure_is_counted_and_whoever_says_never_again_has_succeeded() -> None:
    @periodic(10.0)
    async def fails() -> None:
        await asyncio.sleep(1.0)
        if world.clock.now() > 1_030.0:
            raise NeverAgain
        raise OSError("no answer")

    world = World(fails)
    world.clock.advance(Seconds(100.0))

    assert [str(failure) for failure in world.failed] == ["no answer"] * 2
    assert (world.watcher().runs, world.watcher().successes, world.watcher().stand) == (3, 1, Stand.STOPPED)


def test_what_the_end_cuts_short_is_no_failure() -> None:
    @periodic(10.0)
    async def slow() -> None:
        await asyncio.sleep(1_000.0)

    world = World(slow)
    world.clock.advance(Seconds(15.0))
    world.worker.stop()

    world.coroutines.recall()
    world.clock.advance(Seconds(1.0))

    assert (world.failed, world.watcher().runs) == ([], 0)
    assert world.worker.wait(0.0)


def test_a_stopped_one_ends_its_run() -> None:
    ended: list[float] = []

    @periodic(10.0)
    async def slow() -> None:
        await asyncio.sleep(30.0)
        ended.append(world.clock.now())

    world = World(slow)
    world.clock.advance(Seconds(15.0))
    world.worker.stop_task(world.watcher().work.name)
    world.clock.advance(Seconds(100.0))

    assert ended == [1_040.0]
    assert world.watcher().stand is Stand.STOPPED


def test_what_returns_a_coroutine_and_is_none_has_failed() -> None:
    async def look() -> None: ...

    @periodic(10.0)
    def forgets() -> Any:
        return look()

    world = World(forgets)
    world.clock.advance(Seconds(15.0))

    assert [str(failure) for failure in world.failed] == ["It returned a coroutine that nobody awaits."]


def test_what_makes_no_sense_is_refused() -> None:
    async def when(node: object) -> bool:
        return bool(node)

    with pytest.raises(ValueError, match="it must not be `async def`"):
        periodic(10.0, per="node", when=when)  # type: ignore[arg-type]  # that is what is wrong with it

    clock = VirtualClock()
    pool = Bulkhead("periodics", 1, clock)

    @periodic(10.0)
    async def look() -> None: ...

    with pytest.raises(ValueError, match="there is no loop here"):
        PeriodicWorker([(look, None, None)], clock=clock, pool=pool, quick=pool, rng=Random(1))
