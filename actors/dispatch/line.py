"""The line of what waits for a turn, and who is woken for it: one taker, and one who stands by.

The interpreter runs one thread at a time, so a second taker gains nothing while the first takes what comes, and costs
both of them a wait for the interpreter's lock at each turn. It is worth waking only for a turn that does not end: hence
one taker is woken and goes on until the line is empty, and another looks every so often whether the line moves. What
the turns are does not live here, nor how many threads there are.
"""

import threading
from collections import deque
from typing import Final, Generic, TypeVar

STANDBY_S: Final = 0.02
"""How often whoever stands by looks. A turn that hangs holds up the line for at most twice as long: once until it is
seen for the first time, once until it is seen again. Two hundred turns of the usual length take as long."""

MOST_AHEAD: Final = 8
"""Of what goes ahead, so many are taken before one of the rest: what is due is in time while a thousand answers wait,
and where more is due than there is time for, the rest still has a ninth of the turns."""

T = TypeVar("T")


class Taker:
    """One who takes from a line; each thread has its own."""

    __slots__ = ("bell",)

    def __init__(self) -> None:
        self.bell = threading.Lock()  # held, but from a ring until it is heard
        self.bell.acquire()

    def ring(self) -> None:
        """Wake it, unless it has been rung for and is about to wake."""
        if self.bell.locked():
            self.bell.release()


class Line(Generic[T]):
    """First come, first taken, but for what goes ahead. Any thread, also a signal handler's, may put."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._ahead: deque[T] = deque()
        self._passed_count = 0  # by those ahead, since one of the others was taken
        self._lock = threading.RLock()  # a signal handler may put what its thread is putting
        self._awake: set[Taker] = set()  # those that are counted on to come back for more
        self._asleep: list[Taker] = []
        self._standby: Taker | None = None
        self._taken_count = 0

    def __len__(self) -> int:
        return len(self._items) + len(self._ahead)

    def items(self) -> list[T]:
        """Return what waits, first come first. O(that). Any thread: a copy is one step of the interpreter."""
        return list(self._ahead) + list(self._items)

    def put(self, item: T, *, ahead: bool = False) -> None:
        """Add to the end, or to that of those ahead, and wake a taker if none is counted on. Never blocks."""
        (self._ahead if ahead else self._items).append(item)
        if not self._awake or self._standby is None:
            self._ring()

    def take(self, taker: Taker) -> T:
        """Return the first; blocks while there is none. On the taker's own thread."""
        while True:
            try:
                item = self._pop()
            except IndexError:
                self._rest(taker)
            else:
                self._taken_count += 1
                return item

    def _pop(self) -> T:
        """Take out what is next. Several takers may be at it: who finds nothing looks again before it rests."""
        if self._ahead and (self._passed_count < MOST_AHEAD or not self._items):
            self._passed_count += 1
            return self._ahead.popleft()
        self._passed_count = 0
        return self._items.popleft()

    def leave(self, taker: Taker) -> None:
        """Count on the taker no more, until it has slept again: it has left, or waits, or hangs. Any thread."""
        with self._lock:
            self._awake.discard(taker)
            if len(self):
                self._ring()

    def _ring(self) -> None:
        """Wake who is missing."""
        with self._lock:
            is_untended = not self._awake
            if is_untended:
                self._wake_taker()
            if len(self) > is_untended and self._standby is None and self._asleep:
                self._standby = self._asleep.pop()
                self._standby.ring()

    def _wake_taker(self) -> None:
        """Wake whoever has slept least: its caches are the warmest."""
        if self._asleep:
            taker = self._asleep.pop()
        elif self._standby is not None:
            taker, self._standby = self._standby, None
        else:
            return  # all are at it, and come back
        self._awake.add(taker)
        taker.ring()

    def _rest(self, taker: Taker) -> None:
        """Sleep until there is something to take, standing by if asked to."""
        with self._lock:
            self._awake.discard(taker)
            if len(self):
                self._awake.add(taker)
                return
            self._asleep.append(taker)
        seen = -1
        while True:
            is_rung = taker.bell.acquire(timeout=STANDBY_S if self._standby is taker else -1)
            if is_rung and self._standby is not taker:
                return
            seen = self._taken_count if is_rung else self._look(taker, seen)

    def _look(self, taker: Taker, seen: int) -> int:
        """See whether the line has moved, and take over if it has not; go to sleep if there is none."""
        with self._lock:
            if self._standby is not taker or self._taken_count != seen:
                return self._taken_count
            self._standby = None
            if len(self):
                self._awake = {taker}
                taker.ring()
                self._ring()
            else:
                self._asleep.append(taker)
        return seen
