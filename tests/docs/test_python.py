"""The examples in Python run as they stand, beside a real conductor.

What a page may take for granted is here and nowhere else: `castiron.connect()` finds a conductor with the nodes n1 to
n400, which are on, gpu1, which is available, and rack1-u07, which is active; `client` is a client of it, `farm` a farm
of BMCs. The examples of one page share their names.
"""

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from castiron.testing import BMCFarm, running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import PowerTarget
from tests.docs.examples import ROOT, Example, examples_of, pages

NODES = 400
EXAMPLES = [one for page in pages() for one in examples_of(page) if one.language == "python" and one.why_not is None]
TESTS = list({one.text: one for one in EXAMPLES if "def test_" in one.text}.values())  # one on two pages runs once
PAGES = sorted({one.page for one in EXAMPLES if "def test_" not in one.text})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, Any]]:
    """Give what a page may take for granted, by name."""
    with BMCFarm(bmcs=4) as farm, running_conductor() as conductor, conductor.client(timeout_s=30) as client:
        names = [client.nodes.create(f"n{number}", driver="fake").name for number in range(1, NODES + 1)]
        with client.nodes.bulk(NodePowerSet(node="-", target=PowerTarget.ON), names) as bulk:
            assert all(outcome.error is None for outcome in bulk)
        client.nodes.create("gpu1", driver="fake", resource_class="gpu", traits=["CUSTOM_NVLINK"])
        client.nodes.create("rack1-u07", driver="fake", traits=["CUSTOM_RESTART_BMC"])
        move(client, "gpu1", "manage", "provide")
        move(client, "rack1-u07", "manage", "provide", "deploy")
        yield {"client": client, "farm": farm, "endpoint": conductor.endpoint}


def move(client: Client, node: str, *targets: str) -> None:
    for target in targets:
        client.provision.set(node, target).wait(timeout_s=30).raise_for_error()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_as_it_stands(
    page: str, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    names = {"__name__": "example", "client": world["client"], "farm": world["farm"]}
    for example in (one for one in EXAMPLES if one.page == page and "def test_" not in one.text):
        with monkeypatch.context() as place:
            if "Conductor(" not in example.text:  # which would listen there
                place.setenv("CASTIRON_ENDPOINT", world["endpoint"])
            exec(compile(example.text, str(example), "exec"), names)


@pytest.mark.parametrize("example", TESTS, ids=str)
def test_a_test_passes(example: Example, tmp_path: Path) -> None:
    file = tmp_path / "test_example.py"
    file.write_text(example.text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "castiron.testing.plugin",
        "-p",
        "no:cacheprovider",
        str(file),
    ]

    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=50, check=False
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr
