"""One heap of who wants to be called when. Each holder has one live entry, which may move. No thread, no clock."""

import heapq
import itertools
from typing import Generic, Protocol, TypeVar

from castiron.transport.vocabulary import Instant


class Holder(Protocol):
    """Somebody with a due time."""

    timer_at: Instant | None
    """When its live entry fires; kept by Timers, None without one."""


H = TypeVar("H", bound=Holder)


class Timers(Generic[H]):
    """The heap.

    An entry that moves later stays where it is and is judged when it fires; one that moves earlier is pushed anew and
    the old one is ignored. So a session that is asked often leaves no more than one push per wait behind.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, int, H]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def arm(self, holder: H, at: Instant) -> None:
        """Fire for the holder at `at` or, if its entry is earlier than that, when that fires."""
        if holder.timer_at is None or at < holder.timer_at:
            holder.timer_at = at
            heapq.heappush(self._heap, (at, next(self._order), holder))

    def next_at(self) -> Instant | None:
        """Return when the earliest entry fires; it may turn out to be one to ignore."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: Instant) -> H | None:
        """Take the earliest holder whose entry has fired by now, or None. The holder arms itself again."""
        while self._heap and self._heap[0][0] <= now:
            at, _, holder = heapq.heappop(self._heap)
            if holder.timer_at == at:
                holder.timer_at = None
                return holder
        return None
