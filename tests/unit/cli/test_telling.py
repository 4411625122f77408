"""What the command line tells of requests and nodes: traces, explanations, records, forecasts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from castiron.transport.verbs import BulkRun
from tests.support.memory_conductor import MemoryConductor

Run = Callable[..., Result]


def accepted(run: Run, *words: str) -> str:
    printed = json.loads(run("node", "power", "on", "n1", "--format", "json", *words).stdout)
    (request,) = printed["nodes"]
    return str(request["result"]["id"])


def test_a_trace_is_a_table_of_what_happened(run: Run, three: MemoryConductor) -> None:
    request = accepted(run)

    lines = run("request", "trace", request).stdout.splitlines()
    assert lines[0].split() == ["AT", "TOOK", "WHAT", "TIMES", "DETAILS"]
    assert "accepted" in lines[1]
    assert "1.500 s  exchange  3" in lines[2]
    assert lines[2].endswith("asked=read power state, answer=power off")
    printed = json.loads(run("request", "trace", request, "--format", "json").stdout)
    assert [entry["word"] for entry in printed["entries"]] == ["accepted", "exchange"]


def test_an_explanation_is_sentences(run: Run, three: MemoryConductor) -> None:
    assert run("node", "explain", "n1").stdout.startswith("Nothing is in its way. (")
    printed = json.loads(run("node", "explain", "n1", "--format", "json").stdout)
    assert printed["findings"][0]["code"] == "node.idle"


def test_a_record_is_written_as_lines_of_json(run: Run, three: MemoryConductor, tmp_path: Path) -> None:
    request = accepted(run)
    target = tmp_path / "n1.jsonl"

    told = run("node", "record", "n1", "-o", str(target))
    header, *rest = [json.loads(line) for line in target.read_text().splitlines()]
    assert (told.exit_code, told.stdout) == (0, "")
    assert (header["kind"], header["format"], header["node"]["name"]) == ("header", "castiron node record 1", "n1")
    assert [line["id"] for line in rest] == [request]
    assert json.loads(run("node", "record", "n1", "-o", "-").stdout.splitlines()[1])["id"] == request
    assert run("node", "record", "n1", "-o", str(tmp_path / "no" / "where")).exit_code == 73


@pytest.mark.parametrize(
    "words",
    [
        ("node", "power", "on", "n1", "--wait"),
        ("node", "boot-device", "set", "n1", "pxe"),
        ("node", "maintenance", "set", "n1"),
        ("node", "maintenance", "unset", "n1"),
        ("node", "set", "n1", "--extra", "rack=1"),
        ("node", "delete", "n1"),
        ("node", "create", "n9"),
    ],
    ids=" ".join,
)
def test_a_dry_run_says_what_would_happen_and_asks_for_nothing_else(
    run: Run, three: MemoryConductor, words: tuple[str, ...]
) -> None:
    three.asked.clear()

    told = run(*words, "--dry-run")

    assert told.exit_code == 0, told.output
    assert ": It would " in told.stdout
    assert all(getattr(verb, "dry_run", True) for verb in three.asked)
    assert len(three.nodes) == 3


def test_a_dry_run_of_many_nodes_is_folded(run: Run, three: MemoryConductor, tmp_path: Path) -> None:
    nodes = tmp_path / "nodes.json"
    nodes.write_text('[{"name": "m1"}, {"name": "m2"}]')

    assert run("node", "create", "-f", str(nodes), "--dry-run").stdout == "m[1-2]: It would create.\n"
    assert run("node", "power", "off", "n[1-3]", "--dry-run").stdout.startswith("n[1-3]: It would ")
    paced = run("node", "power", "off", "n[1-3]", "--dry-run", "--batch", "1").stdout.splitlines()
    assert paced[0].startswith("n1: It would ")
    assert paced[1].startswith("n[2-3]: Once others of the bulk have ended: it would ")
    assert [verb.dry_run for verb in three.asked if isinstance(verb, BulkRun)] == [True, True]
    assert not three.requests


def test_a_list_says_what_is_wanted(run: Run, three: MemoryConductor) -> None:
    run(
        "request", "list", "--error", "bmc.busy", "--verb", "node.power.set", "--requester", "ipc:uid=7", "--node", "n1"
    )
    (asked,) = [verb for verb in three.asked if type(verb).__name__ == "RequestList"]

    assert (asked.error, asked.of_verb, asked.requester, asked.node) == (  # type: ignore[union-attr]  # it is one
        "bmc.busy",
        "node.power.set",
        "ipc:uid=7",
        "n1",
    )


@pytest.mark.parametrize(
    ("text", "at"), [("1700000000", 1_700_000_000.0), ("2023-11-14T22:13:20+00:00", 1_700_000_000.0)]
)
def test_moments_are_dates_or_seconds(run: Run, three: MemoryConductor, text: str, at: float) -> None:
    run("request", "list", "--ended-since", text, "--accepted-until", "2h")
    (asked,) = [verb for verb in three.asked if type(verb).__name__ == "RequestList"]

    assert asked.ended_since == at  # type: ignore[union-attr]  # it is one
    assert asked.accepted_until > 1_700_000_000.0  # type: ignore[union-attr,operator]


def test_what_is_no_moment_is_told(run: Run, three: MemoryConductor) -> None:
    refused = run("request", "list", "--ended-since", "yesterday")

    assert refused.exit_code == 64
    assert "'yesterday' is no moment" in refused.stderr
