"""Whether something grew: a slope that noise cannot bend, held against a bound that was stated beforehand. Pure.

The slope is Theil and Sen's: the median of the slopes between all pairs of samples. Up to 29 % of the samples may be
anything at all, a burst or a pause, without moving it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Final

LEAST_SAMPLES: Final = 10
"""Fewer prove nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a gauge may do."""

    growth: float
    """The most that it may grow by, by its slope, over the whole time that is judged."""
    ceiling: float | None = None
    """No sample may be above this; None: no such limit."""
    why: str = ""
    """Where the values come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gauge did."""

    name: str
    first: float
    """Median of the first fifth."""
    last: float
    """Median of the last fifth."""
    highest: float
    growth: float
    bound: Bound

    @property
    def is_held(self) -> bool:
        """Whether it kept within its bound."""
        is_below = self.bound.ceiling is None or self.highest <= self.bound.ceiling
        return is_below and self.growth <= self.bound.growth


def judge(
    times_s: Sequence[float], gauges: Mapping[str, Sequence[float]], bounds: Mapping[str, Bound]
) -> list[Verdict]:
    """Judge each gauge that has a bound.

    Raises:
        ValueError: there are too few samples to say anything.
        KeyError: a gauge with a bound was never sampled.
    """
    if len(times_s) < LEAST_SAMPLES:
        raise ValueError(f"{len(times_s)} samples are too few; it takes {LEAST_SAMPLES}")
    length_s = times_s[-1] - times_s[0]
    fifth = len(times_s) // 5
    return [
        Verdict(
            name=name,
            first=median(gauges[name][:fifth]),
            last=median(gauges[name][-fifth:]),
            highest=max(gauges[name]),
            growth=slope(times_s, gauges[name]) * length_s,
            bound=bound,
        )
        for name, bound in bounds.items()
    ]


def slope(times_s: Sequence[float], values: Sequence[float]) -> float:
    """Return Theil and Sen's slope, each second. O(n²): a thousand samples take a second."""
    points = list(zip(times_s, values, strict=True))
    return median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 > x1)
