"""The grid: moments at which what need not be punctual comes up together.

What each of ten thousand nodes does by itself would wake every thread on its way once for each of them. On a grid they
are woken once for all that have come up since: a burst costs less than half of what the same work costs one by one. The
grid is as fine as a power of two, so that its moments are exact. Pure; who waits for what does not live here.
"""

from math import ceil, floor
from typing import Final

from castiron.transport.vocabulary import Instant

PER_S: Final = 32
"""Moments a second: 10,000 nodes that are checked every 6 s are 52 at a time, which keep a core for some 5 ms."""


def before(at: Instant) -> Instant:
    """Return the latest moment of the grid that is not after `at`."""
    return Instant(floor(at * PER_S) / PER_S)


def after(at: Instant) -> Instant:
    """Return the earliest moment of the grid that is not before `at`."""
    return Instant(ceil(at * PER_S) / PER_S)


def drawn(at: Instant, early_s: float, draw: float) -> Instant:
    """Return when to do what is due by `at`, and may be done up to early_s before.

    Never late: where no moment of the grid lies in that time, what was drawn stands by itself.

    Args:
        draw: from 0 to 1, how much of early_s to be early.
    """
    chosen = Instant(at - early_s * draw)
    together = before(chosen)
    if together < at - early_s:
        together = after(chosen)
    return together if together <= at else chosen
