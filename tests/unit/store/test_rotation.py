"""A store gets a new key: all of its secrets, or none."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from castiron.store import opening, rotation
from castiron.store.errors import SecretsUnreadable, StoreUnusable, StoreUnwritable
from castiron.store.records import Change, NodeRecord, RequestRecord, RunbookPut, RunbookRecord
from castiron.store.rotation import rotate
from castiron.store.secrets import Key, KeyFile
from castiron.store.sql import queries
from castiron.store.sql.migrations import STEPS
from castiron.store.store import Store
from tests.support.store_records import (
    counting_ids,
    creation,
    full_node,
    full_request,
    full_runbook,
    plain_node,
    plain_request,
    request_id,
)

NODES = 30
SECRETS = NODES + 3
"""Each node's, those that one keeps beside its own while they are changed, a request's, and a runbook's."""


@pytest.fixture
def new_id() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"rotated-{next(numbers)}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store whose nodes and requests have secrets, closed."""
    path = tmp_path / "castiron.db"
    store = Store.open(path, key_path=None, new_id=counting_ids())
    store.committer.commit(
        [creation(full_node(1), full_request(1), plain_request(2)), Change(runbook=RunbookPut(record=full_runbook()))]
        + [creation(plain_node(number)) for number in range(2, NODES + 1)]
        + [creation(plain_node(99, secret_keys=frozenset[str]()))]
    )
    store.close()
    return path


def key_file_of(path: Path) -> KeyFile:
    return KeyFile(path.with_name(f"{path.name}.key"))


def everything(path: Path) -> tuple[list[NodeRecord], list[RequestRecord], list[RunbookRecord]]:
    store = Store.open(path, key_path=None, new_id=counting_ids())
    try:
        return store.nodes(), store.requests(limit=100), store.runbooks()
    finally:
        store.close()


def test_everything_is_readable_with_the_new_key_and_only_with_it(path: Path, new_id: Callable[[], str]) -> None:
    before, (old,) = everything(path), key_file_of(path).read()

    rotated = rotate(path, None, new_id=new_id)

    assert rotated == SECRETS
    assert everything(path) == before
    assert [key.id for key in key_file_of(path).read()] == ["rotated-1"]
    key_file_of(path).replace((old,))
    with pytest.raises(SecretsUnreadable, match="does not hold key rotated-1"):
        everything(path)


def test_a_rotated_store_can_be_rotated_again(path: Path, new_id: Callable[[], str]) -> None:
    before = everything(path)

    for _ in range(3):
        rotate(path, None, new_id=new_id)

    assert everything(path) == before


def test_more_secrets_than_a_page_are_all_rotated(path: Path, new_id: Callable[[], str]) -> None:
    store = Store.open(path, key_path=None, new_id=counting_ids())
    numbers = range(1000, 1000 + 2 * rotation._PAGE + 1)
    store.committer.commit([creation(plain_node(number)) for number in numbers])
    store.close()
    before = everything(path)

    assert rotate(path, None, new_id=new_id) == SECRETS + len(numbers)
    assert everything(path) == before


def test_what_the_old_key_had_sealed_is_gone_from_the_files(path: Path, new_id: Callable[[], str]) -> None:
    opened = opening.open_file(path, key_file_of(path), new_id, STEPS)
    query = queries.node_secrets("", 100)
    sealed = [secrets.encode() for _, secrets in opened.database.rows(query)]
    opened.close()
    assert all(secret in path.read_bytes() for secret in sealed)

    rotate(path, None, new_id=new_id)

    files = b"".join(item.read_bytes() for item in path.parent.iterdir())
    assert not any(secret in files for secret in sealed)


def test_a_store_in_use_is_not_rotated(path: Path, new_id: Callable[[], str]) -> None:
    before = key_file_of(path).read()
    store = Store.open(path, key_path=None, new_id=new_id)

    with pytest.raises(StoreUnusable, match="is in use"):
        rotate(path, None, new_id=new_id)

    assert key_file_of(path).read() == before
    store.close()


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, new_id: Callable[[], str]) -> None:
    with pytest.raises(StoreUnusable, match="there is no store"):
        rotate(tmp_path / "castiron.db", None, new_id=new_id)

    assert list(tmp_path.iterdir()) == []


def test_a_rotation_that_was_cut_short_before_its_commit_leaves_the_store_readable(
    path: Path, new_id: Callable[[], str]
) -> None:
    before, (old,) = everything(path), key_file_of(path).read()
    key_file_of(path).replace((Key.make("unused"), old))

    assert everything(path) == before
    rotate(path, None, new_id=new_id)
    assert everything(path) == before
    assert [key.id for key in key_file_of(path).read()] == ["rotated-1"]


def test_a_rotation_that_was_cut_short_after_its_commit_leaves_the_store_readable(
    path: Path, new_id: Callable[[], str]
) -> None:
    before, (old,) = everything(path), key_file_of(path).read()
    rotate(path, None, new_id=new_id)
    key_file_of(path).replace((*key_file_of(path).read(), old))

    assert everything(path) == before
    rotate(path, None, new_id=new_id)
    assert everything(path) == before
    assert [key.id for key in key_file_of(path).read()] == ["rotated-2"]


def test_a_rotation_for_which_there_is_no_room_changes_nothing(path: Path, new_id: Callable[[], str]) -> None:
    before = everything(path)
    opened = opening.open_file(path, key_file_of(path), new_id, STEPS)
    opened.database.pragma("query_only", "on")

    with pytest.raises(StoreUnwritable):
        rotation._reencrypt(opened, Key.make("unused"))

    opened.close()
    assert everything(path) == before


def test_a_damaged_secret_stops_the_rotation_and_changes_nothing(path: Path, new_id: Callable[[], str]) -> None:
    opened = opening.open_file(path, key_file_of(path), new_id, STEPS)
    with opened.database.transaction():
        opened.database.execute("UPDATE requests SET argument_secrets = 'AAAA' WHERE id = ?", (request_id(1),))
    opened.close()
    (old,) = key_file_of(path).read()

    with pytest.raises(SecretsUnreadable, match=request_id(1)):
        rotate(path, None, new_id=new_id)

    assert old in key_file_of(path).read()
    store = Store.open(path, key_path=None, new_id=new_id)
    assert len(store.nodes()) == NODES + 1
    store.close()
