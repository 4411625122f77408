"""One piece of work that is a coroutine: as one that blocks, but that it can be ended, at its next `await`.

Its time-out and its deadline are timers of the conductor's clock, so they are kept also while its loop is held up.
"""

import asyncio
from contextlib import suppress
from typing import Any

from castiron.actors.bulkheads.pieces import Ended, NotBegun, Piece
from castiron.transport.vocabulary import Instant


class Recalled(Exception):
    """It was cancelled, as nobody wants it any more."""


class CoroutinePiece(Piece):
    """A coroutine on its way."""

    __slots__ = ("_is_recalled", "_task")

    def __init__(self, *args: Any, **terms: Any) -> None:
        super().__init__(*args, **terms)
        self._is_recalled = False
        self._task: asyncio.Task[Ended] | None = None

    def begin(self, task: "asyncio.Task[Ended]") -> None:
        """Note the task that carries it out; on its loop."""
        with self._lock:
            self._task, is_recalled = task, self._is_recalled
        if is_recalled:
            task.cancel()

    async def carry(self) -> Ended:
        """Carry it out; return how it ended. Raises only what cancels it before it has begun."""
        clock = self._keeper.clock
        started_at = clock.now()
        if self._timeout_s is not None:
            self.timers = (*self.timers, clock.call_at(Instant(started_at + self._timeout_s), self.expire))
        try:
            value = await self._call()
        except asyncio.CancelledError as error:
            why = Recalled("It was cancelled.") if self._is_recalled else error
            return Ended(None, why, started_at, clock.now())
        except BaseException as error:  # noqa: BLE001 - whoever asked for it is told; none may end the loop
            return Ended(None, error, started_at, clock.now())
        return Ended(value, None, started_at, clock.now())

    def end(self, task: "asyncio.Task[Ended]") -> None:
        """Tell how its task ended; on its loop."""
        self.settle(Ended(error=NotBegun("It was cancelled.")) if task.cancelled() else task.result())

    def recall(self) -> None:
        """Have it end at its next `await`. Any thread; idempotent."""
        with self._lock:
            is_first, self._is_recalled, task = not self._is_recalled, True, self._task
        if task is not None and is_first:
            with suppress(RuntimeError):  # its loop has ended, and all that was on it
                task.get_loop().call_soon_threadsafe(task.cancel)

    def expire(self) -> None:
        """Leave it behind: its time is over. Any thread."""
        super().expire()
        self.recall()

    def forgo(self) -> None:
        """End it: what has not begun ends at once, what runs at its next `await`. Any thread."""
        super().forgo()
        self.recall()
