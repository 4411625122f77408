"""What is published: nodes by name, requests until and after their end, and who waits for it."""

import threading
from dataclasses import replace

import pytest

from castiron.actors.core.state import NodeState
from castiron.actors.published import board as board_module
from castiron.actors.published.board import Board
from castiron.store.records import Commit, EventRecord, Fragment, RequestRecord, TraceEntry
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.vocabulary import EventSeq, Instant, NodeName, NodeSeq, RequestState, TraceWord
from tests.support.store_records import event_of, node_uuid, plain_node, request_id


def state(number: int = 1, name: str | None = None) -> NodeState:
    record = plain_node(number)
    return NodeState(record=record if name is None else replace(record, name=NodeName(name)))


def request(state_: RequestState = RequestState.RUNNING, number: int = 1) -> RequestRecord:
    return RequestRecord(
        id=request_id(number),
        node_uuid=node_uuid(1),
        node_name=NodeName("n1"),
        verb="node.power.set",
        requester="test",
        state=state_,
        accepted_at=Instant(1.0),
    )


RUNNING, ENDED = request(), request(RequestState.SUCCEEDED)


def landing(number: int, seq: int) -> Commit:
    """A commit with one event of a node."""
    event = EventRecord(seq=EventSeq(seq), node_seq=NodeSeq(1), draft=event_of(plain_node(number)))
    return Commit(events=(event,), seq=EventSeq(seq))


class Told(list[RequestRecord]):
    def note(self, ended: RequestRecord, seq: EventSeq) -> None:
        del seq
        self.append(ended)


@pytest.fixture
def board() -> Board:
    return Board(max_waiters=2, seq=EventSeq(5))


def names(board: Board) -> list[str]:
    return [published.state.record.name for published in board.page(after=None, limit=100)]


def test_a_node_is_found_by_name_and_by_uuid(board: Board) -> None:
    board.admit(state(1), EventSeq(7), generation=1)

    found = board.node("n1")

    assert found is not None
    assert found is board.node(node_uuid(1))
    assert (found.seq, board.seq) == (7, 7)
    assert board.node("n2") is None


def test_what_is_on_disk_and_not_shown_yet_holds_the_number_back(board: Board) -> None:
    board.landed([landing(1, 6), landing(2, 7)])

    board.admit(state(2), EventSeq(7), generation=1)
    assert board.seq == 5, "whoever follows from 7 on would never hear of 6"
    board.admit(state(1), EventSeq(6), generation=1)
    assert board.seq == 7


def test_a_node_that_is_removed_holds_the_number_back_no_longer(board: Board) -> None:
    board.admit(state(1), EventSeq(5), generation=1)
    board.landed([landing(1, 6)])

    board.remove(node_uuid(1), EventSeq(6))

    assert board.seq == 6


def test_what_an_owner_who_was_replaced_publishes_does_not_count_as_shown(board: Board) -> None:
    board.admit(state(1), EventSeq(5), generation=2)
    board.landed([landing(1, 6)])

    board.publish(state(1), EventSeq(6), generation=1)
    assert board.seq == 5
    board.publish(state(1), EventSeq(6), generation=2)
    assert board.seq == 6


def test_a_node_that_was_renamed_is_not_found_by_its_old_name(board: Board) -> None:
    board.admit(state(1), EventSeq(6), generation=1)

    board.publish(state(1, "b"), EventSeq(7), generation=1)

    assert (board.node("n1"), names(board)) == (None, ["b"])
    assert board.node("b") is not None


def test_a_name_that_another_node_has_taken_meanwhile_stays_its(board: Board) -> None:
    board.admit(state(1, "a"), EventSeq(6), generation=1)
    board.admit(state(2, "a"), EventSeq(7), generation=2)  # the first has been renamed on disk, and not yet here
    board.publish(state(1, "b"), EventSeq(8), generation=1)

    found = board.node("a")

    assert found is not None
    assert found.state.record.uuid == node_uuid(2)
    assert names(board) == ["a", "b"]


def test_what_a_replaced_owner_says_of_a_node_is_not_shown_but_what_it_says_of_requests_is(board: Board) -> None:
    board.admit(state(1), EventSeq(6), generation=1)
    board.admit(state(1, "new"), EventSeq(7), generation=3)

    board.publish(state(1, "old"), EventSeq(8), (ENDED,), generation=1)

    assert names(board) == ["new"]
    assert board.request(ENDED.id) == ENDED


def test_what_a_new_owner_has_published_is_not_covered_by_its_own_beginning(board: Board) -> None:
    board.admit(state(1, "old"), EventSeq(6), generation=1)
    board.publish(state(1, "newer"), EventSeq(8), generation=2)

    board.admit(state(1, "old"), EventSeq(7), generation=2)

    assert names(board) == ["newer"]


def test_a_node_that_is_gone_does_not_come_back_by_what_its_owner_says_late(board: Board) -> None:
    board.admit(state(1), EventSeq(6), generation=1)
    board.remove(node_uuid(1), EventSeq(7))
    board.remove(node_uuid(1), EventSeq(7))

    board.publish(state(1), EventSeq(8), generation=1)

    assert (board.nodes(), names(board), board.node("n1")) == ([], [], None)


def test_pages_follow_each_other_by_name(board: Board) -> None:
    for number, name in enumerate(["c", "a", "d", "b"]):
        board.admit(state(number, name), EventSeq(6), generation=1)

    first = board.page(after=None, limit=2)
    rest = board.page(after="b", limit=5)

    assert [node.state.record.name for node in (*first, *rest)] == ["a", "b", "c", "d"]
    assert board.page(after="cc", limit=1)[0].state.record.name == "d"


def test_whoever_waits_is_told_the_end_once(board: Board) -> None:
    told = Told()
    board.publish_request(RUNNING, EventSeq(6))
    withdraw = board.wait(RUNNING.id, told.note)
    assert withdraw is not None

    board.publish_request(ENDED, EventSeq(7))
    board.publish_request(ENDED, EventSeq(8))

    assert told == [ENDED]
    assert (withdraw(), board.waiting(), board.open_count()) == (False, 0, 0)


def test_whoever_waits_for_what_has_ended_is_told_at_once(board: Board) -> None:
    told = Told()
    board.publish_request(ENDED, EventSeq(7))

    withdraw = board.wait(ENDED.id, told.note)

    assert withdraw is not None
    assert (told, withdraw(), board.waiting()) == ([ENDED], False, 0)


def test_nobody_waits_for_what_is_not_here(board: Board) -> None:
    assert board.wait(request_id(9), Told().note) is None
    assert board.waiting() == 0


def test_whoever_withdraws_is_not_told_and_makes_room(board: Board) -> None:
    told = Told()
    board.publish_request(RUNNING, EventSeq(6))
    first, _ = board.wait(RUNNING.id, told.note), board.expect(request_id(2), told.note)
    with pytest.raises(ConductorOverloaded) as refused:
        board.expect(request_id(3), told.note)
    assert first is not None

    assert (first(), first()) == (True, False)
    board.expect(request_id(3), told.note)
    board.publish_request(ENDED, EventSeq(7))

    assert (told, refused.value.details) == ([], {"limit": 2, "what": "waiters"})


def test_a_request_that_has_ended_is_not_opened_again_by_what_is_told_late(board: Board) -> None:
    board.publish_request(ENDED, EventSeq(7))

    board.publish_request(RUNNING, EventSeq(6))

    assert (board.request(RUNNING.id), board.open_count()) == (ENDED, 0)


def test_ended_requests_are_kept_up_to_a_limit(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "MAX_ENDED", 2)

    for number in range(1, 4):
        board.publish_request(request(RequestState.FAILED, number), EventSeq(7))

    assert board.request(request_id(1)) is None
    assert board.request(request_id(3)) is not None


def test_of_a_request_that_has_ended_what_answers_show_is_kept_and_neither_its_trace_nor_any_text(board: Board) -> None:
    entry = TraceEntry(word=TraceWord.ENDED, at=Instant(2.0))
    arguments, requesters = Fragment({"target": "power on"}), Fragment({"uid:1": None, "uid:2": Instant(9.0)})
    told = Told()
    board.publish_request(replace(RUNNING, trace=(entry,), arguments=arguments, requesters=requesters), EventSeq(6))
    board.wait(RUNNING.id, told.note)
    ended = replace(ENDED, trace=(entry,), arguments=arguments, requesters=requesters)

    board.publish_request(ended, EventSeq(7))

    kept = board.request(ENDED.id)
    assert kept is not None
    assert kept == replace(ended, trace=())
    assert not any(isinstance(values, Fragment) for values in (kept.arguments, kept.requesters))
    assert told == [ended], "whoever waited is told all"


def test_a_request_can_be_found_at_every_moment_of_its_end(board: Board) -> None:
    over = threading.Event()
    missed: list[int] = []

    def look() -> None:
        while not over.is_set():
            missed.extend(number for number in range(1, 50) if board.request(request_id(number)) is None)

    for number in range(1, 50):
        board.publish_request(request(number=number), EventSeq(6))
    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(20):
        for number in range(1, 50):
            board.publish_request(request(RequestState.SUCCEEDED, number), EventSeq(7))
    over.set()
    looking.join(10)

    assert missed == []


def test_waits_withdrawals_and_ends_that_cross_each_other_leave_nothing(board: Board) -> None:
    board = Board(max_waiters=10_000, seq=EventSeq(0))
    ids = [request_id(number) for number in range(1, 300)]
    told: list[str] = []
    withdrawn: list[str] = []
    for number in range(1, 300):
        board.publish_request(request(number=number), EventSeq(1))

    def wait_and_withdraw() -> None:
        for each in ids:
            withdraw = board.wait(each, lambda ended, _: told.append(ended.id))
            if withdraw is not None and withdraw():
                withdrawn.append(each)

    def end() -> None:
        for number in range(1, 300):
            board.publish_request(request(RequestState.SUCCEEDED, number), EventSeq(2))

    threads = [threading.Thread(target=call) for call in (wait_and_withdraw, end, wait_and_withdraw)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(told) + len(withdrawn) == 2 * len(ids)
    assert board.waiting() == 0
