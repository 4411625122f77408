"""Work that blocks, done in a thread of its own for somebody on an event loop.

Not `asyncio.to_thread`: its threads are shared with the whole program, whose own blocking calls would hold up a start
or a stop, and after `loop.shutdown_default_executor()` there are none. What the work is does not live here.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

LAST_INSTRUCTIONS_S: Final = 0.001
"""Between two looks at a thread that has said that it is done: it has a few instructions to go."""

_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Outcome(Generic[_Result]):
    """What came of it: kept as a value, as a future of asyncio cannot hold each exception that there is."""

    results: tuple[_Result, ...] = ()
    error: BaseException | None = None


async def run_aside(
    work: Callable[[], _Result], name: str, *, unwanted: Callable[[], object] = lambda: None
) -> _Result:
    """Return what `work` returns, which runs in a thread of that name, with this task's context variables.

    The thread has always ended when this ends. A task that is cancelled waits for that all the same, and is cancelled
    then; what the work returned or raised is dropped.

    Args:
        work: blocks.
        name: of the thread. It is no daemon, so that a program which ends waits for it.
        unwanted: called on the loop, perhaps more than once, when nobody wants the work any more: it may end sooner.

    Raises:
        asyncio.CancelledError: the task was cancelled meanwhile, once or more often.
        BaseException: what the work raised.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    outcome = _Outcome[_Result]()
    context = copy_context()

    def carry_out() -> None:
        try:
            outcome.results = (context.run(work),)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever waits
            outcome.error = error
        with suppress(RuntimeError):  # the loop was closed under whoever waited
            loop.call_soon_threadsafe(ended.set)

    thread = threading.Thread(target=carry_out, name=name)
    try:
        thread.start()
        await _end_of(thread, ended, unwanted)
    except (GeneratorExit, KeyboardInterrupt):  # the loop breaks off, and nobody will wait any more
        unwanted()
        raise
    if outcome.error is not None:
        raise outcome.error
    return outcome.results[0]


async def _end_of(thread: threading.Thread, ended: asyncio.Event, unwanted: Callable[[], object]) -> None:
    """Wait until nothing of a thread is left, however often the task is cancelled; be cancelled then."""
    cancelled: asyncio.CancelledError | None = None
    while thread.is_alive():
        try:
            await ended.wait()
            await asyncio.sleep(LAST_INSTRUCTIONS_S)
        except asyncio.CancelledError as error:
            unwanted()
            cancelled = error
    if cancelled is not None:
        raise cancelled
