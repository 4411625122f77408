"""What is asked of one address at once, whichever nodes it belongs to: a blade's BMC may be many machines'.

Places for calls, from the first datagram of a login to the last answer, and an allowance of datagrams. Checks leave one
place free, where there is more than one, so that a silent address is asked for a user at once. One thread.
"""

from collections.abc import Callable
from typing import Protocol
from weakref import WeakValueDictionary

from castiron.actors.drivers.ipmi.pacing.allowance import Allowance
from castiron.actors.drivers.ipmi.pacing.limits import LEAST_BURST, Limits
from castiron.actors.drivers.ipmi.pacing.pacer import Beginner
from castiron.actors.drivers.ipmi.pacing.queue import Queue, Urgency
from castiron.transport.vocabulary import Instant


class Neighbour(Beginner, Protocol):
    """Somebody who asks an address."""

    @property
    def is_asking(self) -> bool:
        """Whether something is under way there."""
        ...


class Neighbours:
    """Those who ask one address.

    Attributes:
        allowance: of datagrams to it; whoever sends one counts it there.
        is_alone: only one has ever asked it, as is usual, and needs no place.
    """

    __slots__ = ("__weakref__", "_first", "_inside", "_places", "_queue", "allowance", "is_alone")

    def __init__(self, limits: Limits, now: Instant, first: Neighbour) -> None:
        rate_per_s = limits.datagrams_per_bmc_per_s
        self.allowance = Allowance(rate_per_s, max(LEAST_BURST, rate_per_s), now)
        self.is_alone = True
        self._first = first
        self._places = limits.calls_per_bmc
        self._inside: list[Neighbour] = []
        self._queue: Queue[Neighbour] | None = None  # most addresses have none

    def join(self) -> None:
        """Have places from now on: somebody else asks, too."""
        if self.is_alone and self._first.is_asking:
            self._inside.append(self._first)
        self.is_alone = False

    def enter(self, who: Neighbour, urgency: Urgency) -> bool:
        """Return whether it may begin, and has a place until it leaves; otherwise its `turn` is called. O(places)."""
        if who in self._inside:
            return True
        if len(self._inside) < self._places_for(urgency) and (self._queue is None or self._queue.is_passed(urgency)):
            self._inside.append(who)
            return True
        self._queue = self._queue or Queue()
        self._queue.put(who, urgency)
        return False

    def leave(self, who: Neighbour) -> None:
        """Give its place back. Idempotent."""
        if who not in self._inside:
            return
        self._inside.remove(who)
        queue, self._queue = self._queue, None
        while queue:  # they are few, and who still has to wait says so again
            queue.pop().turn()

    def _places_for(self, urgency: Urgency) -> int:
        return self._places if urgency is Urgency.USER else max(1, self._places - 1)


class Neighbourhoods:
    """All addresses that are asked, each for as long as somebody has it."""

    def __init__(self, limits: Limits, now: Callable[[], Instant]) -> None:
        self._limits = limits
        self._now = now
        self._all: WeakValueDictionary[tuple[str, int], Neighbours] = WeakValueDictionary()

    def at(self, host: str, port: int, who: Neighbour) -> Neighbours:
        """Return those who ask an address, for one more."""
        found = self._all.get((host, port))
        if found is not None:
            found.join()
            return found
        found = self._all[host, port] = Neighbours(self._limits, self._now(), who)
        return found
