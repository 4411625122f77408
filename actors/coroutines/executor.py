"""What coroutines have done in threads, by `asyncio.to_thread` or to look names up: in a share of the conductor's.

asyncio's own executor has a handful of threads for all, keeps those that hang, and waits for them at its end.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import Ended

T = TypeVar("T")


class InShare(ThreadPoolExecutor):
    """An executor for a loop. asyncio takes no other class; none of its own threads is ever made."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        super().__init__(max_workers=1)
        self._bulkhead = bulkhead

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Have a function called; see concurrent.futures. Any thread; never blocks."""
        future: Future[T] = Future()
        about = getattr(fn, "__qualname__", "a call")
        forgo = self._bulkhead.submit(partial(fn, *args, **kwargs), partial(_settle, future), about=about, is_left=True)
        future.add_done_callback(lambda ended: forgo() if ended.cancelled() else None)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: what still runs is left to the share, and nobody waits for it."""


def _settle(future: "Future[Any]", ended: Ended) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if ended.error is None:
        future.set_result(ended.value)
    else:
        future.set_exception(ended.error)
