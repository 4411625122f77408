"""How many BMCs log in at once, and how many a second. The dead hold no place.

One asks only when its first datagram was answered, and gives its place on when a later one is not answered at once.
Those for whom somebody waits come first.
"""

from collections.abc import Callable
from typing import Protocol

from castiron.actors.drivers.ipmi.pacing.allowance import Allowance
from castiron.actors.drivers.ipmi.pacing.limits import BURST_S, LEAST_BURST, Limits
from castiron.actors.drivers.ipmi.pacing.pacer import TICK_S
from castiron.actors.drivers.ipmi.pacing.queue import Queue, Urgency
from castiron.transport.vocabulary import Instant


class Applicant(Protocol):
    """Somebody who wants to log in."""

    @property
    def urgency(self) -> Urgency:
        """For whom."""
        ...

    def granted(self) -> None:
        """Go on: the place is yours until you leave it."""
        ...


class Logins:
    """Places for logins, given to the most urgent first, and then in the order in which they were asked for.

    Args:
        now: what time it is.
        limits: how many at once, and how many a second.
        arm: has `expire` called at an instant.

    Attributes:
        entries_at: kept by the engine's timers.
    """

    def __init__(self, now: Callable[[], Instant], limits: Limits, arm: Callable[["Logins", Instant], None]) -> None:
        self.entries_at: list[Instant] = []
        self._now = now
        self._limit = self._free = limits.logins
        self._arm = arm
        self._allowance = Allowance(limits.logins_per_s, max(LEAST_BURST, limits.logins_per_s * BURST_S), now())
        self._queue: Queue[Applicant] = Queue()

    def ask(self, applicant: Applicant) -> None:
        """Queue for a place; `granted` may be called before this returns. Whoever waits and is more urgent moves up."""
        self._queue.put(applicant, applicant.urgency)
        self.expire(self._now())

    def withdraw(self, applicant: Applicant) -> None:
        """Stop waiting. Without effect on somebody who does not wait."""
        self._queue.leave(applicant)

    def leave(self) -> None:
        """Give a place back."""
        self._free += 1
        self.expire(self._now())

    def expire(self, now: Instant) -> None:
        """Give the places that there are by then."""
        while self._free and self._queue:
            wait_s = self._allowance.wait_s(now)
            if wait_s:
                return self._arm(self, Instant(now + max(wait_s, TICK_S)))
            self._allowance.used += 1
            self._free -= 1
            self._queue.pop().granted()
        return None

    @property
    def in_use(self) -> int:
        """How many log in now. Any thread."""
        return self._limit - self._free

    @property
    def waiting(self) -> int:
        """How many wait for a place now. Any thread."""
        return len(self._queue)
