"""What may be used a second, as a bucket that fills up: whoever uses something counts it, whoever begins looks first.

Counting is an addition, because each datagram does it. So what has begun may overdraw the allowance, by a login or by
what is sent again; the next one to begin waits until that is made good. May come in: nothing but this arithmetic.
"""

from castiron.transport.vocabulary import Instant


class Allowance:
    """One bucket. One thread; any may read `used`.

    Args:
        rate_per_s: what may be used a second, in the long run; 0.0: any number.
        burst: what may be used at once after a rest; 1 or more.

    Attributes:
        used: counted up by whoever uses something.
    """

    __slots__ = ("_at", "_burst", "_rate_per_s", "_seen", "_tokens", "used")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self.used = 0
        self._rate_per_s = rate_per_s
        self._burst = self._tokens = burst
        self._seen = 0
        self._at = 0.0

    def wait_s(self, now: Instant) -> float:
        """Return 0.0 if something more may be begun, or after how many seconds it may be. O(1)."""
        rate_per_s = self._rate_per_s
        if not rate_per_s:
            return 0.0
        tokens = min(self._burst, self._tokens + (now - self._at) * rate_per_s) - (self.used - self._seen)
        self._tokens, self._at, self._seen = tokens, now, self.used
        return 0.0 if tokens >= 1.0 else (1.0 - tokens) / rate_per_s


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
