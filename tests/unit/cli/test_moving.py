"""Moving nodes from the command line: what is sent, what is told, and what is refused before anything is sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from castiron.transport.errors import StepFailed
from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.conftest import Run


def steps(conductor: MemoryConductor) -> list[dict[str, Any]]:
    """Return the steps of the latest request, without what was left open."""
    *_, latest = conductor.requests.values()
    asked: list[dict[str, Any]] = latest.arguments["steps"]
    return [{key: value for key, value in one.items() if value} for one in asked]


def states(conductor: MemoryConductor) -> dict[str, str]:
    return {node.name: node.provision_state.value for node in conductor.nodes.values()}


def at_work(run: Run) -> None:
    """Have n1 wait for a call back while it is cleaned."""
    assert run("node", "manage", "n1", "--wait").exit_code == 0
    assert run("node", "clean", "n1", "--step", "wait").exit_code == 0


def test_a_range_is_moved_and_equal_answers_are_one_line(run: Run, three: MemoryConductor) -> None:
    assert run("node", "manage", "n[1-3]", "--wait").stdout == "n[1-3]: manage done\n"
    assert run("node", "provide", "n[1-2]", "--wait").exit_code == 0
    told = run("node", "deploy", "n1", "--wait", "--step", "power_off", "--step", "power_on")

    assert (told.stdout, told.exit_code) == ("n1: deploy done, 2 steps\n", 0)
    assert states(three) == {"n1": "active", "n2": "available", "n3": "manageable"}
    assert steps(three) == [{"step": "power_off"}, {"step": "power_on"}]


def test_steps_are_typed_with_interface_and_arguments(run: Run, three: MemoryConductor, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("from a file\n")
    words = f'management.set_boot_device:boot_device=pxe,uefi=true,list=[1,2],note=@{tmp_path}/note,say="a,b"'

    assert run("node", "manage", "n1", "--engine-mode", "parallel", "--step", words).exit_code == 0

    args = {"boot_device": "pxe", "uefi": True, "list": [1, 2], "note": "from a file", "say": "a,b"}
    assert steps(three) == [{"step": "set_boot_device", "interface": "management", "args": args}]
    assert next(iter(three.requests.values())).arguments["engine_mode"] == "parallel"


TOML = """
[[steps]]
step = "power_off"

[[steps]]
interface = "management"
step = "set_boot_device"
args = {boot_device = "pxe"}
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "steps.json",
            '["power_off", {"interface": "management", "step": "set_boot_device", "args": {"boot_device": "pxe"}}]',
        ),
        ("steps.toml", TOML),
    ],
)
def test_steps_are_read_from_a_file(run: Run, three: MemoryConductor, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert run("node", "manage", "n1", "--steps", str(tmp_path / name)).exit_code == 0

    assert steps(three) == [
        {"step": "power_off"},
        {"step": "set_boot_device", "interface": "management", "args": {"boot_device": "pxe"}},
    ]


def test_steps_are_read_from_standard_input(run: Run, three: MemoryConductor) -> None:
    assert run("node", "manage", "n1", "--steps", "-", typed='[{"step": "power_on", "retries": 2}]').exit_code == 0

    assert steps(three) == [{"step": "power_on", "retries": 2}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1, 2]", "steps are a list"),
        ('{"colour": 1}', "steps are a list"),
        ("[{", "is not JSON: line 1"),
        ("[" * 5_000, "is not JSON"),
        ('[{"stp": "power_on"}]', "$.steps[0]"),
        ('["' + "x" * 66_000 + '"]', "larger than"),
    ],
)
def test_a_file_that_is_no_list_of_steps_is_refused(
    run: Run, three: MemoryConductor, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "steps.json").write_text(text)

    result = run("node", "manage", "n1", "--steps", str(tmp_path / "steps.json"))

    assert (result.exit_code, told in result.stderr) == (65, True), result.stderr
    assert three.requests == {}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--step", ":a=1"], "--step takes"),
        (["--step", "power_on:"], "--step takes"),
        (["--step", "power_on", "--steps", "-"], "or all of them in a file"),
        (["--step", "power_on:sesame"], "KEY=VALUE"),
        (["--steps", "/nowhere/steps.json"], "Cannot read"),
    ],
)
def test_what_is_typed_wrong_is_told_before_anything_is_sent(
    run: Run, three: MemoryConductor, words: list[str], told: str
) -> None:
    result = run("node", "manage", "n1", *words)

    assert result.exit_code != 0
    assert told in result.stderr
    assert three.requests == {}


def test_a_secret_in_a_file_that_cannot_be_read_is_not_repeated(
    run: Run, three: MemoryConductor, tmp_path: Path
) -> None:
    (tmp_path / "steps.toml").write_text("[[steps]]\nargs = {password = sesame}\n")
    (tmp_path / "steps.json").write_text('[{"args": {"password": sesame}}]')

    for name in ("steps.toml", "steps.json"):
        result = run("node", "manage", "n1", "--steps", str(tmp_path / name))
        assert "sesame" not in result.output
        assert "line" in result.stderr
    assert three.requests == {}


def test_what_a_node_does_not_take_is_told_with_what_it_does(run: Run, three: MemoryConductor) -> None:
    result = run("node", "deploy", "n1", "--format", "json")

    error = json.loads(result.stdout)["nodes"][0]["error"] if result.stdout else json.loads(result.stderr)["error"]
    assert error["code"] == "node.invalid_state"
    assert error["details"]["accepts"] == ["manage"]


def test_work_is_held_let_go_and_aborted(run: Run, three: MemoryConductor) -> None:
    at_work(run)

    assert run("node", "hold", "n1").stdout == "n1: to be held before its next step, clean wait\n"
    assert run("node", "unhold", "n1").stdout == "n1: goes on, clean wait\n"
    assert run("node", "abort", "n1", "--dry-run").exit_code == 0
    assert states(three)["n1"] == "clean wait"
    assert run("node", "abort", "n1").stdout == "n1: clean failed\n"
    assert run("node", "abort", "n[1-2]").exit_code == 75


def test_a_step_is_answered_with_its_token(run: Run, three: MemoryConductor, tmp_path: Path) -> None:
    at_work(run)
    (tmp_path / "token").write_text(three.token_of("n1") + "\n")
    token = f"@{tmp_path}/token"

    assert run("node", "step", "progress", "n1", "--token", token, "--result", "percent=40").exit_code == 0
    told = run("node", "step", "done", "n1", "--token", "-", "--result", "image=u1", typed=three.token_of("n1"))

    assert (told.exit_code, told.stdout) == (0, "n1: the step is done; the node is manageable\n")
    assert 'progress={"percent": 40}' in run("events", "--type", "node.step.progress").stdout
    again = run("node", "step", "done", "n1", "--token", token)
    assert (again.exit_code, "has ended" in again.stderr) == (75, True)
    assert run("node", "step", "done", "n1", "--token", "guessed").exit_code == 65


def test_a_step_that_failed_fails_its_request(run: Run, three: MemoryConductor) -> None:
    at_work(run)

    told = run("node", "step", "done", "n1", "--token", three.token_of("n1"), "--error", "No disk.", "--format", "json")

    assert json.loads(told.stdout)["provision_state"] == "clean failed"
    *_, request = three.requests.values()
    assert (request.error or {})["message"] == "No disk."


def test_the_steps_of_a_request_are_a_table_below_it(run: Run, three: MemoryConductor) -> None:
    run("node", "manage", "n1", "--step", "power_on", "--wait")
    (request,) = three.requests.values()

    told = run("request", "show", request.id)

    assert told.exit_code == 0
    assert 'arguments.steps        [{"step": "power_on"}]' in told.stdout
    head, row = told.stdout.splitlines()[-2:]
    assert head.split() == ["STEP", "STATE", "ATTEMPTS", "STARTED", "TOOK", "OUTCOME"]
    assert row.split() == ["power_on", "success", "1", "-", "-", "-"]


def test_a_step_that_failed_says_why_in_its_row(run: Run, three: MemoryConductor) -> None:
    at_work(run)
    run("node", "step", "done", "n1", "--token", three.token_of("n1"), "--error", "No disk.")
    *_, request = three.requests.values()

    told = run("request", "show", request.id)

    *_, row = told.stdout.splitlines()
    assert row.split()[:3] == ["wait", "failure", "1"]
    assert row.endswith(f"{StepFailed.code}: No disk.")
    assert "error.details" in told.stdout
