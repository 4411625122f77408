"""Receivers' names, looked up on threads of a bulkhead: a name server that hangs costs the calls that need it.

asyncio looks names up in its default executor, which has a handful of threads for all, keeps those that hang, and waits
for them at its end. This one stands in its place. A look-up that nobody waits for any more is left behind.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import Ended

T = TypeVar("T")


class LookUps(ThreadPoolExecutor):
    """An executor for one event loop. asyncio takes no other class; none of its own threads is ever made."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        super().__init__(max_workers=1)
        self._bulkhead = bulkhead

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Have a function called; see concurrent.futures. Any thread; never blocks."""
        future: Future[T] = Future()
        about = args[0] if args else ""
        call = partial(fn, *args, **kwargs)
        forgo = self._bulkhead.submit(call, partial(_settle, future), about=about, is_left=True)
        future.add_done_callback(lambda ended: forgo() if ended.cancelled() else None)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: what still runs is left to the bulkhead, and nobody waits for it."""


def _settle(future: "Future[Any]", ended: Ended) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if ended.error is None:
        future.set_result(ended.value)
    else:
        future.set_exception(ended.error if isinstance(ended.error, OSError) else OSError(str(ended.error)))
