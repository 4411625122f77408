"""What became of the power checks: counts since the start, and how late the latest ones were.

Actors count, `status` reads. Nothing about single nodes lives here.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NamedTuple

from castiron.transport.vocabulary import CheckResult, Instant

SAMPLES: Final = 1_024
"""How many of the latest checks lateness and pace are taken from: enough for ten beyond p99."""

PACE_S: Final = 60.0
"""Checks that ended longer ago than this say nothing about the present pace."""


class Pace(NamedTuple):
    """How the latest checks went."""

    per_s: float
    """Checks that ended in each second."""
    late_p50_ms: float | None
    """How late the median began; None: none has ended lately."""
    late_p99_ms: float | None


class Checks:
    """Counts of one conductor. Any thread may use any method; none blocks for long.

    Args:
        now: the conductor's clock.
    """

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._counts: Counter[CheckResult] = Counter()
        self._latest: deque[tuple[Instant, float]] = deque(maxlen=SAMPLES)
        self._began_at = now()

    def count(self, result: CheckResult, late_s: float) -> None:
        """Count a check that has ended."""
        now = self._now()
        with self._lock:
            self._counts[result] += 1
            self._latest.append((now, late_s))

    def counts(self) -> dict[str, int]:
        """Return how many checks came to which result, each of them named."""
        with self._lock:
            return {result.value: self._counts[result] for result in CheckResult}

    def pace(self) -> Pace:
        """Return how the latest checks went. O(SAMPLES)."""
        with self._lock:
            latest = list(self._latest)
        now = self._now()
        since = latest[0][0] if len(latest) == SAMPLES else self._began_at
        window_s = min(PACE_S, now - since)
        late_ms = sorted(late_s * 1000 for at, late_s in latest if now - at <= window_s)
        if not late_ms:
            return Pace(0.0, None, None)
        per_s = len(late_ms) / window_s if window_s else 0.0
        return Pace(per_s, late_ms[len(late_ms) // 2], late_ms[len(late_ms) * 99 // 100])
