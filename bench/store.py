"""What the store commits and reads: changes one by one, in groups, through the writer's thread; SQLite alone beside.

A change is what a power action commits when it ends: a node, a request, an event; three rows. On a file, with
synchronous=FULL, so the disk is part of every figure; what SQLite does with the same file system, without castiron, is
measured beside it.
"""

import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

from bench.scene import fill, imagined
from castiron.store.records import Change, Commit, EventDraft, NodeRecord, NodeUpdate, RequestRecord
from castiron.store.sql.committer import Outcome
from castiron.store.store import Store
from castiron.store.writer import ThreadedWriter
from castiron.transport.vocabulary import EventType, Instant, NodeSeq, RequestID, RequestState, Revision

ROWS_A_CHANGE: Final = 3
GROUP: Final = 333
"""Changes in one transaction, as many as the writer takes at the most."""

PATIENCE_S: Final = 60.0

T = TypeVar("T")


def measure(*, nodes: int) -> dict[str, float]:
    """Return figures by name.

    Args:
        nodes: a tenth of the store's.
    """
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder:
        path = Path(folder) / "castiron.db"
        fill(path, imagined(nodes * 10))
        figures = {f"sqlite_{name}": value for name, value in _bare(Path(folder) / "bare.db", nodes).items()}
        store = Store.open(path, key_path=None, new_id=lambda: str(uuid4()))
        try:
            load_s, records = _timed(store.nodes)
            figures["load_nodes"] = float(len(records))
            figures["load_ms"] = load_s * 1e3
            return figures | _committing(store, records[:nodes])
        finally:
            store.close()


def _committing(store: Store, records: list[NodeRecord]) -> dict[str, float]:
    count = len(records)
    singles = [[_change(record, 1)] for record in records]
    single_s, _ = _timed(lambda: _commit(store, singles))
    groups = [[_change(record, 2) for record in records[begin : begin + GROUP]] for begin in range(0, count, GROUP)]
    grouped_s, _ = _timed(lambda: _commit(store, groups))
    changes = [_change(record, 3) for record in records]
    threaded_s, _ = _timed(lambda: _through_writer(store, changes))
    return {
        "commits_one_by_one_per_s": count / single_s,
        "grouped_rows_per_s": count * ROWS_A_CHANGE / grouped_s,
        "writer_rows_per_s": count * ROWS_A_CHANGE / threaded_s,
    }


def _commit(store: Store, groups: Sequence[Sequence[Change]]) -> None:
    for group in groups:
        _insist(store.committer.commit(group))


def _through_writer(store: Store, changes: list[Change]) -> None:
    writer, outcomes, are_done = ThreadedWriter(store.committer), list[Outcome](), threading.Event()

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if len(outcomes) == len(changes):
            are_done.set()

    for change in changes:
        writer.submit(change, done)
    are_done.wait(PATIENCE_S)
    writer.stop(PATIENCE_S)
    _insist(outcomes)


def _insist(outcomes: Sequence[Outcome]) -> None:
    failed = [outcome for outcome in outcomes if not isinstance(outcome, Commit)]
    if failed:
        raise RuntimeError(f"{len(failed)} changes were not committed, the first: {failed[0]}")


def _change(record: NodeRecord, which: int) -> Change:
    """Return the change of a node that has been changed `which - 1` times."""
    now = Instant(time.time())
    request = RequestRecord(
        id=RequestID(str(uuid4())),
        node_uuid=record.uuid,
        node_name=record.name,
        verb="node.power.set",
        arguments={"node": record.name, "target": "power on"},
        requester="ipc",
        state=RequestState.SUCCEEDED,
        accepted_at=now,
        started_at=now,
        ended_at=now,
        result={"power_state": "power on", "power_state_at": now, "sent": ["power on"]},
    )
    event = EventDraft(
        type=EventType.POWER_SET_END,
        at=now,
        node_uuid=record.uuid,
        node_name=record.name,
        request_id=request.id,
        payload={"power_state": "power on"},
    )
    after = replace(
        record, revision=Revision(record.revision + which), node_seq=NodeSeq(record.node_seq + which), updated_at=now
    )
    return Change(node=NodeUpdate(record=after), requests=(request,), events=(event,))


def _bare(path: Path, count: int) -> dict[str, float]:
    """Do with sqlite3 alone what the disk allows: rows of the same size, and nothing around them."""
    insert = "INSERT INTO events VALUES (?, ?, ?, ?, ?)"
    rows = [(number, time.time(), str(uuid4()), str(uuid4()), '{"power_state":"power on"}') for number in range(count)]
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            database.execute(f"PRAGMA {pragma}")
        database.execute(
            "CREATE TABLE events (seq INTEGER PRIMARY KEY, at REAL, node TEXT, request TEXT, payload TEXT)"
        )
        single_s, _ = _timed(lambda: [database.execute(insert, row) for row in rows])
        later = [(count * (1 + again) + number, *row) for again in range(10) for number, *row in rows]

        def group() -> None:
            for begin in range(0, len(later), GROUP * ROWS_A_CHANGE):
                database.execute("BEGIN IMMEDIATE")
                database.executemany(insert, later[begin : begin + GROUP * ROWS_A_CHANGE])
                database.execute("COMMIT")

        grouped_s, _ = _timed(group)
    return {"commits_one_by_one_per_s": count / single_s, "grouped_rows_per_s": len(later) / grouped_s}


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result
