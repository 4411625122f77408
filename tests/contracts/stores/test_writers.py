"""What every writer promises: what is told is on disk, one bad change costs nobody else, and a full disk is said.

One class is the contract; its children only say which store and which writer.
"""

import threading
from dataclasses import replace

import pytest

from castiron.store.errors import (
    DuplicateNode,
    StoreClosed,
    StoreError,
    StoreUnwritable,
    UnstorableValue,
)
from castiron.store.records import (
    Change,
    Commit,
    NodeInsert,
    NodeRecord,
    NodeUpdate,
)
from castiron.store.sql.committer import Outcome
from castiron.store.store import Store
from castiron.store.writer import Writer
from castiron.transport.vocabulary import EventSeq, NodeSeq, Revision
from tests.contracts.stores.contract import (
    DEADLINE_S,
    StoreContract,
    commit,
    outcome_of,
    outcomes_of,
    told_node,
)
from tests.support.store_records import (
    creation,
    event_of,
    node_uuid,
    plain_node,
    plain_request,
    successor,
    update,
)


class WritersContract(StoreContract):
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
        for _ in range(20_000):
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
        commit(writer, Change())  # writes nothing, so it works, and proves nothing
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


class TestWritersOnDiskWithThread(WritersContract):
    on_disk = True
    threaded = True


class TestWritersOnDiskInline(WritersContract):
    on_disk = True
    threaded = False


class TestWritersInMemoryWithThread(WritersContract):
    on_disk = False
    threaded = True


class TestWritersInMemoryInline(WritersContract):
    on_disk = False
    threaded = False
