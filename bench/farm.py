"""What the BMC farm costs: checks and logins served, CPU for each, and memory for a thousand BMCs.

The farm runs in a process of its own, so its CPU and memory are its own; consoles with many requests in flight keep it
busy from here. Print the figures with `python -m bench.farm`.
"""

import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from castiron.testing import BMCFarm
from tests.support.console import Console, ipmi_message

BMCS: Final = 1000
CHECKS: Final = 20_000
IN_FLIGHT: Final = 64
TIMEOUT_S: Final = 10.0


def measure() -> dict[str, float]:
    """Return the figures by name, units in the names."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, BMCS), daemon=True)
    process.start()
    try:
        port = int(here.recv())
        pid = process.pid or 0
        figures = {"bmcs": float(BMCS), "rss_empty_mb": _rss_mb(pid)}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            mine.settimeout(TIMEOUT_S)
            consoles = [_Caller(mine, f"127.100.{number >> 8}.{number & 255}", port) for number in range(1, BMCS + 1)]
            figures |= _rates("logins", BMCS, pid, lambda: _login(consoles))
            figures["rss_logged_in_mb"] = _rss_mb(pid)
            requests = [
                (caller.console.seal(ipmi_message(0, 1)), caller.whither)
                for _ in range(CHECKS // BMCS)
                for caller in consoles
            ]
            figures |= _rates("checks", len(requests), pid, lambda: _flood(mine, requests))
        figures["rss_after_mb"] = _rss_mb(pid)
    finally:
        here.send("end")
        process.join(TIMEOUT_S)
    return figures


class _Caller:
    """A console and the BMC it speaks to, over a socket that many share."""

    def __init__(self, mine: socket.socket, address: str, port: int) -> None:
        self.mine = mine
        self.whither = (address, port)
        self.console = Console(self._exchange)

    def _exchange(self, datagram: bytes) -> bytes:
        self.mine.sendto(datagram, self.whither)
        return self.mine.recv(2048)


def _serve(there: Connection, bmcs: int) -> None:
    with BMCFarm(bmcs=bmcs) as farm:
        there.send(farm.port)
        there.recv()


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


def _rates(what: str, count: int, pid: int, work: Callable[[], object]) -> dict[str, float]:
    cpu_s, began_s = _cpu_s(pid), time.perf_counter()
    work()
    wall_s, cpu_s = time.perf_counter() - began_s, _cpu_s(pid) - cpu_s
    return {f"{what}_per_s": count / wall_s, f"{what}_per_cpu_s": count / cpu_s, f"{what}_cpu_us": cpu_s / count * 1e6}


def _cpu_s(pid: int) -> float:
    """Return the CPU time of all threads of a process; /proc/PID/stat would have it in steps of 10 ms."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:24}{value:12.1f}")
