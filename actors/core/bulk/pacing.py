"""Which nodes of a bulk are next: so many at once, so many in each group, so long apart, until too many have failed.

    waiting ──take──> running ──end──> ended          stop: what waits stays where it is, for good

No clock, no I/O, no randomness: `now` is handed in, and the same calls give the same answers. It changes in place,
where other decisions return a new state: a bulk of 10,000 nodes would copy 10,000 of them 20,000 times. What a node is,
and how it is asked, must not come in; nodes are numbers here, in the order in which they are to be started.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

Known = Callable[[int], bool]
"""Whether a node was started before, by a bulk that this one repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a bulk is to be carried out."""

    batch: int | None = None
    """At most so many run at once; None: any number."""
    stagger_s: float = 0.0
    """At least so long from one start to the next."""
    per_limit: int | None = None
    """At most so many run at once in each group; None: any number."""
    stop_after_failures: int | None = None
    """Once so many have failed, none is started any more; None: however many fail."""


@dataclass(slots=True)
class _Group:
    waiting: deque[int] = field(default_factory=deque[int])
    running: int = 0


class Pacing:
    """One bulk. One thread at a time; every method is O(log groups), `take` for each node that it returns.

    Attributes:
        running: how many have been taken and have not ended.
        waiting: how many have not been taken.
        succeeded: how many have ended well.
        failed: how many have ended otherwise.
        is_stopped: none is taken any more.
    """

    def __init__(self, groups: Sequence[Hashable], terms: Terms) -> None:
        """Begin with all nodes waiting.

        Args:
            groups: of each node, in the order in which they are to be started.
            terms: how.
        """
        self.running = self.succeeded = self.failed = 0
        self.waiting = len(groups)
        self.is_stopped = False
        self._terms = terms
        self._groups: dict[Hashable, _Group] = {}
        self._of: list[_Group] = []
        for number, name in enumerate(groups):
            group = self._groups.setdefault(name if terms.per_limit is not None else None, _Group())
            group.waiting.append(number)
            self._of.append(group)
        self._ready = [group.waiting[0] for group in self._groups.values()]
        """The first that waits of each group that has room: so the lowest of them is the next of all."""
        heapify(self._ready)
        self._next_at = float("-inf")

    @property
    def is_over(self) -> bool:
        """Whether nothing runs, and nothing will."""
        return self.running == 0 and (self.waiting == 0 or self.is_stopped)

    def take(self, now: float, most: int, is_known: Known) -> list[int]:
        """Return the nodes to be started now, at most `most`; they count as running from here on.

        A node that was started before does not wait for its time: a bulk that is repeated after half a night is where
        it was within a moment. The next new one does: nobody knows how long ago the last of the others was started.
        """
        taken: list[int] = []
        while len(taken) < most and self._has_room():
            number = self._ready[0]
            if now < self._next_at and not is_known(number):
                break
            self._next_at = now + self._terms.stagger_s
            self._start(number)
            taken.append(number)
        return taken

    def due_at(self) -> float | None:
        """Return when the next may be taken though nothing ends before; None: when something ends, or never."""
        return self._next_at if self._has_room() else None

    def end(self, number: int, *, is_failure: bool) -> None:
        """Note that a node that was taken has ended."""
        group = self._of[number]
        was_full = self._is_full(group)
        group.running -= 1
        self.running -= 1
        if was_full and group.waiting:
            heappush(self._ready, group.waiting[0])
        if is_failure:
            self.failed += 1
        else:
            self.succeeded += 1
        most = self._terms.stop_after_failures
        if most is not None and self.failed >= most:
            self.stop()

    def stop(self) -> None:
        """Start none any more; those that run go on. Idempotent."""
        self.is_stopped = True

    def left(self) -> list[int]:
        """Return those that wait, in order. O(all nodes)."""
        return sorted(number for group in self._groups.values() for number in group.waiting)

    def _has_room(self) -> bool:
        batch = self._terms.batch
        return bool(self._ready) and not self.is_stopped and (batch is None or self.running < batch)

    def _is_full(self, group: _Group) -> bool:
        limit = self._terms.per_limit
        return limit is not None and group.running >= limit

    def _start(self, number: int) -> None:
        group = self._of[number]
        heappop(self._ready)
        group.waiting.popleft()
        group.running += 1
        self.running += 1
        self.waiting -= 1
        if group.waiting and not self._is_full(group):
            heappush(self._ready, group.waiting[0])
