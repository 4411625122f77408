"""Periodic tasks: what a run costs, how late it begins, and what those that block do to the others; Futurist beside.

`measure()` returns the figures by name, units at the end of each. Both workers run the same tasks with as many threads,
one after the other, in about a minute.
"""

import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Any

from futurist import periodics as futurist

from castiron.actors.core.state import NodeState
from castiron.actors.dispatch.bulkhead import Bulkhead
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
BLOCKED_S = 5.0
LONG = 64
"""Threads more, for runs that take long; Futurist is given as many more in one of its rows."""
NODES = 10_000
PER_NODE_S = 10.0
"""Spacing of the task that runs for each of them."""


class Watch:
    """Notes how late the runs begin, of tasks that are due a spacing after their run before."""

    def __init__(self) -> None:
        self.late_s: list[float] = []
        self.ending = threading.Event()

    def task(self) -> Callable[[], None]:
        """Return a task that does nothing, and notes when."""
        due = [0.0]

        @futurist.periodic(SPACING_S)
        def run() -> None:
            now = time.monotonic()
            if due[0]:
                self.late_s.append(now - due[0])
            due[0] = now + SPACING_S

        return run

    def blocking(self) -> Callable[[], None]:
        """Return a task that blocks."""

        @futurist.periodic(SPACING_S)
        def run() -> None:
            self.ending.wait(BLOCKED_S)

        return run


def _measured(tasks: int, blocking: int, spread: Callable[[Watch, int, int], Any], kind: str) -> dict[str, float]:
    watch = Watch()
    stop = spread(watch, tasks, blocking)
    threading.Event().wait(SPACING_S * 2)  # until each has run, and it is known which take long
    cpu_s, watch.late_s = time.process_time(), []
    threading.Event().wait(SPACING_S * SPELLS)
    cpu_s = time.process_time() - cpu_s
    watch.ending.set()
    stop()
    late = sorted(watch.late_s) or [SPACING_S * SPELLS]
    return {
        f"{kind}_runs": float(len(watch.late_s)),
        f"{kind}_late_p50_ms": late[len(late) // 2] * 1000,
        f"{kind}_late_p99_ms": late[len(late) * 99 // 100] * 1000,
        f"{kind}_cpu_us_per_run": cpu_s / max(1, len(watch.late_s)) * 1e6,
    }


def _add_all(watch: Watch, tasks: int, blocking: int, add: Callable[[Callable[[], None]], object]) -> None:
    pause = threading.Event()
    for number in range(tasks):
        add(watch.blocking() if number < blocking else watch.task())
        if number % 20 == 0:
            pause.wait(SPACING_S / tasks * 20)


def _castirons(watch: Watch, tasks: int, blocking: int) -> Callable[[], None]:
    clock = SystemClock()
    pool = Bulkhead("bench", THREADS, clock, long_limit=LONG)
    worker = PeriodicWorker(clock=clock, pool=pool, quick=pool, rng=Random(1))
    worker.start(allow_empty=True)
    _add_all(watch, tasks, blocking, worker.add)

    def stop() -> None:
        worker.stop()
        pool.stop(10.0)
        clock.stop(5.0)

    return stop


def _futurists(watch: Watch, tasks: int, blocking: int, threads: int = THREADS) -> Callable[[], None]:
    worker = futurist.PeriodicWorker([], executor_factory=lambda: ThreadPoolExecutor(threads))
    thread = threading.Thread(target=worker.start, kwargs={"allow_empty": True})
    thread.start()
    _add_all(watch, tasks, blocking, worker.add)

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
    for kind, spread in (("castiron", _castirons), ("futurist", _futurists)):
        figures |= _measured(TASKS, 0, spread, kind)
        figures |= _measured(TASKS, BLOCKING, spread, f"{kind}_beside_blocking")
    figures |= _measured(
        TASKS, BLOCKING, partial(_futurists, threads=THREADS + LONG), "futurist_72_threads_beside_blocking"
    )
    figures |= _per_node()
    figures["cpu_ratio_to_futurist"] = figures["castiron_cpu_us_per_run"] / figures["futurist_cpu_us_per_run"]
    return figures


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:40} {figure:12.1f}")
