"""What has changed of a record that is on disk, as a statement and its parameters.

SQLite takes an entry out of an index and puts it back for each column that an UPDATE names, whether its value is
another or not; and each text that is made anew costs more than that. So a request that goes on names what goes on of
it: 4 µs instead of 21, of its seven indexes none. Fields that are not listed here hardly ever change; where one of them
has, the row is written whole. What has changed is told by identity: records are frozen, and copied with what is new.
May come in: another field that changes often. Must not: what makes a row of a record, which is rows'.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter, is_
from typing import Any, Final, NamedTuple

from castiron.store.records import NodeRecord, RequestRecord
from castiron.store.sql import values
from castiron.store.sql.rows import Row, dump_trace

STATEMENTS: Final = 256
"""Texts that are kept: of what changes together there are a dozen kinds."""


class Write(NamedTuple):
    """One row to be written."""

    statement: str
    row: Row
    key: str
    """Of the row."""
    name: str
    """What the row is called in messages."""


class _Column(NamedTuple):
    name: str
    made: Callable[[Any], Any] | None
    """What makes it of the field's value; None: it is that value."""


class _Way(NamedTuple):
    statement: str
    values: tuple[tuple[int, Callable[[Any], Any] | None], ...]
    """Place of a field → what makes the column of it."""


class Moving:
    """The fields of a class of records that change during a row's life.

    Args:
        kind: the class.
        table: where they are kept.
        where: the columns that say which row is meant.
        columns: field → the columns that are made of it.
        always: fields that are written even if they are as they were, so that neighbours share a statement.
    """

    def __init__(
        self,
        kind: type,
        table: str,
        where: tuple[str, ...],
        columns: Mapping[str, tuple[_Column, ...]],
        always: frozenset[str],
    ) -> None:
        self._table = table
        self._where = where
        self._columns = columns
        self._always = always
        self._ways: dict[tuple[bool, ...], _Way] = {}  # there are a dozen: what changes together is always the same
        self._moving = attrgetter(*columns)
        self._still = attrgetter(*(field.name for field in fields(kind) if field.name not in columns))

    def write(self, record: Any, before: Any, where: Row, name: str) -> Write | None:
        """Return what puts a record in the place of the one before it; None: all of it has to be written.

        Args:
            where: values of the columns that say which row is meant, its key first.
            name: what it is called in messages.

        Raises:
            UnstorableValue: a map holds what cannot be stored.
        """
        if self._still(record) != self._still(before):
            return None
        moving = self._moving(record)
        way = self._way(tuple(map(is_, moving, self._moving(before))))
        row = [moving[place] if made is None else made(moving[place]) for place, made in way.values]
        return Write(way.statement, (*row, *where), where[0], name)

    def _way(self, is_kept: tuple[bool, ...]) -> _Way:
        """Return how those fields are written that are not what they were; O(1) but for the first time."""
        way = self._ways.get(is_kept)
        if way is None:
            changed = [
                (place, column)
                for place, (field, kept) in enumerate(zip(self._columns, is_kept, strict=True))
                if not kept or field in self._always
                for column in self._columns[field]
            ]
            statement = _statement(self._table, tuple(column.name for _, column in changed), self._where)
            way = _Way(statement, tuple((place, column.made) for place, column in changed))
            if len(self._ways) < STATEMENTS:
                self._ways[is_kept] = way
        return way


def _statement(table: str, names: tuple[str, ...], where: tuple[str, ...]) -> str:
    setting = ", ".join(f"{name} = ?" for name in names)
    return f"UPDATE {table} SET {setting} WHERE {' AND '.join(f'{name} = ?' for name in where)}"  # noqa: S608 - our own words


def _map_or_null(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else values.dump(value)


def _code(error: Mapping[str, Any] | None) -> Any:
    return None if error is None else error.get("code")


def _plain(*names: str) -> dict[str, tuple[_Column, ...]]:
    return {name: (_Column(name, None),) for name in names}


_OF_NODES: Final = Moving(
    NodeRecord,
    "nodes",
    ("uuid", "epoch", "revision"),
    _plain(
        "power_state",
        "power_state_at",
        "target_power_state",
        "provision_state",
        "target_provision_state",
        "fault",
        "last_error",
        "updated_at",
        "revision",
        "node_seq",
    ),
    frozenset({"updated_at", "revision", "node_seq"}),
)

_OF_REQUESTS: Final = Moving(
    RequestRecord,
    "requests",
    ("id",),
    {
        **_plain("state", "started_at", "ended_at", "overdue_at", "attempts", "applied", "abort_by"),
        **_plain("merged", "deadline_at"),
        "requesters": (_Column("requesters", values.dump),),
        "progress": (_Column("progress", values.dump),),
        "result": (_Column("result", _map_or_null),),
        "error": (_Column("error", _map_or_null), _Column("error_code", _code)),
        "trace": (_Column("trace", dump_trace),),
    },
    frozenset({"overdue_at"}),
)


def node_moved(record: NodeRecord, before: NodeRecord) -> Write | None:
    """Return what updates a node's row if it has the epoch and the revision of the record before; see Moving.write."""
    if before.revision != record.revision - 1:
        return None
    return _OF_NODES.write(record, before, (record.uuid, record.epoch, before.revision), record.name)


def request_moved(record: RequestRecord, before: RequestRecord) -> Write | None:
    """Return what updates a request's row; see Moving.write."""
    return _OF_REQUESTS.write(record, before, (record.id,), record.id)
