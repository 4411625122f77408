"""Periodic tasks: what a run costs, how late it begins, and what those that block do to the others; Futurist beside.

`measure()` returns the figures by name, units at the end of each. Both workers run the same tasks with as many threads,
one after the other, in about a minute.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Any

from futurist import periodics as futurist

from castiron.actors.dispatch.bulkhead import Bulkhead
from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.periodics.worker import PeriodicWorker

THREADS = 8
TASKS = 1_000
SPACING_S = 5.0
SPELLS = 3
"""Spacings that are watched; tasks are begun spread over one."""
BLOCKING = 100
BLOCKED_S = 5.0
LONG = 64
"""Threads more, for runs that take long; Futurist is given as many more in one of its rows."""


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


def measure(**_: object) -> dict[str, float]:
    """Return the figures of both: tasks that do nothing, and the same with some among them that block."""
    figures: dict[str, float] = {}
    for kind, spread in (("castiron", _castirons), ("futurist", _futurists)):
        figures |= _measured(TASKS, 0, spread, kind)
        figures |= _measured(TASKS, BLOCKING, spread, f"{kind}_beside_blocking")
    figures |= _measured(
        TASKS, BLOCKING, partial(_futurists, threads=THREADS + LONG), "futurist_72_threads_beside_blocking"
    )
    figures["cpu_ratio_to_futurist"] = figures["castiron_cpu_us_per_run"] / figures["futurist_cpu_us_per_run"]
    return figures


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:40} {figure:12.1f}")
