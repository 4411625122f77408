"""What the trace of a request says of a call that it owes: each attempt, and how it ended. Pure.

Attempts that ended alike are one entry with a count, so that a day of retries takes a few; a receiver that answers
otherwise each time loses the middle of them. Neither the path nor the query of a URL comes in: they may hold a token.
"""

from dataclasses import replace
from typing import Final

from castiron.store.records import TraceEntry
from castiron.transport.vocabulary import DeliveryID, Instant, TraceWord
from castiron.transport.webhooks.answer import Answered

Journal = tuple[TraceEntry, ...]

MAX_ENTRIES: Final = 16
"""Of one call, some 2 KiB."""

KEPT_FIRST: Final = 4
"""How it began is kept."""

CHANGING: Final = frozenset({"next_at"})
"""Details in which attempts differ that are alike."""


def tried(
    journal: Journal,
    delivery: DeliveryID,
    host: str,
    answered: Answered,
    *,
    at: Instant,
    until: Instant,
    next_at: Instant | None,
) -> Journal:
    """Add an attempt.

    Args:
        host: who was called.
        at: when it was sent.
        until: when its outcome was known.
        next_at: when it is tried again at the earliest; None: it is not.
    """
    outcome = {"error": answered.reason} if answered.status is None else {"status": answered.status}
    known = {"delivery": delivery, "host": host, **outcome, "next_at": next_at}
    details = {name: value for name, value in known.items() if value is not None}
    entry = TraceEntry(word=TraceWord.CALLED, at=at, until=until, details=details)
    if journal and _is_alike(journal[-1], entry):
        last = journal[-1]
        return (*journal[:-1], replace(entry, at=last.at, count=last.count + 1))
    return _bounded((*journal, entry))


def delivered(journal: Journal, delivery: DeliveryID, at: Instant) -> Journal:
    """Note that the receiver has taken it."""
    return (*journal, TraceEntry(word=TraceWord.DELIVERED, at=at, details={"delivery": delivery}))


def given_up(journal: Journal, delivery: DeliveryID, reason: str, at: Instant) -> Journal:
    """Note that nobody will try again."""
    return (*journal, TraceEntry(word=TraceWord.GIVEN_UP, at=at, details={"delivery": delivery, "reason": reason}))


def _is_alike(one: TraceEntry, other: TraceEntry) -> bool:
    return one.word is other.word and _lasting(one) == _lasting(other)


def _lasting(entry: TraceEntry) -> dict[str, object]:
    return {name: value for name, value in entry.details.items() if name not in CHANGING}


def _bounded(journal: Journal) -> Journal:
    if len(journal) < MAX_ENTRIES:  # one place is for its end
        return journal
    first, (gap, lost, *rest) = journal[:KEPT_FIRST], journal[KEPT_FIRST:]
    omitted = TraceEntry(word=TraceWord.OMITTED, at=gap.at, until=lost.until, count=gap.count + lost.count)
    return (*first, omitted, *rest)
