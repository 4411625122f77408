"""Lists of requests are read off an index in their own order: no row is read that is not wanted, nothing is sorted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from castiron.store.records import ALL, Wanted
from castiron.store.sql import queries
from castiron.store.sql.database import Database
from castiron.store.sql.migrations import STEPS
from castiron.store.sql.rows import identity_of
from castiron.store.store import Store
from castiron.transport import requester
from castiron.transport.vocabulary import Instant, NodeUUID, RequestState
from tests.support.store_records import counting_ids

WITHIN = Wanted(ended_since=Instant(1.0), ended_until=Instant(2.0))
SUCCEEDED = frozenset({RequestState.SUCCEEDED})
NAMES = ("ipc:uid=7", "ipc:uid=7 (a shell)", "curve:anna (a (b) c", "curve:b(c)", "tcp:127.0.0.1 (x y)", "ipc)", " (x)")

OLD_REQUEST = """
    INSERT INTO requests (id, node_uuid, node_name, verb, arguments, secret_keys, requester, state, accepted_at,
        attempts, progress)
    VALUES (?, 'u', 'n', 'node.power.set', '{}', '[]', ?, 'failed', ?, 0, '{}')
    """


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "castiron.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    Store.open(path, key_path=None, new_id=counting_ids()).close()
    database = Database(path, read_only=True)
    yield database
    database.close()


def plan_of(database: Database, query: queries.Query) -> str:
    sql, parameters = query.bind(database._peewee).sql()
    rows = database._peewee.execute_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    return "; ".join(detail for *_, detail in rows)


@pytest.mark.parametrize(
    ("wanted", "plan"),
    [
        (ALL, "SCAN t1 USING INDEX requests_by_age"),
        (Wanted(requester="ipc:uid=7"), "SEARCH t1 USING INDEX requests_of_identity (identity=?)"),
        (Wanted(requester="ipc:uid=7 (a shell)"), "SEARCH t1 USING INDEX requests_of_identity (identity=?)"),
        (replace(WITHIN, requester="ipc:uid=7"), "SEARCH t1 USING INDEX requests_of_identity (identity=?)"),
        (WITHIN, "SCAN t1 USING INDEX requests_by_age"),
        (Wanted(verb="node.power.set"), "SCAN t1 USING INDEX requests_by_age"),
        (Wanted(states=SUCCEEDED), "SEARCH t1 USING INDEX requests_by_state (state=?)"),
        (replace(WITHIN, states=SUCCEEDED), "SEARCH t1 USING INDEX requests_by_state (state=?)"),
        (replace(WITHIN, node_uuid=NodeUUID("u")), "SEARCH t1 USING INDEX requests_of_node (node_uuid=?)"),
    ],
)
def test_a_list_is_read_off_one_index_and_not_sorted(database: Database, wanted: Wanted, plan: str) -> None:
    assert plan_of(database, queries.requests(wanted, 100)) == plan


def test_what_is_to_be_pruned_is_found_by_its_end(database: Database) -> None:
    plan = plan_of(database, queries.ended_before(Instant(1.0)))

    assert "USING INDEX requests_ended (ended_at" in plan
    assert "TEMP" not in plan


def test_the_indices_know_what_a_list_may_ask_for(database: Database) -> None:
    for name in ("requests_by_age", "requests_by_state", "requests_of_identity"):
        columns = [column for _, _, column in database.found(f"PRAGMA index_info({name})")]
        assert "ended_at" in columns, name


@pytest.mark.parametrize("name", NAMES)
def test_an_identity_is_what_transport_takes_for_one(name: str) -> None:
    assert identity_of(name) == requester.identity_of(name)


def test_requests_of_an_older_store_are_found_by_their_identity(path: Path) -> None:
    Store.open(path, key_path=None, new_id=counting_ids(), steps=STEPS[:3]).close()
    database = Database(path)
    with database.transaction():
        for number, name in enumerate(NAMES):
            database.execute(OLD_REQUEST, (str(number), name, float(number)))
    database.close()

    store = Store.open(path, key_path=None, new_id=counting_ids())
    found = {name: [one.requester for one in store.requests(Wanted(requester=name), limit=9)] for name in NAMES}
    store.close()

    assert found.pop("ipc:uid=7") == ["ipc:uid=7 (a shell)", "ipc:uid=7"]
    assert found == {name: [name] for name in NAMES[1:]}
