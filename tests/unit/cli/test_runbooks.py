"""Runbooks from the command line: files that people write, and where in them something is wrong."""

import json
from pathlib import Path

import pytest

from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.conftest import Run

TOML = """\
name = "CUSTOM_RESTART"
description = "off, wait, on"

[extra]
owner = "ops"

[[steps]]
step = "power_off"

[[steps]]
step = "wait"
args = {seconds = 5}

[[steps]]
step = "power_on"
after = ["wait"]
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "restart.toml"
    path.write_text(TOML)
    return path


def test_a_runbook_is_written_checked_stored_and_used(run: Run, three: MemoryConductor, book: Path) -> None:
    assert run("runbook", "check", str(book)).exit_code == 0
    assert not three.runbooks.by_name
    assert run("runbook", "create", str(book)).stdout.startswith("CUSTOM_RESTART: created, uuid ")
    assert run("runbook", "create", str(book)).exit_code == 73
    assert run("runbook", "check", str(book)).exit_code == 0, "whether there is one of its name or not"

    assert run("node", "manage", "n1", "--wait").exit_code == 0
    missing = run("node", "clean", "n1", "--runbook", "CUSTOM_RESTART")
    assert (missing.exit_code, "No such trait" in missing.stderr) == (65, True)
    assert run("node", "set", "n1", "--trait", "CUSTOM_RESTART").exit_code == 0
    assert run("node", "clean", "n1", "--runbook", "CUSTOM_RESTART", "--wait").exit_code == 0
    *_, latest = three.requests.values()
    assert (latest.runbook, [step.name for step in latest.steps]) == (
        "CUSTOM_RESTART",
        ["power_off", "wait", "power_on"],
    )


def test_what_is_shown_can_be_changed_and_handed_back(run: Run, three: MemoryConductor, book: Path) -> None:
    run("runbook", "create", str(book))
    shown = run("runbook", "show", "CUSTOM_RESTART", "--format", "json").stdout
    assert "3  power_on" in run("runbook", "show", "CUSTOM_RESTART").stdout

    view = json.loads(shown)
    view["steps"] = view["steps"][:1]
    done = run("runbook", "set", "CUSTOM_RESTART", "-", typed=json.dumps(view))

    assert done.exit_code == 0, done.output
    record = three.runbooks.by_name["CUSTOM_RESTART"]
    assert (record.steps, record.revision) == (({"step": "power_off"},), 2)
    old = run("runbook", "set", "CUSTOM_RESTART", "--description", "x", "--revision", "1")
    assert old.exit_code == 65


def test_fields_are_changed_one_by_one(run: Run, three: MemoryConductor, book: Path) -> None:
    run("runbook", "create", str(book), "--name", "CUSTOM_X")

    words = ("--name", "restart", "--trait", "CUSTOM_A", "--trait", "CUSTOM_B", "--extra", "tier=1")
    done = run("runbook", "set", "CUSTOM_X", *words, "--unset", "extra.owner", "--unset", "description")

    assert done.exit_code == 0, done.output
    record = three.runbooks.by_name["restart"]
    assert (record.traits, dict(record.extra), record.description) == (("CUSTOM_A", "CUSTOM_B"), {"tier": 1}, None)
    assert "restart" in run("runbook", "list").stdout
    assert run("runbook", "list", "--node", "n1").stdout.splitlines() == ["NAME  STEPS  KINDS  UPDATED  DESCRIPTION"]
    assert run("runbook", "set", "restart").exit_code == 64
    assert run("runbook", "set", "restart", "--unset", "steps").exit_code == 64


def test_a_runbook_is_forgotten_only_by_somebody_who_means_it(run: Run, three: MemoryConductor, book: Path) -> None:
    run("runbook", "create", str(book))

    assert run("runbook", "delete", "CUSTOM_RESTART").exit_code == 64
    assert run("runbook", "delete", "CUSTOM_RESTART", "--dry-run").exit_code == 0
    assert three.runbooks.by_name
    assert run("runbook", "delete", "CUSTOM_RESTART", "-y").stdout == "CUSTOM_RESTART: deleted\n"
    assert run("runbook", "show", "CUSTOM_RESTART").exit_code == 66


WRONG = {
    "a step that there is not": ('step = "power_off"', 'step = "power_of"', "line 7, $.steps[0]: ", "no such step"),
    "an argument": ("seconds = 5", 'seconds = "5"', "line 12, $.steps[1].args.seconds: ", "seconds is a number"),
    "after what is not there": ('["wait"]', '["pause"]', "line 16, $.steps[2].after: ", "no such step in the list"),
    "a field of a step": ("args = ", "arg = ", "line 12, $.steps[1].arg: ", "Did you mean 'args'?"),
    "a field of its own": ("[extra]", "[extras]", "line 4, $.extras: ", "Did you mean 'extra'?"),
    "a name": ("CUSTOM_RESTART", "restart", "line 1, $.name: ", "cannot be one"),
    "a number for a list": ('["wait"]', "7", "line 16, $.steps[2].after: ", "Expected"),
    "TOML": ("[extra]", "[extra", " is not TOML: line 4", ""),
    "no steps": ("[[steps]]", "[[stages]]", "line 7, $.stages: ", "no such field"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_in_a_file_is_told_with_its_line_and_place(
    run: Run, three: MemoryConductor, book: Path, what: str
) -> None:
    good, bad, place, said = WRONG[what]
    book.write_text(TOML.replace(good, bad))

    for command in ("check", "create"):
        told = run("runbook", command, str(book))
        assert told.exit_code == 65, told.output
        assert f"{place}" in told.stderr
        assert said in told.stderr
    assert not three.runbooks.by_name


@pytest.mark.parametrize(
    ("text", "said"), [("[]", "is an object"), ("{}", "has no name"), ('{"name": "C"}', "no steps")]
)
def test_what_is_no_runbook_is_not_sent(run: Run, conductor: MemoryConductor, text: str, said: str) -> None:
    told = run("runbook", "create", "-", typed=text)

    assert (told.exit_code, said in told.stderr) == (65, True), told.output
    assert not conductor.asked


def test_programs_are_told_the_file_and_the_line(run: Run, three: MemoryConductor, book: Path) -> None:
    book.write_text(TOML.replace("power_off", "power_of"))

    told = json.loads(run("runbook", "check", str(book), "--format", "json").stderr)["error"]

    assert three.asked
    assert (told["code"], told["details"]["line"], told["details"]["file"]) == ("step.invalid", 7, str(book))


def test_a_runbook_and_steps_are_not_typed_together(run: Run, three: MemoryConductor) -> None:
    sent = len(three.asked)

    told = run("node", "clean", "n1", "--runbook", "CUSTOM_X", "--step", "power_off")

    assert (told.exit_code, len(three.asked)) == (64, sent)
