"""What every store promises of runbooks: as they went in they come out, one change after another, secrets sealed."""

from dataclasses import replace
from typing import Any

import pytest

from castiron.store.errors import StaleRevision
from castiron.store.records import Change, EventDraft, RunbookPut, RunbookRecord, RunbookRemove
from castiron.store.store import Store
from castiron.store.writer import Writer
from castiron.transport.vocabulary import EventType, Instant, Revision
from tests.contracts.stores.contract import StoreContract, commit, outcome_of, outcomes_of
from tests.support.store_records import PASSWORD, creation, full_runbook, plain_node

PLAIN = full_runbook(2, name="CUSTOM_PLAIN", description=None, traits=(), secrets={}, extra={})
TOLD = EventDraft(type=EventType.RUNBOOK_CREATE_END, at=Instant(1.0), payload={"runbook": "CUSTOM_BOOK_1"})


def put(record: RunbookRecord, **changes: Any) -> Change:
    return Change(runbook=RunbookPut(record=replace(record, **changes)))


class RunbooksContract(StoreContract):
    @pytest.mark.parametrize("record", [PLAIN, full_runbook()], ids=["plain", "full"])
    def test_a_runbook_comes_back_equal(self, store: Store, writer: Writer, record: RunbookRecord) -> None:
        commit(writer, put(record))

        assert store.runbooks() == [record]

    def test_runbooks_are_sorted_by_name(self, store: Store, writer: Writer) -> None:
        for number in (3, 1, 2):
            commit(writer, put(full_runbook(number)))

        assert [one.name for one in store.runbooks()] == ["CUSTOM_BOOK_1", "CUSTOM_BOOK_2", "CUSTOM_BOOK_3"]

    def test_a_change_with_its_event_is_one(self, store: Store, writer: Writer) -> None:
        (made,) = commit(writer, replace(put(full_runbook()), events=(TOLD,)))
        (event,) = made.events

        assert (event.seq, event.node_seq) == (1, None)
        stale = replace(put(full_runbook(), revision=Revision(7)), events=(TOLD,))
        assert isinstance(outcome_of(writer, stale), StaleRevision)
        assert store.latest_seq() == 1, "neither the runbook nor the event"

    def test_a_runbook_is_replaced_by_its_next_revision_alone(self, store: Store, writer: Writer) -> None:
        commit(writer, put(full_runbook()))
        changed = full_runbook(revision=Revision(2), name="CUSTOM_NEW", secrets={})

        commit(writer, put(changed))
        again = outcome_of(writer, put(changed, name="CUSTOM_OTHER"))

        assert isinstance(again, StaleRevision)
        assert store.runbooks() == [changed]

    @pytest.mark.parametrize("taken", [{"uuid": "other"}, {"name": "CUSTOM_OTHER"}], ids=["name", "uuid"])
    def test_a_name_and_a_uuid_are_had_once(self, store: Store, writer: Writer, taken: dict[str, Any]) -> None:
        commit(writer, put(full_runbook()))

        assert isinstance(outcome_of(writer, put(full_runbook(), **taken)), StaleRevision)
        assert store.runbooks() == [full_runbook()]

    def test_a_runbook_is_removed_as_it_was_read(self, store: Store, writer: Writer) -> None:
        commit(writer, put(full_runbook()))
        stale = RunbookRemove(record=full_runbook(revision=Revision(2)))

        assert isinstance(outcome_of(writer, Change(runbook=stale)), StaleRevision)
        commit(writer, Change(runbook=RunbookRemove(record=full_runbook())))

        assert store.runbooks() == []

    def test_what_does_not_fit_harms_no_neighbour(self, store: Store, writer: Writer) -> None:
        changes = (creation(plain_node()), put(PLAIN, revision=Revision(3)), put(full_runbook()))

        kinds = [type(outcome).__name__ for outcome in outcomes_of(writer, *changes)]

        assert sorted(kinds) == ["Commit", "Commit", "StaleRevision"]
        assert store.runbooks() == [full_runbook()]
        assert len(store.nodes()) == 1

    def test_a_secret_is_in_no_file_and_no_repr(self, store: Store, writer: Writer) -> None:
        commit(writer, put(full_runbook()))

        files = [] if store.path is None else [one for one in store.path.parent.iterdir() if one.is_file()]
        assert not any(PASSWORD.encode() in one.read_bytes() for one in files)
        assert PASSWORD not in repr(full_runbook())


class TestRunbooksOnDiskWithThread(RunbooksContract):
    on_disk = True
    threaded = True


class TestRunbooksInMemoryInline(RunbooksContract):
    on_disk = False
    threaded = False
