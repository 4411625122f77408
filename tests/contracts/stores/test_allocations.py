"""What is on disk of allocations: whole, unique, and in one commit with the node that is held."""

from dataclasses import replace
from typing import ClassVar

import pytest

from castiron.store.errors import DuplicateAllocation, StaleAllocation, StaleRevision, StoreError
from castiron.store.records import (
    AllocationInsert,
    AllocationRecord,
    AllocationRemove,
    AllocationUpdate,
    Change,
    Commit,
    EventDraft,
    NodeUpdate,
)
from castiron.store.store import Store
from castiron.store.writer import Writer
from castiron.transport.vocabulary import AllocationState, EventType, Instant, NodeName, Revision
from tests.contracts.stores.contract import StoreContract, commit, outcome_of, outcomes_of, told_node
from tests.support.store_records import (
    allocation_uuid,
    creation,
    event_of,
    full_allocation,
    plain_allocation,
    plain_node,
    successor,
)

ANNOUNCED = EventDraft(type=EventType.ALLOCATION_CREATE_START, at=Instant(1.0))


def made(*records: AllocationRecord) -> list[Change]:
    return [Change(allocations=(AllocationInsert(record=record),), events=(ANNOUNCED,)) for record in records]


def claim(number: int, allocation: AllocationRecord) -> Change:
    """A node, as it was made, is held by an allocation, as it was made: in one commit."""
    node = successor(replace(told_node(number)), allocation_uuid=allocation.uuid)
    held = replace(
        allocation, state=AllocationState.ACTIVE, node_uuid=node.uuid, revision=Revision(allocation.revision + 1)
    )
    return Change(
        node=NodeUpdate(record=node),
        events=(event_of(node, EventType.ALLOCATION_CREATE_END),),
        allocations=(AllocationUpdate(record=held),),
    )


class AllocationsContract(StoreContract):
    __test__: ClassVar[bool] = False

    def test_an_allocation_comes_back_as_it_was(self, store: Store, writer: Writer) -> None:
        commit(writer, *made(full_allocation(2), plain_allocation(1)))

        assert store.allocations() == [plain_allocation(1), full_allocation(2)]

    def test_what_has_become_of_allocations_is_told_with_the_commit(self, writer: Writer) -> None:
        (change,) = made(plain_allocation())

        assert commit(writer, change)[0].allocations == change.allocations

    @pytest.mark.parametrize(
        "twin",
        [
            plain_allocation(1, name="other"),
            plain_allocation(2, name="a1"),
            plain_allocation(2, node_uuid=full_allocation(1).node_uuid),
        ],
        ids=["uuid", "name", "node"],
    )
    def test_uuid_name_and_node_are_unique(self, store: Store, writer: Writer, twin: AllocationRecord) -> None:
        commit(writer, *made(full_allocation(1)))

        assert isinstance(outcome_of(writer, made(twin)[0]), DuplicateAllocation)
        assert store.allocations() == [full_allocation(1)]

    def test_node_and_allocation_name_each_other_after_one_commit(self, store: Store, writer: Writer) -> None:
        commit(writer, creation(plain_node()), *made(plain_allocation()), claim(1, plain_allocation()))

        (node,), (allocation,) = store.nodes(), store.allocations()

        assert (node.allocation_uuid, allocation.node_uuid) == (allocation.uuid, node.uuid)

    def test_of_two_nodes_that_want_one_allocation_one_gets_it_and_nothing_is_left_of_the_other(
        self, store: Store, writer: Writer
    ) -> None:
        commit(writer, creation(plain_node(1)), creation(plain_node(2)), *made(plain_allocation()))

        first, second = outcomes_of(writer, claim(1, plain_allocation()), claim(2, plain_allocation()))

        assert isinstance(first, Commit)
        assert isinstance(second, StaleAllocation)
        assert [node.allocation_uuid for node in store.nodes()] == [allocation_uuid(1), None]

    def test_of_two_allocations_that_want_one_node_one_gets_it_and_the_other_stays_as_it_was(
        self, store: Store, writer: Writer
    ) -> None:
        commit(writer, creation(plain_node()), *made(plain_allocation(1), plain_allocation(2)))

        first, second = outcomes_of(writer, claim(1, plain_allocation(1)), claim(1, plain_allocation(2)))

        assert isinstance(first, Commit)
        assert isinstance(second, StaleRevision)
        assert store.allocations()[1] == plain_allocation(2)

    def test_what_was_changed_meanwhile_is_not_written(self, store: Store, writer: Writer) -> None:
        commit(writer, *made(plain_allocation()))
        renamed = replace(plain_allocation(), name="mine", revision=Revision(2))
        change = Change(allocations=(AllocationUpdate(record=renamed),), events=(ANNOUNCED,))

        outcomes = outcomes_of(writer, change, change)

        assert [isinstance(one, Commit) for one in outcomes] == [True, False]
        assert store.allocations() == [renamed]

    @pytest.mark.parametrize(("revision", "is_gone"), [(1, True), (2, False), (None, True)])
    def test_it_is_forgotten_as_it_was_read_or_whatever_it_is(
        self, store: Store, writer: Writer, revision: int | None, *, is_gone: bool
    ) -> None:
        commit(writer, *made(plain_allocation()))
        gone = AllocationRemove(uuid=allocation_uuid(1), revision=None if revision is None else Revision(revision))

        outcome = outcome_of(writer, Change(allocations=(gone,), events=(ANNOUNCED,)))

        assert isinstance(outcome, Commit if is_gone else StoreError)
        assert not store.allocations() if is_gone else store.allocations()

    def test_what_is_forgotten_twice_by_its_node_is_no_fault(self, writer: Writer) -> None:
        node = plain_node(1, name=NodeName("n1"))
        gone = (AllocationRemove(uuid=allocation_uuid(1)),)
        commit(writer, creation(node))

        commit(writer, Change(node=NodeUpdate(record=successor(told_node(), events=0)), allocations=gone))


class TestOnDisk(AllocationsContract):
    __test__, on_disk, threaded = True, True, True


class TestInMemory(AllocationsContract):
    __test__, on_disk, threaded = True, False, False
