"""What actors and timers cost: 10,000 dispatched actors, 10,000 timers, and 1,000 of Pykka's threading actors beside.

`measure()` returns the figures by name, units at the end of each; `python -m bench.dispatch` prints them. It takes
about 25 seconds, 10 of them for the timers' lateness.
"""

import gc
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import pykka

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.dispatch.pooled import DispatchedActor
from castiron.transport.vocabulary import Instant

ACTORS = 10_000
THREADING_ACTORS = 1_000
MESSAGES = 40_000
ASKS = 10_000
ASKS_IN_FLIGHT = 200
TIMERS = 10_000
PERIOD_S = 60.0
LATENESS_OVER_S = 10.0
STOPPED_PATIENCE_S = 120.0


class Echo(DispatchedActor):
    def on_receive(self, message: object) -> object:
        return message


class ThreadingEcho(pykka.ThreadingActor):
    def on_receive(self, message: object) -> object:
        return message


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Return (wall, CPU) seconds."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


class Crowd:
    """Actors, and what can be done to all of them."""

    def __init__(self, start: Callable[[], pykka.ActorRef[Any]], count: int) -> None:
        self.start = start
        self.count = count
        self.refs: list[pykka.ActorRef[Any]] = []

    def any(self, number: int) -> pykka.ActorRef[Any]:
        return self.refs[number * 7919 % self.count]

    def start_all(self) -> None:
        self.refs = [self.start() for _ in range(self.count)]
        self.refs[-1].ask(None)

    def tell_and_drain(self) -> None:
        for number in range(MESSAGES):
            self.any(number).tell(number)
        for ref in self.refs:
            if not ref.actor_inbox.empty():
                ref.ask(None)

    def ask_one_by_one(self) -> None:
        for number in range(ASKS):
            self.any(number).ask(number)

    def ask_many_at_once(self) -> None:
        for batch in range(0, MESSAGES, ASKS_IN_FLIGHT):
            numbers = range(batch, batch + ASKS_IN_FLIGHT)
            pykka.get_all([self.any(number).ask(number, block=False) for number in numbers])

    def stop_all(self) -> None:
        pykka.get_all([ref.stop(block=False) for ref in self.refs], timeout=STOPPED_PATIENCE_S)


def measure_actors(start: Callable[[], pykka.ActorRef[Any]], count: int, prefix: str) -> dict[str, float]:
    crowd = Crowd(start, count)
    before_bytes = resident_bytes()
    start_s, _ = spent(crowd.start_all)
    each_bytes = (resident_bytes() - before_bytes) / count
    tell_s, tell_cpu_s = spent(crowd.tell_and_drain)
    ask_s, ask_cpu_s = spent(crowd.ask_one_by_one)
    many_s, many_cpu_s = spent(crowd.ask_many_at_once)
    stop_s, _ = spent(crowd.stop_all)
    figures = {
        "actors": count,
        "start_s": start_s,
        "each_bytes": each_bytes,
        "tell_us": tell_s / MESSAGES * 1e6,
        "tell_cpu_us": tell_cpu_s / MESSAGES * 1e6,
        "ask_us": ask_s / ASKS * 1e6,
        "ask_cpu_us": ask_cpu_s / ASKS * 1e6,
        "asks_per_s": MESSAGES / many_s,
        "asks_in_flight_cpu_us": many_cpu_s / MESSAGES * 1e6,
        "stop_s": stop_s,
    }
    return {f"{prefix}_{name}": value for name, value in figures.items()}


def measure_timers() -> dict[str, float]:
    clock, rng, late_s, is_over = SystemClock(), Random(7), list[float](), threading.Event()

    def periodic(at: float) -> None:
        def due() -> None:
            late_s.append(clock.now() - at)
            periodic(at + PERIOD_S)

        clock.call_at(Instant(at), due)

    begun = clock.now()
    for _ in range(TIMERS):
        periodic(begun + rng.uniform(0.5, PERIOD_S + 0.5))
    clock.call_at(Instant(begun + 0.5 + LATENESS_OVER_S), is_over.set)
    cpu_s = time.process_time()
    is_over.wait()
    cpu_s = time.process_time() - cpu_s
    clock.stop(5)
    late_s.sort()
    return {
        "timers": TIMERS,
        "timers_due": len(late_s),
        "timers_late_p50_ms": late_s[len(late_s) // 2] * 1000,
        "timers_late_p99_ms": late_s[len(late_s) * 99 // 100] * 1000,
        "timers_cpu_percent": cpu_s / LATENESS_OVER_S * 100,
    }


def measure_dispatched() -> dict[str, float]:
    pool = PoolDispatcher()
    figures = measure_actors(lambda: Echo.start(dispatcher=pool), ACTORS, "dispatched")
    pool.stop(STOPPED_PATIENCE_S)
    return figures


def measure_threading() -> dict[str, float]:
    return measure_actors(ThreadingEcho.start, THREADING_ACTORS, "threading")


def measure() -> dict[str, float]:
    """Return all figures. Blocks; each part runs in a process of its own, so that none uses another's memory again."""
    figures: dict[str, float] = {}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for part in (measure_dispatched, measure_threading, measure_timers):
            figures |= processes.submit(part).result()
    return figures


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:32} {value:12.2f}")
