"""What everybody reads of runbooks, and what is decided meanwhile: on disk or not, in order."""

from castiron.actors.published.board import Board
from castiron.actors.runbooks.published import Runbooks
from castiron.store.records import Commit, EventDraft, EventRecord, RunbookPut, RunbookRemove
from castiron.transport.vocabulary import EventSeq, EventType, Instant, Revision
from tests.support.store_records import full_runbook

A, B = full_runbook(1), full_runbook(2)
A2 = full_runbook(1, revision=Revision(2), name="CUSTOM_NEW")
A3 = full_runbook(1, revision=Revision(3), name="CUSTOM_NEWER")


def board(seq: int) -> Board:
    return Board(max_waiters=1, seq=EventSeq(seq))


def names(runbooks: Runbooks) -> tuple[list[str], list[str]]:
    """Return what everybody sees, and what is decided."""
    shown, _ = runbooks.look(board(0))
    return [one.name for one in shown.sorted()], [one.name for one in runbooks.decided.sorted()]


def test_a_change_is_decided_at_once_and_seen_once_it_is_on_disk() -> None:
    runbooks = Runbooks([A])

    first = runbooks.begin(RunbookPut(record=A2), EventSeq(7))
    second = runbooks.begin(RunbookPut(record=B), EventSeq(7))
    assert names(runbooks) == ([A.name], [B.name, A2.name])

    runbooks.end(first, landed=True)
    assert names(runbooks) == ([A2.name], [B.name, A2.name])
    runbooks.end(second, landed=True)
    assert names(runbooks) == ([B.name, A2.name], [B.name, A2.name])


def test_what_was_built_on_a_lost_change_stays_decided_until_the_store_has_refused_it() -> None:
    runbooks = Runbooks([A])
    lost = runbooks.begin(RunbookPut(record=A2), EventSeq(7))
    built = runbooks.begin(RunbookPut(record=A3), EventSeq(7))
    beside = runbooks.begin(RunbookPut(record=B), EventSeq(7))

    runbooks.end(lost, landed=False)
    assert names(runbooks) == ([A.name], [B.name, A3.name])
    runbooks.end(built, landed=False)
    assert names(runbooks) == ([A.name], [A.name, B.name])
    runbooks.end(beside, landed=True)
    assert names(runbooks) == ([A.name, B.name], [A.name, B.name])


def test_a_removal_that_is_lost_is_none() -> None:
    runbooks = Runbooks([A])

    ticket = runbooks.begin(RunbookRemove(record=A), EventSeq(7))
    assert names(runbooks) == ([A.name], [])
    runbooks.end(ticket, landed=False)

    assert names(runbooks) == ([A.name], [A.name])


def test_an_answer_carries_no_number_at_which_it_does_not_hold_yet() -> None:
    runbooks, shown = Runbooks([A]), board(7)
    ticket = runbooks.begin(RunbookPut(record=A2), shown.seq)
    draft = EventDraft(type=EventType.RUNBOOK_UPDATE_END, at=Instant(1.0))
    landed = EventRecord(seq=EventSeq(8), node_seq=None, draft=draft)

    shown.landed([Commit(events=(landed,), seq=EventSeq(8))])
    assert (shown.seq, runbooks.look(shown)[1]) == (8, 7), "its event is told, and it is not shown yet"
    runbooks.end(ticket, landed=True)

    assert runbooks.look(shown) == (runbooks.decided, 8)
