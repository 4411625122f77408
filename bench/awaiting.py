"""What a step, a periodic run and a driver's call cost that awaits, against one that blocks: CPU, in turn.

    python -m bench.awaiting

`measure()` returns the figures by name, units at the end of each, in about a minute.
"""

import asyncio
import json
import socket
import socketserver
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any, Final

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.coroutines.coroutines import Coroutines
from castiron.actors.coroutines.loops import Loops
from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import Call, DriverInfo, GetPower, Target
from castiron.actors.drivers.methods import Asked, MethodDriver
from castiron.actors.drivers.methods.driver import Places
from castiron.actors.drivers.work import RunStep
from castiron.actors.periodics.declaring import Terms
from castiron.actors.periodics.task import Work
from castiron.actors.periodics.worker import PeriodicWorker
from castiron.actors.steps import StepContext, step
from castiron.actors.steps.shelf import Shelf
from castiron.actors.steps.workers import Job, Workers
from castiron.transport.vocabulary import Instant, NodeUUID, PowerState

ROUNDS: Final = 5
MANY: Final = 2_000
WAITING: Final = 500
"""Pieces that wait at once."""
WAIT_S: Final = 0.02
TASKS: Final = 200
SPACING_S: Final = 0.1
WATCH_S: Final = 2.0
BMCS: Final = 50
PATIENCE_S: Final = 60.0


@step(interface="bench")
def blocks(context: StepContext) -> None:
    """Do nothing, in a thread."""


@step(interface="bench")
async def awaits(context: StepContext) -> None:
    """Do nothing, on the loop."""


class Ground:
    """Threads and a loop, side by side."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.threads = Bulkhead("threads", WAITING, self.clock)
        self.loops = Loops(slow_turn_s=5.0, hung_turn_s=60.0)
        self.coroutines = Coroutines("coroutines", WAITING, self.clock, self.loops)
        self.workers = Workers(Shelf([blocks, awaits]), self.threads, self.coroutines)

    def close(self) -> None:
        """End all."""
        self.coroutines.stop(5.0)
        self.threads.stop(5.0)
        self.loops.stop(5.0)
        self.clock.stop(5.0)


class Tally:
    """Counts ends, and wakes whoever waits for the last."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __call__(self, _: object) -> None:
        """Count one."""
        with self._lock:
            self._left -= 1
            is_last = self._left == 0
        if is_last:
            self._over.set()

    def wait(self) -> None:
        """Wait for the last."""
        if not self._over.wait(PATIENCE_S):
            raise TimeoutError("the pieces have not ended")


def _nothing() -> None: ...


async def _nothing_awaited() -> None: ...


def _pause() -> None:
    threading.Event().wait(WAIT_S)


async def _pause_awaited() -> None:
    await asyncio.sleep(WAIT_S)


def _burst(pool: Bulkhead, make: Callable[[], Any], count: int = MANY) -> int:
    tally = Tally(count)
    for _ in range(count):
        pool.submit(make, tally)
    tally.wait()
    return count


def _one_by_one(pool: Bulkhead, make: Callable[[], Any]) -> int:
    for _ in range(MANY // 4):
        tally = Tally(1)
        pool.submit(make, tally)
        tally.wait()
    return MANY // 4


def _steps(workers: Workers, name: str) -> int:
    tally = Tally(MANY)
    for _ in range(MANY):
        context = StepContext(
            node="n1",
            node_uuid="u",
            driver="fake",
            driver_info={},
            properties={},
            attempt=1,
            deadline=Instant(1e12),
            token="t",
        )
        workers.submit(
            Job(work=RunStep(interface="bench", step=name, args={}, what="execute"), context=context, done=tally)
        )
    tally.wait()
    return MANY


def _runs(ground: Ground, call: Callable[[], Any]) -> int:
    """Run tasks for a while; return how many runs there were."""
    worker = PeriodicWorker(
        clock=ground.clock,
        pool=ground.threads,
        quick=ground.threads,
        coroutines=ground.coroutines,
        rng=Random(1),
    )
    for number in range(TASKS):
        worker.take(Work(f"task{number}", call), Terms(spacing_s=SPACING_S))
    worker.start()
    threading.Event().wait(WATCH_S)
    worker.stop()
    worker.wait(10.0)
    return sum(watcher.runs for watcher in worker.iter_watchers())


class Box(socketserver.StreamRequestHandler):
    """Answers each line with "on"."""

    def handle(self) -> None:
        """Answer until the line is closed."""
        while self.rfile.readline():
            self.wfile.write(b"on\n")


class Boxes(MethodDriver):
    """Asks a box over TCP, in a new connection each time."""

    def __init__(self, ground: Ground, port: int) -> None:
        super().__init__(ground.clock, Places(ground.threads, ground.coroutines))
        self.port = port

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """Take anything."""
        return DriverInfo(info=driver_info, secret_keys=frozenset(), bmc_address=None)


class BlockingBoxes(Boxes):
    """Blocks."""

    def get_power(self, asked: Asked[GetPower]) -> PowerState:
        """Ask."""
        del asked
        with socket.create_connection(("127.0.0.1", self.port), timeout=5.0) as line:
            line.sendall(b"power?\n")
            return PowerState.ON if line.recv(16) == b"on\n" else PowerState.OFF


class AwaitingBoxes(Boxes):
    """Awaits."""

    async def get_power(self, asked: Asked[GetPower]) -> PowerState:
        """Ask."""
        del asked
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"power?\n")
        said = await reader.readline()
        writer.close()
        return PowerState.ON if said == b"on\n" else PowerState.OFF


def _calls(driver: Boxes, count: int) -> int:
    tally = Tally(count)
    for number in range(count):
        target = Target(node=NodeUUID(f"n{number % BMCS}"), generation=1, info={})
        driver.submit(Call(target=target, operation=GetPower(), deadline=Instant(driver.clock.now() + 30.0)), tally)
    tally.wait()
    return count


def _in_turn(pairs: Mapping[str, tuple[Callable[[], int], Callable[[], int]]]) -> dict[str, float]:
    """Return the least CPU of each kind of piece, both manners in turn, in µs."""
    least: dict[str, float] = {}
    for name, pair in pairs.items():
        for _ in range(ROUNDS):
            for manner, measured in zip(("blocking", "awaiting"), pair, strict=True):
                before = time.process_time()
                count = measured()
                spent_us = (time.process_time() - before) / count * 1e6
                key = f"{name}_{manner}_us"
                least[key] = round(min(least.get(key, spent_us), spent_us), 1)
    return least


def _kept_bytes(pool: Bulkhead, make: Callable[[], Any]) -> int:
    """Return what Python keeps of a piece that waits, beside its thread's stack."""
    tally = Tally(WAITING)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(WAITING):
        pool.submit(make, tally)
    while pool.counters()["running"] < WAITING:
        threading.Event().wait(0.01)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    tally.wait()
    return kept // WAITING


def measure() -> dict[str, float]:
    """Measure both manners; see the module."""
    ground = Ground()
    gate = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Box) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = int(server.server_address[1])
        threads, coroutines, workers = ground.threads, ground.coroutines, ground.workers
        blocking, awaiting = BlockingBoxes(ground, port), AwaitingBoxes(ground, port)
        try:
            figures = _in_turn(
                {
                    "burst": (
                        partial(_burst, threads, _nothing),
                        partial(_burst, coroutines, _nothing_awaited),
                    ),
                    "alone": (
                        partial(_one_by_one, threads, _nothing),
                        partial(_one_by_one, coroutines, _nothing_awaited),
                    ),
                    "wait": (
                        partial(_burst, threads, _pause),
                        partial(_burst, coroutines, _pause_awaited),
                    ),
                    "step": (partial(_steps, workers, "blocks"), partial(_steps, workers, "awaits")),
                    "periodic": (partial(_runs, ground, _nothing), partial(_runs, ground, _nothing_awaited)),
                    "driver_call": (partial(_calls, blocking, 500), partial(_calls, awaiting, 500)),
                }
            )
            figures["waiting_blocking_bytes"] = _kept_bytes(threads, partial(gate.wait, 2.0))
            figures["waiting_awaiting_bytes"] = _kept_bytes(coroutines, partial(asyncio.sleep, 2.0))
        finally:
            gate.set()
            server.shutdown()
            ground.close()
    return figures


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=2)
