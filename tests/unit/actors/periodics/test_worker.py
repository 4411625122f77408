"""Periodic tasks in virtual time: when they run, that they never overlap, and what is known of them."""

import threading
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import Ended, NotBegun, Overdue
from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.periodics.declaring import NeverAgain, Terms, periodic, terms_of
from castiron.actors.periodics.strategies import Strategy
from castiron.actors.periodics.task import Stand, Watcher, Work
from castiron.actors.periodics.worker import PeriodicWorker
from castiron.transport.vocabulary import Instant, Seconds
from tests.support.deadline import until


class Lane:
    """A pool in virtual time: each piece takes as long as it says, and there are so many places."""

    def __init__(self, clock: VirtualClock, limit: int = 1_000) -> None:
        self.clock = clock
        self.limit = limit
        self.running = 0
        self.line: list[Callable[[], None]] = []
        self.is_full = False
        self.known_long = 0

    def submit(
        self,
        call: Callable[[], Any],
        done: Callable[[Ended], None],
        *,
        deadline: Instant | None = None,
        timeout_s: float | None = None,
        is_long: bool = False,
        about: object = "",
    ) -> Callable[[], None]:
        assert deadline is None
        assert about
        self.known_long += is_long
        if self.is_full:
            done(Ended(error=NotBegun("full")))
            return lambda: None
        begin = partial(self._begin, call, done, timeout_s)
        self.line.append(begin)
        self._next()
        return partial(self._forgo, begin, done)

    def _forgo(self, begin: Callable[[], None], done: Callable[[Ended], None]) -> None:
        if begin in self.line:
            self.line.remove(begin)
            done(Ended(error=NotBegun("forgone")))

    def _next(self) -> None:
        while self.line and self.running < self.limit:
            self.running += 1
            self.line.pop(0)()

    def _begin(self, call: Callable[[], Any], done: Callable[[Ended], None], timeout_s: float | None) -> None:
        started_at = self.clock.now()
        try:
            lasts_s, error = call() or 0.0, None
        except Exception as raised:  # noqa: BLE001 - what a task raises is told
            lasts_s, error = 0.0, raised
        lasts_s = lasts_s if timeout_s is None else min(lasts_s, timeout_s)
        self.clock.call_at(Instant(started_at + lasts_s), partial(self._end, done, started_at, error))

    def _end(self, done: Callable[[Ended], None], started_at: Instant, error: Exception | None) -> None:
        self.running -= 1
        done(Ended(None, error, started_at, self.clock.now()))
        self._next()


class World:
    """A worker on a clock that stands still until it is moved."""

    def __init__(self, *, limit: int = 1_000, strategy: str = "last_started") -> None:
        self.clock = VirtualClock(Instant(1_000.0))
        self.lane = Lane(self.clock, limit)
        self.runs: list[tuple[str, float]] = []
        self.failed: list[tuple[Watcher, BaseException]] = []
        self.worker = PeriodicWorker(
            clock=self.clock,
            pool=self.lane,
            quick=Lane(self.clock),
            rng=Random(1),
            schedule_strategy=strategy,
            on_failure=lambda watcher, failure: self.failed.append((watcher, failure)),
        )

    def task(self, name: str, spacing_s: float, lasts_s: float = 0.0, **terms: Any) -> Watcher:
        def run() -> float:
            self.runs.append((name, self.clock.now() - 1_000.0))
            return lasts_s

        watcher = self.worker.take(Work(name, run), Terms(spacing_s=spacing_s, **terms))
        assert watcher is not None
        return watcher

    def advance(self, by_s: float) -> None:
        self.clock.advance(Seconds(by_s))

    def at(self, name: str) -> list[float]:
        return [when for who, when in self.runs if who == name]


def test_a_task_runs_each_time_its_spacing_is_over_and_first_after_it() -> None:
    world = World()
    world.task("a", 10.0)
    world.task("b", 10.0, run_immediately=True)
    world.worker.start()
    world.advance(35.0)
    assert world.at("a") == [10.0, 20.0, 30.0]
    assert world.at("b") == [0.0, 10.0, 20.0, 30.0]


def test_a_task_that_takes_longer_than_its_spacing_runs_once_again_and_nothing_is_made_up_for() -> None:
    world = World()
    watcher = world.task("slow", 10.0, lasts_s=25.0)
    world.worker.start()
    world.advance(61.0)
    assert world.at("slow") == [10.0, 35.0, 60.0]
    assert watcher.stand is Stand.RUNNING


def test_from_its_end_on_counts_where_the_strategy_says_so() -> None:
    world = World(strategy="last_finished")
    world.task("slow", 10.0, lasts_s=5.0)
    world.task("own", 10.0, lasts_s=5.0, strategy=Strategy.LAST_STARTED)
    world.worker.start()
    world.advance(41.0)
    assert world.at("slow") == [10.0, 25.0, 40.0]
    assert world.at("own") == [10.0, 20.0, 30.0, 40.0]


def test_jitter_is_added_and_never_more_than_its_share() -> None:
    world = World(strategy="last_started_jitter")
    world.task("a", 100.0, jitter=0.2)
    world.worker.start()
    world.advance(10_000.0)
    gaps = [later - earlier for earlier, later in zip(world.at("a"), world.at("a")[1:], strict=False)]
    assert all(100.0 <= gap <= 120.0 for gap in gaps)
    assert max(gaps) - min(gaps) > 10.0


def test_what_blocks_takes_a_worker_and_what_does_not_takes_none() -> None:
    world = World(limit=2)
    for name in ("a", "b", "c"):
        world.task(name, 10.0, lasts_s=4.0)
    world.task("quick", 10.0, blocking=False)
    world.worker.start()
    world.advance(19.0)
    assert world.runs == [("a", 10.0), ("b", 10.0), ("quick", 10.0), ("c", 14.0)]
    waited = {watcher.work.name: watcher.elapsed_waiting for watcher in world.worker.iter_watchers()}
    assert waited == {"a": 0.0, "b": 0.0, "c": 4.0, "quick": 0.0}
    late = {watcher.work.name: watcher.late_max_s for watcher in world.worker.iter_watchers()}
    assert late["c"] == 4.0


def test_a_failure_is_counted_and_told_and_the_task_stays() -> None:
    world = World()

    def fail() -> None:
        raise OSError("no answer")

    watcher = world.worker.take(Work("fails", fail), Terms(spacing_s=10.0))
    assert watcher is not None
    world.worker.start()
    world.advance(25.0)
    assert (watcher.runs, watcher.successes, watcher.failures, watcher.failures_in_a_row) == (2, 0, 2, 2)
    assert [str(failure) for _, failure in world.failed] == ["no answer", "no answer"]


def test_whoever_says_never_again_runs_no_more_until_it_is_started_again() -> None:
    world = World()

    def once() -> None:
        world.runs.append(("once", world.clock.now() - 1_000.0))
        raise NeverAgain

    watcher = world.worker.take(Work("once", once), Terms(spacing_s=10.0))
    assert watcher is not None
    world.worker.start()
    world.advance(50.0)
    assert world.at("once") == [10.0]
    assert (watcher.successes, watcher.failures, watcher.requested_stop) == (1, 0, True)
    assert watcher.stand is Stand.STOPPED
    assert not world.failed
    world.worker.start_task("once")
    world.advance(10.0)
    assert world.at("once") == [10.0, 60.0]


def test_a_task_can_be_stopped_from_outside_at_any_point_of_its_run() -> None:
    world = World(limit=1)
    world.task("runs", 10.0, lasts_s=5.0)
    waits = world.task("waits", 10.0)
    world.worker.start()
    world.advance(11.0)
    assert waits.stand is Stand.WAITING
    world.worker.stop_task("waits")
    world.worker.stop_task("runs")
    world.advance(100.0)
    assert world.runs == [("runs", 10.0)]
    assert {watcher.stand for watcher in world.worker.iter_watchers()} == {Stand.STOPPED}
    world.worker.start_task("runs")
    world.worker.start_task("runs")
    world.advance(12.0)
    assert world.at("runs") == [10.0, 121.0]


def test_whoever_is_stopped_and_started_again_while_it_runs_does_not_run_twice() -> None:
    world = World()
    world.task("runs", 10.0, lasts_s=5.0)
    world.worker.start()
    world.advance(11.0)
    world.worker.stop_task("runs")
    world.worker.start_task("runs")
    world.advance(20.0)
    assert world.at("runs") == [10.0, 20.0, 30.0]


def test_what_finds_no_place_tries_again_within_about_a_second() -> None:
    world = World()
    world.task("a", 10.0)
    world.worker.start()
    world.lane.is_full = True
    world.advance(12.5)
    world.lane.is_full = False
    world.advance(1.1)
    assert len(world.at("a")) == 1
    assert 12.5 <= world.at("a")[0] <= 13.6


def test_nothing_runs_before_its_time_or_after_the_stop_and_a_task_that_came_later_runs() -> None:
    world = World()
    world.task("late", 10.0, not_before=Instant(1_500.0), run_immediately=True)
    world.worker.start()
    world.advance(20.0)
    world.task("new", 10.0)
    world.advance(15.0)
    assert world.runs == [("new", 30.0)]
    world.worker.stop()
    world.advance(1_000.0)
    assert world.runs == [("new", 30.0)]
    assert world.worker.wait(0.0)
    world.worker.reset()
    world.worker.start()
    world.advance(10.0)
    assert world.at("new") == [30.0, 1_045.0]
    assert world.at("late") == [1_035.0, 1_045.0]


def test_a_name_stands_for_one_task_and_what_is_dropped_is_forgotten() -> None:
    world = World()
    assert [world.task("a", 10.0).work.name for _ in range(3)] == ["a", "a#2", "a#3"]
    world.worker.drop("a#2")
    assert len(world.worker) == 2
    world.worker.start()
    world.advance(15.0)
    assert world.at("a") == [10.0, 10.0]
    with pytest.raises(LookupError):
        world.worker.stop_task("a#2")


@pytest.mark.parametrize(
    "wrong", [{"spacing_s": 0.0}, {"spacing_s": 1.0, "jitter": 1.5}, {"spacing_s": 1.0, "timeout_s": 0.0}]
)
def test_numbers_that_make_no_sense_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=[*wrong][-1]):
        periodic(**wrong)  # type: ignore[arg-type]


def test_a_strategy_that_is_none_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="last_started, last_started_jitter, last_finished"):
        periodic(1.0, strategy="sometimes")


def test_a_mark_leaves_the_function_as_it_was() -> None:
    @periodic(5.0, timeout_s=2.0)
    def add(one: int, other: int) -> int:
        return one + other

    assert add(1, 2) == 3
    assert terms_of(add) == Terms(spacing_s=5.0, timeout_s=2.0)
    assert terms_of(len) is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["stop", "start", "pass", "full", "free"])),
        max_size=40,
    ),
    st.integers(1, 3),
)
def test_whatever_is_said_to_them_tasks_never_overlap_themselves_and_run_again_when_they_may(
    words: list[tuple[str, str]], limit: int
) -> None:
    world = World(limit=limit)
    inside: set[str] = set()

    def run(name: str) -> float:
        assert name not in inside
        inside.add(name)
        world.clock.call_at(Instant(world.clock.now() + 4.0), partial(inside.discard, name))
        world.runs.append((name, world.clock.now()))
        return 4.0

    for name in ("a", "b", "c"):
        world.worker.take(Work(name, partial(run, name)), Terms(spacing_s=3.0))
    world.worker.start()
    for name, word in words:
        if word in {"stop", "start"}:
            (world.worker.stop_task if word == "stop" else world.worker.start_task)(name)
        elif word in {"full", "free"}:
            world.lane.is_full = word == "full"
        world.advance(1.0)
    world.lane.is_full = False
    before = len(world.runs)
    for name in ("a", "b", "c"):
        world.worker.start_task(name)
    world.advance(40.0)
    assert {name for name, _ in world.runs[before:]} == {"a", "b", "c"}
    assert not world.failed


def test_a_run_that_does_not_end_in_its_time_has_failed_and_the_next_comes_once_it_has_ended() -> None:
    clock, gate = SystemClock(), threading.Event()
    pool = Bulkhead("test", 1, clock)
    failed: list[BaseException] = []
    worker = PeriodicWorker(
        clock=clock, pool=pool, quick=pool, rng=Random(1), on_failure=lambda _, failure: failed.append(failure)
    )
    runs: list[int] = []

    def hang() -> None:
        runs.append(1)
        gate.wait(30.0)

    hung = worker.take(Work("hangs", hang), Terms(spacing_s=0.02, timeout_s=0.05, run_immediately=True))
    other = worker.take(Work("other", lambda: None), Terms(spacing_s=0.02))
    assert hung is not None
    assert other is not None
    try:
        worker.start()
        until(lambda: hung.stand is Stand.HUNG)
        was = other.runs
        until(lambda: other.runs >= was + 3)
        assert (len(runs), hung.failures, hung.successes) == (1, 1, 0)
        assert isinstance(failed[0], Overdue)
        gate.set()
        until(lambda: len(runs) >= 3)
    finally:
        gate.set()
        worker.stop()
        assert worker.wait(10.0)
        pool.stop(5.0)
        clock.stop(5.0)
