"""How long things took, in a fixed number of counts: 4 KB, however many things there were.

Each doubling of the length is one octave, cut into sixteen equal parts; so a length is known to 6 % of itself, from a
microsecond to an hour. Counts only grow, so that a reader sees no step back; the last minute is the difference between
two readings. May come in: another figure that the counts yield. Must not: a value that is kept for itself.
"""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from math import frexp
from typing import Final, NamedTuple

PARTS: Final = 16
"""Of an octave: a p99 is off by 3 % at the most, which no decision hangs on."""

LEAST_EXPONENT: Final = -20
"""The first octave begins at 2**-20 s, a microsecond: what is shorter is counted with it."""

OCTAVES: Final = 32
"""The last one ends at 2**12 s, more than an hour: what is longer is counted with it."""

BUCKETS: Final = PARTS * OCTAVES

WINDOW_S: Final = 60.0
"""What "lately" means: as long as the checks' pace has always been taken over."""

STEP_S: Final = 5.0
"""Between two copies of the counts; the window is longer than a minute by no more than this."""

_LEAST_S: Final = 2.0**LEAST_EXPONENT
_MOST_S: Final = 2.0 ** (LEAST_EXPONENT + OCTAVES)
_OFFSET: Final = -(LEAST_EXPONENT + 1) * PARTS - PARTS  # frexp puts 2**-20 at half of 2**-19: exponent -19, part 16


class Sketch:
    """Lengths of time that one thread counts, or several under a lock of theirs. Any thread may read.

    Attributes:
        counts: how many fell into each bucket.
        total_s: their sum.
    """

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        """Count a length of time; below 0 counts as 0. O(1), some 0.2 µs."""
        if _LEAST_S <= seconds < _MOST_S:
            mantissa, exponent = frexp(seconds)
            self.counts[exponent * PARTS + int(mantissa * (2 * PARTS)) + _OFFSET] += 1
            self.total_s += seconds
        else:
            self._add_extreme(seconds)

    def take_in(self, other: "Sketch") -> None:
        """Add what another one has counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total_s += other.total_s

    def _add_extreme(self, seconds: float) -> None:
        is_long = seconds >= _MOST_S
        self.counts[-1 if is_long else 0] += 1
        self.total_s += seconds if is_long else max(0.0, seconds)


def upper_s(bucket: int) -> float:
    """Return where a bucket ends, in seconds."""
    octave, part = divmod(bucket, PARTS)
    return 2.0 ** (LEAST_EXPONENT + octave) * (1 + (part + 1) / PARTS)


def merged(sketches: Iterable[Sketch]) -> Sketch:
    """Return one with what all of them have counted."""
    one = Sketch()
    for sketch in sketches:
        one.take_in(sketch)
    return one


class Spread(NamedTuple):
    """How long things took lately; None: there were none."""

    samples: int
    p50_ms: float | None
    p99_ms: float | None
    most_ms: float | None


NOTHING: Final = Spread(0, None, None, None)


def spread(counts: Sequence[int]) -> Spread:
    """Return what counts say. O(BUCKETS)."""
    count = sum(counts)
    if not count:
        return NOTHING
    marks = [_quantile_s(counts, count * share) * 1000 for share in (0.5, 0.99)]
    last = max(bucket for bucket, one in enumerate(counts) if one)
    return Spread(count, marks[0], marks[1], upper_s(last) * 1000)


def _quantile_s(counts: Sequence[int], rank: float) -> float:
    """Return the length of time that so many were not longer than, evenly spread within their bucket."""
    seen = 0
    for bucket, one in enumerate(counts):
        if one and seen + one >= rank:
            above_s, below_s = upper_s(bucket), upper_s(bucket - 1) if bucket else 0.0
            return below_s + (above_s - below_s) * (rank - seen) / one
        seen += one
    return upper_s(len(counts) - 1)


class Window:
    """The last minute of something that is counted in a Sketch. Any thread; whoever looks also keeps it up to date.

    Args:
        began_at: when counting began.

    Attributes:
        due_at: when it is time for the next look, if the window is to stay a minute long.
    """

    def __init__(self, began_at: float) -> None:
        self._lock = threading.Lock()
        self._kept: deque[tuple[float, Sequence[int]]] = deque([(began_at, [0] * BUCKETS)])
        self.due_at = began_at + STEP_S

    def look(self, counts: Sequence[int], now: float) -> tuple[float, list[int]]:
        """Return over how many seconds the window goes, and what was counted in it. O(BUCKETS)."""
        copy = list(counts)
        with self._lock:
            while len(self._kept) > 1 and self._kept[1][0] <= now - WINDOW_S:
                self._kept.popleft()
            if now >= self.due_at:
                self._kept.append((now, copy))
                self.due_at = now + STEP_S
            began_at, before = self._kept[0]
        return now - began_at, [after - one for after, one in zip(copy, before, strict=True)]
