"""Periodic tasks: what a run costs, how late it begins, and what those that block do to the others; Futurist beside.

`measure()` returns the figures by name, units at the end of each. Both workers run the same tasks with as many threads,
one after the other, in about a minute.
"""

import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from futurist import periodics as futurist

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.core.state import NodeState
from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.periodics.declaring import Terms
from castiron.actors.periodics.task import Work
from castiron.actors.periodics.worker import PeriodicWorker
from castiron.actors.published.board import Board
from castiron.store.records import NodeRecord
from castiron.transport.vocabulary import ConductorID, EventSeq, Instant, NodeName, NodeUUID

THREADS = 8
TASKS = 1_000
SPACING_S = 5.0
SPELLS = 3
"""Spacings that are watched; tasks are begun spread over one."""
BLOCKING = 100
LONG = 64
"""Threads more, for runs that take long; Futurist is given as many more in one of its rows."""
NODES = 10_000
PER_NODE_S = 10.0
"""Spacing of the task that runs for each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a worker is given, and for how long it is watched once each task has had its turn twice."""

    tasks: int = TASKS
    blocking: int = 0
    """So many of them block for a whole spacing."""
    spacing_s: float = SPACING_S
    watch_s: float = SPACING_S * SPELLS
    threads: int = THREADS


class Watch:
    """Notes how late the runs begin, of tasks that are due a spacing after their run before."""

    def __init__(self, course: Course) -> None:
        self.late_s: list[float] = []
        self.ending = threading.Event()
        self._spacing_s = course.spacing_s

    def task(self) -> Callable[[], None]:
        """Return a task that does nothing, and notes when."""
        due = [0.0]

        @futurist.periodic(self._spacing_s)
        def run() -> None:
            now = time.monotonic()
            if due[0]:
                self.late_s.append(now - due[0])
            due[0] = now + self._spacing_s

        return run

    def blocking(self) -> Callable[[], None]:
        """Return a task that blocks."""

        @futurist.periodic(self._spacing_s)
        def run() -> None:
            self.ending.wait(self._spacing_s)

        return run


def watched(course: Course, spread: Callable[[Watch, Course], Callable[[], object]]) -> dict[str, float]:
    """Return how often, how late and at what price the tasks that do not block have run.

    Args:
        spread: starts a worker with the course's tasks, and returns what stops it.
    """
    watch = Watch(course)
    stop = spread(watch, course)
    threading.Event().wait(course.spacing_s * 2)  # until each has run, and it is known which take long
    cpu_s, watch.late_s = time.process_time(), []
    threading.Event().wait(course.watch_s)
    cpu_s = time.process_time() - cpu_s
    watch.ending.set()
    stop()
    late = sorted(watch.late_s) or [course.watch_s]
    return {
        "runs": float(len(watch.late_s)),
        "late_p50_ms": late[len(late) // 2] * 1000,
        "late_p99_ms": late[len(late) * 99 // 100] * 1000,
        "cpu_us_per_run": cpu_s / max(1, len(watch.late_s)) * 1e6,
    }


def _measured(course: Course, spread: Callable[[Watch, Course], Callable[[], object]], kind: str) -> dict[str, float]:
    return {f"{kind}_{name}": value for name, value in watched(course, spread).items()}


def _add_all(watch: Watch, course: Course, add: Callable[[Callable[[], None]], object]) -> None:
    pause = threading.Event()
    for number in range(course.tasks):
        add(watch.blocking() if number < course.blocking else watch.task())
        if number % 20 == 0:
            pause.wait(course.spacing_s / course.tasks * 20)


def castirons(watch: Watch, course: Course) -> Callable[[], None]:
    """Start castiron's worker with a course's tasks; return what stops it."""
    clock = SystemClock()
    pool = Bulkhead("bench", course.threads, clock, long_limit=LONG)
    worker = PeriodicWorker(clock=clock, pool=pool, quick=pool, rng=Random(1))
    worker.start(allow_empty=True)
    _add_all(watch, course, worker.add)

    def stop() -> None:
        worker.stop()
        pool.stop(10.0)
        clock.stop(5.0)

    return stop


def futurists(watch: Watch, course: Course) -> Callable[[], None]:
    """Start Futurist's worker with a course's tasks; return what stops it."""
    worker = futurist.PeriodicWorker([], executor_factory=lambda: ThreadPoolExecutor(course.threads))
    thread = threading.Thread(target=worker.start, kwargs={"allow_empty": True})
    thread.start()
    _add_all(watch, course, worker.add)

    def stop() -> None:
        worker.stop()
        thread.join(30.0)

    return stop


def _per_node() -> dict[str, float]:
    """Return what a run for a node costs, and a node's place on the roll, of a task for 10,000 nodes every 10 s."""
    clock, ran = SystemClock(), [0]
    pool = Bulkhead("bench", THREADS, clock, long_limit=LONG)
    board = Board(max_waiters=1, seq=EventSeq(0))
    worker = PeriodicWorker(clock=clock, pool=pool, quick=pool, rng=Random(1), look=board.node)

    def run(_: object) -> None:
        ran[0] += 1

    watcher = worker.take(Work("bench", run), Terms(spacing_s=PER_NODE_S, per="node"))
    nodes = [_node(number) for number in range(NODES)]
    for state in nodes:
        board.admit(state, EventSeq(0), generation=1)
    tracemalloc.start()
    for state in nodes:
        worker.meet(state.record.uuid, board.node(state.record.uuid))
    worker.start()
    taken_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    threading.Event().wait(1.0)
    cpu_s, began = time.process_time(), ran[0]
    threading.Event().wait(PER_NODE_S)
    cpu_s, runs = time.process_time() - cpu_s, ran[0] - began
    late_s = watcher.late_max_s if watcher is not None else 0.0
    worker.stop()
    pool.stop(10.0)
    clock.stop(5.0)
    return {
        "per_node_runs": float(runs),
        "per_node_cpu_us_per_run": cpu_s / max(1, runs) * 1e6,
        "per_node_bytes_per_node": taken_bytes / NODES,
        "per_node_late_max_ms": late_s * 1000,
    }


def _node(number: int) -> NodeState:
    record = NodeRecord(
        uuid=NodeUUID(f"{number:08d}-0000-4000-8000-000000000000"),
        name=NodeName(f"n{number}"),
        driver="fake",
        created_at=Instant(0.0),
        updated_at=Instant(0.0),
        owner=ConductorID("bench"),
    )
    return NodeState(record=record)


def measure(**_: object) -> dict[str, float]:
    """Return the figures of both: tasks that do nothing, and the same with some among them that block."""
    figures: dict[str, float] = {}
    for kind, spread in (("castiron", castirons), ("futurist", futurists)):
        figures |= _measured(Course(), spread, kind)
        figures |= _measured(Course(blocking=BLOCKING), spread, f"{kind}_beside_blocking")
    many = Course(blocking=BLOCKING, threads=THREADS + LONG)
    figures |= _measured(many, futurists, "futurist_72_threads_beside_blocking")
    figures |= _per_node()
    figures["cpu_ratio_to_futurist"] = figures["castiron_cpu_us_per_run"] / figures["futurist_cpu_us_per_run"]
    return figures


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:40} {figure:12.1f}")
