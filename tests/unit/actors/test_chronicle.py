"""Pages of what was published, read from a real store."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from castiron.actors.published import chronicle
from castiron.actors.published.chronicle import events_page, history_page, types_of
from castiron.store.records import Change, EventDraft
from castiron.store.store import Store
from castiron.store.writer import InlineWriter
from castiron.transport.errors import ArgumentInvalid
from castiron.transport.replies import EventListed
from castiron.transport.verbs import EventList, NodeHistory
from castiron.transport.vocabulary import EventType, Instant, NodeSeq
from tests.support.store_records import counting_ids, creation, node_uuid, plain_node, successor, update

OTHER = EventDraft(type=EventType.NODE_UPDATE_END, at=Instant(1.0))


@pytest.fixture
def store() -> Iterator[Store]:
    """Two nodes; 1: n1, 2: n2, then 3 to 8: n1."""
    opened = Store.open(None, key_path=None, new_id=counting_ids())
    writer = InlineWriter(opened.committer)
    node = replace(plain_node(1), node_seq=NodeSeq(1))
    changes = [creation(plain_node(1)), creation(plain_node(2))]
    for _ in range(3):
        node = successor(node, events=2)
        changes.append(update(node, events=2))
    for change in changes:
        writer.submit(change, lambda _: None)
    yield opened
    opened.close()


def page(store: Store, **verb: object) -> EventListed:
    asked = EventList(**verb)  # type: ignore[arg-type]  # each is of its field's type
    return events_page(store, asked, None, None)


def numbers(listed: EventListed) -> list[int]:
    return [event.seq for event in listed.events]


def test_pages_follow_each_other_and_end(store: Store) -> None:
    first = page(store, since=0, limit=5)
    second = page(store, since=first.next_since, limit=5)
    third = page(store, since=second.next_since, limit=5)

    assert (numbers(first), numbers(second), numbers(third)) == ([1, 2, 3, 4, 5], [6, 7, 8], [])
    assert second.next_since == third.next_since == third.latest_seq == 8


def test_a_page_that_is_exactly_full_is_not_taken_for_the_last(store: Store) -> None:
    assert page(store, since=0, limit=8).next_since == 8


def test_without_a_number_it_begins_with_the_oldest(store: Store) -> None:
    store.prune_events(Instant(0.0), keep_count=3, history_count=9, limit=99)

    listed = page(store)

    assert (numbers(listed), listed.oldest_seq) == ([6, 7, 8], 6)


def test_what_is_not_kept_any_more_can_be_told_from_the_answer(store: Store) -> None:
    store.prune_events(Instant(0.0), keep_count=3, history_count=9, limit=99)

    listed = page(store, since=2)

    assert numbers(listed) == [6, 7, 8]
    assert listed.oldest_seq > 2 + 1


def test_a_number_from_another_store_can_be_told_from_the_answer(store: Store) -> None:
    listed = page(store, since=2**63 - 1)

    assert (numbers(listed), listed.latest_seq, listed.next_since) == ([], 8, 8)


def test_an_empty_store_has_no_events() -> None:
    opened = Store.open(None, key_path=None, new_id=counting_ids())

    assert page(opened) == page(opened, since=0) == EventListed(events=[], next_since=0, oldest_seq=0, latest_seq=0)
    opened.close()


def test_one_question_looks_at_so_many_and_the_next_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chronicle, "MAX_LOOKED_AT", 2)
    found: list[int] = []
    since, questions = 0, 0
    while since < store.latest_seq():
        listed = events_page(store, EventList(since=since), frozenset({node_uuid(2)}), None)
        found, since, questions = found + numbers(listed), listed.next_since, questions + 1

    assert (found, questions) == ([2], 4)


def test_a_history_is_paged_by_the_nodes_own_numbers(store: Store) -> None:
    first = history_page(store, node_uuid(1), NodeHistory(node="n1", limit=4))
    second = history_page(store, node_uuid(1), NodeHistory(node="n1", limit=4, before=first.next_before))

    assert [event.node_seq for event in first.events] == [7, 6, 5, 4]
    assert [event.node_seq for event in second.events] == [3, 2, 1]
    assert (first.next_before, second.next_before) == (4, None)


def test_patterns_become_types() -> None:
    assert types_of(["node.power_set.*", "node.create.end"]) == {
        EventType.NODE_CREATE_END,
        EventType.POWER_SET_START,
        EventType.POWER_SET_END,
        EventType.POWER_SET_ERROR,
    }


def test_a_pattern_that_fits_nothing_is_refused_with_the_nearest() -> None:
    with pytest.raises(ArgumentInvalid, match=r"Did you mean node\.power_set\.end") as caught:
        types_of(["*", "node.pwoer_set.end"])

    assert caught.value.details == {"path": "$.types[1]"}


def test_events_of_no_node_are_in_the_stream(store: Store) -> None:
    InlineWriter(store.committer).submit(Change(events=(OTHER,)), lambda _: None)

    (event,) = page(store, since=8).events

    assert (event.node, event.node_uuid, event.node_seq) == (None, None, None)
