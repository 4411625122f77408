"""What every contract of a store stands on: a store on disk or in memory, and a writer with a thread or without.

A contract is a class; its children only say which store and which writer.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from castiron.store.records import (
    Change,
    Commit,
    EventDraft,
    NodeRecord,
)
from castiron.store.sql.committer import Outcome
from castiron.store.store import Store
from castiron.store.writer import InlineWriter, ThreadedWriter, Writer
from castiron.transport.vocabulary import EventType, Instant, NodeSeq
from tests.support.store_records import (
    counting_ids,
    node_uuid,
    plain_node,
)

DEADLINE_S = 10
ANY_EVENT = EventDraft(type=EventType.NODE_UPDATE_END, at=Instant(1.0))


def pruned(store: Store, *, before: float, keep_count: int = 99, history_count: int = 9, limit: int = 99) -> int:
    return store.prune_events(Instant(before), keep_count=keep_count, history_count=history_count, limit=limit)


def history(store: Store, number: int, *, limit: int = 99, before: int | None = None) -> list[int | None]:
    found = store.history(node_uuid(number), limit=limit, before=None if before is None else NodeSeq(before))
    return [event.node_seq for event in found]


def outcomes_of(writer: Writer, *changes: Change) -> list[Outcome]:
    """Submit, and wait until all have been told."""
    told: list[Outcome] = []
    all_told = threading.Event()

    def done(outcome: Outcome) -> None:
        told.append(outcome)
        if len(told) == len(changes):
            all_told.set()

    for change in changes:
        writer.submit(change, done)
    assert all_told.wait(DEADLINE_S)
    return told


def outcome_of(writer: Writer, change: Change) -> Outcome:
    (outcome,) = outcomes_of(writer, change)
    return outcome


def commit(writer: Writer, *changes: Change) -> list[Commit]:
    commits: list[Commit] = []
    for outcome in outcomes_of(writer, *changes):
        assert isinstance(outcome, Commit), outcome
        commits.append(outcome)
    return commits


def told_node(number: int = 1) -> NodeRecord:
    """A plain node after its creation."""
    return plain_node(number, node_seq=NodeSeq(1))


class StoreContract:
    on_disk: ClassVar[bool]
    threaded: ClassVar[bool]

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = Store.open(tmp_path / "castiron.db" if self.on_disk else None, key_path=None, new_id=counting_ids())
        yield store
        store.close()

    @pytest.fixture
    def writer(self, store: Store) -> Iterator[Writer]:
        writer = ThreadedWriter(store.committer) if self.threaded else InlineWriter(store.committer)
        yield writer
        writer.stop(DEADLINE_S)
