"""What every store promises of events: numbers without a gap, a ring, and a history for each node.

One class is the contract; its children only say which store and which writer.
"""

from dataclasses import replace
from functools import partial

import pytest

from castiron.store.errors import DuplicateNode, StaleRevision
from castiron.store.records import Change, Commit, NodeRemove
from castiron.store.store import Store
from castiron.store.writer import Writer
from castiron.transport.vocabulary import EventSeq, EventType, Instant, NodeSeq
from tests.contracts.stores.contract import ANY_EVENT, StoreContract, commit, history, outcomes_of, pruned, told_node
from tests.support.store_records import creation, event_of, node_uuid, plain_node, successor, update


class EventsContract(StoreContract):
    def test_events_are_numbered_in_order_of_submission_without_a_gap(self, store: Store, writer: Writer) -> None:
        first = successor(told_node(1), events=2)
        changes = [
            creation(plain_node(1)),
            Change(events=(ANY_EVENT, ANY_EVENT)),
            creation(plain_node(1)),
            update(first, events=2),
            update(first, events=2),
            creation(plain_node(2)),
        ]

        kinds = [type(outcome) for outcome in outcomes_of(writer, *changes)]

        assert kinds == [Commit, Commit, DuplicateNode, Commit, StaleRevision, Commit]
        events = store.events(since=EventSeq(0), limit=100)
        assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]
        assert [event.node_seq for event in events] == [1, None, None, 2, 3, 1]
        assert store.latest_seq() == 6

    def test_a_commit_says_the_latest_number_also_if_it_has_no_events(self, writer: Writer) -> None:
        commits = commit(writer, creation(plain_node()), update(successor(told_node(), events=0), events=0))

        assert [made.seq for made in commits] == [1, 1]

    def test_events_are_read_from_a_number_on(self, store: Store, writer: Writer) -> None:
        commit(writer, *(creation(plain_node(number)) for number in range(1, 6)))

        assert [event.seq for event in store.events(since=EventSeq(2), limit=2)] == [3, 4]
        assert [event.seq for event in store.events(since=EventSeq(0), limit=9, node_uuids={node_uuid(4)})] == [4]
        assert store.events(since=EventSeq(5), limit=9) == []

    def test_pruning_events_keeps_the_latest_so_that_numbers_go_on(self, store: Store, writer: Writer) -> None:
        events = tuple(replace(ANY_EVENT, at=Instant(float(at))) for at in range(1, 6))
        commit(writer, Change(events=events))

        assert pruned(store, before=3.0, limit=1) == 1
        assert pruned(store, before=3.0) == 1
        assert store.oldest_seq() == 3
        assert pruned(store, before=99.0) == 2
        assert pruned(store, before=99.0) == 0
        assert commit(writer, Change(events=(ANY_EVENT,)))[0].seq == 6

    def test_the_ring_keeps_the_latest_so_many_without_a_hole(self, store: Store, writer: Writer) -> None:
        commit(writer, *(Change(events=(ANY_EVENT,) * 3) for _ in range(4)))

        assert pruned(store, before=0.0, keep_count=5) == 7
        assert [event.seq for event in store.events(since=EventSeq(0), limit=99)] == [8, 9, 10, 11, 12]
        assert pruned(store, before=0.0, keep_count=1) == 4
        assert (store.oldest_seq(), store.latest_seq()) == (12, 12)

    def test_a_node_keeps_its_latest_events_when_they_leave_the_ring(self, store: Store, writer: Writer) -> None:
        busy, quiet = told_node(1), told_node(2)
        commit(writer, creation(plain_node(1)), creation(plain_node(2)))
        for _ in range(5):
            busy = successor(busy, events=2)
            commit(writer, update(busy, events=2))

        assert history(store, 1) == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
        pruned(store, before=0.0, keep_count=2, history_count=4)

        assert [event.seq for event in store.events(since=EventSeq(0), limit=99)] == [11, 12]
        assert history(store, 1) == [11, 10, 9, 8]
        assert history(store, 1, limit=3) == [11, 10, 9]
        assert history(store, 1, limit=2, before=10) == [9, 8]
        assert history(store, 2) == [1]
        assert store.history(quiet.uuid, limit=9)[0].draft == event_of(plain_node(2), EventType.NODE_CREATE_END)

    @pytest.mark.parametrize("step", [1, 3, 100])
    def test_a_history_does_not_grow_while_its_events_leave_the_ring(
        self, store: Store, writer: Writer, step: int
    ) -> None:
        node = told_node(1)
        commit(writer, creation(plain_node(1)))
        for _ in range(6):
            node = successor(node, events=4)
            commit(writer, update(node, events=4))
            while pruned(store, before=0.0, keep_count=3, history_count=5, limit=step):
                pass

            assert history(store, 1) == list(range(node.node_seq, 0, -1))[:5]

    def test_the_history_of_a_removed_node_goes_with_its_last_event(self, store: Store, writer: Writer) -> None:
        commit(writer, creation(plain_node(1)), creation(plain_node(2)))
        pruned(store, before=0.0, keep_count=1)
        last = replace(told_node(1), node_seq=NodeSeq(2))
        commit(writer, Change(node=NodeRemove(record=last), events=(event_of(last, EventType.NODE_DELETE_END),)))

        assert history(store, 1) == [2, 1]
        commit(writer, Change(events=(ANY_EVENT,)))
        pruned(store, before=0.0, keep_count=1)

        assert history(store, 1) == []
        assert history(store, 2) == [1]

    def test_events_are_read_by_node_type_and_stretch(self, store: Store, writer: Writer) -> None:
        commit(writer, *(creation(plain_node(number)) for number in range(1, 4)), Change(events=(ANY_EVENT,)))
        read = partial(store.events, since=EventSeq(0), limit=99)

        assert [one.seq for one in read(types={EventType.NODE_UPDATE_END})] == [4]
        assert [one.seq for one in read(node_uuids={node_uuid(1), node_uuid(3)})] == [1, 3]
        assert [one.seq for one in read(node_uuids={node_uuid(1)}, types={EventType.NODE_UPDATE_END})] == []
        assert [one.seq for one in read(until=EventSeq(2))] == [1, 2]


class TestEventsOnDiskWithThread(EventsContract):
    on_disk = True
    threaded = True


class TestEventsOnDiskInline(EventsContract):
    on_disk = True
    threaded = False


class TestEventsInMemoryWithThread(EventsContract):
    on_disk = False
    threaded = True


class TestEventsInMemoryInline(EventsContract):
    on_disk = False
    threaded = False
