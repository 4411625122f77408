"""How often an identity may ask: a token bucket each, pure, with the time handed in.

A bucket is one number: when it will be full again. So a refusal knows to the moment when the next message will be let
in, and a bucket that is full is the same as none, which is what bounds their number. May come in: another way to count.
Must not: who asks, and what for, which is the gate's business.
"""

import math
from collections import OrderedDict
from typing import Final, NamedTuple

MAX_BUCKETS: Final = 4096
"""Identities that are remembered, some 200 bytes each: more than one conductor has users, keys and machines that speak
to it. Beyond it the one heard of least lately is forgotten, which is as if its bucket were full."""

TICK_S: Final = 0.001
"""Waits are told in whole ones, rounded up; also what a float of the time may be off by, and much more."""


class Use(NamedTuple):
    """What an identity has used of its burst."""

    identity: str
    used: int


class Buckets:
    """One bucket for each identity. Not for several threads at once.

    Args:
        rate_per_s: messages that an identity may send, in the long run; 0: as many as it likes.
        burst: messages that it may send at once after a rest; 1 or more.
        most: buckets that are remembered.
    """

    def __init__(self, rate_per_s: float, burst: int, *, most: int = MAX_BUCKETS) -> None:
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Return how many buckets are remembered."""
        return len(self._full_at)

    def take(self, identity: str, now: float) -> float:
        """Take a token; return 0.0, or after how many seconds there will be one, and then none was taken. O(1)."""
        if not self.rate_per_s:
            return 0.0
        full_at = max(now, self._full_at.get(identity, now)) + 1 / self.rate_per_s
        wait_s = full_at - now - self.burst / self.rate_per_s
        if wait_s > TICK_S / 20:  # a float of the time is rounded with each token of a burst
            return math.ceil(wait_s / TICK_S) * TICK_S
        self._full_at[identity] = full_at
        self._full_at.move_to_end(identity)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return 0.0

    def used(self, now: float) -> list[Use]:
        """Return what is missing in the buckets that are not full. O(buckets)."""
        missing = (
            (one, math.ceil(round((full_at - now) * self.rate_per_s, 6))) for one, full_at in self._full_at.items()
        )
        return [Use(identity, min(count, self.burst)) for identity, count in missing if count > 0]
