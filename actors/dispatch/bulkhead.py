"""A bulkhead: threads for work that may block, so many at once, so that what hangs here holds up nobody elsewhere.

Work that takes long gives its place to the next and goes on; what is known to take long waits in a line of its own, and
never takes the place of what is quick. Work that has not ended by its time is left behind: it keeps its thread, which
cannot be ended from outside, and loses its place and its say. So many may be left behind, then nothing more is begun.
Threads are used again, the latest first. What the work is, and what its end means, is not known here.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from castiron.actors.dispatch.clock import Clock, Timer
from castiron.transport.vocabulary import Instant

MAX_LEFT_BEHIND: Final = 256
"""Threads of work that hangs; beyond it nothing further begins, as each keeps memory for ever."""

MAX_FOUND_LONG: Final = 256
"""Pieces that run long, those that were not known to do so included; beyond it one keeps its place."""

LONG_S: Final = 0.25
"""Work that takes longer than this is long: a person would notice whoever waits behind it."""

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
    """It had not ended by its time, and was left behind."""


class NotBegun(Exception):
    """It was not begun: nobody wants it any more, too much hangs, or the bulkhead is closed."""


Done = Callable[[Ended], None]
"""Told once how a piece of work ended, from any thread; must not block."""

Forgo = Callable[[], None]
"""Takes a piece of work back: what has not begun ends at once with `NotBegun`, what runs goes on. Idempotent."""


class Pool(Protocol):
    """Where work is carried out that may block."""

    def submit(
        self,
        call: Callable[[], Any],
        done: Done,
        *,
        deadline: Instant | None = None,
        timeout_s: float | None = None,
        is_long: bool = False,
    ) -> Forgo:
        """Take a piece of work in; it runs when there is a place. Any thread; never blocks.

        Args:
            deadline: when nobody waits for it any more, whether it has begun or not; None: never.
            timeout_s: how long it may take once it has begun; None: until the deadline.
            is_long: it is known to take longer than `LONG_S`.
        """
        ...


class Bulkhead:
    """Carries work out. Any thread; no method blocks but `stop`.

    Args:
        name: of its threads, after "castiron-".
        limit: how many pieces run at once that do not take long.
        long_limit: how many of those run beside them that are known to take long; 0: long ones keep their places.
    """

    def __init__(self, name: str, limit: int, clock: Clock, *, long_limit: int = 0) -> None:
        self.clock: Final = clock
        self._name = name
        self._limit = limit
        self._long_limit = long_limit
        self._lock = threading.Lock()
        self._at_rest = threading.Condition(self._lock)
        self._waiting: deque[_Piece] = deque()
        self._waiting_long: deque[_Piece] = deque()
        self._running: set[_Piece] = set()
        self._long: set[_Piece] = set()
        self._left_behind: set[_Piece] = set()
        self._idle: list[SimpleQueue[None]] = []
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
    ) -> Forgo:
        """Take a piece of work in; it runs when there is a place. See `Pool`."""
        piece = _Piece(call, done, self, timeout_s)
        with self._lock:
            is_taken = self._is_open and len(self._left_behind) < MAX_LEFT_BEHIND
            if is_taken:
                if deadline is not None:
                    piece.timers = (self.clock.call_at(deadline, piece.expire),)
                (self._waiting_long if is_long and self._long_limit else self._waiting).append(piece)
                self._staff()
        if not is_taken:
            piece.settle(Ended(error=NotBegun("Too much hangs, or the conductor stops: nothing further is begun.")))
        return piece.forgo

    def counters(self) -> dict[str, int]:
        """Return how many pieces run, run long, wait, and hang. Any thread."""
        with self._lock:
            waiting = len(self._waiting) + len(self._waiting_long)
            return {
                "running": len(self._running),
                "long": len(self._long),
                "waiting": waiting,
                "hung": len(self._left_behind),
            }

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
            self._at_rest.wait_for(lambda: not (self._running or self._long), timeout_s)
            return [f"castiron-{self._name}"] * (len(self._running) + len(self._long))

    def leave_behind(self, piece: "_Piece") -> bool:
        """Give the place of a piece to another; return whether it had one."""
        with self._lock:
            is_running = piece in self._running or piece in self._long
            if is_running:
                self._running.discard(piece)
                self._long.discard(piece)
                self._left_behind.add(piece)
                self._staff()
            return is_running

    def withdraw(self, piece: "_Piece") -> bool:
        """Take a piece out of the line; return whether it stood there."""
        with self._lock:
            for line in (self._waiting, self._waiting_long):
                if piece in line:
                    line.remove(piece)
                    return True
        return False

    def _staff(self) -> None:
        """Wake a thread if a piece can begin. Under the lock.

        One at a time: whoever has woken takes a piece, and wakes the next if there is more. Of many quick pieces at
        once most are then carried out by threads that are awake.
        """
        if self._is_waking or not self._can_begin():
            return
        self._is_waking = True
        if self._idle:
            self._idle.pop().put(None)
        else:
            threading.Thread(target=self._work, name=f"castiron-{self._name}", daemon=True).start()

    def _can_begin(self) -> bool:
        has_place = len(self._running) < self._limit
        return bool((self._waiting and has_place) or (self._waiting_long and len(self._long) < self._long_limit))

    def _next(self) -> "_Piece | None":
        """Take the next piece that can begin, and its place. Under the lock."""
        if self._waiting and len(self._running) < self._limit:
            piece = self._waiting.popleft()
            self._running.add(piece)
            self._look_later()
        elif self._waiting_long and len(self._long) < self._long_limit:
            piece = self._waiting_long.popleft()
            self._long.add(piece)
        else:
            return None
        piece.begun_at = self.clock.now()
        return piece

    def _look_later(self) -> None:
        """See to it that somebody looks for what takes long. Under the lock."""
        if self._long_limit and not self._is_looking:
            self._is_looking = True
            self.clock.call_at(Instant(self.clock.now() + LONG_S), self._look)

    def _look(self) -> None:
        """Have those that take long give their places to others.

        Each was not known to take long; once it is, it waits among its like. So there may be more of these for a while.
        """
        with self._lock:
            self._is_looking = False
            since = self.clock.now() - LONG_S
            lasting = [piece for piece in self._running if piece.begun_at <= since]
            for piece in lasting[: MAX_FOUND_LONG - len(self._long)]:
                self._running.discard(piece)
                self._long.add(piece)
            self._staff()
            if self._running:
                self._look_later()

    def _work(self) -> None:
        """Carry work out, one piece after another, until there is none for a while. A thread of its own."""
        inbox: SimpleQueue[None] = SimpleQueue()
        is_woken = True
        while is_woken:
            piece = self._take(inbox, has_woken=True)
            while piece is not None:
                piece.settle(piece.carry_out())
                self._let_go(piece)
                piece = self._take(inbox)
            is_woken = self._sleep(inbox)

    def _take(self, inbox: "SimpleQueue[None]", *, has_woken: bool = False) -> "_Piece | None":
        with self._lock:
            if has_woken:
                self._is_waking = False
            piece = self._next()
            if piece is None:
                self._idle.append(inbox)
            self._staff()
            return piece

    def _let_go(self, piece: "_Piece") -> None:
        with self._lock:
            self._running.discard(piece)
            self._long.discard(piece)
            self._left_behind.discard(piece)
            if not self._is_open:
                self._at_rest.notify_all()

    def _sleep(self, inbox: "SimpleQueue[None]") -> bool:
        """Wait until there is work; return False if there was none for so long that the thread is not needed."""
        try:
            inbox.get(timeout=IDLE_S)
        except Empty:
            with self._lock:
                if inbox in self._idle:
                    self._idle.remove(inbox)
                    return False
            inbox.get()  # it is being woken in this moment
        return True


class _Piece:
    """One piece of work on its way."""

    __slots__ = ("_bulkhead", "_call", "_done", "_is_settled", "_lock", "_timeout_s", "begun_at", "timers")

    def __init__(self, call: Callable[[], Any], done: Done, bulkhead: Bulkhead, timeout_s: float | None) -> None:
        self._call = call
        self._done = done
        self._bulkhead = bulkhead
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._is_settled = False
        self.begun_at = Instant(0.0)
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
            self.settle(Ended(error=Overdue("It had not ended by its time.")))
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
