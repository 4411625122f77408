"""Round trips through the API beside a bare echo on the same kind of socket; requests accepted beside SQLite alone.

Accepted is on disk, and not carried out: there is one place to run, which a machine that never answers holds. The
limits that a requester meets are raised for it, as it asks for more than one may by default.
"""

import sqlite3
import tempfile
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final

from bench import echo, load
from bench.accepting import bodies_of
from bench.apart import Apart, apart
from bench.load import Pace, Steady
from bench.rows.sizes import Size
from bench.scene import conductor, endpoint_of, fill, imagined, names
from castiron.transport.codec import encode_verb
from castiron.transport.verbs import NodeShow

MANY: Final = 64
"""Clients."""

MOST_PER_S: Final = 16_000
"""More than are accepted in a second; each gets a body of its own."""

UNBOUND: Final[dict[str, Any]] = {
    "sync_power_state_interval_s": 0.0,
    "max_running_actions": 1,
    "work_rate_per_s": 0.0,
    "max_open_requests": 1_000_000,
    "max_open_requests_per_requester": 1_000_000,
}
ROW: Final = "x" * 300
"""As long as a request's row."""


def measure(size: Size) -> dict[str, float]:
    """Return figures by name."""
    shows = tuple(encode_verb(NodeShow(node=name)) for name in names(size.nodes))
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder, apart(load.serve) as clients:
        at, store = f"ipc://{folder}/echo.ipc", Path(folder) / "castiron.db"
        with apart(echo.serve, at) as server:
            figures = _trips("echo", server, clients, Steady(at, shows, b"node.show", MANY, size.seconds))
            figures |= _trips("echo_alone", server, clients, Steady(at, shows, b"node.show", 1, size.seconds))
        fill(store, imagined(size.nodes))
        with conductor(store, **UNBOUND) as server:
            where = endpoint_of(store)
            figures |= _trips("show", server, clients, Steady(where, shows, b"provision_state", MANY, size.seconds))
            figures |= _trips("show_alone", server, clients, Steady(where, shows, b"provision_state", 1, size.seconds))
            bodies = bodies_of(size.nodes, int(MOST_PER_S * size.seconds), count())
            figures |= _trips("accept", server, clients, Steady(where, bodies, b"on_restart", MANY, size.seconds))
        figures["sqlite_per_s"] = _sqlite_per_s(Path(folder) / "bare.db", size.seconds)
    return figures | {"show_to_echo_percent": figures["show_per_s"] / figures["echo_per_s"] * 100}


def _trips(name: str, server: Apart, clients: Apart, steady: Steady) -> dict[str, float]:
    cpu_s = server.cpu_s()
    pace: Pace = clients.ask(steady)
    return {
        f"{name}_per_s": pace.per_s,
        f"{name}_p50_ms": pace.p50_us / 1e3,
        f"{name}_p99_ms": pace.p99_us / 1e3,
        f"{name}_cpu_us": (server.cpu_s() - cpu_s) / pace.answered * 1e6,
    }


def _sqlite_per_s(path: Path, seconds: float) -> float:
    """Return how many rows SQLite alone has on disk in a second, as many in a transaction as there are clients."""
    written, group = 0, [(ROW,)] * MANY
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TABLE requests (id INTEGER PRIMARY KEY, body TEXT)")
        began_s = time.perf_counter()
        while time.perf_counter() - began_s < seconds:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO requests (body) VALUES (?)", group)
            database.execute("COMMIT")
            written += len(group)
        return written / (time.perf_counter() - began_s)
