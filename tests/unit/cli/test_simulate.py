"""`castiron simulate`: what it prints, what it exits with, and the command that replays a failure."""

import json
from pathlib import Path
from types import MappingProxyType

import pytest
from click.testing import CliRunner

from castiron.cli.main import main
from castiron.cli.output.exits import Exit
from castiron.testing import Evidence
from castiron.testing.simulation import invariants
from castiron.testing.simulation.judges.homes import Hold

SMALL = ["simulate", "--seed", "5", "--nodes", "3", "--days", "0.02", "--ipmi-nodes", "1"]


def nothing_is_ever_told(evidence: Evidence, hold: Hold) -> None:
    hold(not evidence.events, "something was told")


def test_the_summary_names_the_seed_and_each_invariant() -> None:
    result = CliRunner().invoke(main, SMALL)

    assert result.exit_code == Exit.OK
    assert "seed" in result.stdout
    assert "castiron simulate --seed 5 --nodes 3 --days 0.02 --ipmi-nodes 1" in result.stdout
    assert all(f"{name} " in result.stdout for name in invariants.INVARIANTS)


def test_json_is_the_whole_report() -> None:
    result = CliRunner().invoke(main, [*SMALL, "--format", "json"])

    report = json.loads(result.stdout)
    assert report["held"] is True
    assert report["seed"] == 5
    assert report["events"]["node.create.end"] == 3


def test_a_seed_is_drawn_and_told_where_none_is_given() -> None:
    seeds = [
        json.loads(CliRunner().invoke(main, [*SMALL[:1], *SMALL[3:], "--format", "json"]).stdout)["seed"]
        for _ in range(2)
    ]

    assert seeds[0] != seeds[1]


def test_a_broken_invariant_is_a_failure_that_says_how_to_replay_it(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = MappingProxyType({"silence": ("nothing is ever told", nothing_is_ever_told)})
    monkeypatch.setattr(invariants, "INVARIANTS", silent)

    result = CliRunner().invoke(main, SMALL)

    assert result.exit_code == Exit.INTERNAL
    assert "silence: something was told" in result.stdout
    assert "Replay: castiron simulate --seed 5 --nodes 3 --days 0.02 --ipmi-nodes 1\n" in result.stderr


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*SMALL, "--events", str(tmp_path / "missing" / "log")])

    assert result.exit_code == Exit.MACHINE
    assert "cannot be written" in result.stderr
