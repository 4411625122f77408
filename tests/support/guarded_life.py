"""The life that a conductor leads on a guarded loop: a start with stored nodes, a bulk of requests, a stop.

It is led twice: once with the guard on watch, and once without, to see what the loop's callbacks cost by themselves.
"""

import asyncio
import gc
import json
import sys
import threading
import time
from asyncio import events
from collections.abc import Callable
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.scene import fill, imagined, names
from castiron import Conductor, Settings
from castiron.transport.clients.awaitable.client import AsyncClient
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import PowerTarget

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from tests.support.guarded_loop import Guard

BEAT_S: Final = 0.005
SHOWN: Final = 300
"""Nodes that are shown, as many at once as the conductor allows."""


@dataclass
class Sighting:
    """What was seen of a life."""

    blocking: list[str]
    """Whatever could have held the loop up, with where it was called."""
    beats: dict[str, int] = field(default_factory=dict[str, int])
    """How often a timer of 5 ms came round, in each phase."""
    succeeded: int = 0
    cpu_ms: dict[str, float] = field(default_factory=dict[str, float])
    """Of the loop's thread for its costliest callback, in each phase."""
    costliest: dict[str, str] = field(default_factory=dict[str, str])
    whole_cpu_ms: dict[str, float] = field(default_factory=dict[str, float])
    """Of all threads, in each phase."""


class Heart:
    """Beats on the loop."""

    def __init__(self) -> None:
        self.beats = 0
        self._timer: asyncio.TimerHandle | None = None

    def beat(self) -> None:
        """Come round again."""
        self.beats += 1
        self._timer = asyncio.get_running_loop().call_later(BEAT_S, self.beat)


class Stopwatch:
    """Takes the CPU of each callback of a loop, less what the collector took of it."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self.whose = ""
        self._thread = threading.get_ident()
        self._collecting_s = self._began_s = 0.0

    def collected(self, phase: str, _: dict[str, int]) -> None:
        """See the collector come and go, on whichever thread."""
        if threading.get_ident() == self._thread:
            self._began_s, passed = time.thread_time(), time.thread_time() - self._began_s
            self._collecting_s += passed if phase == "stop" else 0.0

    @contextmanager
    def running(self) -> "Generator[None]":
        """Take the CPU of callbacks meanwhile."""
        handles: Any = events.Handle  # asyncio runs each callback in its `_run`
        run: Callable[[Any], None] = handles._run

        def timed(handle: Any) -> None:
            began_s, collecting_s = time.thread_time(), self._collecting_s
            run(handle)
            took_s = time.thread_time() - began_s - (self._collecting_s - collecting_s)
            if took_s > self.worst_s:
                self.worst_s, self.whose = took_s, repr(handle)

        handles._run = timed
        gc.callbacks.append(self.collected)
        try:
            yield
        finally:
            handles._run = run
            gc.callbacks.remove(self.collected)


class Life:
    """One life of a conductor on a loop."""

    def __init__(self, sighting: Sighting, store: Path, nodes: int) -> None:
        self._sighting = sighting
        self._nodes = nodes
        self._heart = Heart()
        settings = Settings(sync_power_state_interval_s=0.0)
        self._conductor = Conductor(store=store, endpoint=f"ipc://{store}.ipc", settings=settings)

    async def lead(self) -> None:
        """Start, serve, stop."""
        self._heart.beat()
        async with self._phase("start"):
            await self._conductor.start_async()
        async with self._phase("serve"), self._conductor.client_async(timeout_s=60) as client:
            await self._serve(client)
        async with self._phase("stop"):
            await self._conductor.stop_async()

    async def _serve(self, client: AsyncClient) -> None:
        order = NodePowerSet(node="-", target=PowerTarget.ON)
        async with client.nodes.bulk(order, names(self._nodes)) as bulk:
            self._sighting.succeeded = len([one async for one in bulk if one.error is None])
        async with asyncio.TaskGroup() as group:
            for name in names(self._nodes)[:SHOWN]:
                group.create_task(client.nodes.show(name))
        assert len(await client.nodes.list()) == self._nodes
        assert [event async for event in client.events(since=0, follow=False)]
        with suppress(TimeoutError):  # a wait that is given up
            async with asyncio.timeout(0.05):
                await self._conductor.wait_async()
        assert self._conductor.is_well()

    @asynccontextmanager
    async def _phase(self, name: str) -> "AsyncGenerator[None]":
        watch, beats, cpu_s = Stopwatch(), self._heart.beats, time.process_time()
        with watch.running():
            await asyncio.sleep(0)  # this callback began unseen; the next one is seen whole
            yield
            await asyncio.sleep(0)
        self._sighting.beats[name] = self._heart.beats - beats
        self._sighting.cpu_ms[name], self._sighting.costliest[name] = watch.worst_s * 1e3, watch.whose
        self._sighting.whole_cpu_ms[name] = (time.process_time() - cpu_s) * 1e3


def main(guard: "Guard", arguments: list[str]) -> None:
    """Lead both lives, and print what was seen."""
    store, nodes = Path(arguments[0]), int(arguments[1])
    fill(store, imagined(nodes), driver="fake", driver_info={})
    sighting = Sighting(guard.seen)

    async def guarded(life: Life) -> None:
        guard.is_on = True
        try:
            await life.lead()
        finally:
            guard.is_on = False

    asyncio.run(guarded(Life(sighting, store, nodes)))
    asyncio.run(Life(sighting, store, nodes).lead())
    sys.stdout.write(json.dumps(asdict(sighting)))
