"""What may be used a second, as a bucket that fills up: whoever uses something counts it, whoever begins looks first.

Counting is an addition and looking a comparison, because each datagram does the one and each exchange the other. So
what has begun may overdraw the allowance, by a login or by what is sent again; the next one to begin waits until that
is made good. May come in: nothing but this arithmetic.
"""

import math
from typing import Final

from castiron.transport.vocabulary import Instant

ROUNDING_S: Final = 1e-5
"""A float of the time is off by less: waits that are shorter are none, or would end before they began."""


class Allowance:
    """One bucket. One thread; any may read `used`.

    Args:
        rate_per_s: what may be used a second, in the long run; 0.0: any number.
        burst: what may be used at once after a rest, and, as the clock is looked at only when that is gone, once more
            at the very most; 1 or more.
        now: what time it is.

    Attributes:
        used: counted up by whoever uses something.
        clear_to: while no more than this has been used, something may be begun, whatever time it is.
    """

    __slots__ = ("_at", "_burst", "_rate_per_s", "clear_to", "used")

    def __init__(self, rate_per_s: float, burst: float, now: Instant) -> None:
        self.used = 0
        self.clear_to = burst - 1.0 if rate_per_s else math.inf
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._at = now

    def wait_s(self, now: Instant) -> float:
        """Return 0.0 if something more may be begun, or after how many seconds it may be. O(1)."""
        used = self.used
        if used <= self.clear_to:
            return 0.0
        missing = used - min(used + self._burst - 1.0, self.clear_to + (now - self._at) * self._rate_per_s)
        self.clear_to, self._at = used - missing, now
        wait_s = missing / self._rate_per_s
        return wait_s if wait_s > ROUNDING_S else 0.0


class Meter:
    """How much of an allowance is used a second: over the last whole second or so in which it was asked."""

    __slots__ = ("_allowance", "_at", "_per_s", "_used")

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._at = 0.0
        self._used = 0
        self._per_s = 0.0

    def per_s(self, now: Instant) -> float:
        """Return the rate. To be asked often: what it tells is of the time since it was asked a second or more ago."""
        passed_s = now - self._at
        if passed_s >= 1.0:
            used = self._allowance.used
            self._per_s = (used - self._used) / passed_s
            self._at, self._used = now, used
        return self._per_s
