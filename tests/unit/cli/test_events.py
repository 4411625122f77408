"""`castiron events` and `castiron node history`: what people and programs are told of what has happened."""

import json
import signal
import subprocess
import time
from typing import Any

import pytest

from castiron.cli.commands.events import details
from tests.support.deadline import until
from tests.support.house import House
from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.conftest import Run, Spawn

PATIENCE_S = 20.0


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def heard(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return the next line of a command that follows."""
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def test_what_has_happened_is_a_line_each(three: MemoryConductor, run: Run) -> None:
    assert run("node", "power", "on", "n2", "--wait").exit_code == 0

    told = run("events")

    assert (told.exit_code, told.stderr) == (0, "")
    rows = [line.split() for line in told.stdout.splitlines()]
    assert [(row[0], row[3], row[4]) for row in rows] == [
        ("1", "node.create.end", "n1"),
        ("2", "node.create.end", "n2"),
        ("3", "node.create.end", "n3"),
        ("4", "node.power_set.start", "n2"),
        ("5", "node.power_set.end", "n2"),
    ]
    assert rows[0][5:] == ["driver=ipmi,", "by", "test"]
    assert rows[0][1] == time.strftime("%Y-%m-%d", time.localtime(three.events.kept[0].at))


def test_programs_get_an_object_a_line(three: MemoryConductor, run: Run) -> None:
    told = run("events", "--format", "json", "--since", "1")

    first, second = lines_of(told.stdout)
    assert (first["seq"], second["seq"]) == (2, 3)
    assert set(first) == {"seq", "node_seq", "type", "at", "node", "node_uuid", "request", "payload"}


def test_nodes_and_types_can_be_picked(three: MemoryConductor, run: Run) -> None:
    assert run("node", "power", "on", "n[1-3]", "--wait").exit_code == 0

    told = run("events", "--format", "json", "--node", "n[1-2]", "--type", "node.power_set.e*")

    assert [(one["node"], one["type"]) for one in lines_of(told.stdout)] == [
        ("n1", "node.power_set.end"),
        ("n2", "node.power_set.end"),
    ]


@pytest.mark.parametrize(("option", "value", "code"), [("--node", "n9", 66), ("--type", "node.painted.*", 65)])
def test_what_there_is_not_is_refused(three: MemoryConductor, run: Run, option: str, value: str, code: int) -> None:
    refused = run("events", option, value)

    assert refused.exit_code == code
    assert value in refused.stderr


def test_events_that_are_lost_are_told_in_words_and_the_others_shown(three: MemoryConductor, run: Run) -> None:
    three.events.forget(2)

    told = run("events", "--since", "0")

    assert told.exit_code == 65
    assert "Events 1 to 2 are lost. They are not kept any more." in told.stderr
    assert [line.split()[0] for line in told.stdout.splitlines()] == ["3"]


def test_programs_are_told_of_lost_events_by_code(three: MemoryConductor, run: Run) -> None:
    three.events.forget(2)

    error = json.loads(run("events", "--since", "0", "--format", "json").stderr)["error"]

    assert (error["code"], error["details"]) == ("events.lost", {"first": 1, "last": 2, "next_since": 2})


def test_without_a_number_what_is_not_kept_is_not_missed(three: MemoryConductor, run: Run) -> None:
    three.events.forget(2)

    told = run("events")

    assert (told.exit_code, told.stderr) == (0, "")


def test_following_shows_what_happens_until_ctrl_c(three: MemoryConductor, run: Run, spawn: Spawn) -> None:
    process = spawn("events", "--follow", "--since", "2", "--format", "json")
    assert heard(process)["seq"] == 3
    run("node", "delete", "n3", "--yes")
    assert heard(process)["type"] == "node.delete.end"

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)

    assert (process.returncode, out) == (130, "")
    assert "Go on with `castiron events --follow --since 4`." in err
    assert "Traceback" not in err


def test_following_outlives_a_restart_and_says_so(house: House, three: MemoryConductor, run: Run, spawn: Spawn) -> None:
    process = spawn("events", "--follow", "--since", "2")
    assert process.stdout is not None
    assert process.stdout.readline().split()[0] == "3"
    assert house.door.stop(5.0)
    three.boot()
    again = House(house.endpoint, three)
    run("node", "delete", "n3", "--yes")

    assert process.stdout.readline().split()[0] == "4"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    again.door.stop(5.0)

    assert "Waiting for the conductor" in err
    assert "The conductor is back; events go on after number 3." in err


def test_a_reader_that_goes_away_ends_it_quietly(three: MemoryConductor, run: Run, spawn: Spawn) -> None:
    process = spawn("events", "--follow", "--since", "2", "--format", "json")
    assert heard(process)["seq"] == 3
    assert process.stdout is not None
    process.stdout.close()

    run("node", "delete", "n3", "--yes")
    until(lambda: process.poll() is not None)

    assert process.stderr is not None
    assert (process.returncode, process.stderr.read()) == (141, "")


def test_the_history_of_a_node_begins_with_the_latest(three: MemoryConductor, run: Run) -> None:
    assert run("node", "power", "on", "n2", "--wait").exit_code == 0

    told = run("node", "history", "n2")
    limited = run("node", "history", "n2", "--limit", "1", "--format", "json")

    head, *rows = told.stdout.splitlines()
    assert head.split() == ["NUMBER", "AT", "TYPE", "REQUEST", "DETAILS"]
    assert [row.split()[0] for row in rows] == ["3", "2", "1"]
    assert "node.power_set.end" in rows[0]
    assert [one["type"] for one in json.loads(limited.stdout)] == ["node.power_set.end"]


def test_the_history_of_a_node_that_is_not_is_refused(three: MemoryConductor, run: Run) -> None:
    assert run("node", "history", "n9").exit_code == 66


def test_details_say_what_failed_then_what_was_said_then_who_asked() -> None:
    payload = {
        "requester": "ipc",
        "to_power": "power on",
        "power_state": None,
        "error": {"code": "bmc.unreachable", "message": "long"},
    }

    assert details(payload) == "bmc.unreachable, to_power=power on, power_state=-, by ipc"
    assert details({}) == ""
    assert details({"changed": ["extra", "name"]}) == 'changed=["extra", "name"]'


MOVED = {
    "requester": "ipc:uid=1",
    "event": "deploy",
    "previous_provision_state": "available",
    "previous_target_provision_state": None,
    "provision_state": "deploying",
    "target_provision_state": "active",
}
STEPPED = {
    "requester": "ipc:uid=1",
    "provision_state": "cleaning",
    "interface": "management",
    "step": "check_bmc",
    "name": "management.check_bmc",
    "position": 2,
    "count": 5,
    "attempt": 1,
}


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (MOVED, "available -> deploying (deploy), to active, by ipc:uid=1"),
        (
            {**MOVED, "target_provision_state": None, "reason": "why"},
            "available -> deploying (deploy), reason=why, by ipc:uid=1",
        ),
        (
            {**MOVED, "event": "fail", "error": {"code": "step.failed"}},
            "step.failed, available -> deploying (fail), to active, by ipc:uid=1",
        ),
        (STEPPED, "management.check_bmc (2 of 5, cleaning), by ipc:uid=1"),
        (
            {**STEPPED, "attempt": 2, "result": {"power_state": "power on"}},
            'management.check_bmc (2 of 5, cleaning, attempt 2), result={"power_state": "power on"}, by ipc:uid=1',
        ),
        ({**STEPPED, "result": None}, "management.check_bmc (2 of 5, cleaning), by ipc:uid=1"),
        (
            {**STEPPED, "revert": True, "error": {"code": "step.timeout"}},
            "step.timeout, management.check_bmc (2 of 5, cleaning), revert=yes, by ipc:uid=1",
        ),
    ],
)
def test_moves_and_steps_are_told_as_people_say_them(payload: dict[str, Any], told: str) -> None:
    assert details(payload) == told
