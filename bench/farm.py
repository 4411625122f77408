"""What the BMC farm costs: checks and logins served, CPU for each, and memory for a thousand BMCs.

The farm runs in a process of its own, so its CPU and memory are its own; consoles with many requests in flight keep it
busy from here.
"""

import socket
import time
from collections.abc import Callable
from typing import Any, Final

from bench import scene
from bench.apart import Apart
from tests.support.console import Console, ipmi_message

BMCS: Final = 1000
CHECKS: Final = 20_000
IN_FLIGHT: Final = 64
TIMEOUT_S: Final = 10.0


def measure() -> dict[str, float]:
    """Return the figures by name, units in the names."""
    with scene.farm(BMCS) as farm, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        figures = {"bmcs": float(BMCS), "rss_empty_mb": farm.rss_bytes() / 1e6}
        mine.settimeout(TIMEOUT_S)
        consoles = [_Caller(mine, info) for info in farm.ready]
        figures |= _rates("logins", BMCS, farm, lambda: _login(consoles))
        figures["rss_logged_in_mb"] = farm.rss_bytes() / 1e6
        requests = [
            (caller.console.seal(ipmi_message(0, 1)), caller.whither)
            for _ in range(CHECKS // BMCS)
            for caller in consoles
        ]
        figures |= _rates("checks", len(requests), farm, lambda: _flood(mine, requests))
        figures["rss_after_mb"] = farm.rss_bytes() / 1e6
    return figures


class _Caller:
    """A console and the BMC it speaks to, over a socket that many share."""

    def __init__(self, mine: socket.socket, driver_info: dict[str, Any]) -> None:
        self.mine = mine
        self.whither = (driver_info["ipmi_address"], driver_info["ipmi_port"])
        self.console = Console(self._exchange)

    def _exchange(self, datagram: bytes) -> bytes:
        self.mine.sendto(datagram, self.whither)
        return self.mine.recv(2048)


def _login(callers: list[_Caller]) -> None:
    for caller in callers:
        caller.console.login()


def _flood(mine: socket.socket, requests: list[tuple[bytes, tuple[str, int]]]) -> None:
    """Send all requests, never more than IN_FLIGHT unanswered, and read every answer."""
    for number, (datagram, whither) in enumerate(requests):
        if number >= IN_FLIGHT:
            mine.recv(2048)
        mine.sendto(datagram, whither)
    for _ in range(min(IN_FLIGHT, len(requests))):
        mine.recv(2048)


def _rates(what: str, count: int, farm: Apart, work: Callable[[], object]) -> dict[str, float]:
    cpu_s, began_s = farm.cpu_s(), time.perf_counter()
    work()
    wall_s, cpu_s = time.perf_counter() - began_s, farm.cpu_s() - cpu_s
    return {f"{what}_per_s": count / wall_s, f"{what}_per_cpu_s": count / cpu_s, f"{what}_cpu_us": cpu_s / count * 1e6}
