"""What the driver counts. Each count is changed under the lock of `Tally`, by whichever thread asks a BMC."""

import threading
from collections.abc import Mapping
from typing import Final

NAMES: Final[tuple[str, ...]] = ("logins", "logins_failed", "logouts", "connected", "asked", "broken", "late")
"""
logins          times that a BMC let us in: by a session, or by the first answer where it has none
logins_failed   times that it did not
logouts         sessions that were deleted
connected       connections that were opened
asked           requests that were sent
broken          connections that ended in the middle of an exchange
late            calls that had begun and did not end by their deadline
"""


class Tally:
    """Counts by name. Any thread."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(NAMES, 0)
        self._lock = threading.Lock()

    def add(self, name: str, count: int = 1) -> None:
        """Count so many more, or less.

        Raises:
            KeyError: nothing of that name is counted.
        """
        with self._lock:
            self._counts[name] += count

    def snapshot(self) -> Mapping[str, int]:
        """Return a copy of all of them."""
        with self._lock:
            return dict(self._counts)
