"""Turns a group of changes into one transaction, and tells what became of each.

The core of every writer: no thread and no queue of its own, so that simulations commit exactly as conductors do. Each
write of a node is conditional on the row's epoch and revision. If one change of a group does not fit, the group is
undone and done again change by change, so that only the one which does not fit is refused. Event numbers are given
here; a number is used again if what it was given to was not written, so the numbers on disk have no gap.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final, NamedTuple

from castiron.store.errors import (
    DuplicateAllocation,
    DuplicateNode,
    StaleAllocation,
    StaleRevision,
    StoreError,
    UnstorableValue,
)
from castiron.store.records import (
    AllocationWrite,
    CallbackRecord,
    CallbackSettled,
    CallbackTried,
    Change,
    Commit,
    EventDraft,
    EventRecord,
    NodeInsert,
    NodeRecord,
    NodeUpdate,
    RequestRecord,
)
from castiron.store.secrets import Sealer
from castiron.store.sql import allocations, statements
from castiron.store.sql.database import Database
from castiron.store.sql.outbox import callback_row, numbered
from castiron.store.sql.rows import (
    Row,
    dump_trace,
    event_row,
    key_row,
    node_row,
    request_row,
)
from castiron.store.sql.runbooks import RunbookWrite, runbook_write
from castiron.store.sql.updates.calls import calls
from castiron.store.sql.updates.moving import Write, node_moved, request_moved
from castiron.transport.vocabulary import EventSeq, NodeSeq

Outcome = Commit | StoreError
"""What became of a change."""

_REFUSALS: Final = (StaleRevision, DuplicateNode, StaleAllocation, DuplicateAllocation, UnstorableValue)
"""What is wrong with one change; any other error is the disk's, and hits the whole group."""


_IN_ORDER: Final = frozenset({statements.INSERT_NODE, statements.UPDATE_NODE, statements.REMOVE_NODE})
"""They take and give up names, and allocations, which only one node may have."""


class _Event(NamedTuple):
    draft: EventDraft
    node_seq: NodeSeq | None
    row: Row


class _Outbox(NamedTuple):
    owed: tuple[tuple[CallbackRecord, Row], ...]
    tried: tuple[Row, ...]
    settled: tuple[Row, ...]


_NOTHING_OWED: Final = _Outbox((), (), ())


class _Prepared(NamedTuple):
    """A change as rows. Only events' numbers are missing."""

    node: Write | None
    requests: tuple[Write, ...]
    keys: tuple[Row, ...]
    events: tuple[_Event, ...]
    outbox: _Outbox
    runbook: RunbookWrite | None
    allocations: tuple[allocations.Write, ...]
    told: tuple[AllocationWrite, ...]
    """What has become of allocations, to be told with the commit."""


class Committer:
    """Commits groups of changes to one store. Any thread; one group at a time.

    Args:
        database: the write connection.
        sealer: encrypts the secrets.
        latest: number of the latest event that the database holds; 0 if none.
    """

    def __init__(self, database: Database, sealer: Sealer, latest: EventSeq) -> None:
        self._database = database
        self._sealer = sealer
        self._latest = latest

    def commit(self, changes: Sequence[Change]) -> list[Outcome]:
        """Write the changes in one transaction, in order, and return what became of each, in the same order.

        Blocks until they are on disk. What _REFUSALS names concerns its own change; any
        other error is the same for all changes that had nothing wrong, and nothing was written. If the disk fails at
        the very end of a commit, after its last byte was handed over, a power cut may still find the group written: all
        of it.
        """
        prepared = [self._prepare(change) for change in changes]
        fit = [change for change in prepared if isinstance(change, _Prepared)]
        try:
            written = iter(self._write_all(fit))
        except StoreError as error:
            written = iter([type(error)(*error.args) for _ in fit])
        return [next(written) if isinstance(change, _Prepared) else change for change in prepared]

    def _prepare(self, change: Change) -> _Prepared | UnstorableValue:
        try:
            return _Prepared(
                self._node_write(change),
                tuple(self._request_write(request, change.before.get(request.id)) for request in change.requests),
                tuple(key_row(key) for key in change.keys),
                _numbered(change),
                _sorted(change),
                None if change.runbook is None else runbook_write(change.runbook, self._sealer),
                tuple(map(allocations.write_of, change.allocations)),
                change.allocations,
            )
        except UnstorableValue as refusal:
            return UnstorableValue(*refusal.args)
        except RecursionError:
            return UnstorableValue("a map is nested too deeply to be stored")

    def _node_write(self, change: Change) -> Write | None:
        if change.node is None:
            return None
        record = change.node.record
        match change.node:
            case NodeInsert():
                return Write(statements.INSERT_NODE, node_row(record, self._sealer), record.uuid, record.name)
            case NodeUpdate(before=before):
                moved = None if before is None else node_moved(record, before)
                return moved or self._whole_node(record)
            case _:
                row = (record.uuid, record.epoch, record.revision)
                return Write(statements.REMOVE_NODE, row, record.uuid, record.name)

    def _whole_node(self, record: NodeRecord) -> Write:
        row = statements.update_row(node_row(record, self._sealer), record.epoch, record.revision - 1)
        return Write(statements.UPDATE_NODE, row, record.uuid, record.name)

    def _request_write(self, record: RequestRecord, before: RequestRecord | None) -> Write:
        moved = None if before is None else request_moved(record, before)
        return moved or Write(statements.PUT_REQUEST, request_row(record, self._sealer), record.id, record.id)

    def _write_all(self, changes: Sequence[_Prepared]) -> list[Outcome]:
        with self._database.lock:
            try:
                outcomes: list[Outcome] = list(self._together(changes))
            except _REFUSALS as refusal:
                outcomes = self._one_by_one(changes) if len(changes) > 1 else [type(refusal)(*refusal.args)]
            self._latest = max(
                (outcome.seq for outcome in outcomes if isinstance(outcome, Commit)), default=self._latest
            )
        return outcomes

    def _together(self, changes: Sequence[_Prepared]) -> list[Commit]:
        with self._database.transaction():
            return self._write(changes, self._latest)

    def _one_by_one(self, changes: Sequence[_Prepared]) -> list[Outcome]:
        """Do what fits of a group in which something does not; still one transaction."""
        outcomes: list[Outcome] = []
        seq = self._latest
        with self._database.transaction():
            for change in changes:
                try:
                    with self._database.savepoint():
                        (commit,) = self._write([change], seq)
                except _REFUSALS as refusal:
                    outcomes.append(type(refusal)(*refusal.args))
                else:
                    outcomes.append(commit)
                    seq = commit.seq
        return outcomes

    def _write(self, changes: Sequence[_Prepared], seq: EventSeq) -> list[Commit]:
        nodes = (change.node for change in changes if change.node is not None)
        for statement, writes in calls(nodes, in_order=_IN_ORDER):
            self._write_each("node", statement, writes)
        self._write_allocations([write for change in changes for write in change.allocations])
        for statement, writes in calls(write for change in changes for write in change.requests):
            self._write_each("request", statement, writes)
        if keys := [row for change in changes for row in change.keys]:
            self._database.execute_many(statements.PUT_KEY, keys)
        commits = _commits(changes, seq)
        if events := [
            (record.seq, record.node_seq, *event.row)
            for change, commit in zip(changes, commits, strict=True)
            for event, record in zip(change.events, commit.events, strict=True)
        ]:
            self._database.execute_many(statements.INSERT_EVENT, events)
        self._write_outbox(changes, commits)
        for change in changes:
            if change.runbook is not None:
                self._write_runbook(change.runbook)
        return commits

    def _write_outbox(self, changes: Sequence[_Prepared], commits: Sequence[Commit]) -> None:
        owed = [
            numbered(row, commit.seq)
            for change, commit in zip(changes, commits, strict=True)
            for _, row in change.outbox.owed
        ]
        tried = [row for change in changes for row in change.outbox.tried]
        settled = [row for change in changes for row in change.outbox.settled]
        for statement, rows in (
            (statements.OWE_CALLBACK, owed),
            (statements.COUNT_CALLBACK, tried),
            (statements.SETTLE_CALLBACK, settled),
        ):
            if rows:
                self._database.execute_many(statement, rows)

    def _write_runbook(self, write: RunbookWrite) -> None:
        if self._database.execute(write.statement, write.row) != 1:
            raise StaleRevision(f"runbook {write.name} has been changed or removed since it was read")

    def _write_allocations(self, writes: Sequence[allocations.Write]) -> None:
        for statement, run in groupby(writes, key=lambda write: write.statement):
            rows = list(run)
            changed = self._database.execute_many(statement, [write.row for write in rows])
            if statement != allocations.RELEASE and changed != len(rows):
                uuids = rows[0].uuid if len(rows) == 1 else f"one of {len(rows)}"
                raise StaleAllocation(f"allocation {uuids} has been changed or removed since it was read")

    def _write_each(self, what: str, statement: str, writes: Sequence[Write]) -> None:
        if self._database.execute_many(statement, [write.row for write in writes]) != len(writes):
            names = writes[0].name if len(writes) == 1 else f"one of {len(writes)}"
            raise StaleRevision(f"{what} {names} has been changed, moved or removed since it was read")


def _numbered(change: Change) -> tuple[_Event, ...]:
    """Return the change's events with their numbers within the node: the record names the last of them."""
    if not change.events:
        return ()
    own = sum(draft.node_uuid is not None for draft in change.events)
    node_seq = change.node.record.node_seq - own if change.node is not None else 0
    events: list[_Event] = []
    for draft in change.events:
        number = None
        if draft.node_uuid is not None:
            number = node_seq = NodeSeq(node_seq + 1)
        events.append(_Event(draft, number, event_row(draft)))
    return tuple(events)


def _sorted(change: Change) -> _Outbox:
    """Return what the change does to the outbox, by kind."""
    if not change.outbox:
        return _NOTHING_OWED
    return _Outbox(
        tuple((one, callback_row(one)) for one in change.outbox if isinstance(one, CallbackRecord)),
        tuple((one.attempts, dump_trace(one.trace), one.id) for one in change.outbox if isinstance(one, CallbackTried)),
        tuple(
            (one.ended_at, dump_trace(one.trace), one.id) for one in change.outbox if isinstance(one, CallbackSettled)
        ),
    )


def _commits(changes: Sequence[_Prepared], seq: EventSeq) -> list[Commit]:
    """Return the commits of the changes if the latest event before them was `seq`."""
    commits: list[Commit] = []
    for change in changes:
        if not change.events and not change.outbox.owed:
            commits.append(Commit(events=(), seq=seq, allocations=change.told))
            continue
        records: list[EventRecord] = []
        for event in change.events:
            seq = EventSeq(seq + 1)
            records.append(EventRecord(seq=seq, node_seq=event.node_seq, draft=event.draft))
        callbacks = tuple(replace(one, seq=seq) for one, _ in change.outbox.owed)
        commits.append(Commit(events=tuple(records), seq=seq, callbacks=callbacks, allocations=change.told))
    return commits
