"""A wait keeps nothing for longer than somebody waits, whichever end comes first."""

from collections.abc import Generator

import pytest

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.published.board import Board
from castiron.actors.published.waiting import Wait
from castiron.store.records import RequestRecord
from castiron.transport.doors.answers import Answer, Outbox
from castiron.transport.frames import Envelope
from castiron.transport.verbs import RequestWait
from castiron.transport.vocabulary import EventSeq, Instant, NodeName, RequestState, Seconds
from tests.support.store_records import node_uuid, request_id

ID = request_id(1)


def request(state: RequestState) -> RequestRecord:
    return RequestRecord(
        id=ID,
        node_uuid=node_uuid(1),
        node_name=NodeName("n1"),
        verb="node.power.set",
        requester="test",
        state=state,
        accepted_at=Instant(1.0),
    )


class Room:
    """A board with a running request, a clock, and somebody who waits."""

    def __init__(self) -> None:
        self.board = Board(max_waiters=1, seq=EventSeq(0))
        self.board.publish_request(request(RequestState.RUNNING), EventSeq(1))
        self.clock = VirtualClock()
        self.outbox = Outbox(lambda: "error-id")
        self.answer = Answer(self.outbox, b"peer", Envelope(delimited=True, id=b"1", body=b""), RequestWait(request=ID))
        self.told: list[str] = []
        self.wait = Wait(self.board, self.answer, lambda ended, _: self.told.append(ended.state))

    def begin(self, timeout_s: float = 10.0) -> None:
        assert self.wait.begin(ID)
        self.wait.limit(self.clock, Instant(timeout_s), lambda: self.told.append("late"))

    def end(self) -> None:
        self.board.publish_request(request(RequestState.SUCCEEDED), EventSeq(2))

    @property
    def kept(self) -> tuple[int, float]:
        return self.board.waiting(), self.clock.counters().waiting


@pytest.fixture
def room() -> Generator[Room]:
    room = Room()
    yield room
    room.outbox.close()


def test_the_end_cancels_the_timer(room: Room) -> None:
    room.begin()
    assert room.kept == (1, 1)

    room.end()
    room.clock.advance(Seconds(20))

    assert (room.told, room.kept) == (["succeeded"], (0, 0))


def test_the_time_withdraws_the_wish(room: Room) -> None:
    room.begin()

    room.clock.advance(Seconds(20))
    room.end()

    assert (room.told, room.kept) == (["late"], (0, 0))


def test_a_client_that_goes_leaves_nothing_behind(room: Room) -> None:
    room.begin()

    room.answer.gone()

    assert room.kept == (0, 0)
    room.end()
    room.clock.advance(Seconds(20))
    assert room.told == []


def test_a_client_that_has_gone_already_leaves_nothing_behind(room: Room) -> None:
    room.answer.gone()

    room.begin()

    assert room.kept == (0, 0)


def test_a_wait_for_what_has_ended_is_over_at_once(room: Room) -> None:
    room.end()

    room.begin()

    assert (room.told, room.kept) == (["succeeded"], (0, 0))


def test_a_client_that_waits_for_the_end_of_its_own_request_and_goes_leaves_nothing_behind(room: Room) -> None:
    room.wait.expect(request_id(2))
    assert room.kept == (1, 0)

    room.answer.gone()

    assert (room.kept, room.wait.withdraw()) == ((0, 0), False)
