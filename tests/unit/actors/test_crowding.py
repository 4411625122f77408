"""Which node's queue and mailbox is fullest, without a walk over all nodes."""

import sys
from dataclasses import replace
from types import FrameType

from castiron.actors.core.state import NodeState
from castiron.actors.dispatch.virtual import SimDispatcher
from castiron.actors.nodes.crowding import Crowding
from castiron.actors.published.board import Board
from castiron.actors.supervision.directory import Directory
from castiron.store.records import RequestRecord
from castiron.transport.vocabulary import EventSeq, Instant, NodeName, NodeUUID, RequestID, RequestState
from tests.support.node_settings import SETTINGS
from tests.support.store_records import plain_node


def crowd(nodes: int) -> tuple[Crowding, Board]:
    """Return a crowd of idle nodes n0, n1 and so on."""
    board = Board(max_waiters=1, seq=EventSeq(0))
    for number in range(nodes):
        show(board, number, waiting=0)
    return Crowding(SETTINGS, board, Directory(), SimDispatcher()), board


def show(board: Board, number: int, *, waiting: int) -> NodeState:
    record = replace(plain_node(), uuid=NodeUUID(f"u{number}"), name=NodeName(f"n{number}"))
    state = NodeState(record=record, queue=tuple(request(place) for place in range(waiting)))
    board.admit(state, EventSeq(0), generation=waiting + 1)
    return state


def request(number: int) -> RequestRecord:
    return RequestRecord(
        id=RequestID(f"r{number}"),
        node_uuid=NodeUUID("u"),
        node_name=NodeName("n"),
        verb="node.power.set",
        requester="test",
        state=RequestState.QUEUED,
        accepted_at=Instant(1.0),
    )


def calls_of_a_look(crowding: Crowding) -> int:
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        crowding.now()
        crowding.unread()
    finally:
        sys.setprofile(None)
    return count


def test_the_fullest_queue_is_named_as_long_as_something_waits_in_it() -> None:
    crowding, board = crowd(5)
    crowding.queued(show(board, 2, waiting=1))
    crowding.queued(show(board, 3, waiting=2))

    gauge = crowding.now()["node_queue"]
    assert (gauge.used, gauge.whose, gauge.limit) == (2, "n3", SETTINGS.node_queue_limit)

    crowding.queued(NodeState(record=show(board, 3, waiting=3).record))
    board.remove(NodeUUID("u3"), EventSeq(0))
    assert crowding.now()["node_queue"].whose == "n2"


def test_a_look_costs_the_same_however_many_nodes_are_idle() -> None:
    few, (many, board) = crowd(2)[0], crowd(400)
    for number in range(400):
        many.queued(show(board, number, waiting=1))
        many.queued(NodeState(record=show(board, number, waiting=0).record))

    assert calls_of_a_look(few) == calls_of_a_look(many) > 0
