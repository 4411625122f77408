"""How many BMCs log in at once. The dead hold no place.

One asks only when its first datagram was answered, and gives its place on when a later one is not answered at once.
"""

from typing import Final, Protocol

DEFAULT_MAX_LOGINS: Final = 256
"""A login costs 0.7 ms of this machine's time; 256 at once keep each step's answer within a fifth of a second."""


class Applicant(Protocol):
    """Somebody who wants to log in."""

    def granted(self) -> None:
        """Go on: the place is yours until you leave it."""
        ...


class Logins:
    """Places for logins, given in the order in which they were asked for."""

    def __init__(self, limit: int = DEFAULT_MAX_LOGINS) -> None:
        self._limit = self._free = limit
        # A dict is a queue that one can leave from the middle. Bounded by the number of BMCs.
        self._queue: dict[Applicant, None] = {}

    def ask(self, applicant: Applicant) -> None:
        """Queue for a place; `granted` may be called before this returns."""
        self._queue[applicant] = None
        self._grant()

    def withdraw(self, applicant: Applicant) -> None:
        """Stop waiting. Without effect on somebody who does not wait."""
        self._queue.pop(applicant, None)

    def leave(self) -> None:
        """Give a place back."""
        self._free += 1
        self._grant()

    @property
    def in_use(self) -> int:
        """How many log in now. Any thread."""
        return self._limit - self._free

    @property
    def waiting(self) -> int:
        """How many wait for a place now. Any thread."""
        return len(self._queue)

    def _grant(self) -> None:
        while self._free and self._queue:
            applicant = next(iter(self._queue))
            del self._queue[applicant]
            self._free -= 1
            applicant.granted()
