"""Seats, places, directories and batches: how a node passes from one owner to the next without losing anything."""

from typing import Any, ClassVar

import pykka
import pytest

from castiron.actors.core.effects import Decision
from castiron.actors.core.state import NodeState
from castiron.actors.dispatch.mailbox import Mailbox
from castiron.actors.dispatch.pooled import DispatchedActor, leftovers_of
from castiron.actors.dispatch.virtual import SimDispatcher
from castiron.actors.nodes.batch import Batches
from castiron.actors.nodes.permits import Permits
from castiron.actors.nodes.place import Granted, Place, owner_of
from castiron.actors.supervision.directory import Directory
from castiron.actors.supervision.kin import Seat
from castiron.store.errors import StoreUnwritable
from castiron.store.records import Change, Commit
from castiron.transport.vocabulary import EventSeq, RequestID
from tests.support.store_records import node_uuid, plain_node

UUID = node_uuid(1)
FIRST, SECOND = RequestID("first"), RequestID("second")


class Word(str):
    """A user's message."""

    __slots__ = ()


class Order(str):
    """A message of the control lane."""

    __slots__ = ()
    is_control: ClassVar[bool] = True


class Listener(DispatchedActor):
    """Remembers what it was told."""

    heard: ClassVar[list[Any]]

    def __init__(self, dispatcher: SimDispatcher, heard: list[Any]) -> None:
        super().__init__(dispatcher=dispatcher)
        self.list = heard

    def on_receive(self, message: Any) -> None:
        self.list.append(message)


@pytest.fixture
def dispatcher() -> SimDispatcher:
    return SimDispatcher()


def test_what_is_told_to_an_empty_seat_waits_for_whoever_sits_down(dispatcher: SimDispatcher) -> None:
    seat, heard = Seat(), list[Any]()
    seat.tell(Order("one"))
    with pytest.raises(pykka.ActorDeadError):
        seat.tell(Word("nobody"))

    seat.take(Listener.start(dispatcher, heard))
    seat.tell(Order("two"))
    seat.tell(Word("three"))
    dispatcher.run_until_idle()

    assert heard == ["one", "two", "three"]
    seat.close(1.0)


def test_what_is_told_while_a_dead_actor_sits_there_waits_for_its_successor(dispatcher: SimDispatcher) -> None:
    seat, heard = Seat(), list[Any]()
    first = Listener.start(dispatcher, [])
    seat.take(first)
    first.stop()

    seat.tell(Order("one"))
    seat.take(Listener.start(dispatcher, heard))
    dispatcher.run_until_idle()

    assert heard == ["one"]
    seat.close(1.0)


def test_whoever_has_ended_on_the_way_does_not_take_the_seat_from_its_successor(dispatcher: SimDispatcher) -> None:
    seat, heard = Seat(), list[Any]()
    first, second = Listener.start(dispatcher, []), Listener.start(dispatcher, heard)
    first.stop()

    seat.take(second)
    seat.take(first)
    seat.tell(Word("one"))
    dispatcher.run_until_idle()

    assert heard == ["one"]
    seat.close(1.0)


def test_a_closed_seat_stops_who_sits_there_and_who_comes_and_keeps_nothing(dispatcher: SimDispatcher) -> None:
    seat = Seat()
    sitting, coming = Listener.start(dispatcher, []), Listener.start(dispatcher, [])
    seat.take(sitting)

    seat.close(1.0)
    seat.close(1.0)
    seat.tell(Order("one"))
    seat.take(coming)
    dispatcher.run_until_idle()

    assert (seat.is_closed, sitting.is_alive(), coming.is_alive()) == (True, False, False)


def test_the_leftovers_of_an_actor_are_taken_once_and_nothing_comes_after_them(dispatcher: SimDispatcher) -> None:
    ref = Listener.start(dispatcher, [])
    ref.tell(Word("one"))
    ref.tell(Order("two"))
    asked = ref.ask(Word("three"), block=False)

    assert leftovers_of(ref) == ["two", "one"]

    with pytest.raises(pykka.ActorDeadError):
        ref.tell(Order("lost"))
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=1.0)
    assert leftovers_of(ref) == []
    assert isinstance(ref.actor_inbox, Mailbox)
    dispatcher.run_until_idle()
    pykka.ActorRegistry.unregister(ref)


def test_an_owner_that_failed_before_it_entered_does_not_enter(dispatcher: SimDispatcher) -> None:
    directory, ref = Directory(), Listener.start(dispatcher, [])
    generation = directory.next_generation(UUID)

    assert directory.vacate(UUID, generation)
    directory.enter(UUID, generation, ref)

    owner = directory.owner(UUID)
    assert owner is not None
    assert (owner.ref, directory.counts(UUID, generation)) == (None, False)
    assert not directory.vacate(UUID, generation)
    ref.stop()


def test_only_the_generation_that_counts_may_leave(dispatcher: SimDispatcher) -> None:
    directory = Directory()
    old = directory.next_generation(UUID)
    new = directory.next_generation(UUID)

    directory.leave(UUID, old)
    assert (len(directory), directory.counts(UUID, new)) == (1, True)
    directory.leave(UUID, new)
    assert (len(directory), directory.owner(UUID)) == (0, None)


def test_a_place_is_asked_for_once_and_granted_once() -> None:
    permits, told = Permits(1), list[Granted]()
    mine = Place(permits, UUID, 1)

    mine.ask_for(FIRST, "node.power.set", tell=told.append)
    mine.ask_for(FIRST, "node.power.set", tell=told.append)

    assert [granted.request_id for granted in told] == [FIRST]
    assert mine.is_granted(told[0])
    mine.give_back(SECOND)
    assert permits.in_use == 1
    mine.give_back(FIRST)
    mine.give_back()
    assert (permits.in_use, permits.waiting, mine.is_granted(told[0])) == (0, 0, False)


def test_a_grant_that_was_withdrawn_on_its_way_counts_for_nothing() -> None:
    permits, told = Permits(1), list[Granted]()
    mine = Place(permits, UUID, 1)
    mine.ask_for(FIRST, "node.power.set", tell=told.append)
    mine.give_back()
    permits.acquire("another", lambda: None)

    mine.ask_for(FIRST, "node.power.set", tell=told.append)

    assert not mine.is_granted(told[0])
    permits.release("another")
    assert mine.is_granted(told[1])


def test_another_requests_place_is_given_back_before_it_is_asked_for() -> None:
    permits, told = Permits(1), list[Granted]()
    mine = Place(permits, UUID, 1)

    mine.ask_for(FIRST, "node.power.set", tell=told.append)
    mine.ask_for(SECOND, "node.power.set", tell=told.append)

    assert (permits.in_use, told[-1].request_id, mine.is_granted(told[-1])) == (1, SECOND, True)


def test_whoever_takes_a_node_over_can_give_back_what_its_owner_held() -> None:
    permits = Permits(1)
    Place(permits, UUID, 1).ask_for(FIRST, "node.power.set", tell=list[Granted]().append)

    permits.withdraw(owner_of(UUID, 1))

    assert permits.in_use == 0


def decision(*, changes: bool) -> Decision:
    return Decision(NodeState(record=plain_node()), change=Change() if changes else None)


def test_what_changes_nothing_follows_what_it_was_decided_upon() -> None:
    batches = Batches()
    assert not batches.follow(decision(changes=False))
    batch = batches.open(decision(changes=True))

    assert batches.follow(decision(changes=False))
    assert batches.take_landed() is None
    batch.outcome = Commit(events=(), seq=EventSeq(1))

    assert batches.take_landed() is batch
    assert (len(batch.decisions), batches.take_landed(), batches.take_all()) == (2, None, [])


def test_a_refusal_that_comes_ahead_of_its_turn_waits_for_it() -> None:
    batches = Batches()
    first, second = batches.open(decision(changes=True)), batches.open(decision(changes=True))

    second.outcome = StoreUnwritable("overloaded")
    assert batches.take_landed() is None
    first.outcome = Commit(events=(), seq=EventSeq(1))

    assert [batches.take_landed(), batches.take_landed()] == [first, second]
