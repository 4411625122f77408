"""`castiron simulate`: what it prints, what it exits with, and the command that replays a failure."""

import json
import shlex
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import pytest
from click.testing import CliRunner

from castiron.cli.commands.simulate import simulate
from castiron.cli.main import main
from castiron.cli.output.exits import Exit
from castiron.testing import Evidence, Plan, try_plan
from castiron.testing.simulation import invariants
from castiron.testing.simulation.judges.homes import Hold
from castiron.testing.simulation.plan import SETTABLE

SMALL = ["simulate", "--seed", "5", "--nodes", "3", "--days", "0.02", "--ipmi-nodes", "1"]


def no_button_is_pressed(evidence: Evidence, hold: Hold) -> None:
    """Never true for long: so that there is a failure of which each seed has one of its own."""
    for machine in evidence.machines:
        for power in machine.powers:
            hold(not power.by_hand, f"{machine.name} was switched to {power.state} at {power.at!r}")


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


def test_the_command_that_a_failure_names_fails_the_same_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calm = MappingProxyType({"calm": ("no button is pressed", no_button_is_pressed)})
    monkeypatch.setattr(invariants, "INVARIANTS", calm)
    plan = Plan(seed=9, nodes=3, days=0.05, faults={"n1": "slow=0.5"}, press_mean_s=900, task_executor="taskflow")
    trial = try_plan(plan)
    with pytest.raises(AssertionError, match="was switched to") as failure:
        trial.check()

    *_, replay = str(failure.value).splitlines()
    command = shlex.split(replay.removeprefix("Replay: castiron "))
    result = CliRunner().invoke(main, [*command, "--events", str(tmp_path / "log")])

    assert result.exit_code == Exit.INTERNAL
    assert "--task-executor taskflow --faults n1 slow=0.5 --set press_mean_s=900.0" in replay
    assert replay in result.stderr
    assert (tmp_path / "log").read_text() == trial.log
    violations = [f"calm: {case}" for verdict in trial.broken for case in verdict.violations]
    assert violations
    assert [line for line in result.stdout.splitlines() if line.startswith("calm:")] == violations


def test_every_number_of_a_plan_can_be_given_and_is_replayed() -> None:
    usual = Plan()
    others = {name: getattr(usual, name) + 1 for name in SETTABLE}
    plan = Plan(**others)

    words = shlex.split(plan.command)

    assert dict(Plan.read_number(text) for word, text in pairwise(words) if word == "--set") == others
    taken = {option.name for option in simulate.params} | set(SETTABLE)
    assert {one.name for one in fields(Plan)} <= taken, "what has no option cannot be replayed"
    defaults = {option.name: option.default for option in simulate.params}
    assert (defaults["nodes"], defaults["days"]) == (usual.nodes, usual.days)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--set", "kill_s=1"], "has no number 'kill_s'; it has dead_percent, "),
        (["--set", "kill_mean_s=often"], "'often' is not a number"),
        (["--set", "kill_mean_s=0"], "kill_mean_s is a length of time above 0"),
        (["--set", "dead_percent=101"], "dead_percent is no percentage"),
        (["--set", "kills=nan"], "'nan' is not a number"),
        (["--faults", "n4", "silent=true"], "names n4, and the nodes are n1 to n3"),
        (["--faults", "n[1-", "silent=true"], "'n[1-'"),
        (["--faults", "n1", "silnet=true"], "Did you mean silent?"),
        (["--faults", "n1", "silent"], "takes words as 'silent=true loss=5'"),
        (["--rollout", "--faults", "n1", "silent=true"], "takes no faults"),
    ],
)
def test_what_makes_no_simulation_is_told(words: list[str], says: str) -> None:
    result = CliRunner().invoke(main, [*SMALL, *words])

    assert result.exit_code == Exit.USAGE
    assert says in " ".join(result.stderr.split())


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*SMALL, "--events", str(tmp_path / "missing" / "log")])

    assert result.exit_code == Exit.MACHINE
    assert "cannot be written" in result.stderr
