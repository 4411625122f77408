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
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from castiron.testing.bmc.contents.inventory import build_fru, default_fru
from castiron.testing.bmc.contents.sensors import DEFAULT_SENSORS
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

FRU: Final = default_fru("sim")
"""What its inventory says; the bytes are ours, whose other reader is ipmitool."""

SENSORS: Final = DEFAULT_SENSORS
"""Its sensors: the farm's, record for record."""

_EVENT: Final = bytes.fromhex("00000200000000200004010101 59ffff")
"""A system event of sensor 1: upper critical going high."""

_BITS: Final = "0" * 15


def _emulator() -> Iterator[str]:
    """Yield the commands that set it up."""
    fru = build_fru(FRU)
    yield "mc_setbmc 0x20"
    yield "mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02"
    yield "sel_enable 0x20 1000 0x0a"
    yield f"mc_add_fru_data 0x20 0 {len(fru)} data {_bytes(fru)}"
    for sensor in SENSORS:
        where = f"0x20 0 {sensor.number}"
        yield f"sensor_add {where} {sensor.kind} {0x6F if sensor.unit is None else 1}"
        yield f"sensor_set_event_support {where} enable scanning per-state {_BITS} {_BITS} {_BITS} {_BITS}"
        if sensor.unit is None:
            yield f"sensor_set_bit {where} 0 1 0"
        else:
            yield f"sensor_set_value {where} {sensor.raw} 0"
        yield f"main_sdr_add 0x20 {_bytes(sensor.record(sensor.number))}"
    yield "mc_enable 0x20"


def _bytes(data: bytes) -> str:
    return " ".join(hex(byte) for byte in data)


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
        (folder / "cmd.emu").write_text("\n".join((*_emulator(), "")))
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

    def ipmitool(self, *arguments: str, password: str = PASSWORD) -> str:
        """Run ipmitool against it and return what it prints."""
        needs("ipmitool")
        login = ["-I", "lanplus", "-C", "3", "-H", "127.0.0.1", "-p", str(self.port), "-U", USERNAME, "-P", password]
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

    def log_events(self, count: int) -> None:
        """Put so many events into its log (Add SEL Entry)."""
        for _ in range(count):
            self.ipmitool("raw", "0x0a", "0x44", *(hex(byte) for byte in _EVENT))

    def accepts(self, password: str) -> bool:
        """Return whether it lets the user in with a password."""
        try:
            self.ipmitool("power", "status", password=password)
        except subprocess.CalledProcessError:
            return False
        return True

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
