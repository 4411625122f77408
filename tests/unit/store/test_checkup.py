"""Checks find what is broken, backups refuse places where they would do harm, and neither changes a byte."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from castiron.actors.core.machines.actions import EVENTS
from castiron.store import checkup
from castiron.store.backup import back_up
from castiron.store.checkup import RULES, check, describe
from castiron.store.errors import SecretsUnreadable, StoreUnusable, StoreUnwritable
from castiron.store.sql.migrations import STEPS
from castiron.store.store import Store
from castiron.store.writer import InlineWriter
from castiron.transport.vocabulary import EventType, Instant, PowerState, RequestState
from tests.support.store_records import counting_ids, creation, event_of, plain_node, plain_request, successor, update


def filled(path: Path) -> Store:
    """A store with a request that has ended on n1, and one that runs on n2."""
    store = Store.open(path, key_path=None, new_id=counting_ids())
    writer = InlineWriter(store.committer)
    for number, state in ((1, RequestState.SUCCEEDED), (2, RequestState.RUNNING)):
        node = plain_node(number)
        writer.submit(creation(node), lambda _: None)
        request = plain_request(number, node_uuid=node.uuid, state=state, started_at=Instant(4000.0))
        ended = state is RequestState.SUCCEEDED
        types = (EventType.POWER_SET_START, EventType.POWER_SET_END)[: 2 if ended else 1]
        told = tuple(replace(event_of(node, type_), request_id=request.id) for type_ in types)
        target = None if ended else PowerState.ON
        after = replace(successor(node, events=len(types)), target_power_state=target)
        after = replace(after, node_seq=type(after.node_seq)(1 + len(types)))
        writer.submit(replace(update(after, request), events=told), lambda _: None)
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "castiron.db"
    filled(path).close()
    return path


def test_a_store_is_sound_whether_or_not_it_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "castiron.db"
    store = filled(path)

    in_use = check(path, None)
    assert describe(path)["in_use"] is True
    store.close()

    assert in_use == check(path, None)
    assert in_use.findings == []
    assert in_use.secrets_read == 3  # two nodes, one open request
    assert describe(path)["in_use"] is False


@pytest.mark.parametrize("version", [1, 2, 3])
def test_of_a_store_that_an_older_castiron_wrote_the_file_is_checked(tmp_path: Path, version: int) -> None:
    path = tmp_path / "old.db"
    Store.open(path, key_path=None, new_id=counting_ids(), steps=STEPS[:version]).close()

    told = check(path, None)

    assert (told.findings, told.secrets_read, told.older_version) == ([], None, version)
    described = describe(path)
    assert (described["schema_version"], described["nodes"], described["open_requests"]) == (version, 0, 0)
    Store.open(path, key_path=None, new_id=counting_ids()).close()
    assert check(path, None).older_version is None
    assert describe(path)["allocations"] == 0


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DELETE FROM events WHERE seq = 2", "the numbers of events have a hole between 1 and 5"),
        ("UPDATE nodes SET node_seq = 9 WHERE name = 'n1'", "node n1 counts 9 events, and its latest has number 3"),
        ("DELETE FROM nodes WHERE name = 'n2'", "has not ended, and its node n1 is not known"),
        ("UPDATE requests SET state = 'running', node_uuid = (SELECT uuid FROM nodes WHERE name = 'n2')", "2 requests"),
        ("UPDATE nodes SET target_power_state = 'power on'", "node n1 is on its way to power on, and no request runs"),
        ("UPDATE events SET type = 'node.power_set.start' WHERE seq = 3", "was told to start 2 times"),
        ("UPDATE events SET request_id = NULL WHERE seq = 3", "has ended, and its end was not told"),
        ("UPDATE requests SET state = 'running'", "has not ended, and its end was told"),
        ("UPDATE events SET request_id = NULL WHERE seq = 5", "runs, and its start was not told"),
        ("UPDATE nodes SET driver_secrets = (SELECT max(driver_secrets) FROM nodes)", "secret"),
    ],
)
def test_what_is_broken_is_found(path: Path, damage: str, told: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(damage).rowcount

    assert any(told in finding for finding in check(path, None).findings), check(path, None).findings


def test_each_rule_is_broken_by_a_test_above() -> None:
    assert len(RULES) == 9


def test_the_verbs_that_tell_their_start_are_those_of_the_actors() -> None:
    assert all(f"('{verb}')" in checkup._WITH for verb in EVENTS)


@pytest.mark.parametrize("page", [2, 3, 5, 8])
def test_a_damaged_file_is_told(path: Path, page: int) -> None:
    content = bytearray(path.read_bytes())
    content[4096 * page : 4096 * (page + 1)] = b"\xa5" * 4096
    path.write_bytes(content)

    result = check(path, None)

    assert result.findings
    assert result.secrets_read is None
    with pytest.raises(StoreUnusable, match=r"damaged|cannot be used"):
        back_up(path, path.with_name("copy"))
    assert not path.with_name("copy").exists()


def test_a_key_of_another_store_is_told(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    filled(other).close()
    copy = back_up(path, tmp_path / "copy").path

    assert check(copy, None).secrets_read is None
    with pytest.raises(SecretsUnreadable):
        check(copy, tmp_path / "missing.key")
    shutil.copy(tmp_path / "castiron.db.key", tmp_path / "copy.key")
    assert check(copy, None).secrets_read == 3


def test_a_backup_is_described_as_its_store_is(path: Path, tmp_path: Path) -> None:
    copied = back_up(path, tmp_path / "copy")

    told = describe(copied.path)
    assert told == describe(path) | {"path": str(copied.path)} | {"size_bytes": copied.size_bytes}
    assert (told["nodes"], told["requests"], told["open_requests"], told["latest_seq"]) == (2, 2, 1, 5)
    assert copied.path.read_bytes()[18:20] == b"\1\1", "one file, no log beside it"


def test_checking_and_describing_change_no_byte(path: Path, tmp_path: Path) -> None:
    copy = back_up(path, tmp_path / "copy").path
    content = copy.read_bytes()

    check(copy, None)
    describe(copy)

    assert copy.read_bytes() == content
    assert sorted(one.name for one in tmp_path.glob("copy*")) == ["copy"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("missing/copy", "there is no folder"),
        ("folder", "is a folder"),
        ("castiron.db", "is the store itself"),
        ("link", "is the store itself"),
        ("castiron.db.key", "is not a castiron store"),
        ("notes.txt", "is not a castiron store"),
        ("stale", "stale-wal exists"),
        ("used", "is in use by process"),
    ],
)
def test_even_by_force_a_backup_replaces_nothing_but_a_backup(path: Path, tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "stale-wal").write_text("old")
    user = filled(tmp_path / "used")
    for beside in ("-wal", "-shm"):
        (tmp_path / f"used{beside}").rename(tmp_path / f"gone{beside}")
    content = {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}

    with pytest.raises(StoreUnusable, match=told):
        back_up(path, tmp_path / name, replace=True)

    assert {file: file.read_bytes() for file in content} == content
    assert not list(tmp_path.glob("*.partial*"))
    user.close()


def test_an_earlier_backup_is_replaced_by_force_only(path: Path, tmp_path: Path) -> None:
    target = back_up(path, tmp_path / "copy").path
    first = target.stat().st_ino

    with pytest.raises(StoreUnusable, match=r"copy exists\. Name another file, or replace it with --force"):
        back_up(path, target)
    assert target.stat().st_ino == first

    back_up(path, target, replace=True)
    assert target.stat().st_ino != first


def test_there_must_be_a_store_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="there is no store at"):
        back_up(tmp_path / "none.db", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(path: Path) -> None:
    with pytest.raises(StoreUnwritable, match="cannot be made"):
        back_up(path, Path("/proc/copy"))
