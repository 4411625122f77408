"""The writer's SQL: written once, by hand, for executemany.

peewee's query builder costs more than SQLite does (6,000 rows/s against more than 40,000), so the hot path does
without it. The SQL is that of SQLite and PostgreSQL alike, but for the placeholder. Columns are the models' fields in
their order; rows makes tuples in the same order.
"""

from typing import Any, Final

import peewee

from castiron.store.sql.rows import Row
from castiron.store.sql.tables import Callback, Event, Node, Request, RequestKey


def columns(model: type[peewee.Model]) -> tuple[str, ...]:
    """Return the names of a table's columns, in the order of rows."""
    meta: Any = model._meta  # noqa: SLF001 - peewee's documented way to a model's fields
    return tuple(field.column_name for field in meta.sorted_fields)


def inserting(table: str, names: tuple[str, ...]) -> str:
    """Return the statement that puts a row into a table."""
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - our own words


_NODE: Final = columns(Node)
_REQUEST: Final = columns(Request)
_EVENT: Final = columns(Event)

INSERT_NODE: Final = inserting("nodes", _NODE)

UPDATE_NODE: Final = (
    f"UPDATE nodes SET {', '.join(f'{name} = ?' for name in _NODE[1:])} "  # noqa: S608 - our own words
    "WHERE uuid = ? AND epoch = ? AND revision = ?"
)

REMOVE_NODE: Final = "DELETE FROM nodes WHERE uuid = ? AND epoch = ? AND revision = ?"

PUT_REQUEST: Final = (
    f"{inserting('requests', _REQUEST)} ON CONFLICT (id) DO UPDATE SET "
    f"{', '.join(f'{name} = excluded.{name}' for name in _REQUEST[1:])}"
)

PUT_KEY: Final = f"{inserting('request_keys', columns(RequestKey))} ON CONFLICT (key) DO NOTHING"
"""Only one request is admitted with a key; a key comes twice if a change is submitted anew after it was told lost."""

OWE_CALLBACK: Final = f"{inserting('outbox', columns(Callback))} ON CONFLICT (id) DO NOTHING"
"""As with a key: a change may be submitted anew after it was told lost."""

COUNT_CALLBACK: Final = "UPDATE outbox SET attempts = ?, trace = ? WHERE id = ? AND ended_at IS NULL"

SETTLE_CALLBACK: Final = "UPDATE outbox SET ended_at = ?, trace = ?, body = '{}' WHERE id = ? AND ended_at IS NULL"
"""Its trace stays for as long as its request."""

INSERT_EVENT: Final = inserting("events", _EVENT)

KEEP_AS_HISTORY: Final = (
    f"INSERT INTO node_history ({', '.join(_EVENT)}) SELECT {', '.join(f'events.{name}' for name in _EVENT)} "  # noqa: S608 - our own words
    "FROM events JOIN nodes ON nodes.uuid = events.node_uuid "
    "WHERE events.seq <= ? AND events.node_seq > nodes.node_seq - ?"
)
"""Copies the events up to a number that are among the latest so many of a node that there is."""

REMOVE_EVENTS: Final = "DELETE FROM events WHERE seq <= ?"

CUT_HISTORY: Final = (
    "DELETE FROM node_history WHERE node_uuid = ? "
    "AND node_seq <= COALESCE((SELECT node_seq FROM nodes WHERE uuid = ?), ?) - ?"
)
"""Removes what is not among the latest so many of a node; of a node that is no more the third parameter decides."""


def update_row(row: Row, epoch: int, revision: int) -> Row:
    """Return the parameters of UPDATE_NODE: `row` replaces the node of its uuid if that has this epoch and revision."""
    return (*row[1:], row[0], epoch, revision)
