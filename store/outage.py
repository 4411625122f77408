"""What the log says of something that the disk does not let us do: a line when it begins, and one when it is over.

A disk that fills up takes a small change and refuses a larger one, many times a second; the log has two lines of it a
minute at most. May come in: when a line is due. Must not: what is done about it.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

PAUSE_S: Final = 60.0
"""At least this long from the one line that something fails to the next."""

QUIET_S: Final = 5.0
"""It is over when it works, and has not failed for so long."""

log = logging.getLogger(__name__)


class Outage:
    """The account of one thing that may fail. One thread.

    Args:
        begins: the line when it fails, with a place for why.
        ends: the line when it works again, with a place for how often it failed.
        now: seconds, of a clock that is never set.
    """

    def __init__(self, begins: str, ends: str, now: Callable[[], float] = time.monotonic) -> None:
        self._begins = begins
        self._ends = ends
        self._now = now
        self._is_told = False
        self._may_tell_at = self._over_at = 0.0
        self._count = 0

    def failed(self, why: object) -> None:
        """Note that it has failed."""
        now = self._now()
        self._count += 1
        self._over_at = now + QUIET_S
        if not self._is_told and now >= self._may_tell_at:
            self._is_told, self._may_tell_at = True, now + PAUSE_S
            log.error(self._begins, why)

    def worked(self) -> None:
        """Note that it has worked."""
        if self._count and self._now() >= self._over_at:
            if self._is_told:
                log.warning(self._ends, self._count)
            self._is_told, self._count = False, 0
