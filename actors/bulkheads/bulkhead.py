"""A bulkhead: a share of the threads that may block, so that what hangs here holds up nobody elsewhere.

Work that takes long gives its place to the next and goes on; what is known to take long waits in a line of its own, and
never takes the place of what is quick. Work that has not ended by its time is left behind: it keeps its thread, which
cannot be ended from outside, and loses its say, and its place if there is a spare one. When all hang, nothing more is
begun. So a bulkhead never holds more threads than its places and its spare ones. Whose the threads are is its home's
matter; what the work is, and what its end means, is not known here.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from castiron.actors.bulkheads.pieces import LONG_S, Done, Ended, Forgo, NotBegun, Piece
from castiron.actors.bulkheads.threads import Home, Threads, name_of
from castiron.actors.dispatch.clock import Clock
from castiron.transport.vocabulary import Instant

DEFAULT_SPARE: Final = 64
"""Threads beside the places, for what takes long without being known to and for what hangs."""

MAX_WAITING: Final = 100_000
"""Pieces in a line: each node, task, BMC or list has at most one in it, and no conductor has more nodes."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a bulkhead is."""

    busy: int
    """Pieces that hold a place."""
    waiting: int
    left_behind: int
    """Pieces that have had their time, and still hold a thread."""
    oldest: str
    """What has run longest of all that hold a thread; empty: nothing runs."""
    oldest_s: float


class Bulkhead:
    """Has work carried out. Any thread; no method blocks but `stop`.

    Args:
        name: of its threads, after "castiron-".
        limit: how many pieces run at once that do not take long.
        long_limit: how many of those run beside them that are known to take long; 0: long ones keep their places.
        spare: threads beside these, for what turns out to take long, and for what hangs.
        home: whose threads; None: its own.
        piece: of what kind its pieces are; its home knows how they are carried out.

    Attributes:
        size: threads that it holds at the most.
    """

    def __init__(
        self,
        name: str,
        limit: int,
        clock: Clock,
        *,
        long_limit: int = 0,
        spare: int = DEFAULT_SPARE,
        home: Home | None = None,
        piece: type[Piece] = Piece,
    ) -> None:
        self.clock = clock
        self.name = name
        self.size: Final = limit + long_limit + spare
        self._limit = limit
        self._long_limit = long_limit
        self._spare = spare
        self._home: Final = home or Threads(self.size)
        self._piece = piece
        self._lock = threading.Lock()
        self._at_rest = threading.Condition(self._lock)
        self._waiting: OrderedDict[Piece, None] = OrderedDict()
        self._waiting_long: OrderedDict[Piece, None] = OrderedDict()
        self._running: dict[Piece, None] = {}
        self._long: dict[Piece, None] = {}
        self._left_behind: dict[Piece, None] = {}
        self._at_work: set[Hashable] = set()
        """Whose pieces hold a place, where they go one after the other."""
        self._is_waking = False
        self._is_looking = False
        self._is_open = True

    def submit(
        self,
        call: Callable[[], Any],
        done: Done,
        *,
        deadline: Instant | None = None,
        timeout_s: float | None = None,
        is_long: bool = False,
        about: object = "",
        whose: Hashable = None,
        is_left: bool = False,
    ) -> Forgo:
        """Take a piece of work in; it runs when there is a place. See `Pool`.

        Args:
            whose: of the same one piece runs at a time; those of others pass the next. None: it is nobody's.
            is_left: when it is forgone, it is left behind if it runs.
        """
        piece = self._piece(call, done, self, timeout_s=timeout_s, about=about, whose=whose, is_left=is_left)
        with self._lock:
            line = self._waiting_long if is_long and self._long_limit else self._waiting
            refusal = self._refusal(line)
            if refusal is None:
                if deadline is not None:
                    piece.timers = (self.clock.call_at(deadline, piece.expire),)
                line[piece] = None
            is_wanted = self._is_wanted()
        if refusal is not None:
            piece.settle(Ended(error=NotBegun(refusal)))
        if is_wanted:
            self._home.serve(self)
        return piece.forgo

    def counters(self) -> dict[str, int]:
        """Return how many pieces run, run long, wait, and hang. Any thread."""
        with self._lock:
            return {
                "running": len(self._running),
                "long": len(self._long),
                "waiting": len(self._waiting) + len(self._waiting_long),
                "hung": sum(1 for _ in self._hung()),
            }

    def standing(self) -> Standing:
        """Return how it is. Any thread."""
        with self._lock:
            pieces = [*self._running, *self._long, *self._left_behind]
            oldest = min(pieces, key=lambda piece: piece.begun_at, default=None)
            return Standing(
                busy=len(self._running) + len(self._long),
                waiting=len(self._waiting) + len(self._waiting_long),
                left_behind=sum(1 for _ in self._hung()),
                oldest="" if oldest is None else str(oldest.about),
                oldest_s=0.0 if oldest is None else max(0.0, self.clock.now() - oldest.begun_at),
            )

    def begun(self) -> list[Piece]:
        """Return what has begun and not ended. Any thread."""
        with self._lock:
            return [*self._running, *self._long, *self._left_behind]

    def stop(self, timeout_s: float) -> list[str]:
        """Begin nothing any more, and give what runs `timeout_s` seconds to end. Blocks as long. Idempotent.

        Returns:
            The name of each piece's thread that still runs.
        """
        with self._lock:
            self._is_open = False
            waiting = [*self._waiting, *self._waiting_long]
            self._waiting.clear()
            self._waiting_long.clear()
        for piece in waiting:
            piece.settle(Ended(error=NotBegun("The conductor stops.")))
        with self._at_rest:
            self._at_rest.wait_for(lambda: not any(self._wanted()), timeout_s)
            return [name_of(self, piece) for piece in self._wanted()]

    # What its home calls.

    def begin(self) -> Piece | None:
        """Return a piece that may begin now, which then holds a place."""
        with self._lock:
            self._is_waking = False
            piece = self._next()
            is_wanted = self._is_wanted()
        if is_wanted:
            self._home.serve(self)
        return piece

    def go_on(self, piece: Piece) -> Piece | None:
        """Take the place of a piece back that has ended, and return the next."""
        with self._lock:
            self._let_go(piece)
            following = self._next()
            is_wanted = self._is_wanted()
        if is_wanted:
            self._home.serve(self)
        return following

    # What its pieces call.

    def leave_behind(self, piece: Piece) -> bool:
        """Let a piece that has had its time hang; return whether it runs."""
        with self._lock:
            is_running = (piece in self._running or piece in self._long) and not piece.is_overdue
            if is_running:
                piece.is_overdue = True
                self._at_work.discard(piece.whose)
                self._replace()
                self._at_rest.notify_all()
            is_wanted = self._is_wanted()
        if is_wanted:
            self._home.serve(self)
        return is_running

    def withdraw(self, piece: Piece) -> bool:
        """Take a piece out of the line; return whether it stood there."""
        with self._lock:
            for line in (self._waiting, self._waiting_long):
                if piece in line:
                    del line[piece]
                    return True
        return False

    # All below is under the lock.

    def _refusal(self, line: OrderedDict[Piece, None]) -> str | None:
        if not self._is_open:
            return "The conductor stops: nothing further is begun."
        if sum(1 for _ in self._hung()) >= self.size:
            return f"All {self.size} threads for {self.name} hang: nothing further is begun."
        return f"{MAX_WAITING} pieces wait for {self.name}." if len(line) >= MAX_WAITING else None

    def _hung(self) -> Iterator[Piece]:
        yield from self._left_behind
        if not self._has_spare():  # only then may there be others
            yield from (piece for piece in self._running if piece.is_overdue)

    def _wanted(self) -> Iterator[Piece]:
        """Yield what runs and was not left behind."""
        return (piece for piece in (*self._running, *self._long) if not piece.is_overdue)

    def _is_wanted(self) -> bool:
        """Return whether somebody is to be woken for a piece that may begin.

        One at a time: whoever has woken takes a piece, and wakes the next if there is more. Of many quick pieces at
        once most are then carried out by threads that are awake.
        """
        if self._is_waking or self._first() is None:
            return False
        self._is_waking = True
        return True

    def _first(self) -> Piece | None:
        """Return the piece that may begin next, the quick before those known to take long."""
        if self._waiting and len(self._running) < self._limit and (piece := self._free(self._waiting)):
            return piece
        if self._waiting_long and len(self._long) < self._long_limit and self._has_spare():
            return self._free(self._waiting_long)
        return None

    def _free(self, line: OrderedDict[Piece, None]) -> Piece | None:
        return next((piece for piece in line if piece.whose is None or piece.whose not in self._at_work), None)

    def _has_spare(self) -> bool:
        """Return whether one more may run beside those that have quick places."""
        return len(self._long) + len(self._left_behind) < self._long_limit + self._spare

    def _next(self) -> Piece | None:
        """Take the piece that may begin next, and its place."""
        piece = self._first()
        if piece is None:
            return None
        if piece in self._waiting:
            del self._waiting[piece]
            self._running[piece] = None
            self._look_later()
        else:
            del self._waiting_long[piece]
            self._long[piece] = None
        if piece.whose is not None:
            self._at_work.add(piece.whose)
        piece.begun_at = self.clock.now()
        return piece

    def _let_go(self, piece: Piece) -> None:
        for places in (self._running, self._long, self._left_behind):
            places.pop(piece, None)
        if not piece.is_overdue:
            self._at_work.discard(piece.whose)
        self._replace()
        if not self._is_open:
            self._at_rest.notify_all()

    def _replace(self) -> None:
        """Give the places of those that hang to others, as far as there are spare threads for them."""
        for places in (self._long, self._running):
            for piece in [piece for piece in places if piece.is_overdue]:
                if places is self._long or self._has_spare():
                    del places[piece]
                    self._left_behind[piece] = None

    def _look_later(self) -> None:
        """See to it that somebody looks for what takes long."""
        if self._long_limit and not self._is_looking:
            self._is_looking = True
            self.clock.call_at(Instant(self.clock.now() + LONG_S), self._look)

    def _look(self) -> None:
        """Have those that take long give their places to others; not under the lock.

        Each was not known to take long; once it is, it waits among its like. So there may be more of these for a while.
        """
        with self._lock:
            self._is_looking = False
            since = self.clock.now() - LONG_S
            for piece in [piece for piece in self._running if piece.begun_at <= since]:
                if self._has_spare():
                    del self._running[piece]
                    self._long[piece] = None
            self._replace()
            if self._running:
                self._look_later()
            is_wanted = self._is_wanted()
        if is_wanted:
            self._home.serve(self)
