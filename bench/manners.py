"""Blocking or awaited: what calls and waits cost in each manner, and what an embedded conductor does to a loop.

`measure()` returns the figures by name, units at the end of each. Manners take turns, and the least of their rounds
counts; CPU is that of the client's process, or of the one thread that is named.
"""

import asyncio
import gc
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import castiron
from bench.apart import apart
from bench.scene import conductor, endpoint_of, fill, imagined, names
from castiron import Conductor, Settings
from castiron.actors.embedding.errands import run_aside
from castiron.transport.verbs import NodePowerSet, NodeShow
from castiron.transport.vocabulary import PowerTarget

CALLS: Final = 2_000
ROUNDS: Final = 5
WINDOW: Final = 64
"""Calls at the same time: tasks of the awaitable client, `send_many` of the blocking one."""
HAND_OVERS: Final = 500
WAITS: Final = 100
"""Calls that wait at the same time; a peer may have 126."""
NODES: Final = 1_000
BEAT_S: Final = 0.005
REST_S: Final = 3.0
LONG_S: Final = 60.0


def measure() -> dict[str, float]:
    """Return figures by name."""
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder:
        store = Path(folder) / "castiron.db"
        fill(store, imagined(NODES), driver="fake", driver_info={})
        with conductor(store):
            endpoint = endpoint_of(store)
            figures = _calls(endpoint)
            held = _held(endpoint)
            for manner, wait in (("thread", wait_in_threads), ("task", wait_in_tasks)):
                figures[f"waiting_{manner}_kib"] = min(_kib(wait, endpoint, held) for _ in range(3))
        figures |= _hand_overs()
        for is_frozen in (False, True):
            figures |= asyncio.run(_lateness(store, is_frozen=is_frozen))
    return figures


def _cpu_us(work: Callable[[], object], times: int) -> float:
    """Return microseconds of this process's CPU for each of so many times that the work does."""
    began_s = time.process_time()
    work()
    return (time.process_time() - began_s) / times * 1e6


def _calls(endpoint: str) -> dict[str, float]:
    """Return the CPU of a `node.show` in each manner, alone and with others in flight."""
    found: dict[str, list[float]] = {}
    with castiron.connect(endpoint) as client, asyncio.Runner() as runner:
        awaited = runner.run(_opened(endpoint))
        shows = [NodeShow(node=names(NODES)[number % NODES]) for number in range(CALLS)]

        def block() -> None:
            for show in shows:
                client.nodes.show(show.node)

        async def wait() -> None:
            for show in shows:
                await awaited.nodes.show(show.node)

        async def wait_together() -> None:
            room = asyncio.Semaphore(WINDOW)

            async def ask(node: str) -> None:
                async with room:
                    await awaited.nodes.show(node)

            await asyncio.gather(*(ask(show.node) for show in shows))

        manners: dict[str, Callable[[], object]] = {
            "call_blocking_cpu_us": block,
            "call_awaited_cpu_us": lambda: runner.run(wait()),
            "call_blocking_64_cpu_us": lambda: list(client.send_many(shows, window=WINDOW)),
            "call_awaited_64_cpu_us": lambda: runner.run(wait_together()),
        }
        for _ in range(ROUNDS):
            for name, work in manners.items():
                found.setdefault(name, []).append(_cpu_us(work, CALLS))
        runner.run(awaited.close())
    return {name: min(figures) for name, figures in found.items()}


async def _opened(endpoint: str) -> castiron.AsyncClient:
    client = castiron.connect_async(endpoint)
    await client.hello()
    return client


def _hand_overs() -> dict[str, float]:
    """Return the CPU of handing nothing at all to another thread, and waiting for it."""

    async def nothing_aside() -> None:
        await run_aside(int, "castiron-bench")

    async def nothing_in_a_pool() -> None:
        await asyncio.to_thread(int)

    async def many(once: Callable[[], Awaitable[None]]) -> None:
        for _ in range(HAND_OVERS):
            await once()

    found: dict[str, list[float]] = {}
    with asyncio.Runner() as runner:
        for _ in range(ROUNDS):
            for name, once in (("aside", nothing_aside), ("to_thread", nothing_in_a_pool)):
                cpu_us = _cpu_us(lambda once=once: runner.run(many(once)), HAND_OVERS)  # type: ignore[misc]  # a default binds it
                found.setdefault(f"hand_over_{name}_cpu_us", []).append(cpu_us)
    return {name: min(figures) for name, figures in found.items()}


def _held(endpoint: str) -> str:
    """Have a request that does not begin, and return its id."""
    with castiron.connect(endpoint) as client:
        client.nodes.set_maintenance(names(NODES)[0])
        return client.nodes.power(names(NODES)[0], "power on", hold=True).id


def _kib(wait: Callable[[Connection, str, str], None], endpoint: str, request: str) -> float:
    """Return what a process grows by for each of the calls that wait in it."""
    with apart(wait, endpoint, request) as process:
        before, after = process.ready
        return float(after - before) / WAITS / 1024


def wait_in_threads(pipe: Connection, endpoint: str, request: str) -> None:
    """Have calls wait, each in a thread with a client of its own; send the bytes before and meanwhile."""
    ready = threading.Barrier(WAITS + 1)

    def wait() -> None:
        with castiron.connect(endpoint) as client:
            client.hello()
            ready.wait()
            client.requests.wait(request, LONG_S)

    with castiron.connect(endpoint) as client:
        client.requests.show(request)
        before = _resident_bytes()
        for _ in range(WAITS):
            threading.Thread(target=wait, daemon=True).start()
        ready.wait()
        threading.Event().wait(REST_S)
        pipe.send((before, _resident_bytes()))
        pipe.recv()


def wait_in_tasks(pipe: Connection, endpoint: str, request: str) -> None:
    """Have calls wait, each in a task, all with one client; send the bytes before and meanwhile."""

    async def wait() -> None:
        async with castiron.connect_async(endpoint) as client, asyncio.TaskGroup() as group:
            await client.requests.show(request)
            before = _resident_bytes()
            waits = [group.create_task(client.requests.wait(request, LONG_S)) for _ in range(WAITS)]
            await asyncio.sleep(REST_S)
            pipe.send((before, _resident_bytes()))
            for one in waits:
                one.cancel()

    asyncio.run(wait())
    pipe.recv()


def _resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


async def _lateness(store: Path, *, is_frozen: bool) -> dict[str, float]:
    """Return how late a timer of the loop comes round beside an embedded conductor, and what each phase costs the loop.

    Late by the CPU that the process took meanwhile: what others do to this machine is not in it.
    """
    settings = Settings(sync_power_state_interval_s=0.0)
    embedded = Conductor(store=store, endpoint=f"ipc://{store}.embedded", settings=settings)
    figures: dict[str, float] = {}
    target = PowerTarget.ON if is_frozen else PowerTarget.OFF

    async def serve() -> None:
        order = NodePowerSet(node="-", target=target)
        client = embedded.client_async(timeout_s=60)
        async with client, client.nodes.bulk(order, names(NODES)) as bulk:
            assert [one async for one in bulk]

    async def start() -> None:
        await embedded.start_async()
        if is_frozen:
            gc.freeze()

    phases: dict[str, Callable[[], Awaitable[object]]] = {
        "start": start,
        "idle": lambda: asyncio.sleep(REST_S),
        "bulk": serve,
        "stop": embedded.stop_async,
    }
    for name, phase in phases.items():
        late_ms = list[float]()
        beating = asyncio.create_task(_beat(late_ms))
        own_s, all_s, wall_s = time.thread_time(), time.process_time(), time.monotonic()
        await phase()
        figures |= {
            f"{name}_wall_ms": (time.monotonic() - wall_s) * 1e3,
            f"{name}_cpu_ms": (time.process_time() - all_s) * 1e3,
            f"{name}_loop_cpu_ms": (time.thread_time() - own_s) * 1e3,
        }
        beating.cancel()
        late_ms.sort()
        figures |= {f"{name}_late_p50_cpu_ms": late_ms[len(late_ms) // 2], f"{name}_late_max_cpu_ms": late_ms[-1]}
    if is_frozen:
        gc.unfreeze()
    return {f"{'frozen_' if is_frozen else ''}{name}": figure for name, figure in figures.items()}


async def _beat(late_ms: list[float]) -> None:
    """Note at each beat what other threads of this process did until it came round, for ever."""
    while True:
        others_s = time.process_time() - time.thread_time()
        await asyncio.sleep(BEAT_S)
        late_ms.append(max(0.0, time.process_time() - time.thread_time() - others_s) * 1e3)
