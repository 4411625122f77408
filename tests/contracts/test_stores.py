"""What every store promises, on disk and in memory, with a writer of its own thread and without.

One class is the contract; its children only say which store and which writer.
"""

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from castiron.store.errors import (
    DuplicateNode,
    StaleRevision,
    StoreClosed,
    StoreError,
    StoreUnwritable,
    UnstorableValue,
)
from castiron.store.records import (
    Change,
    Commit,
    EventDraft,
    NodeInsert,
    NodeRecord,
    NodeRemove,
    NodeUpdate,
    RequestRecord,
)
from castiron.store.sql.committer import Outcome
from castiron.store.sql.migrations import STEPS
from castiron.store.store import Store
from castiron.store.writer import InlineWriter, ThreadedWriter, Writer
from castiron.transport.vocabulary import EventSeq, EventType, Instant, NodeName, NodeSeq, RequestState, Revision
from tests.support.store_records import (
    counting_ids,
    creation,
    event_of,
    full_node,
    full_request,
    node_uuid,
    plain_node,
    plain_request,
    request_id,
    successor,
    update,
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

    def test_a_new_store_is_empty_and_knows_whose_it_is(self, store: Store) -> None:
        assert store.nodes() == []
        assert store.open_requests() == []
        assert store.latest_seq() == 0
        assert store.oldest_seq() == 0
        assert store.conductor == "00000000-0000-4000-8000-000000000001"
        assert store.schema_version == STEPS[-1].version
        assert store.size_bytes() > 0

    @pytest.mark.parametrize("node", [plain_node(), full_node()], ids=["plain", "full"])
    def test_a_node_comes_back_equal(self, store: Store, writer: Writer, node: NodeRecord) -> None:
        commit(writer, Change(node=NodeInsert(record=node)))

        assert store.node(node.uuid) == node
        assert store.nodes() == [node]

    @pytest.mark.parametrize("record", [plain_request(), full_request()], ids=["plain", "full"])
    def test_a_request_comes_back_equal(self, store: Store, writer: Writer, record: RequestRecord) -> None:
        commit(writer, creation(plain_node(), record))

        assert store.request(record.id) == record

    def test_an_event_comes_back_equal_and_numbered(self, store: Store, writer: Writer) -> None:
        node = told_node()
        draft = replace(event_of(node), request_id=request_id(7), payload={"a": [1, {"b": b"c"}]})

        (made,) = commit(writer, Change(node=NodeInsert(record=node), events=(draft,)))

        assert made.seq == 1
        assert [(event.seq, event.node_seq, event.draft) for event in made.events] == [(1, 1, draft)]
        assert store.events(since=EventSeq(0), limit=10) == list(made.events)

    def test_what_is_read_cannot_be_changed_by_the_reader(self, store: Store, writer: Writer) -> None:
        commit(writer, creation(full_node(), full_request()))

        node, request = store.nodes()[0], store.request(request_id(1))

        assert request is not None
        for whole in (node.driver_info, node.extra, request.arguments, request.progress):
            with pytest.raises(TypeError):
                whole["new"] = 1  # type: ignore[index]  # what a mapping forbids is what is tested

    def test_nodes_are_sorted_by_name(self, store: Store, writer: Writer) -> None:
        commit(writer, *(creation(plain_node(number)) for number in (3, 1, 2)))

        assert [node.name for node in store.nodes()] == ["n1", "n2", "n3"]

    def test_what_is_not_there_is_none(self, store: Store) -> None:
        assert store.node(node_uuid(1)) is None
        assert store.request(request_id(1)) is None

    @pytest.mark.parametrize(
        "twin", [plain_node(1, name=NodeName("other")), plain_node(2, name=NodeName("n1"))], ids=["uuid", "name"]
    )
    def test_a_taken_uuid_or_name_is_refused(self, store: Store, writer: Writer, twin: NodeRecord) -> None:
        commit(writer, creation(plain_node()))

        outcome = outcome_of(writer, creation(twin, plain_request(9)))

        assert isinstance(outcome, DuplicateNode)
        assert store.nodes() == [told_node()]
        assert store.request(request_id(9)) is None
        assert store.latest_seq() == 1

    def test_a_taken_name_is_refused_to_a_node_that_is_renamed(self, store: Store, writer: Writer) -> None:
        commit(writer, creation(plain_node(1)), creation(plain_node(2)))

        outcome = outcome_of(writer, update(successor(told_node(2), name=NodeName("n1"))))

        assert isinstance(outcome, DuplicateNode)
        assert store.node(node_uuid(2)) == told_node(2)

    def test_an_update_replaces_the_record(self, store: Store, writer: Writer) -> None:
        commit(writer, creation(plain_node()))
        changed = replace(full_node(), epoch=1, revision=Revision(2), node_seq=NodeSeq(2), name=NodeName("renamed"))

        commit(writer, update(changed))

        assert store.nodes() == [changed]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"revision": Revision(2)},
            {"revision": Revision(4)},
            {"epoch": 2},
            {"uuid": node_uuid(5), "name": NodeName("nobody")},
        ],
        ids=["older", "newer", "epoch", "unknown"],
    )
    def test_an_update_that_does_not_fit_leaves_nothing(
        self, store: Store, writer: Writer, wrong: dict[str, object]
    ) -> None:
        second = successor(told_node())
        commit(writer, creation(plain_node()), update(second))
        stale = replace(successor(second), **wrong)  # type: ignore[arg-type]  # each is of its field's type

        outcome = outcome_of(writer, update(stale, plain_request()))

        assert isinstance(outcome, StaleRevision)
        assert store.nodes() == [second]
        assert store.open_requests() == []
        assert store.latest_seq() == 2

    def test_a_removed_node_leaves_its_requests_its_events_and_its_name(self, store: Store, writer: Writer) -> None:
        commit(writer, creation(plain_node(), plain_request()))
        last = replace(told_node(), node_seq=NodeSeq(2))

        commit(writer, Change(node=NodeRemove(record=last), events=(event_of(last, EventType.NODE_DELETE_END),)))
        commit(writer, creation(plain_node(2, name=NodeName("n1"))))

        assert store.node(node_uuid(1)) is None
        assert store.request(request_id(1)) == plain_request()
        assert [event.node_seq for event in store.events(since=EventSeq(0), limit=9, node_uuids={node_uuid(1)})] == [
            1,
            2,
        ]

    @pytest.mark.parametrize("wrong", [{"revision": Revision(2)}, {"epoch": 2}], ids=["revision", "epoch"])
    def test_a_removal_that_does_not_fit_removes_nothing(
        self, store: Store, writer: Writer, wrong: dict[str, object]
    ) -> None:
        commit(writer, creation(plain_node()))
        stale = replace(told_node(), **wrong)  # type: ignore[arg-type]  # each is of its field's type

        outcome = outcome_of(writer, Change(node=NodeRemove(record=stale)))

        assert isinstance(outcome, StaleRevision)
        assert store.nodes() == [told_node()]

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

    def test_a_request_is_replaced_by_its_newer_self(self, store: Store, writer: Writer) -> None:
        running = replace(plain_request(), state=RequestState.RUNNING, progress={"step": 1}, attempts=1)

        commit(writer, creation(plain_node(), plain_request()), update(successor(told_node()), running))

        assert store.requests(limit=10) == [running]

    def test_open_requests_are_those_that_have_not_ended_the_oldest_first(self, store: Store, writer: Writer) -> None:
        records = [
            plain_request(number, state=state, accepted_at=Instant(2000.0 - number))
            for number, state in enumerate(RequestState)
        ]
        other = plain_request(50, node_uuid=node_uuid(2), accepted_at=Instant(1.0))
        commit(writer, creation(plain_node(1), *records), creation(plain_node(2), other))

        states = [request.state for request in store.open_requests_of(node_uuid(1))]

        assert states == [RequestState.RUNNING, RequestState.QUEUED, RequestState.ACCEPTED]
        assert store.open_requests()[0] == other
        assert len(store.open_requests()) == 4

    def test_pages_of_requests_neither_overlap_nor_skip_while_new_ones_come_in(
        self, store: Store, writer: Writer
    ) -> None:
        same_instant = [plain_request(number, accepted_at=Instant(2000.0)) for number in range(1, 8)]
        commit(writer, creation(plain_node(), *same_instant))

        page = store.requests(limit=3)
        seen = [request.id for request in page]
        node = told_node()
        while page:
            node = successor(node)
            commit(writer, update(node, plain_request(100 + node.revision)))
            page = store.requests(limit=3, before=page[-1].id)
            seen += [request.id for request in page]

        assert seen == [request_id(number) for number in range(7, 0, -1)]

    def test_requests_are_listed_by_node_and_state_the_latest_first(self, store: Store, writer: Writer) -> None:
        failed = plain_request(2, state=RequestState.FAILED)
        commit(writer, creation(plain_node(1), plain_request(1), failed, plain_request(3)))
        commit(writer, creation(plain_node(2), plain_request(4, node_uuid=node_uuid(2))))

        assert [found.id[-1] for found in store.requests(limit=9)] == ["4", "3", "2", "1"]
        assert [found.id[-1] for found in store.requests(limit=9, node_uuid=node_uuid(1))] == ["3", "2", "1"]
        assert store.requests(limit=9, states=[RequestState.FAILED]) == [failed]
        assert store.requests(limit=9, states=[]) == []

    def test_a_page_after_a_request_that_is_not_there_is_an_error(self, store: Store) -> None:
        with pytest.raises(KeyError):
            store.requests(limit=9, before=request_id(1))

    def test_pruning_takes_ended_requests_only_and_no_more_than_asked(self, store: Store, writer: Writer) -> None:
        ended = [
            plain_request(number, state=RequestState.SUCCEEDED, ended_at=Instant(3000.0 + number))
            for number in range(1, 8)
        ]
        running = plain_request(20, state=RequestState.RUNNING)
        commit(writer, creation(plain_node(), *ended, running))

        assert store.prune_requests(Instant(3006.0), limit=2).requests == 2
        assert store.prune_requests(Instant(3006.0), limit=100).requests == 3
        assert store.prune_requests(Instant(3006.0), limit=100).requests == 0
        assert {request.id for request in store.requests(limit=99)} == {running.id, ended[5].id, ended[6].id}

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

    @pytest.mark.parametrize(
        "value", [{1, 2}, object(), {(1, 2): 3}, {"x": 1j}], ids=["set", "object", "tuple key", "complex"]
    )
    def test_a_value_that_no_store_could_keep_is_refused_alone(
        self, store: Store, writer: Writer, value: object
    ) -> None:
        bad = creation(plain_node(1, extra={"bad": value}))

        kinds = [type(outcome) for outcome in outcomes_of(writer, bad, creation(plain_node(2)))]

        assert kinds == [UnstorableValue, Commit]
        assert [node.name for node in store.nodes()] == ["n2"]
        assert store.latest_seq() == 1

    @pytest.mark.parametrize(
        "wrong", [{"node_seq": NodeSeq(2**70)}, {"driver": "\ud800"}, {"created_at": float("nan")}], ids=str
    )
    def test_a_value_that_sqlite_cannot_hold_is_refused_alone(
        self, store: Store, writer: Writer, wrong: dict[str, object]
    ) -> None:
        bad = Change(node=NodeInsert(record=plain_node(1, **wrong)))

        kinds = [type(outcome) for outcome in outcomes_of(writer, bad, creation(plain_node(2)))]

        assert kinds == [UnstorableValue, Commit]
        assert [node.name for node in store.nodes()] == ["n2"]

    def test_of_a_change_that_fits_only_in_part_nothing_is_written(self, store: Store) -> None:
        bad = creation(plain_node(1), plain_request(1), plain_request(2, requester="\ud800"))

        kinds = [type(outcome) for outcome in store.committer.commit([bad, creation(plain_node(2))])]

        assert kinds == [UnstorableValue, Commit]
        assert [node.name for node in store.nodes()] == ["n2"]
        assert store.requests(limit=9) == []
        assert store.latest_seq() == 1

    def test_a_map_that_is_nested_too_deeply_is_refused_alone(self, writer: Writer) -> None:
        deep: dict[str, object] = {}
        for _ in range(100_000):
            deep = {"in": deep}
        bad = creation(plain_node(1, extra=deep))

        kinds = [type(outcome) for outcome in outcomes_of(writer, bad, creation(plain_node(2)))]

        assert kinds == [UnstorableValue, Commit]
        while deep:  # taken apart by hand: to free it in one go would overflow the interpreter's stack in old versions
            deep = deep.pop("in")  # type: ignore[assignment]  # a map of maps, all the way down

    @pytest.mark.parametrize(
        "change",
        [
            Change(node=NodeInsert(record=plain_node(revision=Revision(2)))),
            Change(requests=(plain_request(),)),
            Change(events=(event_of(plain_node()),)),
            Change(node=NodeInsert(record=told_node(1)), events=(event_of(plain_node(2)),)),
            Change(node=NodeUpdate(record=told_node()), events=(event_of(plain_node()),) * 2),
        ],
        ids=["revision", "unguarded request", "no node", "another's event", "too many events"],
    )
    def test_a_change_that_contradicts_itself_is_an_error_of_the_caller(
        self, store: Store, writer: Writer, change: Change
    ) -> None:
        with pytest.raises(ValueError, match=r"."):
            writer.submit(change, lambda outcome: pytest.fail(str(outcome)))

        assert store.latest_seq() == 0

    def test_outcomes_are_told_in_the_order_of_submission(self, writer: Writer) -> None:
        changes = [creation(plain_node(1 + number // 2)) for number in range(200)]

        kinds = [type(outcome) for outcome in outcomes_of(writer, *changes)]

        assert kinds == [Commit, DuplicateNode] * 100

    def test_what_is_told_is_on_disk_already(self, store: Store, writer: Writer) -> None:
        seen: list[NodeRecord | None] = []
        told = threading.Event()

        def done(_outcome: Outcome) -> None:
            seen.append(store.node(node_uuid(1)))
            told.set()

        writer.submit(creation(plain_node()), done)

        assert told.wait(DEADLINE_S)
        assert seen == [told_node()]

    def test_who_is_told_may_submit_at_once(self, store: Store, writer: Writer) -> None:
        last_told = threading.Event()

        def then(number: int) -> None:
            if number > 200:
                last_told.set()
            else:
                writer.submit(creation(plain_node(number)), lambda _outcome: then(number + 1))

        then(1)

        assert last_told.wait(DEADLINE_S)
        assert len(store.nodes()) == 200

    def test_a_fault_of_who_is_told_costs_nobody_else(
        self, store: Store, writer: Writer, caplog: pytest.LogCaptureFixture
    ) -> None:
        def faulty(_outcome: Outcome) -> None:
            raise RuntimeError("not the writer's fault")

        writer.submit(creation(plain_node(1)), faulty)
        commit(writer, creation(plain_node(2)))

        assert len(store.nodes()) == 2
        assert "not the writer's fault" in caplog.text
        assert writer.is_alive()

    def test_a_store_that_cannot_be_written_says_so_and_recovers(self, store: Store, writer: Writer) -> None:
        database = store.committer._database
        commit(writer, creation(plain_node(1)))

        database.pragma("query_only", "on")
        refused = outcomes_of(writer, creation(plain_node(2)), creation(plain_node(1)))
        state = writer.state()
        database.pragma("query_only", "off")
        (made,) = commit(writer, creation(plain_node(2)))

        assert [type(outcome) for outcome in refused] == [StoreUnwritable, StoreUnwritable]
        assert "readonly" in str(refused[0])
        assert state == str(refused[-1])
        assert made.seq == 2
        assert writer.state() == "ok"
        assert writer.is_alive()
        assert [node.name for node in store.nodes()] == ["n1", "n2"]

    def test_a_full_store_says_so_and_recovers(self, store: Store, writer: Writer) -> None:
        database = store.committer._database
        commit(writer, creation(plain_node(1)))
        database.pragma("max_page_count", database.pragma("page_count"))
        big = plain_node(2, extra={"big": "x" * 100_000})

        refused = outcome_of(writer, creation(big))
        state = writer.state()
        database.pragma("max_page_count", 1_000_000)
        (made,) = commit(writer, creation(big))

        assert isinstance(refused, StoreUnwritable)
        assert state == str(refused)
        assert "full" in state
        assert made.seq == 2
        assert writer.state() == "ok"
        assert store.nodes() == [told_node(1), replace(big, node_seq=NodeSeq(1))]

    def test_stopping_writes_what_waits_and_then_refuses(self, store: Store, writer: Writer) -> None:
        told: list[Outcome] = []
        for number in range(1, 101):
            writer.submit(creation(plain_node(number)), told.append)

        writer.stop(DEADLINE_S)
        writer.stop(DEADLINE_S)
        after = outcome_of(writer, creation(plain_node(999)))

        assert [type(outcome) for outcome in told] == [Commit] * 100
        assert isinstance(after, StoreClosed)
        assert len(store.nodes()) == 100
        assert not writer.is_alive()
        assert writer.backlog() == 0

    def test_a_closed_store_says_so_to_writers_and_readers(self, store: Store, writer: Writer) -> None:
        store.close()
        store.close()

        assert isinstance(outcome_of(writer, creation(plain_node())), StoreClosed)
        with pytest.raises(StoreClosed):
            store.nodes()

    def test_the_writer_counts(self, writer: Writer) -> None:
        commit(writer, creation(plain_node(1)))
        outcome_of(writer, creation(plain_node(1)))

        counters = writer.counters()

        assert (counters.changes, counters.commits, counters.groups, counters.refused, counters.failures) == (
            1,
            1,
            2,
            1,
            0,
        )

    def test_reads_from_many_threads_see_whole_changes_only(self, store: Store, writer: Writer) -> None:
        node = told_node()
        commit(writer, creation(plain_node()))
        torn: list[object] = []
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                seen = store.node(node.uuid)
                events = store.events(since=EventSeq(0), limit=1000)
                if seen is None or [event.seq for event in events] != list(range(1, len(events) + 1)):
                    torn.append((seen, events))

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for _ in range(100):
            node = successor(node)
            commit(writer, update(node))
        stop.set()
        for reader in readers:
            reader.join(DEADLINE_S)

        assert torn == []
        assert store.node(node.uuid) == node

    def test_errors_are_the_stores_own(self, writer: Writer) -> None:
        outcome = outcomes_of(writer, creation(plain_node()), creation(plain_node()))[1]

        assert isinstance(outcome, StoreError)
        assert outcome.__traceback__ is None, "a traceback would keep the records of the group alive"


class TestStoreOnDiskWithThread(StoreContract):
    on_disk = True
    threaded = True


class TestStoreOnDiskInline(StoreContract):
    on_disk = True
    threaded = False


class TestStoreInMemoryWithThread(StoreContract):
    on_disk = False
    threaded = True


class TestStoreInMemoryInline(StoreContract):
    on_disk = False
    threaded = False
