"""One piece of work that may block: how it is submitted, carried out in its time, and how its end is told, once.

Where it waits and whether it may begin is its keeper's, the bulkhead's.
"""

import logging
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from castiron.actors.dispatch.clock import Clock, Timer
from castiron.transport.vocabulary import Instant

log = logging.getLogger(__name__)

LONG_S: Final = 0.25
"""Work that takes longer than this is long: a person would notice whoever waits behind it."""


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
    """It was not begun: nobody wants it any more, too much hangs or waits, or the bulkhead is closed."""


class TooLate(NotBegun):
    """It was not begun by its deadline: no place was free."""


Done = Callable[[Ended], None]
"""Told once how a piece of work ended, from any thread; must not block."""

Forgo = Callable[[], None]
"""Takes a piece of work back: what has not begun ends at once with `NotBegun`, what runs goes on, or is left behind if
it was submitted so. Idempotent."""


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
        about: object = "",
    ) -> Forgo:
        """Take a piece of work in; it runs when there is a place. Any thread; never blocks.

        Args:
            deadline: when nobody waits for it any more, whether it has begun or not; None: never.
            timeout_s: how long it may take once it has begun; None: until the deadline.
            is_long: it is known to take longer than `LONG_S`.
            about: what it is and for which node; its text is for whoever looks at threads.
        """
        ...


class Keeper(Protocol):
    """The bulkhead, as its pieces see it."""

    clock: Clock
    name: str

    def leave_behind(self, piece: "Piece", /) -> bool:
        """Let a piece that has had its time hang; return whether it runs."""
        ...

    def withdraw(self, piece: "Piece", /) -> bool:
        """Take a piece out of the line; return whether it stood there."""
        ...


class Piece:
    """One piece of work on its way."""

    __slots__ = (
        "_call",
        "_done",
        "_is_left",
        "_is_settled",
        "_keeper",
        "_lock",
        "_timeout_s",
        "about",
        "begun_at",
        "is_overdue",
        "timers",
        "whose",
    )

    def __init__(
        self,
        call: Callable[[], Any],
        done: Done,
        keeper: Keeper,
        *,
        timeout_s: float | None,
        about: object,
        whose: Hashable,
        is_left: bool,
    ) -> None:
        self._call = call
        self._done = done
        self._keeper = keeper
        self._timeout_s = timeout_s
        self._is_left = is_left
        self.about = about
        self.whose = whose
        self.is_overdue = False
        self._lock = threading.Lock()
        self._is_settled = False
        self.begun_at = Instant(0.0)
        self.timers: tuple[Timer, ...] = ()

    def run(self) -> None:
        """Carry it out, and tell how it ended; on a thread that may block."""
        self.settle(self._carry_out())

    def _carry_out(self) -> Ended:
        clock = self._keeper.clock
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
        if self._keeper.leave_behind(self):
            self.settle(Ended(error=Overdue("It had not ended by its time.")))
        elif self._keeper.withdraw(self):
            self.settle(Ended(error=TooLate("No place was free in its time.")))

    def forgo(self) -> None:
        """End it, if it has not begun; else leave it behind, if it was submitted so."""
        if self._keeper.withdraw(self):
            self.settle(Ended(error=NotBegun("Nobody wants it any more.")))
        elif self._is_left and self._keeper.leave_behind(self):
            self.settle(Ended(error=Overdue("Nobody wants it any more.")))

    def settle(self, ended: Ended) -> None:
        """Tell how it ended, if nobody has. A fault of whoever is told is logged, and stays there."""
        with self._lock:
            is_first, self._is_settled = not self._is_settled, True
        for timer in self.timers:
            timer.cancel()
        if is_first:
            try:
                self._done(ended)
            except Exception:
                log.exception("who was told how a piece of work for %s ended has failed", self._keeper.name)
