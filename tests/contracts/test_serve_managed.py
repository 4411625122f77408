"""`castiron serve` as a service: what it tells its manager over a real socket, and what a hang-up does."""

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import cast

import pytest

from castiron.actors.settings import Settings
from castiron.cli.conductor.notify import Notifier
from castiron.cli.conductor.reloading import Reloading
from castiron.cli.conductor.serve import _tend
from castiron.cli.configuration import Configuration
from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from tests.support.deadline import until

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30


class Service:
    """A conductor whose manager is the test."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "castiron.toml"
        self.endpoint = f"ipc://{folder}/door"
        self.store = folder / "castiron.db"
        self.log = ""
        self._folder = folder
        self._heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._heard.bind(str(folder / "notify"))
        self._heard.settimeout(DEADLINE_S)
        self.process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self, *, terminal: int | None = None, **environment: str) -> "subprocess.Popen[str]":
        self.process = subprocess.Popen(
            [sys.executable, "-m", "castiron", "serve", "--config", str(self.config)],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "HOME": str(self._folder),
                "NOTIFY_SOCKET": str(self._folder / "notify"),
                **environment,
            },
            cwd=self._folder,
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=None if terminal is None else lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # noqa: PLW1509 - takes the terminal for its own; no thread of this test holds a lock
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,))
        self._reader.start()
        return self.process

    def write(self, settings: str, conductor: str = "") -> None:
        """Write what it is told."""
        self.config.write_text(
            f'[conductor]\nstore = "{self.store}"\nlisten = "{self.endpoint}"\n{conductor}\n[settings]\n{settings}\n'
        )

    def hear(self, wanted: str) -> str:
        """Return the next datagram that begins so."""
        while not (heard := self._heard.recv(4096).decode()).startswith(wanted):
            """Signs of life come in between."""
        return heard

    def reload(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        self.hear("RELOADING=1\nMONOTONIC_USEC=")
        self.hear("READY=1")

    def end(self) -> int:
        """Wait for its end."""
        assert self.process is not None
        code = self.process.wait(DEADLINE_S)
        if self._reader is not None:
            self._reader.join(DEADLINE_S)
        return code

    def close(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.end()
            assert self.process.stderr is not None
            self.process.stderr.close()
        self._heard.close()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.log += line


@pytest.fixture
def service(tmp_path: Path) -> Generator[Service]:
    made = Service(tmp_path)
    yield made
    made.close()


def test_its_manager_hears_that_it_is_ready_lives_and_stops(service: Service) -> None:
    service.write("graceful_shutdown_timeout_s = 100")
    process = service.start(WATCHDOG_USEC="600000")

    ready = service.hear("READY=1")
    with Client(service.endpoint) as client:
        assert client.ping()
    for _ in range(3):
        service.hear("WATCHDOG=1")
    process.terminate()
    stopping = service.hear("STOPPING=1")

    assert ready == f"READY=1\nSTATUS=Listens on {service.endpoint}"
    assert int(stopping.rpartition("EXTEND_TIMEOUT_USEC=")[2]) > 100_000_000, "the setting is 100 s"
    assert service.end() == 0


class Stuck:
    """A part of a conductor that is at one piece of work for good."""

    thread = None

    def beats(self) -> int:
        return 1

    def is_alive(self) -> bool:
        return True


def test_it_gives_no_sign_of_life_while_one_of_its_threads_hangs(tmp_path: Path) -> None:
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(DEADLINE_S)
    manager = Notifier(str(tmp_path / "notify"), watchdog_s=0.3)
    with closing(heard), running_conductor(settings=Settings(hung_turn_s=0.1)) as conductor:
        reloading = Reloading(Configuration(), Configuration)
        tending = threading.Thread(target=_tend, args=(conductor, [signal.SIGUSR2], reloading, manager))
        tending.start()
        assert heard.recv(4096).startswith(b"READY=1")
        assert heard.recv(4096) == b"WATCHDOG=1"

        watch = conductor._watch
        assert watch is not None
        cast("dict[str, Stuck]", watch._parts)["stuck"] = Stuck()
        cast("dict[str, Stuck]", watch._heartbeats._parts)["stuck"] = Stuck()
        until(lambda: not conductor.is_well())
        heard.settimeout(0.0)
        with suppress(BlockingIOError):
            while heard.recv(4096):
                """Those that were sent before."""
        heard.settimeout(1.0)
        with suppress(TimeoutError):
            heard.recv(4096)  # the one that was on its way
        with pytest.raises(TimeoutError):
            heard.recv(4096)

        conductor.stop()
        tending.join(DEADLINE_S)
        assert not tending.is_alive()


def test_a_hang_up_changes_what_can_change_and_names_what_cannot(service: Service) -> None:
    service.write("command_timeout_s = 15")
    service.start()
    service.hear("READY=1")
    with Client(service.endpoint) as client:
        service.write("command_timeout_s = 3\nmax_workers = 77", 'log_level = "debug"\nlog_format = "json"')
        service.reload()
        settings = client.status().settings
        client.nodes.create("n1", driver="fake")
        client.nodes.power("n1", "power on").wait(timeout_s=DEADLINE_S)

    assert (settings["command_timeout_s"], settings["max_workers"]) == (3, 10)
    until(lambda: "need a restart: log_format, max_workers\n" in service.log)
    assert "the settings were read again; changed: command_timeout_s\n" in service.log
    until(lambda: " DEBUG " in service.log)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("command_timeout_s = 3\nmax_wrokers = 7", "Did you mean max_workers?"),
        ("command_timeout_s = 3\nmax_workers = 0", "out of bounds"),
        ("command_timeout_s = 3\npower_poll_initial_s = 9", "is more than power_poll_max_s"),
        ("command_timeout_s = 3\n[sett", "is not TOML"),
    ],
)
def test_a_bad_file_changes_nothing(service: Service, broken: str, why: str) -> None:
    service.write("command_timeout_s = 15")
    service.start()
    service.hear("READY=1")
    with Client(service.endpoint) as client:
        before = client.status().settings
        service.write(broken, 'log_level = "debug"')
        service.reload()

        assert client.status().settings == before
        until(lambda: why in service.log)
        service.write("command_timeout_s = 4")
        service.reload()
        assert client.status().settings["command_timeout_s"] == 4


def test_the_end_of_its_terminal_stops_it(service: Service) -> None:
    service.write("")
    ours, theirs = pty.openpty()
    service.start(terminal=theirs)
    os.close(theirs)
    service.hear("READY=1")

    os.close(ours)

    assert service.end() == 0
    assert "the settings were read again" not in service.log
