"""One asyncio loop in a thread of its own: from its first task until it is wound up, whatever is raised on it.

May come in: what the loop needs to live. Must not: which coroutines it is given, and what follows when it is held up.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final

from castiron.actors.coroutines.turns import NOBODY, Named, Slow, Turns

log = logging.getLogger(__name__)

NAME: Final = "castiron-coroutines"

ROUNDS: Final = 2
"""How often what does not end is cancelled once more, when the loop is wound up: who swallows it once may be busy."""

GRACE_S: Final = 0.5
"""For the thread itself to end, beside the time of what is on it."""


class LoopThread:
    """A loop and its thread. Any thread may call any method; `stop` alone blocks.

    Args:
        slow_s: a turn that takes so many seconds is told.
        slow: told of it.
        executor: where `asyncio.to_thread` and look-ups of names have their threads; None: asyncio's own.
    """

    def __init__(
        self,
        *,
        slow_s: float,
        slow: Slow,
        executor: ThreadPoolExecutor | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.turns: Final = Turns(slow_s, slow, monotonic)
        self.thread: Final = threading.Thread(target=self._run, name=NAME, daemon=True)
        self._monotonic = monotonic
        self._is_over = False
        self._asked_at: float | None = None
        self._left: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._loop.set_task_factory(self._make)
        self._loop.set_exception_handler(_complain)
        if executor is not None:
            self._loop.set_default_executor(executor)

    def start(self) -> None:
        """Begin, with all that was posted before.

        Raises:
            RuntimeError: no thread can be started now.
        """
        self.thread.start()

    def post(self, call: Callable[[], None]) -> None:
        """Have something called on the loop; once it has ended, nothing is. Never blocks."""
        is_own = threading.get_ident() == self.thread.ident  # then nobody needs to be woken, which is half of the cost
        with suppress(RuntimeError):
            (self._loop.call_soon if is_own else self._loop.call_soon_threadsafe)(call)

    def held_up_s(self) -> float:
        """Return for how long the loop has not come round since it was asked to, in seconds; asks if it is not."""
        asked_at = self._asked_at
        if asked_at is None:
            self._asked_at = self._monotonic()
            self.post(self._came_round)
            return 0.0
        return self._monotonic() - asked_at

    def count(self) -> int:
        """Return how many tasks there are, those that pieces have made and left included."""
        with suppress(RuntimeError):  # the set changes under the eyes of whoever counts
            return len(asyncio.all_tasks(self._loop))
        return 0

    def stop(self, timeout_s: float) -> list[str]:
        """Cancel every task, give them `timeout_s` seconds to end, and end the thread. Idempotent.

        Returns:
            Whose tasks have not ended, or who holds the loop up.
        """
        if self.thread.ident is None:
            self._loop.close()
            return []
        self.post(lambda: self._wind_up(timeout_s))
        self.thread.join(timeout_s + GRACE_S)
        return [self.turns.who] if self.thread.is_alive() else self._left

    def retire(self) -> None:
        """End the thread once it comes round and nothing is on the loop any more."""
        self.post(self._end_when_empty)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._is_over:  # a coroutine may stop the loop, or raise SystemExit out of it
            try:
                self._loop.run_forever()
            except BaseException:
                log.exception("something was raised out of the coroutines' loop; it goes on")
        self._loop.close()

    def _make(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **terms: Any) -> "asyncio.Task[Any]":
        """Make a task; whatever a piece creates has its name."""
        named = coroutine if isinstance(coroutine, Named) else Named(coroutine, self.turns, self.turns.who)
        return asyncio.Task(named, loop=loop, **terms)

    def _came_round(self) -> None:
        self._asked_at = None

    def _end_when_empty(self, *, was_empty: bool = False) -> None:
        is_empty = not asyncio.all_tasks(self._loop)
        if is_empty and was_empty:  # twice: who has ended may still be about to say so, and to begin another
            self._end()
        else:
            self._loop.call_later(GRACE_S, partial(self._end_when_empty, was_empty=is_empty))

    def _end(self) -> None:
        self._is_over = True
        self._loop.stop()

    def _wind_up(self, timeout_s: float) -> None:
        ending = self._loop.create_task(self._cancel_all(timeout_s))
        ending.add_done_callback(lambda _: self._end())

    async def _cancel_all(self, timeout_s: float) -> None:
        own = {asyncio.current_task()}
        for _ in range(ROUNDS):
            left = asyncio.all_tasks() - own
            if not left:
                break
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=timeout_s / ROUNDS)
        self._left = sorted(_owner(task) for task in asyncio.all_tasks() - own)


def _owner(task: "asyncio.Task[Any]") -> str:
    coroutine: Coroutine[Any, Any, Any] | Any = task.get_coro()
    return coroutine.who if isinstance(coroutine, Named) else task.get_name()


def _complain(loop: asyncio.AbstractEventLoop, said: dict[str, Any]) -> None:
    """Say what asyncio has nobody to tell, as what a task raised that nobody awaits."""
    if loop.is_closed():
        return  # what did not end was named
    task = said.get("task") or said.get("future")
    coroutine = getattr(task, "get_coro", lambda: None)()
    whose = coroutine.who if isinstance(coroutine, Named) else NOBODY
    log.error("%s: %s", whose, said.get("message"), exc_info=said.get("exception"))
