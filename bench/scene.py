"""What the conductor's figures are taken on: a farm of BMCs, a store full of nodes, a conductor, each apart.

The conductor runs as `castiron serve` has it: on a SQLite file, all settings at their defaults, the collector told to
leave alone what is there after the start.
"""

import gc
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from bench.apart import END, Apart, apart
from castiron.actors.drivers.ipmi.settings import check
from castiron.cli.conductor.tuning import settle, tune
from castiron.store.records import Change, Commit, NodeInsert, NodeRecord
from castiron.store.store import Store
from castiron.testing import BMCFarm
from castiron.transport.vocabulary import ConductorID, Instant, NodeName, NodeUUID

BMCInfo = dict[str, Any]
"""driver_info of a node with one of the farm's BMCs."""

UNCHECKED: Final[Mapping[str, float]] = {"sync_power_state_interval_s": 0.0}
"""No power checks."""

GROUP: Final = 1_000
"""Nodes that are put into a store in one transaction."""


@contextmanager
def farm(bmcs: int) -> Generator[Apart]:
    """Run BMCs in a process of their own, which is ready with each one's driver_info."""
    with apart(_serve_farm, bmcs) as process:
        yield process


@contextmanager
def conductor(store: Path, **settings: float) -> Generator[Apart]:
    """Run a conductor in a process of its own; see `serve_conductor` for what it says and answers.

    Without settings it checks no power, so that what is measured is what was asked for.
    """
    with apart(serve_conductor, store, settings or UNCHECKED) as process:
        yield process


def endpoint_of(store: Path) -> str:
    """Return where the conductor of a store listens."""
    return f"ipc://{store.with_suffix('.ipc')}"


def names(nodes: int) -> list[str]:
    """Return the names of the nodes of a full store."""
    return [f"n{number:05}" for number in range(nodes)]


def fill(path: Path, infos: list[BMCInfo], **fields: Any) -> None:
    """Make a store with a node for each BMC.

    Args:
        fields: what is different from a new node, in all of them.
    """
    store = Store.open(path, key_path=None, new_id=lambda: str(uuid4()))
    try:
        changes = [
            Change(node=NodeInsert(record=replace(_node(store.conductor, name, info), **fields)))
            for name, info in zip(names(len(infos)), infos, strict=True)
        ]
        for begin in range(0, len(changes), GROUP):
            outcomes = store.committer.commit(changes[begin : begin + GROUP])
            if not all(isinstance(outcome, Commit) for outcome in outcomes):
                raise RuntimeError(f"the store could not be filled: {outcomes[0]}")
    finally:
        store.close()


def imagined(bmcs: int) -> list[BMCInfo]:
    """Return the driver_info of BMCs that are not there, for what asks none."""
    return [
        {"ipmi_address": f"127.99.{number >> 8}.{number & 255}", "ipmi_username": "admin", "ipmi_password": "password"}
        for number in range(bmcs)
    ]


def serve_conductor(pipe: "Connection[Any, Any]", store: Path, settings: Mapping[str, float]) -> None:
    """Run a conductor until told to end.

    Says seconds: for its modules to be imported, and from there until its front door has answered. Asked for "threads",
    it answers with native thread id → name of each of its threads; for "gauges", with what `status` does not say; for
    "lateness", with the counts of how late all its checks began.
    """
    imports_at = time.perf_counter()
    from castiron.actors.conductor import Conductor  # noqa: PLC0415 - the import is a figure
    from castiron.actors.settings import settings_from  # noqa: PLC0415 - as above
    from castiron.transport.clients.blocking.client import Client  # noqa: PLC0415 - as above

    tune()
    starts_at = time.perf_counter()
    told = settings_from(settings)
    with Conductor(store=store, endpoint=endpoint_of(store), settings=told) as running:
        with Client(running.endpoint) as client:
            client.hello()
        answered_at = time.perf_counter()
        answers: dict[str, Callable[[], object]] = {"threads": _threads, "gauges": _gauges(), "lateness": _lateness()}
        settle()
        pipe.send((starts_at - imports_at, answered_at - starts_at))
        while (question := pipe.recv()) != END:
            pipe.send(answers[question]())


def _threads() -> dict[int | None, str]:
    return {thread.native_id: thread.name for thread in threading.enumerate()}


def _lateness() -> Callable[[], list[int]]:
    from castiron.actors.published.checks import Checks  # noqa: PLC0415 - not before imports are measured

    [checks] = [part for part in gc.get_objects() if isinstance(part, Checks)]
    return lambda: checks.lateness().counts


def _gauges() -> Callable[[], dict[str, float]]:
    """Find the heaps of timers, and return what counts them.

    `blocks` are Python's small pieces of memory that are in use: to the piece, where RSS moves by megabytes. Garbage is
    collected first, which otherwise waits for the collector's thresholds and looks like growth until then.
    """
    from castiron.actors.dispatch.clock import TimerHeap  # noqa: PLC0415 - not before imports are measured
    from castiron.actors.drivers.ipmi.wire.timers import Timers  # noqa: PLC0415 - as above

    parts = gc.get_objects()
    [clock] = [part for part in parts if isinstance(part, TimerHeap)]
    engines: list[Timers[Any]] = [part for part in parts if isinstance(part, Timers)]

    def count() -> dict[str, float]:
        gc.collect()
        return {
            "clock_heap": len(clock),
            "clock_live": len(clock) - clock.cancelled_count,
            "engine_heap": sum(len(engine) for engine in engines),
            "blocks": sys.getallocatedblocks(),
        }

    return count


def _serve_farm(pipe: "Connection[Any, Any]", bmcs: int) -> None:
    with BMCFarm(bmcs=bmcs) as running:
        pipe.send([bmc.driver_info for bmc in running])
        pipe.recv()


def _node(owner: ConductorID, name: str, info: BMCInfo) -> NodeRecord:
    checked = check(info)
    now = Instant(time.time())
    return NodeRecord(
        uuid=NodeUUID(str(uuid4())),
        name=NodeName(name),
        driver="ipmi",
        driver_info=checked.info,
        secret_keys=checked.secret_keys,
        bmc_address=checked.bmc_address,
        created_at=now,
        updated_at=now,
        owner=owner,
    )
