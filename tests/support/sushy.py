"""OpenStack's sushy-emulator as one BMC on 127.0.0.1 with TLS: somebody else's Redfish, to test ours against.

Its fake machine has power, boot device and mode, a lamp, a UUID, and the sensors of its chassis; passwords go with each
request, and each is a connection. It has no sessions, accounts, event log, restart of the BMC, nor a boot device for
once: for those see `redfish_bmc`.
"""

import importlib.util
import re
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx

from castiron.transport.vocabulary import PowerState
from tests.support.certificates import Certificate, make_certificate
from tests.support.deadline import until
from tests.support.simulators import lacking

UUID: Final = "27946b59-9e44-4fa7-8e91-f3527a1ef094"
USERNAME: Final = "admin"
PASSWORD: Final = "password"
HASH: Final = "$2b$04$ElLcHbAyF0IiX6eubDp5k.jBwalZiU4L6kvOPZSGk7UhcmkJiwss."
"""The password's, as cheap as bcrypt allows."""

_CONFIG: Final = """\
SUSHY_EMULATOR_FAKE_DRIVER = True
SUSHY_EMULATOR_FAKE_SYSTEMS = [{{'uuid': {uuid!r}, 'name': 'n1', 'power_state': 'Off', 'nics': []}}]
SUSHY_EMULATOR_LISTEN_IP = '127.0.0.1'
SUSHY_EMULATOR_LISTEN_PORT = {port}
SUSHY_EMULATOR_SSL_CERT = {certificate!r}
SUSHY_EMULATOR_SSL_KEY = {key!r}
SUSHY_EMULATOR_AUTH_FILE = {users!r}
SUSHY_EMULATOR_STATE_DIR = {state!r}
"""


def free_tcp_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class SushyEmulator:
    """One BMC. Use `running_sushy`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_tcp_port()
        self.certificate: Certificate = make_certificate(folder)
        self._log = folder / "log"
        self._config = folder / "config.py"
        (folder / "users").write_text(f"{USERNAME}:{HASH}\n")
        self._config.write_text(
            _CONFIG.format(
                uuid=UUID,
                port=self.port,
                certificate=str(self.certificate.path),
                key=str(self.certificate.key_path),
                users=str(folder / "users"),
                state=str(folder),
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def driver_info(self) -> dict[str, Any]:
        """What a node needs to reach it."""
        return {
            "redfish_address": f"https://127.0.0.1:{self.port}",
            "redfish_username": USERNAME,
            "redfish_password": PASSWORD,
            "redfish_verify_ca": str(self.certificate.path),
        }

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process and wait until it listens."""
        launcher = Path(__file__).with_name("sushy_launch.py")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, launcher, "--config", self._config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._listens)

    def kill(self) -> None:
        """End the process with SIGKILL. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    @property
    def power(self) -> PowerState:
        """The machine's power, as any other client sees it."""
        return PowerState.ON if self.system["PowerState"] == "On" else PowerState.OFF

    @property
    def system(self) -> dict[str, Any]:
        """The machine's resource, as any other client sees it."""
        verify = ssl.create_default_context(cafile=str(self.certificate.path))
        found = httpx.get(
            f"https://127.0.0.1:{self.port}/redfish/v1/Systems/{UUID}", auth=(USERNAME, PASSWORD), verify=verify
        )
        system: dict[str, Any] = found.json()
        return system

    @property
    def resets(self) -> int:
        """How many resets of the machine it has answered, by its own log."""
        return len(re.findall(r'"POST \S+/ComputerSystem\.Reset \S+ 204', re.sub(r"\x1b\[\d+m", "", self.log)))

    @property
    def log(self) -> str:
        """What it has said."""
        return self._log.read_text()

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@contextmanager
def running_sushy() -> Generator[SushyEmulator]:
    """Run a BMC for a `with`; skip or fail by name where the emulator is missing."""
    if importlib.util.find_spec("sushy_tools") is None:
        lacking("sushy-tools not found; pip install sushy-tools")
    with tempfile.TemporaryDirectory(prefix="castiron-sushy-") as folder:
        bmc = SushyEmulator(Path(folder))
        try:
            bmc.start()
            yield bmc
        finally:
            bmc.kill()
