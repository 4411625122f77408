"""However changes are grouped, they do what they would do one by one; and what they did is still there tomorrow."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.store.errors import DuplicateNode, StaleRevision, UnstorableValue
from castiron.store.records import (
    Change,
    Commit,
    EventDraft,
    EventRecord,
    NodeInsert,
    NodeRecord,
    NodeRemove,
    NodeUpdate,
    RequestRecord,
    TraceEntry,
)
from castiron.store.store import Store
from castiron.transport.vocabulary import (
    EventSeq,
    EventType,
    Instant,
    NodeName,
    NodeSeq,
    NodeUUID,
    RequestID,
    RequestState,
    Revision,
    TraceWord,
)
from tests.support.store_records import counting_ids, event_of, node_uuid, plain_node, plain_request, request_id

NUMBERS = st.integers(1, 4)
NAMES = st.sampled_from(["n1", "n2", "n3"])
MAPS = st.dictionaries(
    st.text(max_size=3), st.integers() | st.floats(allow_nan=False) | st.binary(max_size=3), max_size=2
)
ANY_EVENT = EventDraft(type=EventType.NODE_UPDATE_END, at=Instant(1.0))


@dataclass
class Model:
    """What a store is meant to be, in four lines of state."""

    nodes: dict[NodeUUID, NodeRecord] = field(default_factory=dict[NodeUUID, NodeRecord])
    requests: dict[RequestID, RequestRecord] = field(default_factory=dict[RequestID, RequestRecord])
    events: list[EventRecord] = field(default_factory=list[EventRecord])

    def apply(self, change: Change) -> type[object]:
        """Do what the records' docstrings say, and return the kind of the outcome."""
        match change.node:
            case NodeInsert(record=record):
                if record.uuid in self.nodes or self._is_taken(record):
                    return DuplicateNode
                self.nodes[record.uuid] = record
            case NodeUpdate(record=record):
                if not self._fits(record, record.revision - 1):
                    return StaleRevision
                if self._is_taken(record):
                    return DuplicateNode
                self.nodes[record.uuid] = record
            case NodeRemove(record=record):
                if not self._fits(record, record.revision):
                    return StaleRevision
                del self.nodes[record.uuid]
            case None:
                pass
        self.requests.update({request.id: request for request in change.requests})
        self._number(change)
        return Commit

    def _is_taken(self, record: NodeRecord) -> bool:
        return any(node.name == record.name and node.uuid != record.uuid for node in self.nodes.values())

    def _fits(self, record: NodeRecord, revision: int) -> bool:
        there = self.nodes.get(record.uuid)
        return there is not None and there.epoch == record.epoch and there.revision == revision

    def _number(self, change: Change) -> None:
        own = [draft for draft in change.events if draft.node_uuid is not None]
        last = 0 if change.node is None else change.node.record.node_seq
        numbers = iter(range(last - len(own) + 1, last + 1))
        for draft in change.events:
            node_seq = None if draft.node_uuid is None else NodeSeq(next(numbers))
            self.events.append(EventRecord(seq=EventSeq(len(self.events) + 1), node_seq=node_seq, draft=draft))


@st.composite
def requests(draw: st.DrawFn, node: NodeRecord) -> RequestRecord:
    return plain_request(
        draw(NUMBERS),
        node_uuid=node.uuid,
        state=draw(st.sampled_from(RequestState)),
        arguments=draw(MAPS),
        secret_keys=frozenset(draw(st.sets(st.text(max_size=3), max_size=1))),
        accepted_at=draw(st.floats(0, 2e9)),
    )


@st.composite
def gone_on(draw: st.DrawFn, model: Model) -> RequestRecord:
    """A request that is there, with something else in a few of its fields."""
    there = draw(st.sampled_from([*model.requests.values()] or [plain_request(1)]))
    new: dict[str, Any] = {
        "state": draw(st.sampled_from(RequestState)),
        "ended_at": draw(st.none() | st.floats(0, 2e9)),
        "progress": draw(MAPS),
        "error": draw(st.none() | st.just({"code": "bmc.fault"})),
        "trace": (TraceEntry(word=TraceWord.STARTED, at=Instant(1.0)),),
        "merged": draw(st.integers(0, 3)),
        "requesters": {"somebody": None},
    }
    return replace(there, **{name: new[name] for name in draw(st.sets(st.sampled_from(sorted(new))))})


@st.composite
def changes(draw: st.DrawFn, model: Model) -> Change:
    """A change of any kind, mostly made from what is there, sometimes from what was or never has been."""
    there = model.nodes.get(node_uuid(draw(NUMBERS)))
    node = plain_node(draw(NUMBERS)) if there is None or draw(st.integers(0, 5)) == 0 else there
    drafts = draw(st.lists(st.sampled_from([None, node]), max_size=3))
    events = tuple(ANY_EVENT if owner is None else event_of(owner) for owner in drafts)
    told = replace(node, node_seq=NodeSeq(node.node_seq + sum(owner is not None for owner in drafts)))
    kind = draw(st.sampled_from(["insert", "update", "update", "update", "remove", "events"]))
    if kind == "events":
        return Change(events=tuple(draft for draft in events if draft.node_uuid is None))
    attached = tuple(draw(st.lists(requests(node) | gone_on(model), max_size=2, unique_by=lambda one: one.id)))
    known = {one.id: model.requests[one.id] for one in attached if one.id in model.requests and draw(st.booleans())}
    slip = draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
    if kind == "insert":
        record = replace(told, name=NodeName(draw(NAMES)), revision=Revision(1), extra=draw(MAPS))
        return Change(node=NodeInsert(record=record), requests=attached, before=known, events=events)
    if kind == "remove":
        record = replace(told, revision=Revision(node.revision + slip))
        return Change(node=NodeRemove(record=record), requests=attached, before=known, events=events)
    record = replace(
        told,
        revision=Revision(node.revision + 1 + slip),
        last_error=draw(st.none() | st.text(max_size=3)),
        power_state_at=draw(st.none() | st.floats(0, 2e9).map(Instant)),
    )
    if draw(st.booleans()):
        record = replace(
            record,
            name=NodeName(draw(NAMES)),
            epoch=node.epoch + draw(st.sampled_from([0, 0, 0, 0, 0, 1])),
            driver_info=draw(MAPS),
            secret_keys=frozenset(draw(st.sets(st.text(max_size=3), max_size=2))),
        )
    before = node if node is there and draw(st.booleans()) else None
    return Change(node=NodeUpdate(record=record, before=before), requests=attached, before=known, events=events)


def check_equal(store: Store, model: Model) -> None:
    assert {node.uuid: node for node in store.nodes()} == model.nodes
    assert {request.id: request for request in store.requests(limit=1000)} == model.requests
    assert store.events(since=EventSeq(0), limit=10_000) == model.events
    assert store.latest_seq() == len(model.events)


def run(store: Store, model: Model, data: st.DataObject, group_count: int) -> None:
    for _ in range(group_count):
        group: list[Change] = []
        expected: list[type[object]] = []
        seqs: list[int] = []
        for _ in range(data.draw(st.integers(1, 8))):
            group.append(data.draw(changes(model)))
            expected.append(model.apply(group[-1]))
            seqs.append(len(model.events))

        outcomes = store.committer.commit(group)

        assert [type(outcome) for outcome in outcomes] == expected
        for outcome, seq in zip(outcomes, seqs, strict=True):
            if isinstance(outcome, Commit):
                assert outcome.seq == seq
                assert list(outcome.events) == model.events[seq - len(outcome.events) : seq]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_groups_do_what_their_changes_would_do_one_by_one(data: st.DataObject) -> None:
    model = Model()
    with closing(Store.open(None, key_path=None, new_id=counting_ids())) as store:
        run(store, model, data, group_count=5)

        check_equal(store, model)


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_store_that_is_opened_again_is_the_same(data: st.DataObject) -> None:
    model = Model()
    with TemporaryDirectory() as directory:
        for _ in range(2):
            with closing(Store.open(Path(directory) / "castiron.db", key_path=None, new_id=counting_ids())) as store:
                check_equal(store, model)
                run(store, model, data, group_count=3)
        with closing(Store.open(Path(directory) / "castiron.db", key_path=None, new_id=counting_ids())) as store:
            check_equal(store, model)


def commit_types(changes_of_group: Sequence[Change]) -> list[type[object]]:
    store = Store.open(None, key_path=None, new_id=counting_ids())
    outcomes = store.committer.commit(changes_of_group)
    store.close()
    return [type(outcome) for outcome in outcomes]


def test_the_order_among_different_kinds_of_writes_is_kept() -> None:
    first, second = plain_node(1), plain_node(2, name=NodeName("n1"))
    insert, take_over = Change(node=NodeInsert(record=first)), Change(node=NodeInsert(record=second))
    remove = Change(node=NodeRemove(record=first))
    update = Change(node=NodeUpdate(record=replace(first, revision=Revision(2))))

    assert commit_types([update, insert]) == [StaleRevision, Commit]
    assert commit_types([update, insert, remove, take_over]) == [StaleRevision, Commit, Commit, Commit]
    assert commit_types([insert, take_over, remove]) == [Commit, DuplicateNode, Commit]
    assert commit_types([insert, update, update, remove]) == [Commit, Commit, StaleRevision, StaleRevision]


def test_what_goes_on_of_a_request_that_is_not_there_is_not_lost_in_silence() -> None:
    node, request = plain_node(1), plain_request(1)
    insert = Change(node=NodeInsert(record=node), requests=(request,))
    went_on = replace(request, id=request_id(2), attempts=1)
    unknown = Change(
        node=NodeUpdate(record=replace(node, revision=Revision(2)), before=node),
        requests=(went_on,),
        before={went_on.id: replace(went_on, attempts=0)},
    )

    assert commit_types([insert, unknown]) == [Commit, StaleRevision]


def test_a_group_of_nothing_is_nothing() -> None:
    assert commit_types([]) == []
    assert commit_types([Change()]) == [Commit]


def test_a_group_in_which_nothing_fits_writes_nothing() -> None:
    bad = Change(node=NodeInsert(record=plain_node(extra={"bad": object()})))
    stale = Change(node=NodeUpdate(record=plain_node(revision=Revision(2))))

    assert commit_types([bad, stale, bad]) == [UnstorableValue, StaleRevision, UnstorableValue]
