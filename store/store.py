"""The store as the conductor sees it: opened once, read from any thread, changed through its committer.

Reads have their own connection, so that they never wait for the disk and the writer never waits for them; only in
memory, where there is one connection, they take turns. How a store is found and made is opening's, how it is changed
is writer's.
"""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from castiron.store import opening
from castiron.store.errors import SecretsUnreadable
from castiron.store.opening import Opened
from castiron.store.records import (
    ALL,
    AllocationRecord,
    CallbackRecord,
    EventRecord,
    KeyRecord,
    NodeRecord,
    RequestRecord,
    RunbookRecord,
    Wanted,
)
from castiron.store.secrets import KeyFile, Sealer
from castiron.store.sql import queries, ring
from castiron.store.sql.allocations import allocation_record
from castiron.store.sql.committer import Committer
from castiron.store.sql.database import Database
from castiron.store.sql.migrations import STEPS, Step
from castiron.store.sql.outbox import callback_record
from castiron.store.sql.queries import Query
from castiron.store.sql.rows import event_record, key_record, node_record, request_record
from castiron.store.sql.runbooks import runbook_record
from castiron.transport.vocabulary import (
    ConductorID,
    EventSeq,
    EventType,
    Instant,
    NodeSeq,
    NodeUUID,
    RequestID,
)

PRUNE_STEP: Final = 500
"""Rows that are deleted in one transaction, so that the writer waits for a few milliseconds only."""


class Pruned(NamedTuple):
    """What a pruning has removed."""

    requests: int
    """How many."""
    keys: tuple[str, ...]
    """Idempotency keys that are known no more."""


class Store:
    """An open store. Any thread may call any method.

    Attributes:
        conductor: whose store this is: given when it was made, kept for ever.
        path: the file, symbolic links resolved; None in memory.
        schema_version: of the tables.
        committer: what a writer is made from.
    """

    def __init__(self, opened: Opened) -> None:
        self.conductor: Final = ConductorID(opened.identity.conductor)
        self.path: Final = opened.database.path
        self.schema_version: Final = opened.identity.schema_version
        self._opened: Final = opened
        self._sealer: Final = Sealer(opened.key)
        self._reader: Final = opened.database if self.path is None else Database(self.path, read_only=True)
        self.committer: Final = Committer(opened.database, self._sealer, self.latest_seq())

    @classmethod
    def open(
        cls, path: Path | None, *, key_path: Path | None, new_id: Callable[[], str], steps: Sequence[Step] = STEPS
    ) -> Self:
        """Open a store, or make it where nothing is.

        Locks it against every other process until `close`, or until the process ends. A store of an older version is
        brought up to date.

        Args:
            path: the file; None: in memory, gone when it is closed.
            key_path: the key file, made together with the store; None: `<path>.key`. Not used in memory.
            new_id: makes the conductor's id and the key's, when the store is made.
            steps: the migrations; for tests of migrations.

        Raises:
            StoreUnusable: not a store, newer than this program, damaged, in use by another process, or not writable.
                The message names the file and says what to do; what was there is untouched.
            SecretsUnreadable: the key file is missing, open to others, or not the one of this store.
        """
        if path is None:
            return cls._open(opening.open_memory(new_id, steps))
        resolved = path.resolve()
        key_file = KeyFile(key_path or resolved.with_name(f"{resolved.name}.key"))
        return cls._open(opening.open_file(resolved, key_file, new_id, steps))

    @classmethod
    def _open(cls, opened: Opened) -> Self:
        try:
            return cls(opened)
        except BaseException:
            opened.close()
            raise

    def size_bytes(self) -> int:
        """Return what the store takes on disk, write-ahead log included, or in memory."""
        return self._reader.size_bytes()

    def wal_bytes(self) -> int:
        """Return what the write-ahead log takes of that; it grows while a backup reads an old state."""
        return self._reader.wal_bytes()

    def free_bytes(self) -> int | None:
        """Return what is free on the store's disk for whoever owns it; None: in memory, or the system does not say."""
        if self.path is None:
            return None
        try:
            disk = os.statvfs(self.path.parent)
        except OSError:
            return None
        return disk.f_bavail * disk.f_frsize

    def latest_seq(self) -> EventSeq:
        """Return the number of the latest event; 0: there has been none."""
        return EventSeq(self._number(queries.latest_seq()))

    def oldest_seq(self) -> EventSeq:
        """Return the number of the oldest event that is kept; 0: there has been none."""
        return EventSeq(self._number(queries.oldest_seq()))

    def nodes(self) -> list[NodeRecord]:
        """Return all nodes, sorted by name.

        Raises, as every read:
            StoreUnusable: the file is damaged.
            SecretsUnreadable: a secret is damaged, or was moved to another row.
            StoreClosed: after `close`.
        """
        return self._nodes(queries.nodes())

    def node(self, uuid: NodeUUID) -> NodeRecord | None:
        """Return a node; None: there is none of that uuid."""
        return next(iter(self._nodes(queries.node(uuid))), None)

    def allocations(self) -> list[AllocationRecord]:
        """Return all allocations, the oldest first."""
        return [allocation_record(row) for row in self._reader.rows(queries.allocations())]

    def open_requests(self) -> list[RequestRecord]:
        """Return the requests that have not ended, the oldest first."""
        return self._requests(queries.open_requests())

    def open_requests_of(self, node_uuid: NodeUUID) -> list[RequestRecord]:
        """Return a node's requests that have not ended, the oldest first."""
        return self._requests(queries.open_requests(node_uuid))

    def request(self, request_id: RequestID) -> RequestRecord | None:
        """Return a request; None: there is none of that id, or it has been pruned."""
        return next(iter(self._requests(queries.request(request_id))), None)

    def key(self, text: str) -> KeyRecord | None:
        """Return an idempotency key; None: it was not used, or its request has been pruned."""
        return next((key_record(row) for row in self._reader.rows(queries.key(text))), None)

    def seal(self, row: str, text: str) -> str:
        """Return a text sealed with the store's key, for a row that need not be one of the store's. Any thread."""
        return self._sealer.seal(row, text)

    def open_sealed(self, row: str, sealed: str) -> str:
        """Return what `seal` has sealed for that row. Any thread.

        Raises:
            ValueError: it was not.
        """
        try:
            return self._sealer.open(row, sealed)
        except SecretsUnreadable as error:
            raise ValueError(str(error)) from None

    def keys(self) -> list[str]:
        """Return all idempotency keys that are kept."""
        return [key for (key,) in self._reader.rows(queries.keys())]

    def outbox(self) -> list[CallbackRecord]:
        """Return the calls that are owed, the longest owed first."""
        return [callback_record(row) for row in self._reader.rows(queries.outbox())]

    def callbacks_of(self, request_id: RequestID) -> list[CallbackRecord]:
        """Return the calls that are owed for a request, or were, with what came of them."""
        return [callback_record(row) for row in self._reader.rows(queries.callbacks_of(request_id))]

    def requests(self, wanted: Wanted = ALL, *, limit: int, before: RequestID | None = None) -> list[RequestRecord]:
        """Return requests, the latest accepted first.

        Args:
            wanted: these only.
            limit: this many at the most.
            before: begin after this one; pages do not overlap or skip while requests come in, and end.

        Raises:
            KeyError: there is no request `before`.
        """
        query = queries.requests(wanted, limit)
        if before is not None:
            query = queries.after(query, self._accepted_at(before), before)
        return self._requests(query)

    def events(
        self,
        *,
        since: EventSeq,
        limit: int,
        until: EventSeq | None = None,
        node_uuids: Collection[NodeUUID] | None = None,
        types: Collection[EventType] | None = None,
    ) -> list[EventRecord]:
        """Return the events after number `since`, in their order.

        Args:
            since: 0 for the beginning. If it is less than `oldest_seq() - 1`, some have been pruned.
            limit: this many at the most.
            until: none after this number.
            node_uuids: of these nodes only.
            types: of these types only.
        """
        query = queries.events(since, until, limit, node_uuids, types)
        return [event_record(row) for row in self._reader.rows(query)]

    def history(self, node_uuid: NodeUUID, *, limit: int, before: NodeSeq | None = None) -> list[EventRecord]:
        """Return a node's events, the latest first: those in the ring, then those kept beyond it.

        Args:
            limit: this many at the most.
            before: begin below this number within the node.
        """
        found = self._history(node_uuid, limit, before, ring=True)
        if len(found) < limit:  # what leaves the ring between the two reads was read already
            before = found[-1].node_seq if found else before
            found += self._history(node_uuid, limit - len(found), before, ring=False)
        return found

    def runbooks(self) -> list[RunbookRecord]:
        """Return all runbooks, sorted by name."""
        return [runbook_record(row, self._sealer) for row in self._reader.rows(queries.runbooks())]

    def prune_requests(self, before: Instant, limit: int) -> Pruned:
        """Delete requests that ended before an instant, with their keys and the calls that are owed for them.

        Blocks on the disk, in small steps.

        Raises:
            StoreUnwritable: the disk does not let us; what was deleted so far stays deleted.
        """
        database, query, count, gone = self._opened.database, queries.ended_before(before), 0, list[str]()
        while count < limit and (rows := self._reader.rows(query.limit(min(PRUNE_STEP, limit - count)))):
            keys = self._reader.rows(queries.keys_of([request_id for (request_id,) in rows]))
            with database.transaction():
                count += database.execute_many("DELETE FROM requests WHERE id = ?", rows)
                database.execute_many("DELETE FROM request_keys WHERE key = ?", keys)
                database.execute_many("DELETE FROM outbox WHERE request_id = ?", rows)
            gone += [key for (key,) in keys]
        return Pruned(count, tuple(gone))

    def prune_events(self, before: Instant, *, keep_count: int, history_count: int, limit: int) -> int:
        """Take events out of the ring that are too old or too many, and return how many. Blocks, in small steps.

        The latest event is always kept: the numbers of the next ones follow from it.

        Args:
            before: those before this instant are too old.
            keep_count: how many the ring may hold.
            history_count: how many of its latest events a node keeps all the same.
            limit: this many at the most.

        Raises:
            StoreUnwritable: the disk does not let us; what was done so far stays done.
        """
        kept = ring.first_kept(self._reader, self.latest_seq(), before, keep_count)
        pruned = 0
        while pruned < limit and (rows := self._reader.rows(queries.below(kept, min(PRUNE_STEP, limit - pruned)))):
            ring.cut(self._opened.database, rows, history_count)
            pruned += len(rows)
        return pruned

    def fold_log(self) -> None:
        """Copy the write-ahead log back into the file, while others commit. Blocks on the disk; idempotent.

        Raises:
            StoreUnwritable: the disk does not let us. Nothing is lost: a later commit does it.
        """
        self._reader.fold_log()

    def close(self) -> None:
        """Close the store and let others have it. Stop its writer first. Idempotent."""
        self._reader.close()
        self._opened.close()

    def _history(self, node_uuid: NodeUUID, limit: int, before: NodeSeq | None, *, ring: bool) -> list[EventRecord]:
        query = queries.history(node_uuid, limit, before, ring=ring)
        return [event_record(row) for row in self._reader.rows(query)]

    def _accepted_at(self, request_id: RequestID) -> Instant:
        for (accepted_at,) in self._reader.rows(queries.accepted_at(request_id)):
            return Instant(accepted_at)
        raise KeyError(request_id)

    def _nodes(self, query: Query) -> list[NodeRecord]:
        return [node_record(row, self._sealer) for row in self._reader.rows(query)]

    def _requests(self, query: Query) -> list[RequestRecord]:
        return [request_record(row, self._sealer) for row in self._reader.rows(query)]

    def _number(self, query: Query) -> int:
        return self._reader.rows(query)[0][0] or 0
