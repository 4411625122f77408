"""The calls that are owed, in lines: one for each place that they go to (scheme, host and port).

What is to be sent now, what waits for how long, what is given up. Places that fail wait with growing pauses, and leave
half of the calls under way to the others; what does not fit is given up, the oldest of the longest line first. So a
dead receiver costs its own calls, and nobody else's. No threads, no clock, no HTTP.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple

from castiron.actors.webhooks.policy import Fate, Pacing, fate_of
from castiron.store.records import CallbackRecord
from castiron.transport.vocabulary import DeliveryID, Instant
from castiron.transport.webhooks.answer import Answered

NOT_BEFORE: Final = Instant(0.0)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is owed. Those to one place are made in the order of their numbers."""

    number: int
    destination: str
    callback: CallbackRecord


class Owed(NamedTuple):
    """A call that was not taken, and is tried again."""

    callback: CallbackRecord
    next_at: Instant
    """At the earliest."""


class GivenUp(NamedTuple):
    """A call that nobody will make."""

    callback: CallbackRecord
    reason: str
    """In words."""


@dataclass(slots=True)
class _Place:
    fresh: deque[Call] = field(default_factory=deque[Call])
    """Never tried while somebody was there, the oldest first."""
    again: list[tuple[Instant, int, Call]] = field(default_factory=list[tuple[Instant, int, Call]])
    """Tried, and when they are tried again: a heap."""
    failures: int = 0
    """Calls in a row that nobody answered."""
    not_before: Instant = NOT_BEFORE
    in_flight: int = 0
    taken_at: int = 0
    """When a call was last taken from here, in calls."""

    def __len__(self) -> int:
        return len(self.fresh) + len(self.again)

    def next_at(self) -> Instant:
        """Return when the next call may be made; not for an empty place."""
        first = NOT_BEFORE if self.fresh else self.again[0][0]
        return max(self.not_before, first)

    def pop(self, now: Instant) -> Call:
        """Take the next call. A place that fails is tried with what has not failed there, if there is any."""
        is_due = bool(self.again) and self.again[0][0] <= now
        if self.fresh and (self.failures or not is_due):
            return self.fresh.popleft()
        return heappop(self.again)[2]

    def oldest(self) -> Call:
        """Take the oldest call out. O(those that were tried)."""
        tried = min(self.again, key=lambda one: one[1], default=None)
        if tried is None or (self.fresh and self.fresh[0].number < tried[1]):
            return self.fresh.popleft()
        self.again.remove(tried)
        self.again.sort()
        return tried[2]


class Line:
    """All calls that are owed. One thread; its figures may be read from any.

    Attributes:
        in_flight: calls under way.
        delivered, failed, given_up, dropped: since the start; `failed` counts attempts, `dropped` those of the
            given-up ones that were too many.
    """

    def __init__(self, pacing: Pacing, rng: Random) -> None:
        self._pacing: Final = pacing
        self._rng: Final = rng
        self._places: dict[str, _Place] = {}
        self._known: set[DeliveryID] = set()
        self._numbers = self._takes = 0
        self.in_flight = self.delivered = self.failed = self.given_up = self.dropped = 0

    def __len__(self) -> int:
        """Return how many calls are owed, those under way included."""
        return len(self._known)

    def figures(self) -> dict[str, int]:
        """Return what `status` tells."""
        places = list(self._places.values())
        return {
            "waiting": len(self),
            "in_flight": self.in_flight,
            "destinations": len(places),
            "failing": sum(place.failures > 0 for place in places),
            "delivered": self.delivered,
            "failed": self.failed,
            "given_up": self.given_up,
            "dropped": self.dropped,
        }

    def add(self, callback: CallbackRecord, destination: str) -> GivenUp | None:
        """Take in a call that is owed, and return the one that had to make room, if one had to. Idempotent."""
        if callback.id in self._known:
            return None
        dropped = self._make_room() if len(self._known) >= self._pacing.max_waiting else None
        self._numbers += 1
        self._known.add(callback.id)
        self._places.setdefault(destination, _Place()).fresh.append(Call(self._numbers, destination, callback))
        return dropped

    def take(self, now: Instant) -> Call | None:
        """Return a call that is to be made now, which is under way then; None: none is."""
        found = [
            (place.failures > 0, place.taken_at, name) for name, place in self._places.items() if self._may(place, now)
        ]
        if not found or self.in_flight >= self._pacing.max_in_flight:
            return None
        place = self._places[min(found)[2]]
        self._takes += 1
        place.taken_at = self._takes
        place.in_flight += 1
        self.in_flight += 1
        return place.pop(now)

    def next_at(self) -> Instant | None:
        """Return when there may be a call to make if nothing else happens; None: not before a call ends or comes in."""
        times = [place.next_at() for place in self._places.values() if self._has_place(place)]
        return min(times, default=None) if self.in_flight < self._pacing.max_in_flight else None

    def settle(self, call: Call, answered: Answered, now: Instant) -> Owed | GivenUp | None:
        """Take in the outcome of a call that was under way.

        Returns:
            None: it was made. The call with its attempts counted: it is owed still. Or that it was given up.
        """
        place = self._places[call.destination]
        place.in_flight -= 1
        self.in_flight -= 1
        fate = fate_of(answered)
        self._note(place, fate, answered, now)
        if fate is Fate.TAKEN:
            self.delivered += 1
            self._forget(call)
            return None
        self.failed += 1
        callback = replace(call.callback, attempts=call.callback.attempts + 1)
        if fate is Fate.GONE or self._pacing.is_over(callback.owed_since, now):
            self.given_up += 1
            self._forget(call)
            return GivenUp(callback, answered.reason)
        return Owed(callback, self._put_back(place, replace(call, callback=callback), fate, now))

    def overdue(self, now: Instant) -> list[GivenUp]:
        """Give up the calls whose time is over and that wait for a place which fails; others are tried once first."""
        over: list[GivenUp] = []
        for place in list(self._places.values()):
            while place.failures and place.fresh and self._is_over(place.fresh[0], now):
                over.append(self._give_up(place.fresh.popleft(), "the receiver could not be reached in time"))
        return over

    def _is_over(self, call: Call, now: Instant) -> bool:
        return self._pacing.is_over(call.callback.owed_since, now)

    def _has_place(self, place: _Place) -> bool:
        """Whether a call to there could be begun, but for the time."""
        if not len(place) or place.in_flight >= self._per(place):
            return False
        return not place.failures or self._failing() < self._pacing.failing_in_flight

    def _may(self, place: _Place, now: Instant) -> bool:
        return self._has_place(place) and place.next_at() <= now

    def _per(self, place: _Place) -> int:
        return 1 if place.failures else self._pacing.per_destination

    def _failing(self) -> int:
        return sum(place.in_flight for place in self._places.values() if place.failures)

    def _note(self, place: _Place, fate: Fate, answered: Answered, now: Instant) -> None:
        """Note how a place is; a call that was not sent says nothing about it."""
        if answered.is_unsent:
            return
        if fate in {Fate.AWAY, Fate.UNHEARD}:
            place.failures += 1
            place.not_before = Instant(now + self._pacing.pause_s(place.failures, self._rng.random()))
            return
        place.failures = 0
        held_off_s = self._pacing.held_off_s(answered, 1, self._rng.random()) if fate is Fate.HELD_OFF else 0.0
        place.not_before = Instant(now + held_off_s) if held_off_s else NOT_BEFORE

    def _put_back(self, place: _Place, call: Call, fate: Fate, now: Instant) -> Instant:
        """Put a call back into its line; return when it is tried again at the earliest."""
        if fate is Fate.AWAY:
            place.fresh.appendleft(call)
            if len(place.fresh) > 1 and place.fresh[1].number < call.number:  # several were under way
                place.fresh = deque(sorted(place.fresh, key=lambda one: one.number))
            return place.not_before
        pause_s = self._pacing.pause_s(call.callback.attempts, self._rng.random())
        again_at = Instant(now + pause_s)
        heappush(place.again, (again_at, call.number, call))
        return max(again_at, place.not_before)

    def _make_room(self) -> GivenUp | None:
        longest = max(self._places.values(), key=len, default=None)
        if longest is None or not len(longest):
            return None  # all are under way, and soon over
        self.dropped += 1
        return self._give_up(longest.oldest(), "too many calls are owed (the setting webhook_max_waiting)")

    def _give_up(self, call: Call, reason: str) -> GivenUp:
        self.given_up += 1
        self._forget(call)
        return GivenUp(call.callback, reason)

    def _forget(self, call: Call) -> None:
        self._known.discard(call.callback.id)
        place = self._places[call.destination]
        if not len(place) and not place.in_flight and not place.failures:
            del self._places[call.destination]
