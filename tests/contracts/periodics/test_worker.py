"""One suite for two workers: Futurist's PeriodicWorker and castiron's, on the same tasks marked in either way."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from itertools import count
from random import Random
from typing import Any

import pytest
from futurist import periodics as futurist

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.executor import InBulkhead
from castiron.actors.coroutines.coroutines import Coroutines
from castiron.actors.coroutines.loops import Loops
from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.periodics.declaring import NeverAgain, is_periodic, periodic
from castiron.actors.periodics.worker import PeriodicWorker
from tests.support.deadline import until

SPACING_S = 0.03
WORKERS = 4


class Bench(ABC):
    """A worker of one of the two kinds, and how it is begun and ended."""

    never_again: tuple[type[Exception], ...]
    """What a task may raise that is to run no more."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []

    @abstractmethod
    def worker(self, *calls: Callable[..., Any], strategy: str = "last_started") -> Any: ...

    @abstractmethod
    def collected(self, *objects: object) -> Any: ...

    @abstractmethod
    def start(self, worker: Any, *, allow_empty: bool = False) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class Futurists(Bench):
    """Futurist's, in a thread of its own as it blocks."""

    never_again = (futurist.NeverAgain,)

    def __init__(self) -> None:
        super().__init__()
        self._begun: list[tuple[Any, threading.Thread]] = []

    def _failed(self, _cb: Any, _kind: str, _spacing: float, exc_info: Any, traceback: Any = None) -> None:
        del traceback
        self.failures.append(exc_info[1])

    def _terms(self) -> dict[str, Any]:
        return {
            "executor_factory": lambda: ThreadPoolExecutor(WORKERS),
            "on_failure": self._failed,
        }

    def worker(self, *calls: Callable[..., Any], strategy: str = "last_started") -> Any:
        return futurist.PeriodicWorker(
            [(call, None, None) for call in calls], schedule_strategy=strategy, **self._terms()
        )

    def collected(self, *objects: object) -> Any:
        return futurist.PeriodicWorker.create(objects, **self._terms())

    def start(self, worker: Any, *, allow_empty: bool = False) -> None:
        if worker._active.is_set() or not (len(worker) or allow_empty):
            worker.start(allow_empty=allow_empty)
        thread = threading.Thread(target=worker.start, kwargs={"allow_empty": allow_empty}, daemon=True)
        thread.start()
        until(worker._active.is_set)
        self._begun.append((worker, thread))

    def close(self) -> None:
        for worker, thread in self._begun:
            worker.stop()
            thread.join(10.0)


class Castirons(Bench):
    """Castiron's, on a real clock."""

    never_again = (NeverAgain, futurist.NeverAgain)

    def __init__(self) -> None:
        super().__init__()
        self._clock = SystemClock()
        self._pool = Bulkhead("test", WORKERS, self._clock)
        self._loops = Loops(slow_turn_s=5.0, hung_turn_s=30.0, executor=lambda: InBulkhead(self._pool))
        self._coroutines = Coroutines("test", WORKERS, self._clock, self._loops)
        self._workers: list[PeriodicWorker] = []

    def _failed(self, _task: Any, failure: BaseException) -> None:
        self.failures.append(failure)

    def _terms(self) -> dict[str, Any]:
        return {
            "clock": self._clock,
            "pool": self._pool,
            "quick": self._pool,
            "coroutines": self._coroutines,
            "rng": Random(1),
            "on_failure": self._failed,
        }

    def worker(self, *calls: Callable[..., Any], strategy: str = "last_started") -> Any:
        worker = PeriodicWorker([(call, None, None) for call in calls], schedule_strategy=strategy, **self._terms())
        self._workers.append(worker)
        return worker

    def collected(self, *objects: object) -> Any:
        worker = PeriodicWorker.create(objects, **self._terms())
        self._workers.append(worker)
        return worker

    def start(self, worker: Any, *, allow_empty: bool = False) -> None:
        worker.start(allow_empty=allow_empty)

    def close(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._coroutines.stop(0.0)
        self._loops.stop(10.0)
        self._pool.stop(10.0)
        self._clock.stop(10.0)


def awaiting(*terms: Any, **more: Any) -> Callable[[Callable[..., Any]], Any]:
    """Mark a task that is written `async def`: what the function would do in a thread, its coroutine awaits."""

    def mark(function: Callable[..., Any]) -> Any:
        @wraps(function)
        async def run(*args: Any, **kwargs: Any) -> Any:
            return await asyncio.to_thread(function, *args, **kwargs)

        return periodic(*terms, **more)(run)

    return mark


def either(*terms: Any, **more: Any) -> Callable[[Callable[..., Any]], Any]:
    """Mark one task as it is, the next as a coroutine."""
    return awaiting(*terms, **more) if next(TURNS) % 2 else periodic(*terms, **more)


TURNS = count()
PAIRS = [
    (Futurists, futurist.periodic),
    (Castirons, futurist.periodic),
    (Castirons, periodic),
    (Castirons, awaiting),
    (Castirons, either),
]
"""Futurist's worker reads Futurist's marks alone, and awaits nothing."""
IDS = ["futurist", "castiron-as-marked-for-futurist", "castiron", "castiron-async", "castiron-mixed"]


@pytest.fixture(params=PAIRS, ids=IDS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Bench, Any]]:
    kind, mark = request.param
    bench = kind()
    yield bench, mark
    bench.close()


@pytest.fixture
def bench(pair: tuple[Bench, Any]) -> Bench:
    return pair[0]


@pytest.fixture
def mark(pair: tuple[Bench, Any]) -> Any:
    return pair[1]


def watcher_of(worker: Any) -> Any:
    (watcher,) = worker.iter_watchers()
    return watcher


def test_a_task_runs_again_and_again_and_its_runs_are_counted(bench: Bench, mark: Any) -> None:
    runs: list[int] = []
    task = mark(SPACING_S)(lambda: runs.append(1))
    assert is_periodic(task)
    worker = bench.worker(task)
    bench.start(worker)
    until(lambda: watcher_of(worker).runs >= 3)
    watcher = watcher_of(worker)
    assert watcher.successes >= 3
    assert watcher.failures == 0
    assert watcher.elapsed >= 0
    assert watcher.average_elapsed >= 0
    assert watcher.average_elapsed_waiting >= 0
    assert not watcher.requested_stop
    assert len(runs) >= 3


def test_before_the_first_run_there_is_no_average(bench: Bench, mark: Any) -> None:
    worker = bench.worker(mark(3_600.0)(lambda: None))
    with pytest.raises(ZeroDivisionError):
        _ = watcher_of(worker).average_elapsed
    with pytest.raises(ZeroDivisionError):
        _ = watcher_of(worker).average_elapsed_waiting


def test_what_is_to_run_immediately_does_and_the_others_wait_for_their_spacing(bench: Bench, mark: Any) -> None:
    runs: list[str] = []
    at_once = mark(3_600.0, run_immediately=True)(lambda: runs.append("at once"))
    later = mark(3_600.0)(lambda: runs.append("later"))
    worker = bench.worker(later, at_once)
    bench.start(worker)
    until(lambda: sum(one.runs for one in worker.iter_watchers()) == 1)
    assert runs == ["at once"]


@pytest.mark.parametrize("strategy", ["last_started", "last_finished_jitter", "aligned_last_finished"])
def test_a_task_never_overlaps_itself(bench: Bench, mark: Any, strategy: str) -> None:
    inside, most, pause = [0], [0], threading.Event()

    def work() -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        pause.wait(SPACING_S * 2)
        inside[0] -= 1

    worker = bench.worker(mark(SPACING_S)(work), strategy=strategy)
    bench.start(worker)
    until(lambda: watcher_of(worker).runs >= 3)
    assert most == [1]


def test_one_that_blocks_delays_no_other(bench: Bench, mark: Any) -> None:
    gate = threading.Event()
    runs: list[int] = []
    blocks = mark(SPACING_S)(lambda: gate.wait(30.0))
    quick = mark(SPACING_S)(lambda: runs.append(1))
    worker = bench.worker(blocks, quick)
    bench.start(worker)
    until(lambda: len(runs) >= 5)
    gate.set()
    blocking, _ = worker.iter_watchers()
    assert blocking.runs <= 1


def test_a_failure_is_counted_and_told_and_the_task_stays(bench: Bench, mark: Any) -> None:
    def fail() -> None:
        raise OSError("no answer")

    worker = bench.worker(mark(SPACING_S)(fail))
    bench.start(worker)
    until(lambda: watcher_of(worker).failures >= 3)
    assert watcher_of(worker).successes == 0
    until(lambda: len(bench.failures) >= 3)
    assert {str(failure) for failure in bench.failures} == {"no answer"}


def test_whoever_says_never_again_has_succeeded_and_runs_no_more(bench: Bench, mark: Any) -> None:
    runs: list[type[Exception]] = []

    def saying(never_again: type[Exception]) -> Any:
        def once() -> None:
            runs.append(never_again)
            raise never_again

        return mark(SPACING_S)(once)

    others: list[int] = []
    worker = bench.worker(*map(saying, bench.never_again), mark(SPACING_S)(lambda: others.append(1)))
    bench.start(worker)
    *watchers, _ = worker.iter_watchers()
    until(lambda: all(watcher.requested_stop for watcher in watchers))
    was = len(others)
    until(lambda: len(others) >= was + 3)
    assert sorted(runs, key=str) == sorted(bench.never_again, key=str)
    assert [(one.runs, one.successes, one.failures) for one in watchers] == [(1, 1, 0)] * len(watchers)
    assert not bench.failures


def test_what_is_not_enabled_is_left_out(bench: Bench, mark: Any) -> None:
    off = mark(0, enabled=False)(lambda: None)
    worker = bench.worker(mark(3_600.0)(lambda: None), off)
    assert len(worker) == 1
    assert worker.add(off) is None


def test_a_task_may_come_while_it_runs(bench: Bench, mark: Any) -> None:
    worker = bench.worker()
    bench.start(worker, allow_empty=True)

    def square(number: int) -> int:
        return number * number

    watcher = worker.add(mark(SPACING_S)(square), 7)
    assert watcher.work.args == (7,)
    until(lambda: watcher.runs >= 1)


def test_what_makes_no_sense_is_a_value_error(bench: Bench, mark: Any) -> None:
    with pytest.raises(ValueError, match="greater than"):
        mark(0)(lambda: None)
    with pytest.raises(ValueError, match="last_finished"):
        bench.worker(mark(1.0)(lambda: None), strategy="sometimes")
    with pytest.raises(ValueError, match="lambda"):
        bench.worker(lambda: None)


def test_an_empty_worker_and_a_second_start_are_refused(bench: Bench, mark: Any) -> None:
    with pytest.raises(RuntimeError):
        bench.start(bench.worker())
    worker = bench.worker(mark(3_600.0)(lambda: None))
    bench.start(worker)
    with pytest.raises(RuntimeError):
        bench.start(worker)


def test_after_a_stop_nothing_runs_and_a_reset_makes_it_as_new(bench: Bench, mark: Any) -> None:
    worker = bench.worker(mark(SPACING_S)(lambda: None))
    bench.start(worker)
    until(lambda: watcher_of(worker).runs >= 1)
    worker.stop()
    assert worker.wait(10.0)
    runs = watcher_of(worker).runs
    threading.Event().wait(SPACING_S * 3)
    assert watcher_of(worker).runs == runs
    worker.reset()
    assert watcher_of(worker).runs == 0
    bench.start(worker)
    until(lambda: watcher_of(worker).runs >= 1)


def test_marked_methods_are_found_and_hidden_ones_are_not(bench: Bench, mark: Any) -> None:
    class Rack:
        def __init__(self) -> None:
            self.looks = 0

        @mark(SPACING_S)  # type: ignore[untyped-decorator]  # one of two kinds
        def look(self) -> None:
            """Look."""
            self.looks += 1

        @mark(SPACING_S)  # type: ignore[untyped-decorator]  # one of two kinds
        def _hidden(self) -> None: ...

        def plain(self) -> None: ...

    one, other = Rack(), Rack()
    worker = bench.collected(one, other)
    assert len(worker) == 2
    bench.start(worker)
    until(lambda: min(one.looks, other.looks) >= 2)
    assert {watcher.work.callback.__name__ for watcher in worker.iter_watchers()} == {"look"}


def test_so_many_run_at_once_as_there_are_workers(bench: Bench, mark: Any) -> None:
    gate, inside, lock = threading.Event(), [0], threading.Lock()

    def work() -> None:
        with lock:
            inside[0] += 1
        gate.wait(30.0)

    worker = bench.worker(*(mark(SPACING_S)(work) for _ in range(WORKERS + 3)))
    bench.start(worker)
    until(lambda: inside[0] == WORKERS)
    threading.Event().wait(SPACING_S * 2)
    assert inside[0] == WORKERS
    gate.set()
    until(lambda: all(watcher.runs for watcher in worker.iter_watchers()))
