"""Commands for many nodes: how they are asked, whether they are meant, and what is told of those not asked."""

import json
import os
from collections.abc import Callable

import pytest
from click.testing import Result

from castiron.transport.errors import BMCUnreachable
from castiron.transport.verbs import BulkRun
from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.terminal import everything, on_terminal, until_shown

Run = Callable[..., Result]


def bulks(conductor: MemoryConductor) -> list[BulkRun]:
    return [verb for verb in conductor.asked if isinstance(verb, BulkRun)]


def test_how_it_is_to_be_done_is_told_to_the_conductor(run: Run, three: MemoryConductor) -> None:
    words = ("--batch", "2", "--stagger", "0.01", "--per", "properties.rack=3", "--stop-after-failures", "9", "--wait")

    assert run("node", "power", "on", "n[1-3]", *words).stdout == "n[1-3]: power on\n"

    (asked,) = bulks(three)
    assert (asked.nodes, asked.batch, asked.stagger_s) == (["n[1-3]"], 2, 0.01)
    assert (asked.per, asked.per_limit, asked.stop_after_failures) == ("properties.rack", 3, 9)
    assert (asked.wait, asked.at_most) == (True, 100)
    assert asked.key is not None


@pytest.mark.parametrize("text", ["properties.rack=0", "properties.rack=x", "=2"])
def test_a_group_that_makes_no_sense_is_said(run: Run, three: MemoryConductor, text: str) -> None:
    result = run("node", "power", "on", "n[1-3]", "--per", text)

    assert result.exit_code == 64
    assert "is not FIELD or FIELD=N" in result.stderr


def test_after_too_many_failures_the_rest_is_told_as_not_started(run: Run, three: MemoryConductor) -> None:
    three.faults["n1"] = BMCUnreachable("No answer.")
    words = ("node", "power", "on", "n[1-3]", "--wait", "--batch", "1", "--stop-after-failures", "1")

    result = run(*words)

    assert (result.exit_code, result.stdout) == (74, ""), "for the failure, not for what followed from it"
    assert result.stderr.splitlines() == [
        "n1: bmc.unreachable (applied: unknown): No answer.",
        "n[2-3]: bulk.stopped (applied: no): It was not sent: as many have failed as may.",
        "castiron: 1 of 3 failed.",
        "castiron: 2 of 3 were not started.",
    ]

    three.faults["n1"] = BMCUnreachable("No answer.")
    answer = json.loads(run(*words, "--format", "json").stdout)
    assert [one["node"] for one in answer["nodes"]] == ["n1", "n2", "n3"]
    assert answer["summary"] == {
        "total": 3,
        "ok": 0,
        "failed": 1,
        "not_sent": 2,
        "stopped": "as many have failed as may",
    }


def test_without_a_terminal_more_machines_than_were_meant_are_refused(run: Run, three: MemoryConductor) -> None:
    result = run("node", "power", "off", "--where", "name~n*", "-m", "2")

    assert (result.exit_code, result.stdout, three.requests) == (64, "", {})
    assert "It would reach 3 machines, and above 2 somebody is asked first. Say --yes" in result.stderr


def test_whoever_says_yes_or_sets_the_number_higher_is_not_asked(
    run: Run, three: MemoryConductor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASTIRON_CONFIRM_ABOVE", "2")

    assert run("node", "power", "on", "n[1-3]").exit_code == 64
    assert run("node", "power", "on", "n[1-3]", "--wait", "--yes").exit_code == 0
    assert run("node", "power", "off", "n[1-3]", "--wait", "--confirm-above", "3").exit_code == 0
    assert run("node", "boot-device", "show", "n[1-3]").exit_code == 0, "nothing is changed"
    assert [asked.at_most for asked in bulks(three)] == [2, None, 3, None]


@pytest.mark.parametrize(("answer", "code", "count"), [(b"y\n", 0, 3), (b"n\n", 64, 0)])
def test_on_a_terminal_somebody_is_asked_and_gets_no_more_than_what_was_said(
    three: MemoryConductor, answer: bytes, code: int, count: int
) -> None:
    with on_terminal("node", "power", "on", "n[1-3]", "--wait", "-m", "1") as (process, terminal):
        until_shown(terminal, "This reaches 3 machines. Go on?")
        os.write(terminal, answer)
        everything(terminal)

    assert (process.wait(20), len(three.requests)) == (code, count)
    assert [asked.at_most for asked in bulks(three)] == [1, 3][: 2 if count else 1]


def test_one_node_with_a_condition_is_asked_only_if_it_holds(run: Run, three: MemoryConductor) -> None:
    result = run("node", "power", "on", "n1", "--where", "power_state=power on")

    assert result.exit_code == 66
    assert "There is no node of n1 of which power_state=power on holds." in result.stderr
