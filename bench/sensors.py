"""Readings of sensors: what one costs a conductor, how long it takes, and what it does to the power checks beside it.

The BMCs are the farm's, in a process of their own, each with four sensors; CPU is the conductor's process as a whole.
"""

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.scene import conductor, endpoint_of, farm, fill
from castiron.actors.sensors.sensing import TASK
from castiron.transport.clients.blocking.client import Client
from castiron.transport.replies import PeriodicView

BMCS: Final = 300
EVERY_S: Final = 10.0
CHECK_EVERY_S: Final = 5.0
WARMING_S: Final = 2 * EVERY_S
WINDOW_S: Final = 3 * EVERY_S


def _task(client: Client) -> PeriodicView:
    return next(view for view in client.periodics.list() if view.name == TASK)


def _measured(infos: Sequence[Any], sensor_interval_s: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder:
        store = Path(folder) / "castiron.db"
        fill(store, list(infos), sensor_data_interval_s=sensor_interval_s)
        with (
            conductor(store, sync_power_state_interval_s=CHECK_EVERY_S) as process,
            Client(endpoint_of(store), timeout_s=30.0) as client,
        ):
            threading.Event().wait(WARMING_S)
            cpu_s, before = process.cpu_s(), _task(client).runs
            threading.Event().wait(WINDOW_S)
            cpu_s, view, status = process.cpu_s() - cpu_s, _task(client), client.status()
            return {
                "cpu_s": cpu_s,
                "readings": float(view.runs - before),
                "failures": float(view.failures),
                "average_elapsed_ms": (view.average_elapsed_s or 0.0) * 1000,
                "average_late_ms": (view.average_late_s or 0.0) * 1000,
                "checks_late_p99_ms": float(status.checks.late_p99_ms or 0.0),
                "bytes_a_node": status.queues["sensor_data_bytes"].used / len(infos),
            }


def measure(**_: object) -> dict[str, float]:
    """Return the figures with readings, and of the checks alone."""
    with farm(BMCS) as bmcs:
        alone = _measured(bmcs.ready, 0.0)
        figures = _measured(bmcs.ready, EVERY_S)
    figures["checks_late_p99_ms_without"] = alone["checks_late_p99_ms"]
    figures["cpu_ms_per_reading"] = (figures.pop("cpu_s") - alone["cpu_s"]) / max(1.0, figures["readings"]) * 1000
    return figures


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:40} {figure:12.2f}")
