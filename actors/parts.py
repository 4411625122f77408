"""The parts of a conductor that have started, and how they are stopped: in reverse, within a time that they share.

A part that hangs cannot take the time of those after it, and is named in the log. What the parts are is the
conductor's.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Final

log = logging.getLogger(__name__)

SHARE: Final = 0.25
"""Of the whole time, the most that one part may take: one that hangs leaves enough for the others."""

LEAST_S: Final = 0.1
"""What a part is given to stop when the time is up."""

QUICK_S: Final = 1.0
"""From here on a part that should take no time is worth a line of the log."""


class GivenUp(Exception):
    """Nobody wants any longer what is being started."""


class Parts:
    """Started parts, in order. One thread at a time.

    Args:
        timeout_s: seconds for all of them to stop.
        monotonic: seconds, never going backwards.
    """

    def __init__(self, timeout_s: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._until_s = 0.0
        self._least_s = 0.0
        self._given_up = threading.Event()
        self._stack = ExitStack()

    @property
    def most_s(self) -> float:
        """Seconds that `stop` takes at the most, if each part keeps to what it is given."""
        return self._timeout_s + self._least_s

    def begin(self, given_up: threading.Event) -> None:
        """Begin a start, which any thread may give up by setting this event. Raises as `go_on`."""
        self._given_up = given_up
        self.go_on()

    def add(
        self, name: str, stop: Callable[[float], object], most_s: float | None = None, *, least_s: float = LEAST_S
    ) -> None:
        """Have `stop` called at the end, with the seconds that it may take.

        Args:
            name: what the log calls it if it takes them all.
            most_s: no more than this; None: SHARE of the whole.
            least_s: no less than this, however long the others took.
        """
        share_s = self._timeout_s * SHARE if most_s is None else most_s
        self._least_s += least_s
        self._stack.callback(self._end, name, stop, share_s, least_s)

    def add_quick(self, name: str, stop: Callable[[], object]) -> None:
        """Have `stop` called at the end; it takes no time. `name` is what the log calls it if it does."""
        self._stack.callback(self._timed, name, stop, QUICK_S)

    def go_on(self) -> None:
        """Go on with the start, of which everything that runs has been added.

        Raises:
            GivenUp: nobody wants it any longer.
        """
        if self._given_up.is_set():
            raise GivenUp("the start was given up")

    def stop(self) -> float:
        """Stop all, the latest first; one that raises does not keep the others from it. Idempotent.

        Returns:
            How many seconds it took.

        Raises:
            Exception: what a part raised, once all have been stopped.
        """
        began_s = self._monotonic()
        self._until_s, self._least_s = began_s + self._timeout_s, 0.0
        self._stack.close()
        return self._monotonic() - began_s

    def _end(self, name: str, stop: Callable[[float], object], share_s: float, least_s: float) -> None:
        given_s = max(least_s, min(share_s, self._until_s - self._monotonic()))
        self._timed(name, partial(stop, given_s), given_s)

    def _timed(self, name: str, stop: Callable[[], object], given_s: float) -> None:
        """Call `stop`, and say so if that took as long as it was given: it may not have ended."""
        began_s = self._monotonic()
        stop()
        taken_s = self._monotonic() - began_s
        if taken_s >= given_s:
            told = "the %s took %.1f s to stop, where it has %.1f s; it may not have ended"
            log.warning(told, name, taken_s, given_s)
