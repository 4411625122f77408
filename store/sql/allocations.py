"""Allocations as rows, and the SQL that writes them.

As rows and statements are for everything else: a row is a tuple in the order of the table's fields. May come in: what
concerns the table of allocations alone. Must not: what a node's row says of its allocation, which is in rows.
"""

import json
from dataclasses import dataclass
from typing import Final

from castiron.store.records import AllocationInsert, AllocationRecord, AllocationUpdate, AllocationWrite
from castiron.store.sql import values
from castiron.store.sql.rows import Row, Understood
from castiron.store.sql.statements import columns, inserting
from castiron.store.sql.tables import Allocation
from castiron.transport.vocabulary import AllocationState

_ALLOCATION: Final = columns(Allocation)

INSERT: Final = inserting("allocations", _ALLOCATION)

UPDATE: Final = (
    f"UPDATE allocations SET {', '.join(f'{name} = ?' for name in _ALLOCATION[1:])} "  # noqa: S608 - our own words
    "WHERE uuid = ? AND revision = ?"
)

REMOVE: Final = "DELETE FROM allocations WHERE uuid = ? AND revision = ?"

RELEASE: Final = "DELETE FROM allocations WHERE uuid = ?"
"""For whoever owns the node: the node's row says whose it is, and is written under its own revision."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write of one allocation, ready for the database."""

    statement: str
    row: Row
    uuid: str


def write_of(write: AllocationWrite) -> Write:
    """Return what brings a write about.

    Raises:
        UnstorableValue: `extra` holds what cannot be stored.
    """
    match write:
        case AllocationInsert(record=record):
            return Write(INSERT, allocation_row(record), record.uuid)
        case AllocationUpdate(record=record):
            row = allocation_row(record)
            return Write(UPDATE, (*row[1:], row[0], record.revision - 1), record.uuid)
        case _:
            if write.revision is None:
                return Write(RELEASE, (write.uuid,), write.uuid)
            return Write(REMOVE, (write.uuid, write.revision), write.uuid)


def allocation_row(record: AllocationRecord) -> Row:
    """Return the row of `tables.Allocation`.

    Raises:
        UnstorableValue: `extra` holds what cannot be stored.
    """
    return (
        record.uuid,
        record.name,
        record.state,
        record.resource_class,
        json.dumps(record.traits),
        json.dumps(record.candidate_nodes),
        record.owner,
        record.requester,
        values.dump(record.extra),
        record.node_uuid,
        None if record.error is None else values.dump(record.error),
        record.deadline_at,
        record.created_at,
        record.updated_at,
        record.revision,
    )


def allocation_record(row: Row) -> AllocationRecord:
    """Return the record that `allocation_row` made the row from.

    Raises:
        StoreUnusable: the row is damaged, or holds words that this version does not know.
    """
    (uuid, name, state, resource_class, traits, candidates, owner, requester, extra, *rest) = row
    (node_uuid, error, deadline_at, created_at, updated_at, revision) = rest
    with Understood(f"allocations/{uuid}"):
        return AllocationRecord(
            uuid=uuid,
            name=name,
            state=AllocationState(state),
            resource_class=resource_class,
            traits=tuple(json.loads(traits)),
            candidate_nodes=tuple(json.loads(candidates)),
            owner=owner,
            requester=requester,
            extra=values.load(extra),
            node_uuid=node_uuid,
            error=None if error is None else values.load(error),
            deadline_at=deadline_at,
            created_at=created_at,
            updated_at=updated_at,
            revision=revision,
        )
