"""Who has to wait outside: rates by identity, and a count of open requests that never passes its bound."""

from pathlib import Path

import pytest

from castiron.actors.published.board import Board
from castiron.actors.reception.gate import Gate
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.verbs import Hello, NodeList, NodePowerSet, Ping, Status
from castiron.transport.vocabulary import EventSeq, Instant, NodeName, NodeUUID, PowerTarget, RequestID, RequestState

POWER = NodePowerSet(node="n1", target=PowerTarget.ON)
ME, YOU = "ipc:uid=1", "curve:you"


def gate(**settings: float) -> tuple[Gate, Board]:
    board = Board(max_waiters=1, seq=EventSeq(0))
    return Gate(Settings(**settings), board), board  # type: ignore[arg-type]  # ints and floats as the names want


def publish(board: Board, request_id: str, requester: str, state: RequestState = RequestState.ACCEPTED) -> None:
    record = RequestRecord(
        id=RequestID(request_id),
        node_uuid=NodeUUID("u"),
        node_name=NodeName("n1"),
        verb="node.power.set",
        requester=requester,
        state=state,
        accepted_at=Instant(0.0),
    )
    board.publish_request(record, EventSeq(1))


def test_work_and_reads_have_rates_of_their_own_and_the_refusal_is_honest() -> None:
    one, _ = gate(work_rate_per_s=2.0, work_rate_burst=1, read_rate_per_s=4.0, read_rate_burst=1)
    one.admit(POWER, ME, 0.0)
    one.admit(NodeList(), ME, 0.0)

    with pytest.raises(ConductorOverloaded) as work:
        one.admit(POWER, ME, 0.0)
    with pytest.raises(ConductorOverloaded) as reads:
        one.admit(NodeList(), ME, 0.0)

    assert (work.value.details["what"], reads.value.details["what"]) == ("work_rate", "read_rate")
    assert (work.value.retry_after_s, reads.value.retry_after_s) == (0.5, 0.25)
    one.admit(POWER, YOU, 0.0)
    one.admit(POWER, ME, 0.5)


@pytest.mark.parametrize("verb", [Hello(client="x"), Ping(), Status()])
def test_what_tells_how_the_conductor_is_has_no_rate(verb: Hello | Ping | Status) -> None:
    one, _ = gate(read_rate_per_s=0.001, read_rate_burst=1)

    for _ in range(50):
        one.admit(verb, ME, 0.0)


def test_places_on_their_way_and_requests_on_the_board_count_together() -> None:
    one, board = gate(max_open_requests=3, max_open_requests_per_requester=2)
    one.reserve(ME, 0.0)
    publish(board, "r1", f"{ME} (a name)")
    one.release(ME)
    one.reserve(ME, 0.0)

    with pytest.raises(ConductorOverloaded) as mine:
        one.reserve(ME, 0.0)
    one.reserve(YOU, 0.0)
    with pytest.raises(ConductorOverloaded) as everybodys:
        one.reserve(YOU, 0.0)

    assert mine.value.details == {"what": "open_requests_per_requester", "limit": 2}
    assert everybodys.value.details == {"what": "open_requests", "limit": 3}
    publish(board, "r1", f"{ME} (a name)", RequestState.SUCCEEDED)
    one.reserve(ME, 0.0)


def test_the_board_counts_a_request_once_however_often_it_is_shown() -> None:
    _, board = gate()
    for state in (RequestState.ACCEPTED, RequestState.RUNNING, RequestState.RUNNING):
        publish(board, "r1", f"{ME} (other)", state)
    publish(board, "r2", YOU)

    assert (board.open_of(ME), board.most_open(), board.openers()) == (1, (1, ME), [ME, YOU])
    for _ in range(2):
        publish(board, "r1", ME, RequestState.SUCCEEDED)
    assert (board.open_of(ME), board.openers()) == (0, [YOU])


def test_a_status_names_who_uses_most() -> None:
    one, board = gate(work_rate_per_s=1.0, work_rate_burst=10)
    for count, identity in enumerate("abcdefg", start=1):
        for _ in range(count):
            one.admit(POWER, identity, 0.0)
    publish(board, "r1", "g")

    assert [(use.requester, use.work, use.open) for use in one.top(0.0)][:2] == [("g", 7, 1), ("f", 6, 0)]
    assert len(one.top(0.0)) == 5
    assert (one.gauges(0.0)["work_rate"].used, one.gauges(0.0)["open_requests"].used) == (7, 1)


def test_whoever_is_refused_for_open_requests_is_told_when_there_will_be_room() -> None:
    one, board = gate(max_open_requests=10, max_open_requests_per_requester=10)
    for number in range(10):
        publish(board, f"r{number}", ME)
    assert refusal(one, ME, 0.0) == 1.0, "before any end was seen"
    for number in range(4):
        publish(board, f"r{number}", ME, RequestState.SUCCEEDED)
        publish(board, f"s{number}", ME)

    waits = [refusal(one, ME, 1.0) for _ in range(3)]  # four have ended in that second

    assert waits == [pytest.approx(1.5 / 4 * place, abs=0.001) for place in (1, 2, 3)]


def refusal(one: Gate, identity: str, now: float) -> float | None:
    with pytest.raises(ConductorOverloaded) as refused:
        one.reserve(identity, now)
    return refused.value.retry_after_s


def test_at_their_defaults_the_rates_let_in_what_was_measured() -> None:
    creations_per_s, look_ups_per_s = 4_200, 29_400
    told = Path("docs/limits.md").read_text(encoding="utf-8")
    assert f"{creations_per_s:,} creations and {look_ups_per_s:,} look-ups" in told
    one, _ = gate()

    now = 0.0
    for tick in range(4 * 100):  # four seconds; a burst would be used up within three
        now = tick / 100
        for _ in range(creations_per_s // 100):
            one.admit(POWER, ME, now)
        for _ in range(look_ups_per_s // 100):
            one.admit(NodeList(), ME, now)

    assert (one.gauges(now)["work_rate"].used, one.gauges(now)["read_rate"].used) == (42, 294), "not even nearly"
