"""Pruning on a disk without a byte left: nothing is lost, little is said, and it goes on once there is space."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support import pruning_process
from tests.support.conductor_process import ROOT
from tests.support.pruning_process import KEPT_EVENTS, NODES
from tests.support.small_disk import MOUNT


def test_pruning_waits_for_space_and_says_so_once(mount: Path) -> None:
    command = [*MOUNT, str(mount), sys.executable, "-m", pruning_process.__name__, str(mount / "castiron.db")]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)

    assert done.returncode == 0, done.stderr
    full, cleared = [json.loads(line) for line in done.stdout.splitlines()]
    assert (full["requests"], full["events_from"]) == (NODES, 1)
    assert [line.partition(" (")[0] for line in full["log"]] == [
        "the store cannot be written",
        "what is too old cannot be removed from the store",
    ]
    assert "full" in full["log"][1]
    assert cleared["requests"] == 0
    assert cleared["events_from"] > NODES - KEPT_EVENTS
    assert len(cleared["log"]) <= 3  # and that it works again, if it had been quiet for long enough
