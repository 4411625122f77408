"""A bulkhead as the executor of an asyncio loop: for `asyncio.to_thread`, and for names that are looked up.

asyncio's own has a handful of threads for all, keeps those that hang, and waits for them at its end. What nobody waits
for any more is left behind here, as in any bulkhead. Must not come in: what is called.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import Ended

T = TypeVar("T")

About = Callable[..., object]
"""Given a call and its arguments; returns what it is, for whoever looks at threads."""


def name_of(fn: Callable[..., object], *_: Any, **__: Any) -> object:
    """Return a function's name."""
    return getattr(fn, "__qualname__", "a call")


class InBulkhead(ThreadPoolExecutor):
    """An executor for a loop. asyncio takes no other class; none of its own threads is ever made.

    Args:
        bulkhead: has the calls carried out.
        about: says what one of them is.
        failure: makes what whoever waits is told of what was raised.
    """

    def __init__(
        self,
        bulkhead: Bulkhead,
        *,
        about: About = name_of,
        failure: Callable[[BaseException], BaseException] = lambda error: error,
    ) -> None:
        super().__init__(max_workers=1)
        self._bulkhead = bulkhead
        self._about = about
        self._failure = failure

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Have a function called; see concurrent.futures. Any thread; never blocks."""
        future: Future[T] = Future()
        about, settle = self._about(fn, *args, **kwargs), partial(self._settle, future)
        forgo = self._bulkhead.submit(partial(fn, *args, **kwargs), settle, about=about, is_left=True)
        future.add_done_callback(lambda ended: forgo() if ended.cancelled() else None)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: what still runs is left to the bulkhead, and nobody waits for it."""

    def _settle(self, future: "Future[Any]", ended: Ended) -> None:
        if not future.set_running_or_notify_cancel():
            return
        if ended.error is None:
            future.set_result(ended.value)
        else:
            future.set_exception(self._failure(ended.error))
