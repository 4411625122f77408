"""Power and boot devices for many nodes: sent together, waited for together, told together."""

import json
import threading
import time
from collections.abc import Callable

import pytest
from click.testing import Result

from castiron.cli.output.progress import PLAIN_PACE_S
from castiron.transport.errors import BMCUnreachable
from tests.support.deadline import until
from tests.support.memory_conductor import MemoryConductor

Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("on", "power on"),
        ("power on", "power on"),
        ("off", "power off"),
        ("reboot", "power on"),
        ("rebooting", "power on"),
        ("soft-off", "power off"),
        ("soft power off", "power off"),
        ("soft-reboot", "power on"),
        ("soft rebooting", "power on"),
    ],
)
def test_a_range_reaches_its_state_and_equal_answers_are_one_line(
    run: Run, three: MemoryConductor, word: str, state: str
) -> None:
    result = run("node", "power", word, "n[1-3]", "--wait")

    assert result.stdout == f"n[1-3]: {state}\n"
    assert result.exit_code == 0
    assert {str(node.power_state) for node in three.nodes.values()} == {state}


def test_without_wait_the_command_ends_when_the_requests_are_accepted(run: Run, three: MemoryConductor) -> None:
    three.held |= {"n1", "n2"}

    assert run("node", "power", "on", "n[1-2]").stdout == "n[1-2]: accepted\n"
    assert run("node", "power", "on", "n3", "--power-timeout", "7").exit_code == 0

    requests = {request.node: request for request in three.requests.values()}
    assert requests["n1"].state == "accepted"
    assert requests["n3"].arguments["timeout_s"] == 7.0


def test_a_single_request_is_told_with_its_id(run: Run, three: MemoryConductor) -> None:
    result = run("node", "power", "on", "n1")

    (request,) = three.requests.values()
    assert f"castiron request wait {request.id}" in result.stdout


def test_failures_are_folded_by_kind_and_counted(run: Run, three: MemoryConductor) -> None:
    for number in (2, 3):
        three.faults[f"n{number}"] = BMCUnreachable(f"No answer from 127.0.0.{number}:623.")

    result = run("node", "power", "on", "n[1-3]", "--wait")

    assert result.stdout == "n1: power on\n"
    assert result.stderr.splitlines() == [
        "n[2-3]: bmc.unreachable (applied: unknown): No answer from 127.0.0.2:623. (n2; the others alike)",
        "castiron: 2 of 3 failed.",
    ]
    assert result.exit_code == 74


def test_json_has_an_outcome_for_each_node(run: Run, three: MemoryConductor) -> None:
    three.faults["n2"] = BMCUnreachable("No answer.")

    result = run("node", "power", "on", "n[1-2]", "--wait", "--format", "json")

    answer = json.loads(result.stdout)
    first, second = answer["nodes"]
    assert (first["node"], first["result"]["state"], first["error"]) == ("n1", "succeeded", None)
    assert (second["result"]["state"], second["error"]["code"]) == ("failed", "bmc.unreachable")
    assert answer["summary"] == {"total": 2, "ok": 1, "failed": 1, "not_sent": 0, "stopped": None}
    assert result.exit_code == 74


def test_one_unknown_name_refuses_the_whole_range_and_all_of_them_are_told(run: Run, three: MemoryConductor) -> None:
    result = run("node", "power", "on", "n[1-5],m1", "--wait")

    assert (result.exit_code, result.stdout) == (66, "")
    assert "m1,n[4-5]" in result.stderr
    assert three.requests == {}


def test_a_single_failure_reads_like_any_other_error(run: Run, three: MemoryConductor) -> None:
    three.faults["n1"] = BMCUnreachable("No answer from 127.0.0.1:623. Look at its cable.")

    result = run("node", "power", "on", "n1", "--wait")

    assert result.stderr == (
        "castiron: No answer from 127.0.0.1:623. Look at its cable. Whether it was done is not known.\n"
    )
    assert (result.stdout, result.exit_code) == ("", 74)


def test_a_wait_ends_with_its_event_and_not_with_its_time(run: Run, three: MemoryConductor) -> None:
    three.held |= {"n1", "n2", "n3"}
    results: list[Result] = []
    waiter = threading.Thread(target=lambda: results.append(run("node", "power", "on", "n[1-3]", "--wait")))
    began_at = time.monotonic()
    waiter.start()
    until(lambda: len(three.requests) == 3)

    for number in (1, 2, 3):
        three.let_go(f"n{number}")
    waiter.join(20)

    assert results[0].stdout == "n[1-3]: power on\n"
    assert time.monotonic() - began_at < PLAIN_PACE_S


def test_the_end_of_the_time_is_told_and_the_request_goes_on(run: Run, three: MemoryConductor) -> None:
    three.held.add("n1")

    result = run("node", "power", "on", "n[1-2]", "--wait", "--timeout", "0.3")

    assert result.stdout == "n2: power on\n"
    assert "n1: reply.timeout: It has not ended within 0.3 s." in result.stderr
    assert result.exit_code == 75
    assert [one.state for one in three.requests.values() if one.node == "n1"] == ["accepted"]


def test_the_state_on_record_is_folded_and_nothing_is_asked_of_a_machine(run: Run, three: MemoryConductor) -> None:
    assert run("node", "power", "on", "n2", "--wait").exit_code == 0

    result = run("node", "power", "status", "n[1-3]")

    assert result.stdout == "n[1,3]: power off\nn2: power on\n"
    assert len(three.requests) == 1


def test_hard_fallback_belongs_to_the_soft_commands(run: Run, three: MemoryConductor) -> None:
    assert run("node", "power", "on", "n1", "--hard-fallback").exit_code == 64
    assert run("node", "power", "soft-off", "n1", "--hard-fallback").exit_code == 0

    (request,) = three.requests.values()
    assert request.arguments["hard_fallback"] is True


def test_boot_devices_are_set_and_read_back(run: Run, three: MemoryConductor) -> None:
    assert run("node", "boot-device", "set", "n[1-2]", "pxe", "--persistent", "--uefi", "--wait").exit_code == 0

    assert run("node", "boot-device", "show", "n[1-3]").stdout == "n[1-2]: pxe\nn3: default\n"
    asked = [one.arguments for one in three.requests.values() if one.verb == "node.boot_device.set"]
    assert [(one["persistent"], one["uefi"]) for one in asked] == [(True, True)] * 2


def test_requests_are_listed_shown_and_waited_for(run: Run, three: MemoryConductor) -> None:
    three.held.add("n2")
    assert run("node", "power", "on", "n[1-2]").exit_code == 0
    ids = {request.node: request.id for request in three.requests.values()}
    assert run("request", "wait", ids["n1"]).stdout == "n1: succeeded, power on\n"

    listed = json.loads(run("request", "list", "--state", "accepted", "--format", "json").stdout)

    assert [request["id"] for request in listed] == [ids["n2"]]
    assert ids["n1"] in run("request", "list", "--node", "n1").stdout
    assert "result.power_state" in run("request", "show", ids["n1"]).stdout
    assert json.loads(run("request", "show", ids["n2"], "--format", "json").stdout)["state"] == "accepted"
    assert run("request", "wait", *ids.values(), "--timeout", "0.2").exit_code == 75
    three.let_go("n2")
    assert run("request", "wait", *ids.values()).stdout == "n[1-2]: succeeded, power on\n"
