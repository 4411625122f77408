"""Time as a parameter: what now is, and a call when it is later.

`Clock` is the contract; `SystemClock` is the one of real conductors, `VirtualClock` the one of simulations and tests.
Nothing else in castiron may ask the operating system for the time. No decision lives here, and no user code runs here:
a due timer only tells somebody.
"""

from collections.abc import Callable
from typing import Protocol

from castiron.transport.vocabulary import Instant


class Timer(Protocol):
    """A call that has been ordered."""

    def cancel(self) -> None:
        """Do not call, if it has not been called yet. Any thread; idempotent; O(1)."""
        ...


class Clock(Protocol):
    """What now is, and calls later. Any thread may use any method."""

    def now(self) -> Instant:
        """Return seconds since 1970-01-01 UTC, never less than before.

        The wall clock is read once, when the clock is made; from then on a monotonic clock counts. A step of the wall
        clock changes nothing here, so it expires nothing.
        """
        ...

    def call_at(self, at: Instant, call: Callable[[], None]) -> Timer:
        """Order `call` for `at`, or for as soon as possible where that has passed.

        `call` runs on the clock's thread and must not block: an actor's `tell`, a queue's `put`. Calls at the same
        instant run in the order in which they were ordered.
        """
        ...
