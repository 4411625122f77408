"""OpenIPMI's ipmi_sim as one BMC on 127.0.0.1: somebody else's RMCP+, to test ours against.

One process is one BMC. `kill` and `start` are a reboot of it: sessions are forgotten, the machine keeps its power and
boot flags. Cipher suite 3 only; it refuses 17.
"""

import atexit
import functools
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from castiron.transport.vocabulary import PowerState
from tests.support.simulators import needs

USERNAME: Final = "admin"
PASSWORD: Final = "password"
READY_S: Final = 10.0
PROBE: Final = bytes.fromhex("0600ff07000000000000000000092018c88100388e04b5")
"""Get Channel Authentication Capabilities."""

_LAN: Final = """\
name "castiron"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  user 2 true "{username}" "{password}" admin 10 none md2 md5 straight
  user 3 true "watcher" "{password}" user 10 none md2 md5 straight
loadlib "{library}" "{state}"
"""
# Without a guid, ipmi_sim offers no RMCP+ at all.

_EMULATOR: Final = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n"


@functools.cache
def _library() -> Path:
    """Compile the chassis once for each test process."""
    source = Path(__file__).with_name("memchassis.c")
    folder = tempfile.mkdtemp(prefix="castiron-memchassis-")
    atexit.register(shutil.rmtree, folder)
    built = Path(folder) / "memchassis.so"
    subprocess.run(["gcc", "-O2", "-Wall", "-fPIC", "-shared", "-o", built, source], check=True, timeout=60)
    return built


def free_port() -> int:
    """Return a UDP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class IPMISim:
    """One BMC. Use `running_ipmi_sim`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "state").mkdir()
        (folder / "cmd.emu").write_text(_EMULATOR)
        lan = _LAN.format(
            port=self.port, username=USERNAME, password=PASSWORD, library=_library(), state=folder / "chassis"
        )
        (folder / "lan.conf").write_text(lan)

    @property
    def driver_info(self) -> dict[str, Any]:
        """What a node needs to reach it."""
        return {
            "ipmi_address": "127.0.0.1",
            "ipmi_port": self.port,
            "ipmi_username": USERNAME,
            "ipmi_password": PASSWORD,
        }

    def start(self) -> None:
        """Start the process and wait until it answers."""
        folder = self._folder
        with (folder / "out").open("wb") as out:
            self._process = subprocess.Popen(
                ["ipmi_sim", "-c", folder / "lan.conf", "-f", folder / "cmd.emu", "-s", folder / "state", "-n"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        give_up_at = time.monotonic() + READY_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("127.0.0.1", self.port))
            probe.settimeout(0.02)
            while time.monotonic() < give_up_at:
                try:
                    probe.send(PROBE)
                    probe.recv(1024)
                except OSError:
                    continue  # refused while nobody listens, or silent
                return
        message = f"ipmi_sim did not start: {(self._folder / 'out').read_text()}"
        raise TimeoutError(message)

    def kill(self) -> None:
        """End the process with SIGKILL. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def reboot(self) -> None:
        """Lose all sessions, and nothing else."""
        self.kill()
        self.start()

    def ipmitool(self, *arguments: str) -> str:
        """Run ipmitool against it and return what it prints."""
        needs("ipmitool")
        login = ["-I", "lanplus", "-C", "3", "-H", "127.0.0.1", "-p", str(self.port), "-U", USERNAME, "-P", PASSWORD]
        done = subprocess.run(["ipmitool", *login, *arguments], check=True, capture_output=True, text=True, timeout=20)
        return done.stdout.strip()

    @property
    def power(self) -> PowerState:
        """The machine's power, as ipmitool sees it."""
        return PowerState.ON if self.ipmitool("power", "status").endswith("is on") else PowerState.OFF

    @property
    def control_count(self) -> int:
        """How many Chassis Control commands it has received."""
        return int.from_bytes(bytes.fromhex(self.ipmitool("raw", "0x30", "0x01")), "little")

    def refuse_next_control(self, code: int) -> None:
        """Answer the next Chassis Control with a completion code."""
        self.ipmitool("raw", "0x30", "0x02", hex(code))


@contextmanager
def running_ipmi_sim() -> Generator[IPMISim]:
    """Run a BMC for a `with`; skip or fail by name where its programs are missing."""
    needs("ipmi_sim", "gcc")
    with tempfile.TemporaryDirectory(prefix="castiron-ipmi-sim-") as folder:
        bmc = IPMISim(Path(folder))
        try:
            bmc.start()
            yield bmc
        finally:
            bmc.kill()
