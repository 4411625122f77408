"""The loop of a conductor's coroutines: one, begun when the first of them needs it; another if it is held up for good.

A coroutine that blocks holds up all others. It is named while it does so, and afterwards. One that does not come back
by the bound of a hang is left behind with its loop and thread, as what blocks is left behind with its thread: what is
to begin, and what comes later, goes to a new loop; what was on the old one goes on there if it ever comes round, and
ends by its time in any case, as times are the clock's. So many may hang; then nothing begins until one comes back.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any, Final

from castiron.actors.coroutines.thread import LoopThread
from castiron.actors.coroutines.turns import Named, Slow
from castiron.actors.supervision.heartbeat import where

log = logging.getLogger(__name__)

MAX_HUNG: Final = 4
"""Loops that hang, left behind with their threads: each is a bug of a plug-in, and a fifth is likely the same one."""

WIND_UP_S: Final = 2.0
"""For what was cancelled at the end to have its last words: what does not heed it is not waited for any longer."""


class Loops:
    """Carries coroutines out. Any thread; no method blocks but `stop`.

    Args:
        slow_turn_s: a turn that takes so many seconds is told.
        hung_turn_s: one that takes so many hangs.
        executor: makes the executor of a loop; None: asyncio's own.
        monotonic: seconds, never going backwards.
    """

    def __init__(
        self,
        *,
        slow_turn_s: float,
        hung_turn_s: float,
        executor: Callable[[], ThreadPoolExecutor] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slow_turn_s = slow_turn_s
        self._hung_turn_s = hung_turn_s
        self._executor = executor
        self._monotonic = monotonic
        self._slow: Slow = _say
        self._lock = threading.Lock()
        self._current: LoopThread | None = None
        self._hung: list[LoopThread] = []
        self._owed: dict[int, Callable[[], None]] = {}
        """What was posted and has not been called: a new loop calls it where the old one does not."""
        self._numbers = count()
        self._told: LoopThread | None = None
        """The one that is known to be held up."""
        self._hung_ever = 0
        self._is_open = True

    def tell(self, slow: Slow) -> None:
        """Have somebody told of slow turns; until then each is a line of the log."""
        self._slow = slow

    def post(self, call: Callable[[], None]) -> None:
        """Have something called on the loop, which begins now if there is none; after `stop`, nothing is."""
        with self._lock:
            if not self._is_open:
                return
            number = next(self._numbers)
            self._owed[number] = call
            loop = self._begun()
        if loop is not None:
            loop.post(partial(self._call, number))

    def task(self, coroutine: Coroutine[Any, Any, Any], name: str) -> "asyncio.Task[Any]":
        """Begin a coroutine on the loop of the thread that calls, which is one of these."""
        loop = self._of_this_thread()
        return asyncio.get_running_loop().create_task(Named(coroutine, loop.turns, name), name=name)

    def look(self) -> None:
        """Look after the loop: name who holds it up, and begin another where it hangs. Called about once a second."""
        with self._lock:
            self._hung = [one for one in self._hung if one.thread.is_alive()]
            loop = self._begun() if self._owed or self._current is not None else None
        if loop is None:
            return
        held_up_s = loop.held_up_s()
        if held_up_s < self._slow_turn_s:
            self._told = None
        elif self._told is not loop:
            self._told = loop
            place = where(loop.thread)
            log.warning("%s holds up all coroutines: %.1f s so far, at %s", loop.turns.who, held_up_s, place)
        if held_up_s >= self._hung_turn_s:
            self._leave_behind(loop, held_up_s)

    def counters(self) -> dict[str, int]:
        """Return how many tasks there are on the loop, and how many loops hang, now and since the start."""
        with self._lock:
            loop, hung = self._current, sum(one.thread.is_alive() for one in self._hung)
        return {"tasks": 0 if loop is None else loop.count(), "hung": hung, "hung_ever": self._hung_ever}

    def is_alive(self) -> bool:
        """Return whether what is submitted is carried out: a loop lives, or none is needed yet. Takes no lock."""
        loop = self._current
        return loop is None or loop.thread.is_alive() or loop.thread.ident is None

    def stop(self, timeout_s: float) -> list[str]:
        """Cancel all there is, what coroutines have created included, and end the threads. Blocks; idempotent.

        Returns:
            Whose tasks have not ended, or hold a loop up.
        """
        with self._lock:
            self._is_open = False
            loop, self._current = self._current, None
            self._owed.clear()
        left = [] if loop is None else loop.stop(min(timeout_s, WIND_UP_S))
        for name in left:
            log.warning("%s has not ended though it was cancelled, and is abandoned with its loop", name)
        return left

    def _held_up(self, who: str, lasted_s: float) -> None:
        self._slow(who, lasted_s)

    def _call(self, number: int) -> None:
        with self._lock:
            call = self._owed.pop(number, None)
        if call is not None:
            call()

    def _of_this_thread(self) -> LoopThread:
        thread = threading.current_thread()
        with self._lock:
            loops = [*self._hung, *([] if self._current is None else [self._current])]
        return next(one for one in loops if one.thread is thread)

    def _leave_behind(self, loop: LoopThread, held_up_s: float) -> None:
        """Begin another loop in the place of one that hangs."""
        with self._lock:
            if len(self._hung) >= MAX_HUNG or loop is not self._current:
                return
            self._hung.append(loop)
            self._hung_ever += 1
            self._current = None
            successor = self._begun()
            owed = list(self._owed)
        who = loop.turns.who
        log.error("%s hangs for %.0f s; coroutines go on without it, on a loop of their own", who, held_up_s)
        loop.retire()
        for number in owed:
            if successor is not None:
                successor.post(partial(self._call, number))

    def _begun(self) -> LoopThread | None:
        """Return the loop, begun now if need be; None: no thread can be had now. Under the lock."""
        if self._current is None:
            executor = None if self._executor is None else self._executor()
            self._current = LoopThread(
                slow_s=self._slow_turn_s,
                slow=self._held_up,
                executor=executor,
                monotonic=self._monotonic,
            )
        loop = self._current
        if loop.thread.ident is None:
            try:
                loop.start()
            except RuntimeError:
                log.exception("no thread can be started for coroutines; it is tried again")
        return loop


def _say(who: str, lasted_s: float) -> None:
    log.warning("%s held up all coroutines for %.2f s", who, lasted_s)
