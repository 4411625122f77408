"""What to hold checks against: an echo of the same datagrams, and what other programs need for a check.

ipmitool and FreeIPMI's ipmipower log in for each check. ipmipower knows no port but 623, which takes root; what is not
installed or not allowed has no figure.
"""

import resource
import select
import shutil
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final

from bench.apart import apart
from bench.simulator import PASSWORD, USERNAME, CannotBuild, Simulator, bmcs, built
from tests.support.console import Console, ipmi_message

EXCHANGES: Final = 20_000
RUNS: Final = 20
"""Of ipmitool, one check each."""

HOSTS: Final = 200
"""For one run of ipmipower."""

IPMI_PORT: Final = 623
TOOL_S: Final = 60.0
PATIENCE_MS: Final = 1_000


def measure() -> dict[str, float]:
    """Return figures by name; those of programs that are not there are missing."""
    return _echo() | _ipmitool() | _ipmipower()


def _echo() -> dict[str, float]:
    with apart(_serve_echo) as server, apart(_exchange, server.ready) as caller:
        before_s = caller.cpu_s()
        caller.ask(EXCHANGES)
        return {"echo_cpu_us": (caller.cpu_s() - before_s) / EXCHANGES * 1e6}


def _serve_echo(pipe: "Connection[Any, Any]") -> None:
    """Send each datagram back to where it came from. For a process of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.bind(("127.0.0.1", 0))
        mine.settimeout(PATIENCE_MS / 1e3)
        pipe.send(mine.getsockname())
        while not pipe.poll():
            with suppress(TimeoutError):
                while True:
                    datagram, whence = mine.recvfrom(2048)
                    mine.sendto(datagram, whence)


def _exchange(pipe: "Connection[Any, Any]", where: tuple[str, int]) -> None:
    """Send as many datagrams of a check's size as asked for, one after the other, and read each echo, by an epoll."""
    console = Console(lambda _: None, aes=bytes(16), k1=bytes(32))
    datagram = console.seal(ipmi_message(0, 1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine, select.epoll() as poll:
        mine.settimeout(0)
        poll.register(mine, select.EPOLLIN)
        pipe.send(None)
        while isinstance(count := pipe.recv(), int):
            for _ in range(count):
                mine.sendto(datagram, where)
                if not poll.poll(PATIENCE_MS / 1e3):
                    raise TimeoutError("an echo was lost")
                mine.recvfrom(2048)
            pipe.send(None)


def _ipmitool() -> dict[str, float]:
    if shutil.which("ipmitool") is None:
        return {}
    with bmcs(1) as farm:
        where = ["-H", farm.infos[0]["ipmi_address"], "-p", str(farm.infos[0]["ipmi_port"])]
        command = ["ipmitool", "-I", "lanplus", "-C", "3", *where, "-U", USERNAME, "-P", PASSWORD, "power", "status"]
        return {"ipmitool_check_cpu_ms": sum(_cpu_s(command) for _ in range(RUNS)) / RUNS * 1e3}


def _ipmipower() -> dict[str, float]:
    if shutil.which("ipmipower") is None:
        return {}
    command = ["ipmipower", "-W", "opensesspriv", "-l", "ADMIN", "-D", "LAN_2_0", "-I", "3", "-u", USERNAME]
    try:
        with Simulator(built(), HOSTS, port=IPMI_PORT):
            cpu_s = _cpu_s([*command, "-p", PASSWORD, "-h", f"127.101.0.[1-{HOSTS}]", "--stat"])
    except (CannotBuild, RuntimeError):
        return {}  # no compiler, or not root
    return {"ipmipower_check_cpu_ms": cpu_s / HOSTS * 1e3}


def _cpu_s(command: Sequence[str]) -> float:
    """Run a program, and return the CPU time that it took.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, timeout=TOOL_S)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
