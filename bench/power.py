"""Power on until it is confirmed, all nodes at once: cold, when each must log in first, and warm, in open sessions.

The BMCs are castiron's own farm in a process of its own, machines that change their state at once. CPU is the
conductor's, whole and by thread, for each power action: a request accepted, a look, a control, a look, four commits.
"""

import tempfile
import threading
from pathlib import Path
from typing import Final

from bench import load
from bench.apart import Apart, apart
from bench.load import Burst, Wave, at_us
from bench.scene import conductor, endpoint_of, farm, fill, names
from castiron.transport.codec import encode_verb
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import PowerTarget, ReplyWish

IDLE_S: Final = 25.0
"""One keepalive of every session comes within this."""

ONE_SENT: Final = b"\xa4sent\x91"
"""In the result of an action that succeeded: it sent one control. A machine that is there already costs half."""


def measure(*, nodes: int, idle_s: float = IDLE_S) -> dict[str, float]:
    """Return figures by name.

    Args:
        nodes: how many are powered on at once.
        idle_s: how long the conductor is watched doing nothing; 0: not.
    """
    with (
        tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder,
        farm(nodes) as bmcs,
        apart(load.serve) as clients,
    ):
        store = Path(folder) / "castiron.db"
        fill(store, bmcs.ready)
        with conductor(store) as server:
            stage = _Stage(server, clients, endpoint_of(store), nodes)
            before_bytes = server.rss_bytes()
            figures = stage.drive("cold_on", PowerTarget.ON)
            figures["rss_grown_at_first_on_each_kb"] = (server.rss_bytes() - before_bytes) / nodes / 1e3
            stage.drive("off", PowerTarget.OFF)
            figures |= stage.drive("warm_on", PowerTarget.ON)
            if idle_s:
                figures |= _idle(server, idle_s)
    return figures


class _Stage:
    """A conductor, and clients who ask it for power."""

    def __init__(self, server: Apart, clients: Apart, endpoint: str, nodes: int) -> None:
        self._server = server
        self._clients = clients
        self._endpoint = endpoint
        self._nodes = nodes

    def drive(self, name: str, target: PowerTarget) -> dict[str, float]:
        """Drive all nodes to a power state, and return the figures."""
        verbs = (NodePowerSet(node=node, target=target, replies=ReplyWish.BOTH) for node in names(self._nodes))
        bodies = tuple(encode_verb(verb) for verb in verbs)
        threads: dict[int, str] = self._server.ask("threads")
        before_s = self._server.cpu_s_by_thread()
        wave: Wave = self._clients.ask(Burst(self._endpoint, bodies, ONE_SENT))
        after_s = self._server.cpu_s_by_thread()
        spent_s = {thread: after_s[thread] - before_s.get(thread, 0.0) for thread in after_s}
        accepted_s, final_s = sorted(wave.accepted_s), sorted(wave.final_s)
        figures = {
            "wall_s": wave.wall_s,
            "per_s": self._nodes / wave.wall_s,
            "accepted_per_s": self._nodes / wave.accepted_wall_s,
            "accepted_p50_ms": at_us(accepted_s, 50) / 1e3,
            "confirmed_p50_ms": at_us(final_s, 50) / 1e3,
            "confirmed_p99_ms": at_us(final_s, 99) / 1e3,
            "confirmed_max_ms": final_s[-1] * 1e3,
            "cpu_us": sum(spent_s.values()) / self._nodes * 1e6,
            **_by_role(threads, spent_s, self._nodes),
        }
        return {f"{name}_{figure}": value for figure, value in figures.items()}


def _by_role(threads: dict[int, str], spent_s: dict[int, float], nodes: int) -> dict[str, float]:
    """Return the CPU of each kind of thread; ZeroMQ's own have no name in Python."""
    figures: dict[str, float] = {}
    for thread, cpu_s in spent_s.items():
        name = threads.get(thread, "zeromq").removeprefix("castiron-").rstrip("_0123456789-").replace("-", "_")
        figure = f"of_{name.lower()}_cpu_us"
        figures[figure] = figures.get(figure, 0.0) + cpu_s / nodes * 1e6
    return {figure: value for figure, value in figures.items() if value >= 1.0}


def _idle(server: Apart, seconds: float) -> dict[str, float]:
    cpu_s = server.cpu_s()
    threading.Event().wait(seconds)
    return {"idle_cpu_percent": (server.cpu_s() - cpu_s) / seconds * 100}
