"""The client in JavaScript speaks to a real conductor: its own tests, and one that is killed under it."""

import fcntl
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from castiron.actors.conductor import Conductor
from castiron.testing import BMCFarm
from castiron.transport.clients.blocking.client import Client
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.keys.certificate import read_pair
from castiron.transport.session import Limits
from castiron.transport.vocabulary import Role
from tests.docs.examples import blocks_of
from tests.support.conductor_process import ConductorProcess
from tests.support.deadline import until
from tests.support.keyring import Keyring
from tests.support.memory_conductor import MemoryConductor
from tests.support.simulators import lacking, needs

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "javascript"
INSTALL_S = 50
RUN_S = 40


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the example with what it needs; tests that run side by side share one."""
    needs("node", "npm")
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "javascript"
    with Path(f"{shared}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "installed").exists():
            install(shared)
    return shared


def install(folder: Path) -> None:
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode != 0:
        lacking(f"npm cannot install zeromq and @msgpack/msgpack: {done.stderr[-300:]}")
    (folder / "installed").touch()


def run(example: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["node", *arguments],
        cwd=example,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )


def typed(example: Path, endpoint: str, *words: str) -> "subprocess.Popen[str]":
    """Start a command of the example's command line."""
    command = ["node", "castiron.js", *words]
    environment: Mapping[str, str] = {**os.environ, "CASTIRON_ENDPOINT": endpoint}
    return subprocess.Popen(
        command, cwd=example, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_what_it_needs_is_named_without_a_host() -> None:
    package = json.loads((EXAMPLE / "package.json").read_text(encoding="utf-8"))

    assert set(package["dependencies"]) == {"zeromq", "@msgpack/msgpack"}
    assert all(version[0].isdigit() for version in package["dependencies"].values())
    assert not (EXAMPLE / "package-lock.json").exists()


def test_golden_vectors(example: Path) -> None:
    done = run(example, "--test", "test/golden.test.js", PROTOCOL=str(ROOT / "transport" / "PROTOCOL.md"))

    assert done.returncode == 0, done.stdout


def test_a_conversation(example: Path, castiron_conductor: Conductor, bmc_farm: BMCFarm) -> None:
    done = run(example, "--test", "test/conversation.test.js", CASTIRON_ENDPOINT=castiron_conductor.endpoint)

    assert done.returncode == 0, done.stdout
    assert [bmc.power for bmc in bmc_farm] == ["power on", "power off", "power on"]


def test_the_program_in_its_readme_runs(example: Path, castiron_conductor: Conductor) -> None:
    (program,) = [one.text for one in blocks_of("examples/javascript/README.md") if one.language == "javascript"]
    shown = "ipc:///run/user/1000/castiron/conductor.ipc"
    assert shown in program
    (example / "program.js").write_text(program.replace(shown, castiron_conductor.endpoint), encoding="utf-8")
    done = run(example, "program.js")

    assert done.stdout.splitlines()[0] == "succeeded", done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == ["n1", "n1"]


def test_who_waits_longer_than_a_peer_may_be_silent_gives_signs_of_life(example: Path, tmp_path: Path) -> None:
    limits = Limits(heartbeat_interval_s=0.4, liveness=3)
    conductor = MemoryConductor(limits=limits)
    door = FrontDoor(f"ipc://{tmp_path}/door", conductor, now=time.monotonic, limits=limits)
    door.start()
    try:
        with Client(door.endpoint) as client:
            client.nodes.create("n1", driver="fake")
        conductor.held.add("n1")
        words = json.dumps({"node": "n1", "target": "power on", "replies": "final"})
        power = typed(example, door.endpoint, "ask", "node.power.set", words)
        until(lambda: door.counters()["in_flight"] == 1, timeout_s=20)
        pause = threading.Event()
        before = door.counters()["received"]
        pause.wait(2)  # and 1.2 s would be too long
        signs = door.counters()["received"] - before
        conductor.let_go("n1")
        told, _ = power.communicate(timeout=RUN_S)
    finally:
        assert door.stop(5.0)
        conductor.stop()
    assert json.loads(told.splitlines()[-1])["state"] == "succeeded"
    assert signs >= 4


def test_a_conductor_that_is_killed_costs_neither_an_answer_nor_an_event(example: Path, tmp_path: Path) -> None:
    store, endpoint = tmp_path / "castiron.db", f"ipc://{tmp_path}/c.ipc"
    off = "soft power off"
    with BMCFarm(bmcs=3) as farm:
        with ConductorProcess(store, endpoint) as conductor, conductor.client() as client:
            for number, bmc in enumerate(farm, start=1):
                client.nodes.create(f"n{number}", driver_info=bmc.driver_info)
                client.nodes.power(f"n{number}", "power on").wait(timeout_s=20).raise_for_error()
            known = client.nodes.snapshot(["n1", "n2", "n3"]).seq
            farm[0].soft_off_s = farm[1].soft_off_s = 2.0
            events = typed(example, endpoint, "events", "0", str(known + 6))
            ask = json.dumps({"node": "n1", "target": off, "replies": "final"})
            one = typed(example, endpoint, "ask", "node.power.set", ask)
            several = typed(example, endpoint, "power", off, "n[2-3]")
            farm[0].wait_for_controls(2, timeout_s=20)
            farm[1].wait_for_controls(2, timeout_s=20)
            assert several.stdout is not None
            assert json.loads(several.stdout.readline())["node"] == "n3"
            conductor.kill()
        with ConductorProcess(store, endpoint):
            told = [program.communicate(timeout=RUN_S) for program in (one, several, events)]
        assert [faults for _, faults in told] == ["", "", ""]
        lines = [[json.loads(line) for line in text.splitlines()] for text, _ in told]
        assert lines[0][-1]["state"] == "succeeded"
        assert [(line.get("node"), line.get("succeeded")) for line in lines[1]] == [("n2", None), (None, 2)]
        assert [event["seq"] for event in lines[2]] == list(range(1, known + 7))
        assert [len(bmc.controls) for bmc in farm] == [2, 2, 2]


@pytest.fixture
def guarded(tmp_path: Path) -> Generator[tuple[FrontDoor, Keyring]]:
    """A front door that takes keys, one of a reader and one of an admin, and a conductor with the node n1."""
    ring = Keyring(tmp_path)
    ring.allow("reader", Role.READER)
    ring.allow("admin")
    conductor = MemoryConductor()
    door = FrontDoor(
        "tcp://127.0.0.1:0",
        conductor,
        now=time.monotonic,
        publisher=conductor.events.publisher,
        guard=ring.guard(),
    )
    door.start()
    conductor.events_endpoint = door.events_endpoint
    try:
        with Client(door.endpoint, timeout_s=20, key=ring.secret("admin"), server_key=ring.public("server")) as client:
            client.nodes.create("n1", driver="fake")
        yield door, ring
    finally:
        assert door.stop(5.0)
        conductor.stop()


def test_it_speaks_with_keys_and_says_which_is_wrong(example: Path, guarded: tuple[FrontDoor, Keyring]) -> None:
    door, ring = guarded
    pair = read_pair(ring.secret("reader"))
    done = run(
        example,
        "--test",
        "test/keys.test.js",
        CASTIRON_ENDPOINT=door.endpoint,
        SERVER_KEY=ring.public("server"),
        PUBLIC_KEY=pair.public,
        SECRET_KEY=pair.secret.decode(),
    )

    assert done.returncode == 0, done.stdout
    assert "pass 4" in done.stdout


@pytest.mark.parametrize("is_file", [True, False])
def test_its_command_line_reads_the_files_of_keys(
    example: Path, guarded: tuple[FrontDoor, Keyring], *, is_file: bool
) -> None:
    door, ring = guarded
    public = str(ring.made("server").public_path) if is_file else ring.public("server")
    done = run(
        example,
        "castiron.js",
        "ask",
        "node.show",
        '{"node": "n1"}',
        CASTIRON_ENDPOINT=door.endpoint,
        CASTIRON_CLIENT_KEY=str(ring.secret("reader")),
        CASTIRON_SERVER_KEY=public,
    )

    assert json.loads(done.stdout)["name"] == "n1", done.stderr


def test_a_refusal_is_told_and_a_wrong_command_as_well(example: Path, castiron_conductor: Conductor) -> None:
    refused = typed(example, castiron_conductor.endpoint, "ask", "node.show", '{"node": "n9"}')
    assert json.loads(refused.communicate(timeout=RUN_S)[1])["code"] == "node.not_found"
    assert refused.returncode == 1
    wrong = typed(example, castiron_conductor.endpoint, "fly")
    wrong.communicate(timeout=RUN_S)
    assert wrong.returncode == 64
