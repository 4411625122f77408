"""What must survive a power cut survives kill -9; a full disk is survived by the process.

Real processes, real files: each test starts a program of tests/support/store_process.py and does to it what happens to
programs.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from castiron.store.errors import StoreUnusable
from castiron.store.secrets import KeyFile
from castiron.store.sql.migrations import STEPS
from castiron.store.store import Store
from castiron.transport.vocabulary import EventSeq
from tests.support import store_process
from tests.support.store_process import EVENTS, NODES, nth_change
from tests.support.store_records import PASSWORD, counting_ids, creation, node_uuid, plain_node

ROOT = Path(__file__).resolve().parents[2]
MAX_KILLS = 20

Run = Callable[[Callable[[Path], None], Path], subprocess.Popen[str]]


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a program in one of its roles; what still runs at the end of the test is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(role: Callable[[Path], None], path: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", store_process.__name__, role.__name__, str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def read(process: subprocess.Popen[str], count: int) -> list[dict[str, Any]]:
    """Return the next things that the program says; pytest's own time limit is the deadline."""
    assert process.stdout is not None
    return [json.loads(process.stdout.readline()) for _ in range(count)]


def kill(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Kill -9, and return what was said and not yet read. A last line that was cut short was not said."""
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    rest = process.stdout.read()  # through the buffer that `read` has filled; communicate would pass it by
    assert process.wait() == -signal.SIGKILL
    return [json.loads(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.parametrize("after", [1, 50, 400])
def test_what_was_said_to_be_committed_is_there_after_kill_9(tmp_path: Path, run: Run, after: int) -> None:
    path = tmp_path / "castiron.db"
    process = run(store_process.commit_for_ever, path)
    said = read(process, after)
    said += kill(process)

    store = Store.open(path, key_path=None, new_id=counting_ids())

    on_disk = store.latest_seq() // EVENTS
    assert [fact["number"] for fact in said] == list(range(len(said)))
    assert [fact["seq"] for fact in said] == [EVENTS * (fact["number"] + 1) for fact in said]
    assert on_disk >= len(said)
    expected = [nth_change(number) for number in range(on_disk)]
    latest = {change.node.record.uuid: change.node.record for change in expected if change.node is not None}
    assert {node.uuid: node for node in store.nodes()} == latest, "each change whole, none but the first ones"
    assert {request.id: request for request in store.requests(limit=1_000_000)} == {
        request.id: request for change in expected for request in change.requests
    }
    events = store.events(since=EventSeq(0), limit=1_000_000)
    assert [event.seq for event in events] == list(range(1, EVENTS * on_disk + 1))
    for which in range(NODES):
        own = [event.node_seq for event in events if event.draft.node_uuid == node_uuid(which)]
        assert own == list(range(1, len(own) + 1))
    store.close()


def test_a_store_goes_on_where_it_was_killed(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "castiron.db"
    process = run(store_process.commit_for_ever, path)
    read(process, 20)
    kill(process)

    store = Store.open(path, key_path=None, new_id=counting_ids())
    before = store.latest_seq()
    store.committer.commit([creation(plain_node(100)), creation(plain_node(101))])

    assert [event.seq for event in store.events(since=before, limit=9)] == [before + 1, before + 2]
    store.close()


def test_a_process_that_is_killed_while_it_makes_stores_leaves_none_half_made(tmp_path: Path, run: Run) -> None:
    process = run(store_process.make_for_ever, tmp_path)
    said = read(process, 12) + kill(process)

    for number in range(len(said) + 2):
        store = Store.open(tmp_path / f"{number}.db", key_path=None, new_id=counting_ids())
        assert store.schema_version == STEPS[-1].version
        assert store.nodes() == []
        store.close()


def test_a_store_is_held_against_another_process_until_kill_9(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "castiron.db"
    holder = run(store_process.hold, path)
    read(holder, 1)

    with pytest.raises(StoreUnusable, match=f"{path} is in use by process {holder.pid}"):
        Store.open(path, key_path=None, new_id=counting_ids())
    kill(holder)

    Store.open(path, key_path=None, new_id=counting_ids()).close()


def test_another_process_is_told_that_we_hold_it_and_gets_it_afterwards(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "castiron.db"
    store = Store.open(path, key_path=None, new_id=counting_ids())
    (refused,) = read(run(store_process.try_to_open, path), 1)
    store.close()
    (opened,) = read(run(store_process.try_to_open, path), 1)

    assert refused["error"] == "StoreUnusable"
    assert "is in use by process" in refused["message"]
    assert opened == {"opened": True}


def test_a_rotation_that_is_killed_leaves_a_store_that_can_be_read(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "castiron.db"
    changes = [nth_change(number) for number in range(300)]
    store = Store.open(path, key_path=None, new_id=counting_ids())
    store.committer.commit(changes)
    before = store.nodes(), store.requests(limit=1000)
    store.close()
    key_file = KeyFile(tmp_path / "castiron.db.key")
    key_counts: list[int] = []

    while 2 not in key_counts and len(key_counts) < MAX_KILLS:
        process = run(store_process.rotate_for_ever, path)
        read(process, 1)
        while len(key_file.read()) == 1 and process.poll() is None:
            pass  # a rotation is in its midst while its file holds two keys
        kill(process)
        key_counts.append(len(key_file.read()))
        store = Store.open(path, key_path=None, new_id=counting_ids())
        assert (store.nodes(), store.requests(limit=1000)) == before
        store.close()

    assert 2 in key_counts, "none of the kills came in the midst of a rotation"
    assert all(PASSWORD.encode() not in item.read_bytes() for item in tmp_path.iterdir())


def test_a_full_disk_is_told_survived_and_left_behind(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "castiron.db"

    out, _ = run(store_process.run_out_of_space, path).communicate()

    said = [json.loads(line) for line in out.splitlines()]
    kinds = [fact["kind"] for fact in said if "kind" in fact]
    full = kinds.index("StoreUnwritable")
    (meanwhile,) = [fact for fact in said if "readable" in fact]
    refusal = said[full]
    assert kinds == ["Commit"] * full + ["StoreUnwritable"] * 4 + ["Commit"] * 6
    assert full > 0
    assert refusal["state"] == refusal["message"]
    assert str(path) in refusal["message"]
    assert "disk" in refusal["message"]
    assert len(meanwhile["readable"]) == full
    assert meanwhile["alive"]
    assert said[-1]["state"] == "ok"
    store = Store.open(path, key_path=None, new_id=counting_ids())
    assert len(store.nodes()) == full + 6
    assert [event.seq for event in store.events(since=EventSeq(0), limit=1000)] == list(range(1, full + 7))
    store.close()
