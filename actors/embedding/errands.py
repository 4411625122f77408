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
from typing import Generic, TypeVar

_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Outcome(Generic[_Result]):
    """What came of it: kept as a value, as a future of asyncio cannot hold each exception that there is."""

    results: tuple[_Result, ...] = ()
    error: BaseException | None = None


async def run_aside(work: Callable[[], _Result], name: str, *, unwanted: Callable[[], object] | None = None) -> _Result:
    """Return what `work` returns, which runs in a thread of that name, with this task's context variables.

    It has always ended when this ends. A task that is cancelled waits for that all the same, and then is cancelled;
    what the work returned or raised is dropped.

    Args:
        work: blocks.
        name: of the thread. It is no daemon, so that a program which ends waits for it.
        unwanted: called once if the task is cancelled meanwhile, so that the work may end sooner. On the loop.

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

    threading.Thread(target=carry_out, name=name).start()
    await _until(ended, unwanted or (lambda: None))
    if outcome.error is not None:
        raise outcome.error
    return outcome.results[0]


async def _until(ended: asyncio.Event, unwanted: Callable[[], object]) -> None:
    """Wait for it, however often the task is cancelled; be cancelled then."""
    cancelled: asyncio.CancelledError | None = None
    while not ended.is_set():
        try:
            await ended.wait()
        except asyncio.CancelledError as error:
            if cancelled is None:
                unwanted()
            cancelled = error
        except GeneratorExit:  # its loop is gone: nobody will wait any more
            unwanted()
            raise
    if cancelled is not None:
        raise cancelled
