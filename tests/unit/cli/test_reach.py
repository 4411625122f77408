"""Where a command looks for its conductor, with what, and what it tells of it on standard error."""

import re
import socket
from pathlib import Path

import pytest

from castiron.cli.reach import absence
from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.conftest import Run, Spawn


def test_a_conductor_that_runs_as_a_service_is_named_to_whoever_looks_elsewhere(tmp_path: Path) -> None:
    here, service = f"ipc://{tmp_path}/mine", f"ipc://{tmp_path}/service"
    alone = absence(here, service=service)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{tmp_path}/service")
        listening.listen()

        beside, itself = absence(here, service=service), absence(service, service=service)

    assert alone is not None
    assert "service" not in alone.message
    assert beside is not None
    assert beside.message.endswith(f"One that runs as a service listens at {service}.")
    assert itself is None


@pytest.mark.parametrize("option", ["--key", "--server-key"])
def test_keys_that_were_typed_for_a_unix_socket_are_not_left_aside(
    run: Run, three: MemoryConductor, option: str
) -> None:
    asked = run("node", "power", "on", "n1", option, "alice.key_secret")

    assert (asked.exit_code, asked.stdout) == (64, "")
    assert "is a Unix socket, which takes no keys" in asked.stderr
    assert not three.requests


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (((), ""), r"\Z"),
        (((), "error"), r"\Z"),
        (((), "Info"), r"castiron: INFO \S+: ipc://\S+: conductor \S+ \(castiron \S+\) answers\n\Z"),
        ((("-v",), "error"), r"castiron: INFO \S+: ipc://\S+: conductor \S+ \(castiron \S+\) answers\n\Z"),
        ((("-vv",), ""), r"(?s).*castiron: INFO .*\ncastiron: DEBUG \S+: node.list: answered after [0-9.]+ ms\n\Z"),
        (((), "debug"), r"(?s).*castiron: INFO .*\ncastiron: DEBUG \S+: node.list: answered after [0-9.]+ ms\n\Z"),
    ],
)
def test_as_much_is_told_as_was_asked_for(
    three: MemoryConductor, spawn: Spawn, monkeypatch: pytest.MonkeyPatch, asked: tuple[tuple[str, ...], str], told: str
) -> None:
    words, variable = asked
    assert len(three.nodes) == 3
    monkeypatch.setenv("CASTIRON_LOG", variable)

    out, err = spawn(*words, "node", "list", "--fields", "name").communicate(timeout=20)

    assert out == "NAME\nn1\nn2\nn3\n"
    assert re.match(told, err), err


def test_a_level_that_there_is_not_is_refused(
    run: Run, three: MemoryConductor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert three.nodes
    monkeypatch.setenv("CASTIRON_LOG", "loud")

    asked = run("node", "list")

    assert (asked.exit_code, asked.stdout) == (78, "")
    assert asked.stderr == "castiron: CASTIRON_LOG is one of debug, info, warning, error; not 'loud'.\n"
