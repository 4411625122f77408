"""What the tests of the command line are given: a front door with a small conductor in memory, and ways to type."""

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from castiron.cli.main import main
from tests.support.house import House
from tests.support.memory_conductor import MemoryConductor

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where nobody listens yet, and where every command of the test looks."""
    named = f"ipc://{tmp_path}/door"
    monkeypatch.setenv("CASTIRON_ENDPOINT", named)
    return named


@pytest.fixture
def house(endpoint: str) -> Generator[House]:
    opened = House(endpoint)
    yield opened
    opened.close()


@pytest.fixture
def conductor(house: House) -> MemoryConductor:
    return house.conductor


Run = Callable[..., Result]
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(endpoint: str) -> Run:
    """Run a command line in this process; standard output and error are told apart."""
    assert endpoint

    def run_one(*words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(main, list(words), input=typed)

    return run_one


@pytest.fixture
def spawn(endpoint: str) -> Generator[Spawn]:
    """Run a command line in a process of its own, which does not outlive the test."""
    processes: list[subprocess.Popen[str]] = []

    def spawn_one(*words: str) -> "subprocess.Popen[str]":
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "castiron", *words],
                cwd=ROOT,
                env={**os.environ, "CASTIRON_ENDPOINT": endpoint},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield spawn_one
    for process in processes:
        with process:
            if process.poll() is None:
                process.kill()


@pytest.fixture
def three(run: Run, conductor: MemoryConductor) -> MemoryConductor:
    """A conductor that knows n1, n2 and n3, all powered off."""
    for number in (1, 2, 3):
        created = run("node", "create", f"n{number}", "--driver-info", f"ipmi_address=127.0.0.{number}")
        assert created.exit_code == 0, created.output
    return conductor
