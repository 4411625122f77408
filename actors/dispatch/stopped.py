"""Whether an actor has stopped, without what it takes to wait for that: hardly anybody waits.

`threading.Event` is a lock, a condition and a line of waiters: 1.2 kB that ten thousand actors would have for nothing.
"""

import threading
from typing import Final

_MAKING: Final = threading.Lock()
"""Held while a thread makes what it waits for; one for all, as it happens seldom."""


class Stopped(threading.Event):
    """An event that is set once. Any thread, as its base, which Pykka asks for; made of more once somebody waits."""

    __slots__ = ("_awaited", "_is_set")

    def __init__(self) -> None:
        # Without its base's: that is what costs.
        self._is_set = False
        self._awaited: threading.Event | None = None

    def __repr__(self) -> str:
        return f"<Stopped: {'set' if self._is_set else 'unset'}>"

    def is_set(self) -> bool:
        """Return whether it has been set."""
        return self._is_set

    def set(self) -> None:
        """Set it, and wake who waits. Idempotent."""
        with _MAKING:
            self._is_set = True
            awaited = self._awaited
        if awaited is not None:
            awaited.set()

    def clear(self) -> None:
        """Refuse: who has stopped does not begin again."""
        raise TypeError("An actor that has stopped does not begin again.")

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it is set, at most `timeout` seconds; return whether it is."""
        with _MAKING:
            if self._is_set:
                return True
            awaited = self._awaited = self._awaited or threading.Event()
        return awaited.wait(timeout)
