"""A bulkhead of coroutines: so many at once, in the order of any bulkhead, and none of them takes a thread.

Which may begin, whose turn it is, and what hangs is the bulkhead's; this is where they are carried out. One that does
not end though it was cancelled keeps a spare place. May come in: another way to carry them out. Must not: what they do.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Protocol

from castiron.actors.bulkheads.bulkhead import DEFAULT_SPARE, Bulkhead
from castiron.actors.bulkheads.pieces import Ended
from castiron.actors.bulkheads.threads import Source
from castiron.actors.coroutines.pieces import CoroutinePiece
from castiron.actors.dispatch.clock import Clock


class Loop(Protocol):
    """Where coroutines are carried out."""

    def post(self, call: Callable[[], None]) -> None:
        """Have something called on the loop. Any thread; never blocks."""
        ...

    def task(self, coroutine: Coroutine[Any, Any, Ended], name: str) -> "asyncio.Task[Ended]":
        """Begin a coroutine. On the loop."""
        ...


class OnLoop:
    """The home of a bulkhead whose pieces are coroutines. See `Home`.

    Args:
        loop: where they are carried out.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def serve(self, source: Source) -> None:
        """Begin what a source has. Any thread; never blocks."""
        self._loop.post(partial(self._begin, source))

    def _begin(self, source: Source) -> None:
        self._carry(source, source.begin())

    def _carry(self, source: Source, piece: CoroutinePiece | None) -> None:
        if piece is not None:
            task = self._loop.task(piece.carry(), f"{source.name} {piece.about}".rstrip())
            task.add_done_callback(partial(self._ended, source, piece))
            piece.begin(task)

    def _ended(self, source: Source, piece: CoroutinePiece, task: "asyncio.Task[Ended]") -> None:
        piece.end(task)
        self._carry(source, source.go_on(piece))


class Coroutines(Bulkhead):
    """Has coroutines carried out. `submit` takes a function that makes one. Any thread; `stop` alone blocks.

    Args:
        name: of its tasks.
        limit: how many run at once.
        loop: where.
        spare: places beside these, for those that do not end though they were cancelled.
    """

    def __init__(self, name: str, limit: int, clock: Clock, loop: Loop, *, spare: int = DEFAULT_SPARE) -> None:
        super().__init__(name, limit, clock, spare=spare, home=OnLoop(loop), piece=CoroutinePiece)

    def recall(self) -> None:
        """Cancel all that run. Any thread; never blocks."""
        for piece in self.begun():
            if isinstance(piece, CoroutinePiece):
                piece.recall()

    def stop(self, timeout_s: float) -> list[str]:
        """Begin nothing any more, cancel what runs, and give it `timeout_s` seconds to end. Blocks as long. Idempotent.

        Returns:
            The name of each that still runs.
        """
        left = super().stop(0.0)
        self.recall()
        return super().stop(timeout_s) if left else left


def is_coroutine_function(call: object) -> bool:
    """Return whether something is written `async def`: a function, a method, or an object that is called."""
    if isinstance(call, type):
        return False
    return iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004 - how it is written, not whether it can be called
