"""`castiron top` on a terminal: what is on the screen, how it ends, and that the terminal is as before."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from castiron.actors.conductor import Conductor
from castiron.testing import BMCFarm, Faults
from castiron.transport.clients.blocking.client import Client
from tests.support.deadline import until
from tests.unit.cli.conftest import Run
from tests.unit.cli.screen import Screen

TOP = [sys.executable, "-m", "castiron", "top", "--every", "0.2"]


@pytest.fixture
def client(endpoint: str, tmp_path: Path) -> Generator[Client]:
    with Conductor(store=tmp_path / "store.db", endpoint=endpoint) as conductor, conductor.client() as made:
        yield made


@pytest.fixture
def screen(client: Client, endpoint: str) -> Generator[Screen]:
    assert client
    words = ["sh", "-c", 'trap : INT; stty -a >"$HOME/a"; "$@"; code=$?; stty -a >"$HOME/b"; exit $code', "-", *TOP]
    with Screen(
        words, {"CASTIRON_ENDPOINT": endpoint, "HOME": str(Path(endpoint.removeprefix("ipc://")).parent)}
    ) as made:
        yield made


def same(tmp_path: Path) -> bool:
    return (tmp_path / "a").read_text() == (tmp_path / "b").read_text()


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x1b", 0), ("\x03", 0)])
def test_a_key_ends_it_and_the_terminal_is_as_it_was(screen: Screen, tmp_path: Path, key: str, code: int) -> None:
    screen.until("SLOWEST BMCS")

    screen.type(key)

    assert screen.ended() == code
    assert same(tmp_path)
    assert "Traceback" not in screen.text()


def test_what_happens_in_the_fleet_is_on_the_screen(client: Client, screen: Screen) -> None:
    with BMCFarm(bmcs=2) as farm:
        farm[1].set_faults(Faults(silent=True))
        for number in (0, 1):
            client.nodes.create(f"n{number}", driver="ipmi", driver_info=farm[number].driver_info)
        until(lambda: client.nodes.show("n0").power_state is not None)

        for wanted in ("1 power off", "2 total", "conductor", "checks", "queues", "states"):
            screen.until(wanted)  # one after the other: a drawing arrives in pieces
        screen.until("n0 ")

    screen.type("q")
    assert screen.ended() == 0


def test_without_a_terminal_it_says_what_to_use(run: Run) -> None:
    result = run("top")

    assert (result.exit_code, result.stdout) == (64, "")
    assert "castiron status --watch" in result.stderr
