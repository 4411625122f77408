"""What a profile is taken of: `castiron serve`, as users run it, on a full store, and one kind of work for it."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench import load
from bench.accepting import bodies_of
from bench.apart import Apart, apart
from bench.load import Burst, Steady
from bench.scene import endpoint_of, fill, imagined, names
from bench.simulator import BMCs, bmcs
from castiron.transport.clients.blocking.client import Client
from castiron.transport.codec import encode_verb
from castiron.transport.verbs import NodePowerSet, NodeShow
from castiron.transport.vocabulary import PowerTarget, ReplyWish

PATIENCE_S: Final = 180.0
ENDING_S: Final = 60.0
"""For an orderly end; a profiler writes its file then."""

MOST_PER_S: Final = 8_000
CLIENTS: Final = 64

Settings = Mapping[str, float]


class Stage(NamedTuple):
    """A conductor at work, and who makes it."""

    pid: int
    store: Path
    nodes: int
    clients: Apart


class Work(NamedTuple):
    """One kind of work."""

    settings: Settings
    has_bmcs: bool
    do: Callable[[Stage, float], None]
    """Called with the seconds that it is to last; returns when it has."""


def _wait(_: Stage, seconds: float) -> None:
    threading.Event().wait(seconds)


def _look(stage: Stage, seconds: float) -> None:
    bodies = tuple(encode_verb(NodeShow(node=name)) for name in names(stage.nodes))
    stage.clients.ask(Steady(endpoint_of(stage.store), bodies, b"provision_state", CLIENTS, seconds))


def _switch(stage: Stage, seconds: float) -> None:
    """Power all on, then off, until the time is up."""
    until_s = time.monotonic() + seconds
    for turn in count():
        if time.monotonic() > until_s:
            return
        target = PowerTarget.OFF if turn % 2 else PowerTarget.ON
        verbs = (NodePowerSet(node=name, target=target, replies=ReplyWish.BOTH) for name in names(stage.nodes))
        stage.clients.ask(Burst(endpoint_of(stage.store), tuple(encode_verb(verb) for verb in verbs), b"sent"))


def _accept(stage: Stage, seconds: float) -> None:
    bodies = bodies_of(stage.nodes, int(MOST_PER_S * seconds), count())
    stage.clients.ask(Steady(endpoint_of(stage.store), bodies, b"on_restart", CLIENTS, seconds))


QUIET: Final[Settings] = {"sync_power_state_interval_s": 0.0}
UNBOUND: Final[Settings] = {
    "work_rate_per_s": 0.0,
    "max_open_requests": 1_000_000,
    "max_open_requests_per_requester": 1_000_000,
}

WORKS: Final[Mapping[str, Work]] = {
    "checks": Work({"sync_power_state_interval_s": 6.0}, has_bmcs=True, do=_wait),
    "api": Work(QUIET, has_bmcs=False, do=_look),
    "power": Work({**QUIET, **UNBOUND}, has_bmcs=True, do=_switch),
    "commits": Work({**QUIET, **UNBOUND, "max_running_actions": 1}, has_bmcs=False, do=_accept),
}
"""What can be profiled: power checks, reads of the API, power on and off of all nodes, requests that are accepted."""


@contextmanager
def at_work(name: str, nodes: int, prefix: Sequence[str] = ()) -> Generator[tuple[Stage, Work]]:
    """Run a conductor that is ready for the work, in a process of its own.

    Args:
        name: of the work.
        nodes: in its store.
        prefix: what runs Python instead of this one, as a profiler does.
    """
    work = WORKS[name]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="castiron-bench-"))
        farm: BMCs | None = stack.enter_context(bmcs(nodes)) if work.has_bmcs else None
        clients = stack.enter_context(apart(load.serve))
        store = Path(folder) / "castiron.db"
        fill(store, imagined(nodes) if farm is None else farm.infos)
        process = stack.enter_context(_served(store, work.settings, prefix))
        with Client(endpoint_of(store), timeout_s=PATIENCE_S) as client:
            _await_sessions(client, nodes if work.settings["sync_power_state_interval_s"] else 0)
        yield Stage(process.pid, store, nodes, clients), work


@contextmanager
def _served(store: Path, settings: Settings, prefix: Sequence[str]) -> Generator["subprocess.Popen[str]"]:
    told = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, *prefix, "-m", "castiron", "serve", "--store", str(store), "--log-level", "warning"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path) or "."}
    process = subprocess.Popen(
        [*command, "--listen", endpoint_of(store), *told], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        _await_word(process, "listens on")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _await_word(process: "subprocess.Popen[str]", word: str) -> None:
    lines: Any = process.stdout
    for line in lines:
        if word in line:
            return
    raise RuntimeError("castiron serve has ended before it listened; what it said is above")


def _await_sessions(client: Client, sessions: int) -> None:
    pausing, until_s = threading.Event(), time.monotonic() + PATIENCE_S
    while client.status().drivers["ipmi"]["sessions"] < sessions:
        if time.monotonic() > until_s:
            raise TimeoutError(f"not all {sessions} BMCs are logged in to after {PATIENCE_S:.0f} s")
        pausing.wait(0.2)
