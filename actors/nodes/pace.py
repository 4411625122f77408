"""How many permits of one class may be given in a second: a token bucket, read with the conductor's clock."""

from castiron.actors.dispatch.clock import Clock
from castiron.actors.reception.rates import Buckets
from castiron.transport.vocabulary import Instant


class Pace:
    """One class's. Not for several threads at once.

    Args:
        kind: the class.
        rate_per_s: permits in a second, in the long run; more than 0.
        burst: permits at once after a rest.
    """

    def __init__(self, kind: str, rate_per_s: float, burst: int, clock: Clock) -> None:
        self.kind = kind
        self.rate_per_s = rate_per_s
        self.clock = clock
        self._buckets = Buckets(rate_per_s, burst, most=1)

    def next_at(self) -> Instant | None:
        """Take a token, and return None; or return when there will be one."""
        now = self.clock.now()
        wait_s = self._buckets.take(self.kind, now)
        return Instant(now + wait_s) if wait_s else None
