"""What a request's trace says of its calls: each attempt and the end, in a bounded number of entries."""

from pathlib import Path

from castiron.actors.webhooks import journal
from castiron.actors.webhooks.journal import MAX_ENTRIES, Journal
from castiron.transport.vocabulary import DeliveryID, Instant, TraceWord
from castiron.transport.webhooks.answer import Answered

ID = DeliveryID("r.1")
HOST = "https://a.example:443"
AWAY = Answered(None, "no connection", is_away=True)
BUSY = Answered(503, "it answered 503")


def after(before: Journal, answered: Answered, at: float, next_at: float | None) -> Journal:
    due = None if next_at is None else Instant(next_at)
    return journal.tried(before, ID, HOST, answered, at=Instant(at), until=Instant(at + 1), next_at=due)


def test_each_attempt_and_the_end_are_told() -> None:
    trace = after((), AWAY, 1.0, 9.0)
    trace = after(trace, BUSY, 9.0, 20.0)
    trace = journal.delivered(after(trace, Answered(200, "it answered 200"), 20.0, None), ID, Instant(21.0))

    assert [(entry.word, entry.at, entry.until) for entry in trace] == [
        (TraceWord.CALLED, 1.0, 2.0),
        (TraceWord.CALLED, 9.0, 10.0),
        (TraceWord.CALLED, 20.0, 21.0),
        (TraceWord.DELIVERED, 21.0, None),
    ]
    assert trace[0].details == {"delivery": ID, "host": HOST, "error": "no connection", "next_at": 9.0}
    assert trace[1].details == {"delivery": ID, "host": HOST, "status": 503, "next_at": 20.0}
    assert trace[2].details == {"delivery": ID, "host": HOST, "status": 200}


def test_attempts_that_fail_alike_are_one_entry_with_the_latest_next() -> None:
    trace: Journal = ()
    for number in range(100):
        trace = after(trace, AWAY, number * 10.0, number * 10.0 + 10)

    assert len(trace) == 1
    entry = trace[0]
    assert (entry.count, entry.at, entry.until, entry.details["next_at"]) == (100, 0.0, 991.0, 1000.0)


def test_a_receiver_that_answers_otherwise_each_time_does_not_grow_the_trace() -> None:
    trace: Journal = ()
    for number in range(100):
        trace = after(trace, Answered(500 + number % 90, "no"), float(number), None)
    trace = journal.given_up(trace, ID, "no", Instant(200.0))

    assert len(trace) <= MAX_ENTRIES
    assert sum(entry.count for entry in trace) == 101
    assert [entry.word for entry in trace][4] is TraceWord.OMITTED
    assert trace[-1].word is TraceWord.GIVEN_UP


def test_the_guide_has_each_word_that_tells_of_a_call() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "webhooks.md").read_text(encoding="utf-8")

    for word in (TraceWord.CALLED, TraceWord.DELIVERED, TraceWord.GIVEN_UP, TraceWord.WITHDRAWN, TraceWord.OMITTED):
        assert f"\n| `{word}` |" in guide
