"""Pykka's own published tests pass on the dispatched actor.

They come from the source distribution of the very version that is installed, and run in a process of their own, their
files untouched but for one line at the end of their conftest, which swaps the actor class, the future and the pool.
"""

import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.simulators import lacking

ROOT = Path(__file__).resolve().parents[2]
SUITE_TESTS_AT_LEAST = 130

DOES_NOT_APPLY = {
    "tests/test_threading_actor.py::test_actor_thread_is_named_after_pykka_actor_class": (
        "about ThreadingActor: a thread for each actor, with its name"
    ),
    "tests/test_threading_actor.py::test_actor_thread_is_not_daemonic_by_default": (
        "about ThreadingActor: a thread for each actor; ours are always daemons, so a hang cannot hold the process"
    ),
    "tests/test_threading_actor.py::test_actor_thread_is_daemonic_if_use_daemon_thread_flag_is_set": (
        "about ThreadingActor: a thread for each actor"
    ),
    "tests/test_actor.py::test_all_actors_are_stopped_on_base_exception": (
        "ours differs on purpose: a BaseException ends the actor that raised it as a failure, and nobody else"
    ),
    "tests/test_logging.py::test_base_exception_is_logged": (
        "ours differs on purpose: it is logged as a failure, not as 'Stopping all actors.'"
    ),
}
"""The tests of Pykka's that are left out, each with its reason."""


@pytest.fixture
def pykka_source(pytestconfig: pytest.Config, tmp_path: Path) -> Path:
    name = f"pykka-{version('pykka')}"
    archive = pytestconfig.cache.mkdir("pykka") / f"{name}.tar.gz"
    if not archive.exists():
        download(name.replace("-", "=="), archive.parent)
    with tarfile.open(archive) as opened:
        if hasattr(tarfile, "data_filter"):  # Debian 12's Python 3.11.2 is older than it
            opened.extraction_filter = tarfile.data_filter
        opened.extractall(tmp_path)
    with (tmp_path / name / "tests" / "conftest.py").open("a") as conftest:
        conftest.write("\nfrom pykka_runtime import mocker, runtime\n")
    return tmp_path / name


def download(requirement: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(folder), requirement]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    if outcome.returncode:
        reason = f"Pykka's tests could not be fetched from the package index: {outcome.stderr[-500:]}"
        lacking(reason)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pykkas_own_suite_passes_on_the_dispatched_actor(pykka_source: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    left_out = [argument for test in DOES_NOT_APPLY for argument in ("--deselect", test)]
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider"]
    search = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])

    outcome = subprocess.run(
        [*command, f"--junitxml={report}", *left_out, "tests"],
        cwd=pykka_source,
        env={**os.environ, "PYTHONPATH": search, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert outcome.returncode == 0, outcome.stdout[-5_000:] + outcome.stderr[-2_000:]
    suite = ET.parse(report).getroot().find("testsuite")
    assert suite is not None
    assert int(suite.attrib["tests"]) >= SUITE_TESTS_AT_LEAST
    assert suite.attrib["skipped"] == "0"
    assert f"{len(DOES_NOT_APPLY)} deselected" in outcome.stdout
