"""The grid: moments at which what need not be punctual comes up together.

What each of ten thousand nodes does by itself would wake every thread on its way once for each of them. On a grid they
are woken once for all that have come up since: a burst costs less than half of what the same work costs one by one. The
grid is as fine as a power of two, so that its moments are exact. Pure; who waits for what does not live here.
"""

from math import ceil, floor
from typing import Final

from castiron.transport.vocabulary import Instant

PER_S: Final = 32
"""Moments a second of the finest grid: 10,000 nodes that are checked every 6 s are 52 at a time, which keep a core for
some 5 ms."""

BURST: Final = 50
"""Checks that are worth a moment of their own. Fewer nodes, or a longer interval, have a coarser grid: half as many in
a burst cost a fifth more each, and twice as many keep others from the interpreter for twice as long."""


def fineness(nodes: int, interval_s: float) -> int:
    """Return how many moments a second a fleet's grid has: a power of two, so that a finer one has them, too.

    Args:
        nodes: that are checked.
        interval_s: how often each of them is, in seconds; 0: never, or each in its own.
    """
    if not interval_s:
        return PER_S
    bursts_per_s = int(nodes / interval_s / BURST)
    return min(1 << max(0, bursts_per_s.bit_length() - 1), PER_S)


def before(at: Instant, per_s: int = PER_S) -> Instant:
    """Return the latest moment of the grid that is not after `at`."""
    return Instant(floor(at * per_s) / per_s)


def after(at: Instant, per_s: int = PER_S) -> Instant:
    """Return the earliest moment of the grid that is not before `at`."""
    return Instant(ceil(at * per_s) / per_s)


def drawn(at: Instant, early_s: float, draw: float, per_s: int = PER_S) -> Instant:
    """Return when to do what is due by `at`, and may be done up to early_s before.

    Never late: where no moment of the finest grid lies in that time, what was drawn stands by itself.

    Args:
        draw: from 0 to 1, how much of early_s to be early.
        per_s: moments a second; where that is too coarse for early_s, a finer grid is taken.
    """
    while per_s * early_s < 1 and per_s < PER_S:
        per_s *= 2
    chosen = Instant(at - early_s * draw)
    together = before(chosen, per_s)
    if together < at - early_s:
        together = after(chosen, per_s)
    return together if together <= at else chosen
