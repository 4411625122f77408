"""Terms of requests as they are typed, taking requests back, and how what is special about a request is shown."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import click
import pytest
from click.testing import Result
from msgspec.structs import replace

from castiron.cli.nodes.nodetable import node_lines
from castiron.cli.terms import read_moment
from castiron.cli.waiting import goes_on
from castiron.transport.errors import BMCCredentials
from castiron.transport.replies import RequestSummary, RequestView
from castiron.transport.vocabulary import OnRestart, Policy, RequestState
from tests.support.memory_conductor import MemoryConductor

Run = Callable[..., Result]
NOW = 1_760_000_000.0
SOME_DAY = datetime(2026, 7, 1, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90", NOW + 90),
        ("90s", NOW + 90),
        ("5m", NOW + 300),
        ("2h", NOW + 7200),
        ("2026-07-01T18:00+00:00", SOME_DAY.timestamp()),
        ("2026-07-01 18:00:00Z", SOME_DAY.timestamp()),
        ("2026-07-01T18:00", SOME_DAY.replace(tzinfo=None).timestamp()),
    ],
)
def test_a_deadline_is_a_length_of_time_or_a_date(text: str, at: float) -> None:
    assert read_moment(text, NOW) == at


@pytest.mark.parametrize("text", ["soon", "0", "-5", "-5m", "2026-07-32", "inf", ""])
def test_what_is_no_deadline_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no moment"):
        read_moment(text, NOW)


WORDS = (
    "--policy",
    "after",
    "--hold",
    "--fresh",
    "--deadline",
    "1h",
    "--on-restart",
    "fail",
    "--request-key",
    "upgrade-7",
)


@pytest.mark.parametrize(
    "command",
    [
        ("power", "on", "n[1-2]"),
        ("power", "soft-reboot", "n[1-2]"),
        ("boot-device", "set", "n[1-2]", "pxe"),
        ("boot-device", "show", "n[1-2]"),
    ],
)
def test_every_command_that_makes_requests_takes_the_terms(
    run: Run, three: MemoryConductor, command: tuple[str, ...]
) -> None:
    began_at = time.time()

    assert run("node", *command, *WORDS).exit_code == 0

    for request in three.requests.values():
        assert (request.policy, request.hold, request.on_restart) == (Policy.AFTER, True, OnRestart.FAIL)
        assert request.deadline_at is not None
        assert began_at + 3600 <= request.deadline_at <= time.time() + 3600
    assert {request.key for request in three.requests.values()} == {
        f"upgrade-7/{node.uuid}" for node in three.nodes.values() if node.name != "n3"
    }


def test_without_options_the_terms_are_those_of_the_protocol(run: Run, three: MemoryConductor) -> None:
    assert run("node", "power", "on", "n1").exit_code == 0

    (request,) = three.requests.values()
    assert (request.policy, request.hold, request.deadline_at) == (Policy.STRICT, False, None)
    assert len(request.key or "") == 36


def test_a_key_that_is_given_belongs_to_the_node_however_many_there_are(run: Run, three: MemoryConductor) -> None:
    assert run("node", "power", "on", "n[1-3]", "--request-key", "monday-on", "--wait").exit_code == 0
    assert run("node", "power", "on", "n3", "--request-key", "monday-on", "--wait").exit_code == 0
    assert run("node", "power", "on", "--where", "name=n3", "--request-key", "monday-on", "--wait").exit_code == 0

    assert len(three.requests) == 3


def test_a_command_with_a_key_can_be_repeated(run: Run, three: MemoryConductor) -> None:
    once = run("node", "power", "reboot", "n[1-3]", "--request-key", "monday-reboot", "--wait")
    again = run("node", "power", "reboot", "n[1-3]", "--request-key", "monday-reboot", "--wait")
    other = run("node", "power", "off", "n3", "--request-key", "monday-reboot")

    assert once.stdout == again.stdout == "n[1-3]: power on\n"
    assert len(three.requests) == 3
    assert (other.exit_code, "Make a new key." in other.stderr) == (65, True)


@pytest.mark.parametrize(
    ("words", "exit_code", "told"),
    [
        (("--deadline", "soon"), 64, "'soon' is no moment"),
        (("--policy", "nice"), 64, "'nice' is not one of"),
        (("--on-restart", "maybe"), 64, "'maybe' is not one of"),
        (("--request-key", "a"), 65, "$.key"),
    ],
)
def test_wrong_terms_are_told(
    run: Run, three: MemoryConductor, words: tuple[str, ...], exit_code: int, told: str
) -> None:
    result = run("node", "power", "on", "n1", *words)

    assert (result.exit_code, told in result.stderr) == (exit_code, True), result.stderr
    assert not three.requests


def one_of_each(run: Run, three: MemoryConductor) -> tuple[str, str, str]:
    """Return the ids of a request that waits, one that runs, and one that has ended."""
    three.held.add("n1")
    three.slow.add("n2")
    assert run("node", "power", "on", "n[1-2]").exit_code == 0
    assert run("node", "power", "on", "n3", "--wait").exit_code == 0
    by_node = {request.node: request.id for request in three.requests.values()}
    return by_node["n1"], by_node["n2"], by_node["n3"]


def test_what_waits_is_cancelled_and_the_others_are_told_why_not(run: Run, three: MemoryConductor) -> None:
    waits, runs, ended = one_of_each(run, three)

    result = run("request", "cancel", waits, runs, ended)

    assert result.stdout == f"{waits}: n1: cancelled, request.cancelled\n"
    assert result.stderr.splitlines() == [
        f"{runs}: request.started: It has started. Abort it.",
        f"{ended}: request.ended: It has ended.",
        "castiron: 2 of 3 failed.",
    ]
    assert result.exit_code == 65
    assert [three.requests[id_].state for id_ in (waits, runs, ended)] == ["cancelled", "running", "succeeded"]


def test_what_runs_is_aborted_and_what_waits_cancelled(run: Run, three: MemoryConductor) -> None:
    waits, runs, _ = one_of_each(run, three)

    result = run("request", "abort", waits, runs, runs)

    assert result.stdout.splitlines() == [
        f"{waits}: n1: cancelled, request.cancelled",
        f"{runs}: n2: failed, request.aborted",
    ]
    assert (result.stderr, result.exit_code) == ("", 0)


def test_a_single_refusal_reads_like_any_other_error(run: Run, three: MemoryConductor) -> None:
    _, runs, _ = one_of_each(run, three)

    result = run("request", "cancel", runs)

    assert (result.stdout, result.stderr, result.exit_code) == ("", "castiron: It has started. Abort it.\n", 65)
    assert run("request", "cancel", "nonsense").exit_code == 66
    assert run("request", "abort").exit_code == 64


def test_what_others_want_needs_force(run: Run, three: MemoryConductor) -> None:
    waits, runs, _ = one_of_each(run, three)
    for id_ in (waits, runs):
        three.requests[id_] = replace(three.requests[id_], requesters=["ipc:uid=4711"])

    refused = [run("request", word, id_) for word in ("cancel", "abort") for id_ in (waits, runs)]
    forced = run("request", "abort", "--force", waits, runs)

    assert [one.exit_code for one in refused] == [77, 65, 77, 77]
    assert forced.exit_code == 0


def test_taking_back_has_its_outcomes_in_json(run: Run, three: MemoryConductor) -> None:
    waits, runs, _ = one_of_each(run, three)

    result = run("request", "cancel", waits, runs, "--format", "json")

    first, second = json.loads(result.stdout)
    assert (first["request"], first["result"]["state"], first["error"]) == (waits, "cancelled", None)
    assert (second["request"], second["result"], second["error"]["code"]) == (runs, None, "request.started")


def test_a_request_is_shown_with_its_terms_and_its_place_in_line(run: Run, three: MemoryConductor) -> None:
    three.slow.add("n1")
    assert run("node", "power", "on", "n1").exit_code == 0
    assert run("node", "power", "off", "n1", "--policy", "after", "--deadline", "1h", "--hold").exit_code == 0
    runs, waits = three.requests

    shown = dict(line.split(None, 1) for line in run("request", "show", waits).stdout.splitlines())
    listed = run("request", "list", "--node", "n1").stdout.splitlines()

    assert (shown["position"], shown["depends_on"], shown["policy"], shown["hold"]) == ("2", runs, "after", "yes")
    assert "(in 5" in shown["deadline_at"]
    assert shown["requesters"].startswith("ipc:uid=")
    assert shown["merged"] == "0"
    assert listed[1].endswith("number 2 in line")


def test_a_node_shows_what_is_special_about_its_requests(run: Run, three: MemoryConductor) -> None:
    (node, *_) = three.nodes.values()
    plain = RequestSummary(
        id="r1", verb="node.power.set", requester="ipc:uid=1", state=RequestState.RUNNING, accepted_at=NOW - 5
    )
    waits = replace(
        plain,
        id="r2",
        state=RequestState.QUEUED,
        position=1,
        depends_on="r1",
        hold=True,
        deadline_at=NOW + 600,
        requesters=["ipc:uid=1", "ipc:uid=2"],
    )

    lines = node_lines(replace(node, active_request=plain, queued_requests=[waits]), NOW)

    assert lines["active_request"] == "r1 node.power.set (running) accepted 5 s ago from ipc:uid=1"
    assert lines["queued_requests"] == (
        "r2 node.power.set (queued) accepted 5 s ago from ipc:uid=1, number 1 in line, after r1, "
        "held while in maintenance, expires in 10 min, wanted by 2"
    )


def view(id_: str, state: RequestState) -> RequestView:
    return RequestView(
        id=id_, node="n1", node_uuid="u1", verb="v", arguments={}, requester="r", state=state, accepted_at=NOW
    )


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([], "All requests had ended."),
        ([RequestState.QUEUED], "`castiron request abort r0`"),
        ([RequestState.RUNNING], "`castiron request abort r0`"),
        ([RequestState.RUNNING, RequestState.QUEUED], "`castiron request abort r0 r1`"),
        ([RequestState.QUEUED] * 9, "`castiron request cancel ID...`"),
    ],
)
def test_ctrl_c_says_how_to_end_what_goes_on(states: list[RequestState], told: str) -> None:
    assert told in goes_on([view(f"r{number}", state) for number, state in enumerate(states)])


def test_fresh_looks_first_and_again_is_another_request(run: Run, three: MemoryConductor) -> None:
    three.looks["n1"] = BMCCredentials("Refused.")
    three.slow.add("n2")
    assert run("node", "power", "on", "n2").exit_code == 0

    assert run("node", "power", "on", "n1", "--fresh").exit_code == 77
    assert "joined an equal request" in run("node", "power", "on", "n2").stdout
    assert run("node", "power", "on", "n2", "--again").exit_code == 75
