"""The whole conductor speaks the protocol: the conformance suite, pointed at a real one."""

import subprocess
import sys
from pathlib import Path

import pytest

from castiron.actors.periodics.declaring import periodic
from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from tests.support.memory_telling import look

ROOT = Path(__file__).resolve().parents[2]
SUITES = ("test_conformance.py", "test_malformed.py", "test_golden.py", "test_published.py", "test_lists.py")
MINUTES_S = 180


@pytest.mark.timeout(MINUTES_S)
def test_a_whole_conductor_passes_the_conformance_suite(tmp_path: Path) -> None:
    suites = [str(ROOT / "tests" / "protocol" / suite) for suite in SUITES]
    # What a check finds on one node would be told between others' events; an unreachable BMC is given up soon.
    quiet = Settings(sync_power_state_interval_s=0.0, command_timeout_s=1.0)
    with running_conductor(
        store=tmp_path / "castiron.db", settings=quiet, periodics=[periodic(3_600.0)(look)]
    ) as conductor:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *suites,
            "--endpoint",
            conductor.endpoint,
        ]
        done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=MINUTES_S)

    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
