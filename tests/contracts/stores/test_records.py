"""What every store promises of nodes and requests: as they went in they come out, whole or not at all.

One class is the contract; its children only say which store and which writer.
"""

from dataclasses import replace
from typing import Any

import pytest

from castiron.store.errors import DuplicateNode, StaleRevision
from castiron.store.records import Change, NodeInsert, NodeRecord, NodeRemove, RequestRecord, Wanted
from castiron.store.sql.migrations import STEPS
from castiron.store.store import Store
from castiron.store.writer import Writer
from castiron.transport.vocabulary import EventSeq, EventType, Instant, NodeName, NodeSeq, RequestState, Revision
from tests.contracts.stores.contract import StoreContract, commit, outcome_of, told_node
from tests.support.store_records import (
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


class RecordsContract(StoreContract):
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

    def test_what_nodes_have_alike_is_in_memory_once(self, store: Store, writer: Writer) -> None:
        commit(writer, *(Change(node=NodeInsert(record=full_node(number))) for number in (1, 2)))

        one, other = store.nodes()

        for name in ("driver", "owner", "secret_keys"):
            assert getattr(one, name) is getattr(other, name), name

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
        assert [found.id[-1] for found in store.requests(Wanted(node_uuid=node_uuid(1)), limit=9)] == ["3", "2", "1"]
        assert store.requests(Wanted(states=frozenset({RequestState.FAILED})), limit=9) == [failed]
        assert store.requests(Wanted(states=frozenset()), limit=9) == []

    def test_requests_are_found_by_all_that_a_list_may_ask_for(self, store: Store, writer: Writer) -> None:
        lost = {"code": "bmc.unreachable", "message": "No answer."}
        failed = plain_request(2, state=RequestState.FAILED, error=lost, ended_at=Instant(3000.0))
        boot = plain_request(3, verb="node.boot_device.set", requester="ipc:uid=7 (a shell)")
        other = plain_request(4, requester="ipc:uid=77")
        commit(writer, creation(plain_node(1), plain_request(1), failed, boot, other))

        def found(**wanted: Any) -> list[str]:
            return [one.id[-1] for one in store.requests(Wanted(**wanted), limit=9)]

        assert found(error="bmc.unreachable") == ["2"]
        assert found(error="bmc.fault") == []
        assert found(verb="node.boot_device.set") == ["3"]
        assert found(requester="ipc:uid=7") == ["3"]
        assert found(requester="ipc:uid=7 (a shell)") == ["3"]
        assert found(accepted_since=2002.0, accepted_until=2004.0) == ["3", "2"]
        assert found(ended_since=3000.0) == ["2"]
        assert found(ended_until=3000.0) == []
        assert found(verb="node.power.set", error="bmc.unreachable", ended_until=3000.5) == ["2"]

    def test_pages_neither_skip_nor_repeat_what_is_there_while_requests_come_and_end(
        self, store: Store, writer: Writer
    ) -> None:
        there = [plain_request(number) for number in range(1, 8)]
        commit(writer, creation(plain_node(1), *there))
        node, seen, before = told_node(1), list[str](), None
        for number in range(10, 20):
            page = store.requests(limit=2, before=before)
            if not page:
                break
            seen, before = [*seen, *(one.id for one in page)], page[-1].id
            node = successor(node)  # one comes, and one that is on no page yet ends
            ended = replace(there[0], state=RequestState.FAILED, ended_at=Instant(4000.0))
            commit(writer, replace(update(node), requests=(plain_request(number), ended)))

        assert seen == [one.id for one in reversed(there)]

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

    def test_a_log_that_is_folded_grows_no_more_and_waits_for_no_commit(self, store: Store, writer: Writer) -> None:
        node = plain_node()
        commit(writer, creation(node))
        with store.committer._database.transaction():
            store.fold_log()
        sizes = {store.wal_bytes()}
        for _ in range(5):
            node = successor(node)
            commit(writer, update(node))
            store.fold_log()
            sizes.add(store.wal_bytes())

        assert len(sizes) == 1
        assert store.nodes() == [node]


class TestRecordsOnDiskWithThread(RecordsContract):
    on_disk = True
    threaded = True


class TestRecordsOnDiskInline(RecordsContract):
    on_disk = True
    threaded = False


class TestRecordsInMemoryWithThread(RecordsContract):
    on_disk = False
    threaded = True


class TestRecordsInMemoryInline(RecordsContract):
    on_disk = False
    threaded = False
