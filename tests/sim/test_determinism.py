"""The same seed gives the same log, byte for byte, whatever the process; another seed another one."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIZE = ("--nodes", "20", "--days", "0.5", "--ipmi-nodes", "10")


def run(folder: Path, hash_seed: str, seed: int) -> tuple[str, bytes]:
    """Return what it printed, and its log."""
    log = folder / f"{seed}-{hash_seed}.jsonl"
    command = [sys.executable, "-m", "castiron", "simulate", "--seed", str(seed), *SIZE, "--events", str(log)]
    done = subprocess.run(
        [*command, "--format", "json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout, log.read_bytes()


@pytest.mark.timeout(300)
def test_two_processes_write_the_same_log(tmp_path: Path) -> None:
    printed, log = run(tmp_path, "0", 11)
    printed_again, log_again = run(tmp_path, "random", 11)

    assert log == log_again
    assert printed == printed_again
    report = json.loads(printed)
    assert report["events_sha256"] == sha256(log).hexdigest()
    assert len(log.splitlines()) == sum(report["events"].values()) > 50
    assert report["work"]["ipmi: logins"] > 50
    assert run(tmp_path, "0", 12)[1] != log
