"""Runbooks as rows, and the SQL that writes them.

As `rows` and `statements` do for what is written often; a runbook is written when somebody edits one.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from castiron.store.records import EMPTY, RunbookPut, RunbookRecord, RunbookRemove
from castiron.store.secrets import Sealer
from castiron.store.sql import values
from castiron.store.sql.rows import Row, Understood
from castiron.store.sql.statements import columns
from castiron.store.sql.tables import Runbook

_COLUMNS: Final = columns(Runbook)

INSERT: Final = f"INSERT INTO runbooks ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own words

UPDATE: Final = (
    f"UPDATE runbooks SET {', '.join(f'{name} = ?' for name in _COLUMNS[1:])} WHERE uuid = ? AND revision = ?"  # noqa: S608 - our own words
)

REMOVE: Final = "DELETE FROM runbooks WHERE uuid = ? AND revision = ?"

_STEPS: Final = "steps"
"""A list stands in a map of one key, as `values` knows maps."""


class RunbookWrite(NamedTuple):
    """One statement; it changes one row, unless the row is another one by now."""

    statement: str
    row: Row
    name: str


def runbook_identity(uuid: str) -> str:
    """Return what the secrets of a runbook are sealed for."""
    return f"runbooks/{uuid}"


def runbook_write(change: RunbookPut | RunbookRemove, sealer: Sealer) -> RunbookWrite:
    """Return what puts a change on disk.

    Raises:
        UnstorableValue: a map holds what cannot be stored.
    """
    record = change.record
    if isinstance(change, RunbookRemove):
        return RunbookWrite(REMOVE, (record.uuid, record.revision), record.name)
    row = runbook_row(record, sealer)
    if record.revision == 1:
        return RunbookWrite(INSERT, row, record.name)
    return RunbookWrite(UPDATE, (*row[1:], record.uuid, record.revision - 1), record.name)


def runbook_row(record: RunbookRecord, sealer: Sealer) -> Row:
    """Return the row of `tables.Runbook`.

    Raises:
        UnstorableValue: a map holds what cannot be stored.
    """
    secrets = sealer.seal(runbook_identity(record.uuid), values.dump(record.secrets)) if record.secrets else None
    return (
        record.uuid,
        record.name,
        record.description,
        json.dumps(record.traits),
        values.dump({_STEPS: record.steps}),
        secrets,
        values.dump(record.extra),
        record.created_at,
        record.updated_at,
        record.revision,
    )


def runbook_record(row: Row, sealer: Sealer) -> RunbookRecord:
    """Return the record that `runbook_row` made the row from.

    Raises:
        SecretsUnreadable: its secrets do not open.
        StoreUnusable: the row is damaged.
    """
    (uuid, name, description, traits, steps, secrets, extra, created_at, updated_at, revision) = row
    with Understood(runbook_identity(uuid)):
        return RunbookRecord(
            uuid=uuid,
            name=name,
            description=description,
            traits=tuple(json.loads(traits)),
            steps=tuple(MappingProxyType(step) for step in values.load(steps)[_STEPS]),
            secrets=_opened(uuid, secrets, sealer),
            extra=values.load(extra),
            created_at=created_at,
            updated_at=updated_at,
            revision=revision,
        )


def _opened(uuid: str, secrets: str | None, sealer: Sealer) -> Mapping[str, Mapping[str, Any]]:
    return EMPTY if secrets is None else values.load(sealer.open(runbook_identity(uuid), secrets))
