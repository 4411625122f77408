"""Calls that are owed: in the commit of the end, with its number, until settled, or forgotten with their request."""

from dataclasses import replace

from castiron.store.records import CallbackSettled, CallbackTried, Change, Commit, NodeUpdate, TraceEntry
from castiron.store.store import Store
from castiron.store.writer import InlineWriter, ThreadedWriter, Writer
from castiron.transport.vocabulary import EventSeq, Instant, NodeSeq, RequestState, Revision, TraceWord
from tests.contracts.stores.contract import ANY_EVENT, StoreContract, commit, outcomes_of, told_node
from tests.support.store_records import creation, full_callback, node_uuid, plain_request


def ending(number: int, revision: int) -> Change:
    """An end of a request with its event, and what is owed for it."""
    update = NodeUpdate(record=replace(told_node(), revision=Revision(revision), node_seq=NodeSeq(revision)))
    request = plain_request(number, state=RequestState.SUCCEEDED, ended_at=Instant(3000.0 + number))
    event = replace(ANY_EVENT, node_uuid=node_uuid(1))
    return Change(node=update, requests=(request,), events=(event,), outbox=(full_callback(number),))


class OutboxContract(StoreContract):
    def test_what_is_owed_comes_back_with_the_number_of_its_commit(self, store: Store, writer: Writer) -> None:
        commits = commit(writer, creation(told_node()), ending(1, 2), ending(2, 3))

        owed = store.outbox()
        assert [one.seq for one in owed] == [commits[1].seq, commits[2].seq] == [2, 3]
        assert owed == [full_callback(1, seq=EventSeq(2)), full_callback(2, seq=EventSeq(3))]
        assert tuple(owed) == commits[1].callbacks + commits[2].callbacks
        assert "hush" not in repr(owed)

    def test_an_end_that_is_refused_owes_nothing(self, store: Store, writer: Writer) -> None:
        outcomes = outcomes_of(writer, creation(told_node()), ending(1, 7), ending(2, 2))

        assert [isinstance(outcome, Commit) for outcome in outcomes] == [True, False, True]
        assert [one.id for one in store.outbox()] == [full_callback(2).id]

    def test_what_is_owed_already_is_not_owed_anew(self, store: Store, writer: Writer) -> None:
        commit(writer, Change(outbox=(full_callback(1),)))
        commit(writer, Change(outbox=(CallbackTried(id=full_callback(1).id, attempts=9),)))
        commit(writer, Change(outbox=(full_callback(1),)))

        assert store.outbox() == [full_callback(1, attempts=9)]

    def test_what_is_settled_is_forgotten_and_stays_so(self, store: Store, writer: Writer) -> None:
        settled = Change(outbox=(CallbackSettled(id=full_callback(1).id, ended_at=Instant(5.0)),))
        commit(writer, Change(outbox=(full_callback(1), full_callback(2))), settled, settled)
        commit(writer, Change(outbox=(CallbackTried(id=full_callback(1).id, attempts=9),)))

        assert [one.id for one in store.outbox()] == [full_callback(2).id]

    def test_what_came_of_a_call_stays_with_its_request(self, store: Store, writer: Writer) -> None:
        trace = (TraceEntry(word=TraceWord.DELIVERED, at=Instant(5.0), details={"delivery": "d"}),)
        settled = CallbackSettled(id=full_callback(1).id, ended_at=Instant(5.0), trace=trace)
        commit(writer, creation(told_node()), ending(1, 2), Change(outbox=(settled,)))

        (kept,) = store.callbacks_of(full_callback(1).request_id)
        assert (kept.trace, kept.ended_at, dict(kept.body)) == (trace, 5.0, {})
        assert store.outbox() == []
        store.prune_requests(Instant(9999.0), 10)
        assert store.callbacks_of(full_callback(1).request_id) == []

    def test_what_is_owed_goes_with_its_request(self, store: Store, writer: Writer) -> None:
        commit(writer, creation(told_node()), ending(1, 2), ending(2, 3))

        assert store.prune_requests(Instant(3001.5), 10).requests == 1
        assert [one.id for one in store.outbox()] == [full_callback(2).id]

    def test_whoever_announces_hears_of_calls_without_events(self, store: Store) -> None:
        heard: list[Commit] = []
        make = ThreadedWriter if self.threaded else InlineWriter
        announcing = make(store.committer, landed=heard.extend)

        commit(
            announcing,
            Change(outbox=(full_callback(1),)),
            Change(outbox=(CallbackSettled(id=full_callback(1).id, ended_at=Instant(5.0)),)),
        )
        announcing.stop(10)

        assert [one.callbacks for one in heard] == [(full_callback(1),)]


class TestOutboxOnDiskWithThread(OutboxContract):
    on_disk, threaded = True, True


class TestOutboxOnDiskInline(OutboxContract):
    on_disk, threaded = True, False


class TestOutboxInMemoryWithThread(OutboxContract):
    on_disk, threaded = False, True


class TestOutboxInMemoryInline(OutboxContract):
    on_disk, threaded = False, False
