"""What becomes of a call that was tried, and when it is tried again. Pure: time and chance come in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from castiron.actors.settings import Settings
from castiron.transport.vocabulary import Instant
from castiron.transport.webhooks.answer import Answered

OK: Final = range(200, 300)
GONE: Final = 410
BUSY: Final = frozenset({429, 503})


class Fate(StrEnum):
    """What an outcome means for a call, and for the others that go to the same place."""

    TAKEN = "taken"
    """Nothing is owed any more."""
    REFUSED = "refused"
    """The receiver answers, and did not take this one, or it was not sent at all: it alone is tried later."""
    HELD_OFF = "held off"
    """The receiver asks to be left alone: all that go there wait."""
    UNHEARD = "unheard"
    """Nobody knows whether it arrived: it is tried later, and the others that go there wait, too."""
    AWAY = "away"
    """There was no connection: all that go there wait, and keep their order."""
    GONE = "gone"
    """The receiver says that it will never want it: it is given up."""


def fate_of(answered: Answered) -> Fate:
    """Read an outcome. A redirect is a refusal: it is not followed."""
    match answered.status:
        case None if answered.is_unsent:
            return Fate.REFUSED
        case None:
            return Fate.AWAY if answered.is_away else Fate.UNHEARD
        case status if status in OK:
            return Fate.TAKEN
        case status if status == GONE:
            return Fate.GONE
        case status if status in BUSY:
            return Fate.HELD_OFF
        case _:
            return Fate.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How calls are spread over time, and how many there may be."""

    first_s: float
    most_s: float
    give_up_after_s: float
    max_waiting: int
    max_in_flight: int
    per_destination: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read it off the settings."""
        return cls(
            first_s=settings.webhook_retry_initial_s,
            most_s=settings.webhook_retry_max_s,
            # Given up at the latest when the request, and what is owed for it, may be forgotten.
            give_up_after_s=min(settings.webhook_give_up_after_s, settings.request_retention_s),
            max_waiting=settings.webhook_max_waiting,
            max_in_flight=settings.webhook_max_in_flight,
            per_destination=settings.webhook_max_in_flight_per_destination,
        )

    @property
    def failing_in_flight(self) -> int:
        """How many calls to places that fail may be under way: half, so that the others always find a place."""
        return max(1, self.max_in_flight // 2)

    def pause_s(self, failures: int, draw: float) -> float:
        """Return how long to wait after so many failures in a row: doubling, bounded, and spread over its upper half.

        Args:
            draw: at random, from 0 to 1; calls that failed together are not to come back together.
        """
        doubled = self.first_s * 2.0 ** min(failures - 1, 64)
        return min(doubled, self.most_s) * (1.0 + draw) / 2

    def held_off_s(self, answered: Answered, failures: int, draw: float) -> float:
        """Return how long to leave a receiver alone that asked for it; at the most the longest pause."""
        least_s = self.pause_s(failures, draw)
        return least_s if answered.retry_after_s is None else min(max(answered.retry_after_s, least_s), self.most_s)

    def is_over(self, owed_since: Instant, now: Instant) -> bool:
        """Return whether a call that was not taken is given up."""
        return now >= owed_since + self.give_up_after_s
