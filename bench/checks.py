"""Power checks: what they cost a conductor, how punctual they are, and what silent BMCs change.

The BMCs are bench/bmcsim where it can be built, in any case in a process of their own. CPU is the conductor's process
as a whole: timers, actors, engine, kernel. Silent BMCs are silent from the start, so the figures with them are of the
minutes in which they are asked most, before they are faults. Beside all of it stands what an echo of the same datagrams
costs, and what others need for a check (`bench/others.py`).
"""

import tempfile
import threading
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from bench import others
from bench.apart import Apart
from bench.lateness import Lateness
from bench.scene import conductor, endpoint_of, fill
from bench.simulator import BMCs, bmcs
from castiron.transport.clients.blocking.client import Client

PATIENCE_S: Final = 120.0
"""For all healthy BMCs to be logged in to."""

SETTLING_S: Final = 5.0
"""From there until figures are taken."""

LEAST_WINDOW_S: Final = 12.0
"""Figures are taken over this, or over one interval if that is longer."""


class Case(NamedTuple):
    """One scene."""

    nodes: int
    interval_s: float
    silent_percent: int = 0

    @property
    def name(self) -> str:
        """What its figures begin with."""
        silent = f"_{self.silent_percent}_percent_silent" if self.silent_percent else ""
        return f"{self.nodes}_nodes_every_{self.interval_s:g}s{silent}"


def cases(nodes: int, *, is_full: bool) -> list[Case]:
    """Return what is measured: a little, or everything, which takes half an hour."""
    if not is_full:
        return [Case(nodes, 6.0), Case(nodes, 6.0, 30), Case(nodes * 10, 25.0)]
    return [Case(*case) for case in product((nodes, nodes * 10), (6.0, 25.0, 60.0), (0, 10, 30, 50))]


def measure(*, nodes: int, is_full: bool = False) -> dict[str, float]:
    """Return figures by name.

    Args:
        nodes: how many; ten times as many are measured, too.
        is_full: measure each interval with each share of silent BMCs.
    """
    figures = others.measure()
    for count in (nodes, nodes * 10):
        figures |= _first_checks(count)
    for case in cases(nodes, is_full=is_full):
        found = _measure(case)
        found["check_ratio_to_echo"] = found["check_cpu_us"] / figures["echo_cpu_us"]
        figures |= {f"{case.name}_{name}": value for name, value in found.items()}
    return figures


def _first_checks(nodes: int) -> dict[str, float]:
    """Start a conductor that checks all machines at once: for each a login, a check, a commit of what was found."""

    def work(stage: Stage) -> dict[str, float]:
        cpu_s, began_s = stage.server.cpu_s(), time.monotonic()
        stage.wait_for_sessions()
        wall_s = time.monotonic() - began_s
        return {"logins_per_s": nodes / wall_s, "first_check_cpu_ms": (stage.server.cpu_s() - cpu_s) / nodes * 1e3}

    found = _staged(Case(nodes, 3_600.0), work, power_check_start_spread_s=0.0)
    return {f"{nodes}_nodes_{name}": value for name, value in found.items()}


def _measure(case: Case) -> dict[str, float]:
    def work(stage: Stage) -> dict[str, float]:
        stage.wait_for_sessions()
        stage.pause(SETTLING_S)
        return stage.watch(max(LEAST_WINDOW_S, case.interval_s))

    return _staged(case, work)


class Stage:
    """A conductor, its BMCs, and who watches."""

    def __init__(self, case: Case, farm: BMCs, server: Apart, client: Client) -> None:
        self.server = server
        self._case = case
        self._farm = farm
        self._client = client
        self._pausing = threading.Event()

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self._pausing.wait(seconds)

    def wait_for_sessions(self, share: float = 1.0) -> None:
        """Wait until every healthy BMC is logged in to, or such a share of them.

        Raises:
            TimeoutError: some are not in good time.
        """
        healthy = (self._case.nodes - self._case.nodes * self._case.silent_percent // 100) * share
        until_s = time.monotonic() + PATIENCE_S
        while (sessions := self._client.status().drivers["ipmi"]["sessions"]) < healthy:
            if time.monotonic() > until_s:
                raise TimeoutError(f"{sessions} of {healthy:.0f} BMCs are logged in to after {PATIENCE_S:.0f} s")
            self.pause(0.1)

    def watch(self, window_s: float) -> dict[str, float]:
        """Let the conductor go on for a window, and return what it did."""
        before, sent = self._ended(), self._farm.counts()["commands"]
        cpu_s, farm_s, began_s = self.server.cpu_s(), self._farm.cpu_s(), time.monotonic()
        lateness = Lateness(self.server)
        self.pause(window_s)
        wall_s = time.monotonic() - began_s
        cpu_s, farm_s = self.server.cpu_s() - cpu_s, self._farm.cpu_s() - farm_s
        late = lateness.told()
        answered, failed = (now - then for now, then in zip(self._ended(), before, strict=True))
        return {
            "checks_per_s": answered / wall_s,
            "failed_per_s": failed / wall_s,
            "exchanges_per_check": (self._farm.counts()["commands"] - sent) / answered,
            "cpu_percent": cpu_s / wall_s * 100,
            "check_cpu_us": cpu_s / answered * 1e6,
            "late_p50_ms": late.p50_ms,
            "late_p99_ms": late.p99_ms,
            "rss_mb": self.server.rss_bytes() / 1e6,
            "of_bmcs_cpu_us": farm_s / answered * 1e6,
        }

    def _ended(self) -> tuple[int, int]:
        checks = self._client.status().checks
        return checks.agreed + checks.corrected + checks.recovered, checks.failed + checks.faulted


def _staged(case: Case, work: Callable[[Stage], dict[str, float]], **settings: float) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder,
        bmcs(case.nodes, silent_percent=case.silent_percent) as farm,
    ):
        store = Path(folder) / "castiron.db"
        fill(store, farm.infos)
        with (
            conductor(store, sync_power_state_interval_s=case.interval_s, **settings) as server,
            Client(endpoint_of(store), timeout_s=PATIENCE_S) as client,
        ):
            return work(Stage(case, farm, server, client))
