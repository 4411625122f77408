"""The future of a dispatched actor's answer: Pykka's own, and polite to the threads that others need.

Waiting for an answer on a pool's thread would take that thread from the actor that is to give it; so the pool is told.
In a simulation there is no other thread at all; so whoever waits runs the others. Callbacks do not live here:
castiron's own actors tell, they do not wait.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from pykka import ThreadingFuture

from castiron.actors.dispatch.pool import Worker

T = TypeVar("T")


class DispatchedFuture(ThreadingFuture[T]):
    """A ThreadingFuture that never starves the actor it waits for."""

    run_others: Callable[[Callable[[], bool]], None] | None = None
    """Set by a simulation: runs other actors until the condition holds or nothing is left to run."""

    def get(self, *, timeout: float | None = None) -> Any:
        """Return the answer; may block. See `pykka.Future.get`.

        Raises:
            pykka.Timeout: no answer in time; in a simulation, when nothing is left to run that could give it.
            Exception: what the actor raised.
        """
        if self._is_answered() or self._get_hook is not None:  # a hook waits for other futures, through their `get`
            return super().get(timeout=timeout)
        if self.run_others is not None:
            self.run_others(self._is_answered)
            return super().get(timeout=0)
        thread = threading.current_thread()
        if isinstance(thread, Worker):
            with thread.blocked():
                return super().get(timeout=timeout)
        return super().get(timeout=timeout)

    def _is_answered(self) -> bool:
        return self._result is not None
