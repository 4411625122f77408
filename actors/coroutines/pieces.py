"""One piece of work that is a coroutine: as one that blocks, but that it can be ended, at its next `await`.

Its time-out and its deadline are timers of the conductor's clock, so they are kept also while its loop is held up.
"""

import asyncio
from contextlib import suppress
from typing import Any

from castiron.actors.bulkheads.pieces import Ended, NotBegun, Overdue, Piece
from castiron.transport.vocabulary import Instant


class Recalled(Exception):
    """It was cancelled, as nobody wants it any more."""


class CoroutinePiece(Piece):
    """A coroutine on its way."""

    __slots__ = ("_task", "_why")

    def __init__(self, *args: Any, **terms: Any) -> None:
        super().__init__(*args, **terms)
        self._task: asyncio.Task[Ended] | None = None
        self._why: Exception | None = None
        """Why it was cancelled, if it was."""

    def begin(self, task: "asyncio.Task[Ended]") -> None:
        """Note the task that carries it out, from when on its time counts; on its loop."""
        if self._timeout_s is not None:
            until = Instant(self.begun_at + self._timeout_s)
            self.timers = (*self.timers, self._keeper.clock.call_at(until, self.expire))
        with self._lock:
            self._task, why = task, self._why
        if why is not None:
            task.cancel()

    async def carry(self) -> Ended:
        """Carry it out; return how it ended. Raises only what cancels it before it has begun."""
        clock = self._keeper.clock
        started_at = clock.now()
        try:
            value = await self._call()
        except asyncio.CancelledError as error:
            return Ended(None, self._why or error, started_at, clock.now())
        except BaseException as error:  # noqa: BLE001 - whoever asked for it is told; none may end the loop
            return Ended(None, error, started_at, clock.now())
        return Ended(value, None, started_at, clock.now())

    def end(self, task: "asyncio.Task[Ended]") -> None:
        """Tell how its task ended; on its loop."""
        was_begun = not task.cancelled()
        self.settle(task.result() if was_begun else Ended(error=NotBegun("It was cancelled.")))

    def recall(self) -> None:
        """Have it end at its next `await`, as nobody wants it any more. Any thread; idempotent."""
        self._cancel(Recalled("It was cancelled."))

    def _cancel(self, why: Exception) -> None:
        with self._lock:
            is_first, self._why, task = self._why is None, self._why or why, self._task
        if task is not None and is_first:
            with suppress(RuntimeError):  # its loop has ended, and all that was on it
                task.get_loop().call_soon_threadsafe(task.cancel)

    def expire(self) -> None:
        """Leave it behind: its time is over. Any thread."""
        self._cancel(Overdue("It had not ended by its time."))  # first: it hears of it before the next one begins
        super().expire()

    def forgo(self) -> None:
        """End it: what has not begun ends at once, what runs at its next `await`. Any thread."""
        self.recall()
        super().forgo()
