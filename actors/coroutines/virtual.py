"""A loop whose time is a clock of ours: coroutines in virtual time, on one thread, in an order that is always the same.

`asyncio.sleep`, time-outs, locks, queues, events and tasks work as ever, and a day passes in a moment. There is no
outer world: asyncio's own base class has no sockets and no processes, and what is asked of a thread is done at once.
"""

import asyncio
import logging
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

from castiron.actors.dispatch.clock import Clock, Timer
from castiron.transport.vocabulary import Instant

T = TypeVar("T")
Args = TypeVarTuple("Args")

log = logging.getLogger(__name__)

MAX_CALLS: Final = 1_000_000
"""Calls in one moment that are taken for a loop without end."""


class ClockCall(asyncio.TimerHandle):
    """A call that was ordered."""

    def __init__(
        self,
        when: float,
        call: Callable[..., object],
        args: tuple[Any, ...],
        loop: "ClockLoop",
        context: Context | None,
    ) -> None:
        self._todo: Callable[[], object] | None = partial((context or copy_context()).run, call, *args)
        self.timer: Timer | None = None
        super().__init__(when, call, args, loop, context)

    def cancel(self) -> None:
        """Do not call, if it has not been called. Idempotent."""
        self._todo = None
        if self.timer is not None:
            self.timer.cancel()

    def cancelled(self) -> bool:
        """Return whether it will not be called."""
        return self._todo is None

    def do(self) -> None:
        """Call, unless cancelled."""
        todo, self._todo = self._todo, None
        if todo is not None:
            todo()


class ClockLoop(asyncio.BaseEventLoop):
    """asyncio's loop, as far as it needs no world, driven by a clock. One thread: whoever moves the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._calls: deque[ClockCall] = deque()
        self._is_awake = False

    def post(self, call: Callable[[], None]) -> None:
        """Have something called in the next moment."""
        self.call_soon(call)

    def task(self, coroutine: Coroutine[Any, Any, Any], name: str) -> "asyncio.Task[Any]":
        """Begin a coroutine."""
        return self.create_task(coroutine, name=name)

    # What asyncio calls.

    def time(self) -> float:
        """Return what the clock says."""
        return self._clock.now()

    def call_soon(
        self, callback: Callable[[Unpack[Args]], object], *args: *Args, context: Context | None = None
    ) -> ClockCall:
        """Order a call for this moment, after those ordered before."""
        call = ClockCall(self.time(), callback, args, self, context)
        self._put(call)
        return call

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Args]], object], *args: *Args, context: Context | None = None
    ) -> ClockCall:
        """Do the same: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Args]], object],
        *args: *Args,
        context: Context | None = None,
    ) -> ClockCall:
        """Order a call for so many seconds from now."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Args]], object],
        *args: *Args,
        context: Context | None = None,
    ) -> ClockCall:
        """Order a call for an instant of the clock's."""
        call = ClockCall(when, callback, args, self, context)
        call.timer = self._clock.call_at(Instant(when), partial(self._put, call))
        return call

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Args]], T], *args: *Args
    ) -> "asyncio.Future[T]":
        """Call at once: there is one thread, and what it does takes no time."""
        del executor
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever awaits it is told
            future.set_exception(error)
        return future

    def is_running(self) -> bool:
        """Return whether this moment is the loop's."""
        return events._get_running_loop() is self  # noqa: SLF001 - exported by asyncio.events for loops

    def __del__(self) -> None:
        """Say nothing: it holds nothing that would have to be closed."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Say what asyncio has nobody to tell; a task that ends with its clock, unawaited, is no fault."""
        if context.get("exception") is not None:
            log.error("%s", context.get("message"), exc_info=context["exception"])

    def _put(self, call: ClockCall) -> None:
        self._calls.append(call)
        if not self._is_awake:
            self._is_awake = True
            self._clock.call_at(self._clock.now(), self._take_turn)

    def _take_turn(self) -> None:
        """Call what is ready, and what that makes ready, in this moment."""
        before = events._get_running_loop()  # noqa: SLF001 - as above
        events._set_running_loop(self)  # noqa: SLF001 - as above
        try:
            for _ in range(MAX_CALLS):
                if not self._calls:
                    return
                self._do(self._calls.popleft())
            raise RuntimeError(f"coroutines go on without end at {self.time()}")
        finally:
            self._is_awake = False
            events._set_running_loop(before)  # noqa: SLF001 - as above

    def _do(self, call: ClockCall) -> None:
        try:
            call.do()
        except BaseException:
            log.exception("something was raised out of a virtual loop; it goes on")
