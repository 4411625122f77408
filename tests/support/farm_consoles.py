"""Consoles for a running farm: one datagram over UDP, ipmitool, ipmipower; and how to wait for what they cause."""

import socket
import subprocess
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final

import pytest

from castiron.testing import BMCFarm, SimulatedBMC
from tests.support.simulators import needs

SOON_S: Final = 5.0
"""No answer takes a tenth of it, unless something is broken."""
LATE_S: Final = 2 * SOON_S
"""A wait that nobody wakes looks a last time when it is over: too late."""
TOOL_S: Final = 20.0
"""For a program of others to end."""
IPMI_PORT: Final = 623
"""The only one that ipmipower knows."""


def over_udp(bmc: SimulatedBMC, timeout_s: float = SOON_S) -> Callable[[bytes], bytes | None]:
    """Return an exchange with one BMC over a socket of its own, which the garbage collector must not see open."""

    def exchange(datagram: bytes) -> bytes | None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            mine.settimeout(timeout_s)
            mine.connect((bmc.address, bmc.port))  # so only this BMC's own address can answer
            mine.send(datagram)
            try:
                return mine.recv(2048)
            except TimeoutError:
                return None

    return exchange


def ipmitool(
    bmc: SimulatedBMC, *command: str, suite: int = 17, password: str | None = None, options: Sequence[str] = ()
) -> tuple[int, str]:
    """Run ipmitool against a BMC and return its exit code and what it said."""
    needs("ipmitool")
    whither = ["-I", "lanplus", "-C", str(suite), "-H", bmc.address, "-p", str(bmc.port), "-U", bmc.username]
    done = subprocess.run(
        ["ipmitool", *whither, "-P", password or bmc.password, *options, *command],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TOOL_S,
    )
    return done.returncode, done.stdout


def ipmipower(farm: BMCFarm, *command: str, suite: int = 17) -> dict[str, str]:
    """Run ipmipower against a whole farm on IPMI_PORT; return BMC → what it said about it, where it said something."""
    needs("ipmipower")
    hosts = {bmc.address: bmc for bmc in farm}
    login = ["-D", "LAN_2_0", "-I", str(suite), "-u", farm[0].username, "-p", farm[0].password]
    done = subprocess.run(
        ["ipmipower", *login, "-h", ",".join(hosts), *command],
        check=False,
        capture_output=True,
        text=True,
        timeout=TOOL_S,
    )
    said = (line.split(": ", 1) for line in (done.stdout + done.stderr).splitlines())
    return {hosts[address].name: word for address, word in said}


@contextmanager
def farm_for_ipmipower(bmcs: int) -> Generator[BMCFarm]:
    """Run a farm on IPMI_PORT, or skip by name what needs one where somebody else listens or only root may."""
    needs("ipmipower")
    try:
        farm = BMCFarm(bmcs=bmcs, port=IPMI_PORT).start()
    except OSError as error:
        pytest.skip(f"port {IPMI_PORT}: {error}")
    try:
        yield farm
    finally:
        farm.close()


@contextmanager
def waiting(wait: Callable[[], object]) -> Generator[None]:
    """Begin a wait before the block and see it end soon after."""
    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    yield
    waiter.join(SOON_S)
    assert not waiter.is_alive()
