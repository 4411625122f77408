"""Tables come to be step by step; models, SQL and rows agree; a newer store is refused."""

from pathlib import Path

import pytest

from castiron.store import opening
from castiron.store.errors import StoreUnusable
from castiron.store.files import APPLICATION_ID
from castiron.store.secrets import Key, KeyFile, Sealer
from castiron.store.sql import migrations, statements
from castiron.store.sql.allocations import allocation_row
from castiron.store.sql.database import Database
from castiron.store.sql.migrations import STEPS, Identity, Step
from castiron.store.sql.outbox import callback_row
from castiron.store.sql.rows import event_row, node_row, request_row
from castiron.store.sql.runbooks import runbook_row
from castiron.store.sql.tables import (
    Allocation,
    Callback,
    Event,
    HistoryEvent,
    Node,
    Request,
    RequestKey,
    Runbook,
    StoreInfo,
)
from castiron.store.store import Store
from tests.support.store_records import (
    counting_ids,
    creation,
    event_of,
    full_allocation,
    full_callback,
    full_node,
    full_request,
    full_runbook,
    plain_node,
)

KEY = Key.make("key-1")
TABLES = ("store", "nodes", "allocations", "requests", "request_keys", "outbox", "events", "node_history", "runbooks")
MODELS = (StoreInfo, Node, Allocation, Request, RequestKey, Callback, Event, HistoryEvent, Runbook)
LATEST = STEPS[-1].version
NEXT = Step(LATEST + 1, ("ALTER TABLE nodes ADD COLUMN rack TEXT", "CREATE INDEX nodes_by_rack ON nodes (rack)"))
BROKEN = Step(LATEST + 1, ("ALTER TABLE nodes ADD COLUMN rack TEXT", "CREATE INDEX broken ON nowhere (rack)"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "castiron.db"


@pytest.fixture
def version_0(path: Path) -> Path:
    """A store of version 0: it knows who it is, and nothing else."""
    KeyFile(path.with_name("castiron.db.key")).create(KEY)
    path.touch()
    database = Database(path)
    database.pragma("application_id", APPLICATION_ID)
    check = opening.check_text("the-conductor", KEY)
    identity = Identity(schema_version=0, conductor="the-conductor", key_id=KEY.id, key_check=check)
    migrations.make(database, identity, steps=())
    database.close()
    return path


def open_with(path: Path, *steps: Step) -> Store:
    return Store.open(path, key_path=None, new_id=counting_ids(), steps=steps)


def shape_of(path: Path) -> dict[str, list[str]]:
    database = Database(path)
    shape = {table: columns_of(database, table) for table in TABLES}
    database.close()
    return shape


def columns_of(database: Database, table: str) -> list[str]:
    return [column.name for column in database._peewee.get_columns(table)]


def test_a_store_of_version_0_becomes_one_of_the_latest(version_0: Path) -> None:
    store = open_with(version_0, *STEPS)
    store.committer.commit([creation(plain_node())])

    assert store.schema_version == LATEST
    assert store.conductor == "the-conductor"
    assert len(store.nodes()) == 1
    store.close()


def test_an_old_store_ends_up_shaped_as_a_new_one(version_0: Path, tmp_path: Path) -> None:
    open_with(version_0, *STEPS).close()
    open_with(tmp_path / "new.db", *STEPS).close()

    assert shape_of(version_0) == shape_of(tmp_path / "new.db")


def test_a_step_keeps_what_is_there(path: Path) -> None:
    store = open_with(path, *STEPS)
    store.committer.commit([creation(plain_node(), full_request())])
    store.close()

    open_with(path, *STEPS, NEXT).close()
    again = Store(opening.open_file(path, KeyFile(path.with_name("castiron.db.key")), counting_ids(), (*STEPS, NEXT)))

    assert again.schema_version == LATEST + 1
    assert [record.id for record in again.requests(limit=9)] == [full_request().id]
    again.close()
    assert "rack" in shape_of(path)["nodes"]


def test_a_step_that_fails_leaves_the_store_as_it_was(path: Path) -> None:
    store = open_with(path, *STEPS)
    store.committer.commit([creation(plain_node())])
    store.close()
    before = shape_of(path)

    failed = rf"step to schema version {LATEST + 1} failed, and nothing of it was kept: .*nowhere"
    with pytest.raises(StoreUnusable, match=failed):
        open_with(path, *STEPS, BROKEN)

    assert shape_of(path) == before
    store = open_with(path, *STEPS)
    assert store.schema_version == LATEST
    assert len(store.nodes()) == 1
    store.close()


def test_a_newer_store_is_refused_and_left_as_it_was(path: Path) -> None:
    open_with(path, *STEPS, NEXT).close()
    before = path.read_bytes()

    refused = f"{path} has schema version {LATEST + 1}.*up to {LATEST}. Run the newer castiron"
    with pytest.raises(StoreUnusable, match=refused):
        open_with(path, *STEPS)

    assert path.read_bytes() == before


def test_steps_are_numbered_without_a_gap() -> None:
    assert [step.version for step in STEPS] == list(range(1, len(STEPS) + 1))


def test_the_models_say_what_the_steps_have_made(path: Path) -> None:
    open_with(path, *STEPS).close()

    shape = {model._meta.table_name: list(statements.columns(model)) for model in MODELS}

    assert shape == shape_of(path)


def test_rows_are_in_the_order_of_the_models() -> None:
    sealer = Sealer(KEY)
    node = dict(zip(statements.columns(Node), node_row(full_node(), sealer), strict=True))
    request = dict(zip(statements.columns(Request), request_row(full_request(), sealer), strict=True))
    event = dict(zip(statements.columns(Event)[2:], event_row(event_of(full_node())), strict=True))
    runbook = dict(zip(statements.columns(Runbook), runbook_row(full_runbook(), sealer), strict=True))
    callback = dict(zip(statements.columns(Callback), callback_row(full_callback()), strict=True))

    allocation = dict(zip(statements.columns(Allocation), allocation_row(full_allocation()), strict=True))

    assert request.pop("error_code") == "bmc.fault", "it stands beside the error, to be found by"
    assert request.pop("identity") == full_request().requester, "as above"
    pairs = (
        (node, full_node()),
        (request, full_request()),
        (event, event_of(full_node())),
        (callback, full_callback()),
        (runbook, full_runbook()),
        (allocation, full_allocation()),
    )
    for row, record in pairs:
        for name, value in row.items():
            kept = getattr(record, name, None)
            if isinstance(kept, str | int | float) or kept is None:
                assert name.endswith("_secrets") or value == kept, name
