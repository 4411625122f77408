"""One heap of who wants to be called when. Each holder has one wish at a time, which may move. No thread, no clock."""

import heapq
import itertools
from typing import Generic, Protocol, TypeVar

from castiron.transport.vocabulary import Instant


class Holder(Protocol):
    """Somebody with a due time."""

    entries_at: list[Instant]
    """When its entries fire, the earliest last; kept by Timers, empty at first."""


H = TypeVar("H", bound=Holder)


class Timers(Generic[H]):
    """The heap.

    A wish that moves later is judged when the earlier entry fires; one that moves earlier is pushed in front of it. So
    a holder's entries are a stack: whichever fires is the last of them, and one that is there already for some later
    time, as for a keepalive, serves again. A session that is asked often leaves nothing behind.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, int, H]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def arm(self, holder: H, at: Instant) -> None:
        """Fire for the holder at `at` or, if it has an entry that is earlier than that, when that fires."""
        pending = holder.entries_at
        if not pending or at < pending[-1]:
            pending.append(at)
            heapq.heappush(self._heap, (at, next(self._order), holder))

    def next_at(self) -> Instant | None:
        """Return when the earliest entry fires."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: Instant) -> H | None:
        """Take the earliest holder whose entry has fired by now, or None. The holder arms itself again."""
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, holder = heapq.heappop(self._heap)
        holder.entries_at.pop()
        return holder
