"""Coroutines in virtual time: bounded, ended in time, cancelled, told once; and each run the same as the last."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.bulkheads.pieces import Ended, NotBegun, Overdue, TooLate
from castiron.actors.coroutines.coroutines import Coroutines, is_coroutine_function
from castiron.actors.coroutines.pieces import Recalled
from castiron.actors.coroutines.virtual import ClockLoop
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.transport.vocabulary import Instant, Seconds

Made = Callable[[], Coroutine[Any, Any, Any]]


class World:
    """A bulkhead of coroutines on a clock that stands still until it is moved."""

    def __init__(self, limit: int = 2, spare: int = 2) -> None:
        self.clock = VirtualClock()
        self.coroutines = Coroutines("test", limit, self.clock, ClockLoop(self.clock), spare=spare)
        self.ends: list[tuple[str, Ended]] = []
        self.trace: list[tuple[float, str]] = []

    def submit(self, name: str, make: Made, **terms: Any) -> Callable[[], None]:
        return self.coroutines.submit(make, lambda ended: self.ends.append((name, ended)), about=name, **terms)

    async def nap(self, name: str, seconds: float) -> str:
        with self.noted(name):
            await asyncio.sleep(seconds)
        return name

    async def stubborn(self, name: str, seconds: float) -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(seconds)
        await asyncio.sleep(seconds)
        self.trace.append((self.clock.now(), f"{name} ends"))
        return name

    @contextmanager
    def noted(self, name: str) -> Generator[None]:
        self.trace.append((self.clock.now(), f"{name} begins"))
        try:
            yield
        except asyncio.CancelledError:
            self.trace.append((self.clock.now(), f"{name} is cancelled"))
            raise
        self.trace.append((self.clock.now(), f"{name} ends"))

    def told(self, name: str) -> Ended:
        (ended,) = [ended for each, ended in self.ends if each == name]
        return ended


@pytest.fixture
def world() -> World:
    return World()


def test_they_take_turns_as_time_goes_on_and_no_more_run_than_may(world: World) -> None:
    for name, seconds in (("a", 5.0), ("b", 3.0), ("c", 1.0)):
        world.submit(name, partial(world.nap, name, seconds))
    world.clock.advance(Seconds(2.0))
    assert world.coroutines.counters() == {"running": 2, "long": 0, "waiting": 1, "hung": 0}

    world.clock.advance(Seconds(10.0))

    assert world.trace == [
        (0.0, "a begins"),
        (0.0, "b begins"),
        (3.0, "b ends"),
        (3.0, "c begins"),
        (4.0, "c ends"),
        (5.0, "a ends"),
    ]
    assert [name for name, _ in world.ends] == ["b", "c", "a"]
    assert world.told("c") == Ended("c", None, Instant(3.0), Instant(4.0))


def test_one_that_has_had_its_time_is_cancelled_and_its_place_is_anothers(world: World) -> None:
    world.submit("slow", lambda: world.nap("slow", 100.0), timeout_s=5.0)
    world.submit("other", lambda: world.nap("other", 100.0), deadline=Instant(7.0))
    world.submit("waits", lambda: world.nap("waits", 1.0))
    world.submit("late", lambda: world.nap("late", 1.0), deadline=Instant(4.0))

    world.clock.advance(Seconds(50.0))

    assert isinstance(world.told("slow").error, Overdue)
    assert isinstance(world.told("other").error, Overdue)
    assert isinstance(world.told("late").error, TooLate)
    assert world.told("waits").value == "waits"
    assert (5.0, "slow is cancelled") in world.trace
    assert (7.0, "other is cancelled") in world.trace
    assert (5.0, "waits begins") in world.trace
    assert world.coroutines.counters() == {"running": 0, "long": 0, "waiting": 0, "hung": 0}


def test_one_that_swallows_its_cancellation_is_left_behind_and_told_of_once(world: World) -> None:
    world.submit("stubborn", lambda: world.stubborn("stubborn", 20.0), timeout_s=5.0)
    world.clock.advance(Seconds(6.0))
    assert world.coroutines.counters() == {"running": 0, "long": 0, "waiting": 0, "hung": 1}
    assert world.coroutines.standing().oldest == "stubborn"
    for name in ("a", "b"):  # both places are free
        world.submit(name, partial(world.nap, name, 1.0))
    world.clock.advance(Seconds(2.0))
    assert (world.told("a").value, world.told("b").value) == ("a", "b")

    world.clock.advance(Seconds(40.0))

    assert world.trace[-1][1] == "stubborn ends"
    assert isinstance(world.told("stubborn").error, Overdue)
    assert world.coroutines.counters()["hung"] == 0


def test_when_all_places_and_spare_ones_are_kept_by_the_stubborn_nothing_begins(world: World) -> None:
    for number in range(4):
        name = f"s{number}"
        world.submit(name, partial(world.stubborn, name, 1_000.0), timeout_s=1.0)
    world.clock.advance(Seconds(10.0))
    assert world.coroutines.counters()["hung"] == 4

    world.submit("late", lambda: world.nap("late", 1.0))

    assert isinstance(world.told("late").error, NotBegun)


def test_what_is_taken_back_ends_at_its_next_await_and_says_so(world: World) -> None:
    forgo = world.submit("a", lambda: world.nap("a", 100.0))
    world.clock.advance(Seconds(1.0))

    forgo()
    forgo()
    world.clock.advance(Seconds(1.0))

    assert isinstance(world.told("a").error, Recalled)
    assert world.trace == [(0.0, "a begins"), (1.0, "a is cancelled")]


def test_what_is_taken_back_before_it_begins_never_does(world: World) -> None:
    forgo = world.submit("a", lambda: world.nap("a", 100.0))

    forgo()
    world.clock.advance(Seconds(1.0))

    assert isinstance(world.told("a").error, NotBegun)
    assert world.trace == []


def test_who_ends_well_though_cancelled_has_ended_well(world: World) -> None:
    async def tidy() -> str:
        try:
            await asyncio.sleep(100.0)
        except asyncio.CancelledError:
            return "tidied"
        return "never"

    forgo = world.submit("a", tidy)
    world.clock.advance(Seconds(1.0))
    forgo()
    world.clock.advance(Seconds(1.0))

    assert world.told("a").value == "tidied"


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_whatever_one_raises_is_its_own_matter(world: World, error: BaseException) -> None:
    async def fail() -> None:
        await asyncio.sleep(1.0)
        raise error

    world.submit("bad", fail)
    world.submit("good", lambda: world.nap("good", 2.0))
    world.clock.advance(Seconds(5.0))

    assert world.told("bad").error is error
    assert world.told("good").value == "good"


def test_what_makes_none_is_told(world: World) -> None:
    world.submit("bad", lambda: 1 / 0)  # type: ignore[arg-type,return-value]  # that is what is wrong with it
    world.clock.advance(Seconds(1.0))

    assert isinstance(world.told("bad").error, ZeroDivisionError)


def test_of_one_owner_one_runs_at_a_time(world: World) -> None:
    for name in ("a", "b"):
        world.submit(name, partial(world.nap, name, 1.0), whose="n1")
    world.clock.advance(Seconds(5.0))

    assert world.trace == [(0.0, "a begins"), (1.0, "a ends"), (1.0, "b begins"), (2.0, "b ends")]


def test_what_asyncio_has_works_in_virtual_time(world: World) -> None:
    async def all_of_it() -> list[Any]:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        lock, seen = asyncio.Lock(), list[Any]()

        async def put() -> None:
            for number in range(3):
                await asyncio.sleep(1.0)
                async with lock:
                    await queue.put(number)

        async with asyncio.TaskGroup() as group:
            group.create_task(put())
            for _ in range(3):
                seen.append(await queue.get())
        with suppress(TimeoutError):
            async with asyncio.timeout(10.0):
                await asyncio.Event().wait()
        seen.append(await asyncio.wait_for(asyncio.sleep(1.0, "slept"), 2.0))
        seen.append(await asyncio.to_thread("{}!".format, "at once"))
        seen.append(await asyncio.gather(asyncio.sleep(1.0, 1), asyncio.sleep(2.0, 2)))
        return [*seen, asyncio.get_running_loop().time()]

    world.submit("all", all_of_it)
    world.clock.advance(Seconds(100.0))

    assert world.told("all").value == [0, 1, 2, "slept", "at once!", [1, 2], 16.0]


def test_the_outer_world_is_refused(world: World) -> None:
    world.submit("out", lambda: asyncio.open_connection("127.0.0.1", 9))
    world.clock.advance(Seconds(1.0))

    assert isinstance(world.told("out").error, Exception)


def test_a_stop_cancels_all_and_begins_nothing(world: World) -> None:
    for name in ("a", "b", "c"):
        world.submit(name, partial(world.nap, name, 100.0))
    world.clock.advance(Seconds(1.0))

    assert len(world.coroutines.stop(0.0)) == 2
    world.clock.advance(Seconds(1.0))

    assert [type(world.told(name).error) for name in ("a", "b", "c")] == [Recalled, Recalled, NotBegun]
    assert world.coroutines.stop(0.0) == []


def drawn(seed: int) -> tuple[list[tuple[float, str]], list[str]]:
    """Run many that nap, swallow, and are taken back, as a seed draws them."""
    world, rng = World(limit=3), Random(seed)
    for number in range(30):
        name, seconds = f"c{number}", rng.uniform(0.0, 5.0)
        kind = rng.choice([world.nap, world.stubborn])
        forgo = world.submit(name, partial(kind, name, seconds), timeout_s=4.0)
        if rng.random() < 0.3:
            world.clock.call_at(Instant(world.clock.now() + rng.uniform(0.0, 5.0)), forgo)
        world.clock.advance(Seconds(rng.uniform(0.0, 1.0)))
    world.clock.advance(Seconds(200.0))
    assert len(world.ends) == 30
    assert world.coroutines.counters() == {"running": 0, "long": 0, "waiting": 0, "hung": 0}
    return world.trace, [f"{name} {ended!r}" for name, ended in world.ends]


@given(st.integers(0, 2**32))
def test_the_same_seed_has_the_same_run_and_each_is_told_of_once(seed: int) -> None:
    assert drawn(seed) == drawn(seed)


def test_how_something_is_written_is_seen() -> None:
    class Caller:
        async def __call__(self) -> None: ...

        async def method(self) -> None: ...

        def plain(self) -> None: ...

    assert is_coroutine_function(Caller())
    assert is_coroutine_function(Caller().method)
    assert not is_coroutine_function(Caller().plain)
    assert not is_coroutine_function(Caller)
    assert not is_coroutine_function(None)
