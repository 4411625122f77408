"""A bulkhead: threads for work that may block, so many at once, so that what hangs here holds up nobody elsewhere.

Threads are kept and used again. Work that has not ended by its deadline is left behind: it keeps its thread, which
cannot be ended from outside, and loses its place and its say. So many may be left behind, then nothing more is begun.
What the work is, and what its end means, is not known here.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from castiron.actors.dispatch.clock import Clock, Timer
from castiron.transport.vocabulary import Instant

MAX_LEFT_BEHIND: Final = 256
"""Threads of work that hangs; beyond it nothing further begins, as each keeps memory for ever."""

IDLE_S: Final = 10.0
"""A thread that has had nothing to do for so long ends."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a piece of work ended."""

    value: Any = None
    error: BaseException | None = None
    """What it raised; None: it returned `value`."""
    started_at: Instant | None = None
    """None: it was not begun."""
    ended_at: Instant | None = None


class Overdue(Exception):
    """It had not ended by its deadline, and was left behind."""


class NotBegun(Exception):
    """It was not begun: nobody wants it any more, too much hangs, or the bulkhead is closed."""


class Pool(Protocol):
    """Where work is carried out that may block."""

    def submit(
        self,
        call: Callable[[], Any],
        done: Callable[[Ended], None],
        *,
        deadline: Instant | None = None,
        timeout_s: float | None = None,
    ) -> Callable[[], None]:
        """Take a piece of work in; it runs when there is a place. Any thread; never blocks.

        Args:
            done: told once how it ended, from any thread; must not block.
            deadline: when nobody waits for it any more, whether it has begun or not; None: never.
            timeout_s: how long it may take once it has begun; None: until the deadline.

        Returns:
            A function that forgoes it: what has not begun ends at once with `NotBegun`, what runs goes on.
        """
        ...


class Bulkhead:
    """Carries work out, at most `limit` pieces at once. Any thread; no method blocks but `stop`.

    Args:
        name: of its threads, after "castiron-".
        limit: how many pieces run at once.
    """

    def __init__(self, name: str, limit: int, clock: Clock) -> None:
        self.limit: Final = limit
        self.clock: Final = clock
        self._name = name
        self._changed = threading.Condition()
        self._waiting: deque[_Piece] = deque()
        self._running: set[_Piece] = set()
        self._left_behind: set[_Piece] = set()
        self._idle = 0
        self._is_open = True

    def submit(
        self,
        call: Callable[[], Any],
        done: Callable[[Ended], None],
        *,
        deadline: Instant | None = None,
        timeout_s: float | None = None,
    ) -> Callable[[], None]:
        """Take a piece of work in; it runs when there is a place. See `Pool`."""
        piece = _Piece(call, done, self, timeout_s)
        with self._changed:
            is_taken = self._is_open and len(self._left_behind) < MAX_LEFT_BEHIND
            if is_taken:
                if deadline is not None:
                    piece.timers = (self.clock.call_at(deadline, piece.expire),)
                self._waiting.append(piece)
                self._staff()
        if not is_taken:
            piece.settle(Ended(error=NotBegun("Too much hangs, or the conductor stops: nothing further is begun.")))
        return piece.forgo

    def counters(self) -> dict[str, int]:
        """Return how many pieces run, wait, and hang. Any thread."""
        with self._changed:
            return {"running": len(self._running), "waiting": len(self._waiting), "hung": len(self._left_behind)}

    def stop(self, timeout_s: float) -> list[str]:
        """Begin nothing any more, and give what runs `timeout_s` seconds to end. Blocks as long. Idempotent.

        Returns:
            The name of each piece's thread that still runs.
        """
        with self._changed:
            self._is_open = False
            waiting, self._waiting = list(self._waiting), deque()
            self._changed.notify_all()
        for piece in waiting:
            piece.settle(Ended(error=NotBegun("The conductor stops.")))
        with self._changed:
            self._changed.wait_for(lambda: not self._running, timeout_s)
            return [f"castiron-{self._name}"] * len(self._running)

    def leave_behind(self, piece: "_Piece") -> bool:
        """Give the place of a piece to another; return whether it had one."""
        with self._changed:
            is_running = piece in self._running
            if is_running:
                self._running.discard(piece)
                self._left_behind.add(piece)
                self._staff()
            return is_running

    def withdraw(self, piece: "_Piece") -> bool:
        """Take a piece out of the line; return whether it stood there."""
        with self._changed:
            is_waiting = piece in self._waiting
            if is_waiting:
                self._waiting.remove(piece)
            return is_waiting

    def _staff(self) -> None:
        """See to it that somebody takes up what can begin now. Under the lock."""
        startable = min(self.limit - len(self._running), len(self._waiting))
        if self._idle >= startable:
            self._changed.notify()
        else:
            self._idle += 1
            threading.Thread(target=self._work, name=f"castiron-{self._name}", daemon=True).start()

    def _work(self) -> None:
        while (piece := self._take()) is not None:
            ended = piece.carry_out()
            with self._changed:
                is_hung = piece in self._left_behind
                self._running.discard(piece)
                self._left_behind.discard(piece)
                self._idle += not is_hung
                if not self._is_open:
                    self._changed.notify_all()
            piece.settle(ended)
            if is_hung:  # its place was given to another thread meanwhile
                return

    def _take(self) -> "_Piece | None":
        with self._changed:
            has_work = self._changed.wait_for(lambda: self._may_begin() or not self._is_open, IDLE_S)
            self._idle -= 1
            if not (has_work and self._may_begin()):
                return None
            piece = self._waiting.popleft()
            self._running.add(piece)
            return piece

    def _may_begin(self) -> bool:
        return bool(self._waiting) and len(self._running) < self.limit


class _Piece:
    """One piece of work on its way."""

    def __init__(
        self, call: Callable[[], Any], done: Callable[[Ended], None], bulkhead: Bulkhead, timeout_s: float | None
    ) -> None:
        self._call = call
        self._done = done
        self._bulkhead = bulkhead
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._is_settled = False
        self.timers: tuple[Timer, ...] = ()

    def carry_out(self) -> Ended:
        """Do it, on one of the bulkhead's threads."""
        clock = self._bulkhead.clock
        started_at = clock.now()
        if self._timeout_s is not None:
            self.timers = (*self.timers, clock.call_at(Instant(started_at + self._timeout_s), self.expire))
        try:
            value = self._call()
        except BaseException as error:  # noqa: BLE001 - whoever asked for it is told
            return Ended(None, error, started_at, clock.now())
        return Ended(value, None, started_at, clock.now())

    def expire(self) -> None:
        """Leave it behind: its time is over."""
        if self._bulkhead.leave_behind(self):
            self.settle(Ended(error=Overdue("It had not ended by its deadline.")))
        elif self._bulkhead.withdraw(self):
            self.settle(Ended(error=NotBegun("No place was free in its time.")))

    def forgo(self) -> None:
        """End it, if it has not begun."""
        if self._bulkhead.withdraw(self):
            self.settle(Ended(error=NotBegun("Nobody wants it any more.")))

    def settle(self, ended: Ended) -> None:
        """Tell how it ended, if nobody has."""
        with self._lock:
            is_first, self._is_settled = not self._is_settled, True
        for timer in self.timers:
            timer.cancel()
        if is_first:
            self._done(ended)
