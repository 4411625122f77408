"""What a service manager hears: over real sockets, each line as sd_notify(3) has it."""

import os
import socket
from collections.abc import Generator
from pathlib import Path
from uuid import uuid4

import pytest

from castiron.cli.conductor.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[tuple[str, socket.socket]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@castiron-test-{uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        heard.settimeout(5)
        yield name, heard


def test_each_word_is_a_datagram_of_lines(manager: tuple[str, socket.socket]) -> None:
    address, heard = manager
    notifier = Notifier(address, watchdog_s=30.0)

    notifier.ready("Listens on ipc:///x")
    notifier.alive(is_well=True)
    notifier.alive(is_well=False)
    notifier.reloading()
    notifier.stopping(21.5)

    assert heard.recv(4096) == b"READY=1\nSTATUS=Listens on ipc:///x"
    assert heard.recv(4096) == b"WATCHDOG=1"
    first, second = heard.recv(4096).split(b"\n")
    assert first == b"RELOADING=1", "nothing was said while it was not well"
    assert second.removeprefix(b"MONOTONIC_USEC=").isdigit()
    assert heard.recv(4096) == b"STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=21500000"


def test_without_a_watchdog_there_are_no_signs_of_life(manager: tuple[str, socket.socket]) -> None:
    address, heard = manager
    notifier = Notifier(address)

    notifier.alive(is_well=True)
    notifier.ready("x")

    assert heard.recv(4096).startswith(b"READY=1")
    assert notifier.pace_s(1.0) == 1.0


@pytest.mark.parametrize("address", [None, "/nobody/is/here", "x" * 300, "@nobody-listens"])
def test_nobody_who_listens_is_no_failure(address: str | None) -> None:
    notifier = Notifier(address, watchdog_s=1.0)

    notifier.ready("x")
    notifier.alive(is_well=True)
    notifier.stopping(1.0)


def test_a_manager_that_reads_nothing_holds_nobody_up(manager: tuple[str, socket.socket]) -> None:
    address, _ = manager
    notifier = Notifier(address, watchdog_s=1.0)

    for _ in range(5_000):
        notifier.alive(is_well=True)


@pytest.mark.parametrize(
    ("environment", "pace_s"),
    [
        ({}, 1.0),
        ({"WATCHDOG_USEC": "600000"}, 0.2),
        ({"WATCHDOG_USEC": "600000", "WATCHDOG_PID": str(os.getpid())}, 0.2),
        ({"WATCHDOG_USEC": "600000", "WATCHDOG_PID": "1"}, 1.0),
        ({"WATCHDOG_USEC": "60000000"}, 1.0),
        ({"WATCHDOG_USEC": "soon"}, 1.0),
        ({"WATCHDOG_USEC": "0"}, 1.0),
    ],
)
def test_signs_of_life_come_three_times_in_the_time_that_the_manager_gives(
    environment: dict[str, str], pace_s: float
) -> None:
    assert Notifier.found(environment).pace_s(1.0) == pytest.approx(pace_s)
