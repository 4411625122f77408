"""Whose turn it is on a loop: each task of it says so while it runs, from one `await` to the next.

A turn holds up all others, so a slow one is told, with the name of the piece that the task belongs to; a task that a
piece creates has its name. May come in: what else is to be known of a turn. Must not: what follows from it.
"""

import time
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Final

Slow = Callable[[str, float], None]
"""Told who had a slow turn, and how many seconds it took; on the loop's thread."""

NOBODY: Final = "a callback"
"""Who has the turn where no task has."""


class Turns:
    """The account of one loop. Changed on the loop's thread alone; any may read.

    Args:
        slow_s: a turn that takes so many seconds is told.
        slow: told.
        monotonic: seconds, never going backwards.
    """

    def __init__(
        self,
        slow_s: float,
        slow: Slow,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slow_s = slow_s
        self._slow = slow
        self._monotonic = monotonic
        self.who = NOBODY
        """Whose turn it is."""

    def name_for(self, name: str | None) -> str:
        """Return what a new task is called: as it was named, or as who creates it."""
        return name or self.who

    def take(self, who: str, step: Callable[[], Any]) -> Any:
        """Give somebody a turn; return what comes of it."""
        before, self.who = self.who, who
        began_s = self._monotonic()
        try:
            return step()
        finally:
            self.who = before
            lasted_s = self._monotonic() - began_s
            if lasted_s >= self._slow_s:
                self._slow(who, lasted_s)


class Named(Coroutine[Any, Any, Any]):
    """A coroutine that says whose its turns are."""

    __slots__ = ("_inner", "_turns", "who")

    def __init__(self, inner: Generator[Any, Any, Any] | Coroutine[Any, Any, Any], turns: Turns, who: str) -> None:
        self._inner = inner
        self._turns = turns
        self.who = who

    def send(self, value: Any) -> Any:
        """Go on until the next `await`."""
        return self._turns.take(self.who, lambda: self._inner.send(value))

    def throw(self, kind: Any, error: BaseException | object = None, traceback: TracebackType | None = None, /) -> Any:
        """Go on with an error, as with being cancelled."""
        del error, traceback  # asyncio gives the error itself
        return self._turns.take(self.who, lambda: self._inner.throw(kind))

    def close(self) -> None:
        """End it."""
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        """Await what it names."""
        return (yield from self._inner.__await__()) if isinstance(self._inner, Coroutine) else (yield from self._inner)
