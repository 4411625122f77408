"""A path that is not a store of ours is refused, told why, and left as it was."""

import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from castiron.store.errors import SecretsUnreadable, StoreUnusable
from castiron.store.files import StoreLock
from castiron.store.records import Commit
from castiron.store.store import Store
from castiron.store.writer import InlineWriter
from tests.support.store_records import PASSWORD, counting_ids, creation, full_request, node_uuid, plain_node

NOBODY = 65534


def opened(path: Path, key_path: Path | None = None) -> Store:
    return Store.open(path, key_path=key_path, new_id=counting_ids())


def fill(store: Store, count: int = 50) -> None:
    outcomes = store.committer.commit([creation(plain_node(number)) for number in range(1, count + 1)])
    assert all(isinstance(outcome, Commit) for outcome in outcomes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "castiron.db"


@pytest.fixture
def made(path: Path) -> Path:
    """A store with nodes in it, closed."""
    store = opened(path)
    fill(store)
    store.close()
    return path


def contents(directory: Path) -> dict[str, bytes]:
    return {item.name: item.read_bytes() for item in directory.iterdir() if item.is_file()}


def random_bytes(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def other_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE store (format TEXT, schema_version INT)")
    connection.close()


def empty_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("VACUUM")
    connection.close()


def empty_file(path: Path) -> None:
    path.touch()


def directory(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def half_a_header(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (random_bytes, "not a castiron store"),
        (other_database, "not a castiron store"),
        (empty_database, "not a castiron store"),
        (half_a_header, "not a castiron store"),
        (empty_file, "is empty"),
        (directory, "is not a file"),
        (pipe, "is not a file"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_is_not_a_store_is_refused_and_left_alone(path: Path, put: Callable[[Path], None], reason: str) -> None:
    put(path)
    before = contents(path.parent)

    with pytest.raises(StoreUnusable, match=reason) as refusal:
        opened(path)

    assert str(path) in str(refusal.value)
    assert "Choose another path" in str(refusal.value)
    assert contents(path.parent) == before
    assert {item.name for item in path.parent.iterdir()} == {path.name}


def test_a_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match=f"no directory {tmp_path}/nowhere"):
        opened(tmp_path / "nowhere" / "castiron.db")


def test_a_database_that_only_claims_to_be_a_store_is_refused(made: Path) -> None:
    with sqlite3.connect(made) as connection:
        connection.execute("UPDATE store SET format = 'something else'")
    connection.close()

    with pytest.raises(StoreUnusable, match="is not a castiron store"):
        opened(made)


def test_a_new_store_and_its_key_are_for_their_owner_alone(path: Path) -> None:
    store = opened(path)

    modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()}
    store.close()

    assert modes.keys() >= {"castiron.db", "castiron.db.key", "castiron.db.lock"}
    assert set(modes.values()) == {0o600}


def test_a_store_is_its_conductors_for_ever(path: Path) -> None:
    store = opened(path)
    conductor = store.conductor
    store.close()
    store = Store.open(path, key_path=None, new_id=lambda: pytest.fail("the id was made already"))

    assert store.conductor == conductor
    assert store.path == path
    store.close()


def test_a_commit_survives_a_power_cut_and_readers_do_not_wait(path: Path) -> None:
    store = opened(path)

    assert store.committer._database.pragma("synchronous") == 2, "FULL"
    assert store.committer._database.pragma("journal_mode") == "wal"
    store.close()


def test_a_draft_that_a_killed_process_left_is_no_obstacle(path: Path) -> None:
    path.with_name("castiron.db.new").write_bytes(b"half a store")

    opened(path).close()

    assert not path.with_name("castiron.db.new").exists()


def test_a_store_in_use_names_who_has_it(made: Path) -> None:
    store = opened(made)

    with pytest.raises(StoreUnusable, match=f"{made} is in use by process {os.getpid()}"):
        opened(made)

    store.close()
    opened(made).close()


def test_a_link_to_a_store_in_use_does_not_open_it_twice(made: Path) -> None:
    link = made.with_name("link.db")
    link.symlink_to(made)
    store = opened(made)

    with pytest.raises(StoreUnusable, match="is in use"):
        opened(link)

    store.close()


def test_a_store_that_was_refused_is_not_kept_locked(made: Path) -> None:
    key = made.with_name("castiron.db.key")
    key.rename(made.with_name("away"))
    with pytest.raises(SecretsUnreadable):
        opened(made)

    made.with_name("away").rename(key)

    opened(made).close()


@pytest.mark.parametrize(("offset", "whence"), [(100, 0), (4096, 0), (-4096, 2)], ids=["schema", "tables", "last page"])
def test_a_damaged_file_is_unusable_and_says_so(made: Path, offset: int, whence: int) -> None:
    with made.open("r+b") as file:
        file.seek(offset, whence)
        file.write(b"\xa5" * 2000)

    with pytest.raises(StoreUnusable, match=str(made)):
        opened(made)


def test_a_truncated_file_is_unusable_and_says_so(made: Path) -> None:
    os.truncate(made, made.stat().st_size // 2)

    with pytest.raises(StoreUnusable, match="Restore it from a backup"):
        opened(made)


def test_damage_while_it_is_open_is_an_error_of_the_store(made: Path) -> None:
    store = opened(made)
    with made.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (made.stat().st_size - 4096))

    with pytest.raises(StoreUnusable, match=str(made)):
        store.nodes()

    store.close()


def test_a_row_with_a_word_that_is_not_known_is_named(made: Path) -> None:
    with sqlite3.connect(made) as connection:
        connection.execute("UPDATE nodes SET provision_state = 'teleported' WHERE name = 'n7'")
    connection.close()
    store = opened(made)

    with pytest.raises(StoreUnusable, match=f"nodes/{node_uuid(7)} is damaged"):
        store.nodes()

    assert store.node(node_uuid(8)) is not None
    store.close()


def test_a_secret_that_was_moved_to_another_row_does_not_open(made: Path) -> None:
    with sqlite3.connect(made) as connection:
        connection.execute(
            "UPDATE nodes SET driver_secrets = (SELECT driver_secrets FROM nodes WHERE name = 'n1') WHERE name = 'n2'"
        )
    connection.close()
    store = opened(made)

    with pytest.raises(SecretsUnreadable, match=f"nodes/{node_uuid(2)}"):
        store.nodes()

    store.close()


def test_another_stores_key_is_refused(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    Store.open(other, key_path=None, new_id=lambda: "another-id").close()

    with pytest.raises(SecretsUnreadable, match=r"does not hold key 00000000-.*put back the right file"):
        opened(made, other.with_name("other.db.key"))


def test_a_key_with_the_right_name_and_the_wrong_bytes_is_refused(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    opened(other).close()

    with pytest.raises(SecretsUnreadable):
        opened(made, other.with_name("other.db.key"))


def test_a_missing_key_is_not_replaced_by_a_new_one(made: Path) -> None:
    made.with_name("castiron.db.key").unlink()

    with pytest.raises(SecretsUnreadable, match="put back"):
        opened(made)

    assert not made.with_name("castiron.db.key").exists()


def test_a_key_that_was_there_first_is_used(path: Path, tmp_path: Path) -> None:
    opened(tmp_path / "first.db", tmp_path / "key").close()
    store = opened(path, tmp_path / "key")
    fill(store)
    store.close()

    store = opened(path, tmp_path / "key")

    assert len(store.nodes()) == 50
    store.close()


def test_no_secret_is_in_any_file(path: Path) -> None:
    store = opened(path)
    writer = InlineWriter(store.committer)
    writer.submit(creation(plain_node(), full_request()), lambda _outcome: None)

    while_open = b"".join(contents(path.parent).values())
    store.close()
    after = b"".join(contents(path.parent).values())

    assert b"ipmi_address" in while_open
    assert PASSWORD.encode() not in while_open
    assert PASSWORD.encode() not in after


@contextmanager
def as_nobody() -> Generator[None]:
    """Give up root's right to write everything, for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Path]:
    """A directory that everybody may enter: pytest's own are root's alone when root runs the tests."""
    opened(tmp_path / "first.db").close()  # loads codecs, which nobody may not be allowed to read from where they are
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o777)
        yield directory
        directory.chmod(0o777)


def test_a_directory_that_cannot_be_written_is_refused(public: Path) -> None:
    public.chmod(0o555)

    with as_nobody(), pytest.raises(StoreUnusable, match="needs a directory that it may write") as refusal:
        opened(public / "castiron.db")

    assert "Permission denied" in str(refusal.value)
    assert list(public.iterdir()) == []


@pytest.mark.parametrize("mode", [0o444, 0o222, 0o000], ids=oct)
def test_a_file_that_cannot_be_read_and_written_is_refused(public: Path, mode: int) -> None:
    path = public / "castiron.db"
    with as_nobody():
        opened(path).close()
        path.chmod(mode)

        with pytest.raises(StoreUnusable, match="needs a store that it may write") as refusal:
            opened(path)

    assert str(path) in str(refusal.value)


def test_a_store_whose_directory_has_become_read_only_is_refused(public: Path) -> None:
    path = public / "castiron.db"
    with as_nobody():
        opened(path).close()
    public.chmod(0o555)

    with as_nobody(), pytest.raises(StoreUnusable, match=f"{path} cannot be used: .*may read and write it"):
        opened(path)


def test_a_lock_is_let_go_once_and_for_all(path: Path) -> None:
    lock = StoreLock(path)
    lock.release()
    other = StoreLock(path)

    lock.release()

    with pytest.raises(StoreUnusable):
        StoreLock(path)
    other.release()
