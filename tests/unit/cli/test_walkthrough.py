"""A walk through what people get wrong: one line that says what happened and what to do, and an exit code."""

import json
import socket
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from click.testing import Result

from castiron.transport.errors import NodeInMaintenance, StoreUnavailable
from tests.support.memory_conductor import MemoryConductor

Run = Callable[..., Result]


def refused(result: Result, exit_code: int, *told: str) -> None:
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("castiron: ")
    assert result.stderr.count("\n") == 1, "one line"
    for words in told:
        assert words in result.stderr


@pytest.mark.parametrize(
    ("words", "exit_code", "told"),
    [
        (("nod",), 64, "There is no command 'nod'. Did you mean 'node'? See `castiron --help`."),
        (("node", "powr", "on"), 64, "Did you mean 'power'?"),
        (
            ("power", "on", "n1"),
            64,
            "no command 'power'. Did you mean 'farm power' or 'node power'? See `castiron --help`.",
        ),
        (("sensors", "n1"), 64, "Did you mean 'node sensors'?"),
        (("wholly", "else"), 64, "There is no command 'wholly'. See `castiron --help`."),
        (("node", "power", "onn", "n1"), 64, "Did you mean 'on'?"),
        (("node", "show", "n7"), 66, "There is no node n7"),
        (("node", "show"), 64, "Missing argument 'NODE'. See `castiron node show --help`."),
        (("node", "list", "n[1-"), 65, "is not a host range"),
        (("node", "power", "on", "n[1-999999999]"), 65, "and 100000 are the most"),
        (("node", "power", "on", "@rack"), 65, "no node in @rack"),
        (("node", "power", "on", "n7"), 66, "There is no node n7"),
        (("node", "power", "on", "n1", "--power-timeout"), 64, "requires an argument"),
        (("node", "power", "on", "n1", "--power-timeout", "-3"), 64, "not in the range"),
        (("node", "power", "on", "n1", "--power-timeout", "1e9"), 65, "timeout_s"),
        (("node", "boot-device", "set", "n1", "tape"), 64, "'tape' is not one of"),
        (("node", "create"), 64, "Name a node"),
        (("node", "create", "n1", "-f", "x"), 64, "Name a node"),
        (("node", "create", "a b"), 65, "$.name"),
        (("node", "create", "n9", "--driver-info", "ipmi_address"), 64, "takes KEY=VALUE"),
        (("node", "create", "n9", "--driver-info", "p=@/nowhere/x"), 66, "cannot read /nowhere/x"),
        (("node", "create", "-f", "/nowhere/x"), 66, "Cannot read /nowhere/x"),
        (("node", "create", "-f", "x", "--driver", "ipmi"), 64, "everything about a node stands in the file"),
        (("node", "create", "n1"), 73, "taken"),
        (("node", "set", "n1"), 64, "Say what to change."),
        (("node", "set", "n1", "--unset", "name"), 64, "--unset takes one of driver_info.KEY"),
        (("node", "delete", "n1"), 64, "add --yes"),
        (("request", "show", "nonsense"), 66, "no such request"),
        (("request", "wait"), 64, "Missing argument"),
        (("request", "list", "--state", "done"), 64, "is not one of"),
        (("request", "list", "--limit", "0"), 64, "not in the range"),
        (("status", "--timeout", "soon"), 64, "'soon'"),
        (("status", "--endpoint", "http://127.0.0.1"), 64, "not an endpoint of castiron"),
        (("status", "--endpoint", "tcp://192.0.2.1:5570"), 64, "with keys only"),
        (("status", "--endpoint", "tcp://127.0.0.1:99999"), 64, "no port between 1 and 65535"),
        (("--format", "yaml", "status"), 64, "is not one of 'table', 'json'"),
    ],
    ids=str,
)
def test_a_slip_is_told_in_one_line(
    run: Run, three: MemoryConductor, words: tuple[str, ...], exit_code: int, told: str
) -> None:
    refused(run(*words), exit_code, told)


def test_no_conductor_is_told_at_once(run: Run, endpoint: str) -> None:
    began_at = time.monotonic()

    refused(run("--timeout", "60", "node", "list"), 69, endpoint, "castiron serve", "--endpoint")

    assert time.monotonic() - began_at < 30, "the time-out was not waited for"


def test_the_wrong_port_is_told_at_once(run: Run, three: MemoryConductor) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"tcp://127.0.0.1:{unused.getsockname()[1]}"

        refused(run("status", "--endpoint", endpoint), 69, endpoint, "Nothing listens there")


@pytest.fixture
def stranger() -> Generator[str]:
    """A program that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_a_program_that_is_no_conductor_is_told_when_the_time_is_up(run: Run, stranger: str) -> None:
    refused(run("status", "--endpoint", stranger, "--timeout", "0.5"), 69, "it is another program")


def test_errors_for_programs_are_json(run: Run, three: MemoryConductor, endpoint: str) -> None:
    missing = json.loads(run("node", "show", "n7", "--format", "json").stderr)["error"]
    misspelt = json.loads(run("--format=json", "node", "shw").stderr)["error"]
    lost = json.loads(run("status", "--format", "json", "--endpoint", f"{endpoint}x").stderr)["error"]

    assert (missing["code"], missing["retry"], missing["details"]) == ("node.not_found", "never", {"node": "n7"})
    assert misspelt["code"] == "usage"
    assert "Did you mean 'show'" in misspelt["message"]
    assert (lost["code"], lost["applied"]) == ("conductor.lost", "no")


def test_a_busy_node_and_a_full_disk_ask_to_try_again(run: Run, three: MemoryConductor) -> None:
    three.held.add("n1")
    assert run("node", "power", "on", "n1").exit_code == 0
    refused(run("node", "power", "off", "n1"), 75, "Busy")

    three.is_store_broken = True
    refused(run("node", "power", "on", "n2"), 75, "disk is full")


@pytest.mark.parametrize("error", [NodeInMaintenance("Maintenance."), StoreUnavailable("Full.", retry_after_s=1.0)])
def test_what_passes_by_itself_asks_to_try_again(
    run: Run, three: MemoryConductor, error: NodeInMaintenance | StoreUnavailable
) -> None:
    three.faults["n1"] = error

    assert run("node", "power", "on", "n1", "--wait").exit_code == 75


def test_options_are_understood_before_and_after_the_command_and_the_last_one_wins(
    run: Run, three: MemoryConductor, tmp_path: Path
) -> None:
    nowhere = f"ipc://{tmp_path}/nowhere"
    here = f"ipc://{tmp_path}/door"

    assert run("--endpoint", nowhere, "node", "--endpoint", here, "list").exit_code == 0
    assert run("--endpoint", here, "node", "list", "--endpoint", nowhere).exit_code == 69
    for words in (("--format", "json", "node", "list"), ("node", "--format", "json", "list")):
        assert len(json.loads(run(*words).stdout)) == 3


def test_a_command_without_its_sub_command_shows_help_on_standard_error(run: Run) -> None:
    result = run("node")

    assert result.exit_code == 64
    assert "Commands:" in result.stderr
    assert run("node", "-h").exit_code == run("--help").exit_code == run("--version").exit_code == 0
