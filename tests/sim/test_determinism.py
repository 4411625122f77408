"""The same seed gives the same log, byte for byte, whatever the process; and what a trial calls its replay is one."""

import json
import os
import shlex
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from castiron.testing import Faults, Forgery, LongTail, Plan, simulate, try_plan
from castiron.transport.vocabulary import EventType

ROOT = Path(__file__).parents[2]
SIZE = ("--nodes", "12", "--days", "0.3", "--ipmi-nodes", "6")
PLANS = {
    "a week": Plan(
        seed=3,
        nodes=4,
        days=0.1,
        ipmi_nodes=2,
        check_interval_s=60,
        kill_mean_s=1800.5,
        faults={"n[1-2]": "silent=true", "n3": Faults(slow_s=LongTail(0.5, 8), forgeries=(Forgery.LATE,))},
    ),
    "a rollout": Plan(rollout=True, seed=8, nodes=20, ipmi_nodes=0, kills=2),
    "a rollout of another executor's": Plan(
        rollout=True,
        seed=8,
        nodes=10,
        ipmi_nodes=0,
        trouble_percent=15,
        orders_percent=40,
        kills=3,
        task_executor="taskflow",
        max_engines=7,
    ),
}


def run(command: str, log: Path, hash_seed: str) -> tuple[str, str]:
    """Type a command; return what it printed, and its log."""
    words = shlex.split(command)
    assert words[:2] == ["castiron", "simulate"]
    done = subprocess.run(
        [sys.executable, "-m", *words, "--events", str(log), "--format", "json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout, log.read_text()


@pytest.mark.timeout(300)
def test_two_processes_write_the_same_log(tmp_path: Path) -> None:
    command = shlex.join(["castiron", "simulate", "--seed", "11", *SIZE])
    printed, log = run(command, tmp_path / "first.jsonl", "0")
    printed_again, log_again = run(command, tmp_path / "again.jsonl", "random")

    assert log == log_again
    assert printed == printed_again
    report = json.loads(printed)
    assert report["events_sha256"] == sha256(log.encode()).hexdigest()
    assert len(log.splitlines()) == sum(report["events"].values()) > 30
    assert report["work"]["ipmi: logins"] > 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_replay_at_a_terminal_is_what_was_seen_here(plan: Plan, tmp_path: Path) -> None:
    trial = try_plan(plan)

    printed, log = run(trial.replay, tmp_path / "log.jsonl", "random")

    assert log == trial.log
    assert json.loads(printed) == json.loads(json.dumps(trial.report.as_dict()))
    assert len(log.splitlines()) > 15


def test_whoever_asks_by_seed_nodes_faults_and_days_has_a_verdict_a_log_and_a_replay() -> None:
    silent = simulate(seed=4, nodes=3, faults={"n2": "silent=true"}, days=0.1)
    again = simulate(4, 3, {"n2": Faults(silent=True)}, 0.1)
    other = simulate(seed=5, nodes=3, faults={"n2": "silent=true"}, days=0.1)

    silent.check()
    assert silent.held
    assert {verdict.name for verdict in silent.verdicts} >= {"I1", "I12", "noticed"}
    assert silent.log == again.log != other.log
    assert (silent.seed, silent.replay) == (
        4,
        "castiron simulate --seed 4 --nodes 3 --days 0.1 --ipmi-nodes 5 --faults n2 silent=true",
    )
    told = [json.loads(line) for line in silent.log.splitlines()]
    assert "n2" in {event["node"] for event in told if event["type"] == EventType.NODE_FAULT_SET}
