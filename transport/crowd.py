"""Which of many like things is fullest, where each has a bound of its own: queues of nodes, mailboxes, peers.

Whoever fills one notes it, which costs nothing until it is nearly full; whoever warns looks now and then, at those that
were noted and at no others. May come in: another order among them. Must not: what the things are, and their bounds.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Final, Generic, NamedTuple, TypeVar

FLOOR: Final = 0.7
"""Of the bound: what is less full is not noted."""

Thing = TypeVar("Thing", bound=Hashable)


class Fullest(NamedTuple, Generic[Thing]):
    """The fullest of many."""

    used: int
    thing: Thing | None
    """None: none was nearly full."""


class Crowd(Generic[Thing]):
    """Many things with one bound. Any thread.

    Args:
        limit: the bound of each.
        measure: returns how full one is now, 0 if it is no more; any thread.

    Attributes:
        limit: the bound of each.
    """

    def __init__(self, limit: int, measure: Callable[[Thing], int]) -> None:
        self.limit = limit
        self._floor = FLOOR * limit
        self._measure = measure
        self._lock = threading.Lock()
        self._peaks: dict[Thing, int] = {}

    def note(self, thing: Thing, used: int) -> None:
        """Note how full one has become. O(1), and no lock where it is not nearly full."""
        if used < self._floor:
            return
        with self._lock:
            self._peaks[thing] = max(used, self._peaks.get(thing, 0))

    def look(self) -> Fullest[Thing]:
        """Return the one that was fullest since the last look. O(those that were nearly full). One thread."""
        with self._lock:
            peaks, self._peaks = self._peaks, {}
        for thing in peaks:
            self.note(thing, self._measure(thing))  # one that stays full has nobody to note it again
        if not peaks:
            return Fullest(0, None)
        fullest = max(peaks, key=lambda one: peaks[one])
        return Fullest(peaks[fullest], fullest)
