"""A hundred thousand nodes of the fake driver in one process: what their checks cost, how late they are, and memory."""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from bench.lateness import Lateness
from bench.rows.sizes import Size
from bench.scene import conductor, endpoint_of, fill, imagined
from castiron.transport.clients.blocking.client import Client
from castiron.transport.vocabulary import PowerState

FAKE: Final[dict[str, Any]] = {
    "driver": "fake",
    "driver_info": {},
    "secret_keys": frozenset[str](),
    "bmc_address": None,
    "power_state": PowerState.OFF,
}


def measure(size: Size) -> dict[str, float]:
    """Return figures by name.

    First checks are spread over half an interval, and the second ones over all of it. It is watched once that
    is so: a start's work takes both cores.
    """
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder:
        store = Path(folder) / "castiron.db"
        fill(store, imagined(1) * size.fake_nodes, **FAKE)
        settings = {
            "sync_power_state_interval_s": size.fake_interval_s,
            "power_check_start_spread_s": size.fake_interval_s,
        }
        with conductor(store, **settings) as server, Client(endpoint_of(store), timeout_s=120.0) as client:
            pausing = threading.Event()
            pausing.wait(size.fake_interval_s * 1.25)
            before, cpu_s, began_s, lateness = _answered(client), server.cpu_s(), time.monotonic(), Lateness(server)
            pausing.wait(size.fake_window_s)
            wall_s, checks = time.monotonic() - began_s, _answered(client) - before
            cpu_s = server.cpu_s() - cpu_s
            timers = client.status().timers
            imported_s, answered_s = server.ready
            return {
                "cpu_percent": cpu_s / wall_s * 100,
                "check_cpu_ms": cpu_s / max(1, checks) * 1e3,
                "checks_per_s": checks / wall_s,
                "late_p99_ms": lateness.told().p99_ms,
                "timers_late_p99_ms": timers.late_p99_ms,
                "rss_mb": server.rss_bytes() / 1e6,
                "answers_s": imported_s + answered_s,
            }


def _answered(client: Client) -> int:
    checks = client.status().checks
    return checks.agreed + checks.corrected + checks.recovered
