"""When a periodic task runs next: the strategies, with Futurist's names and meanings. Pure.

A task that is late runs once; what was missed is not made up for.
"""

import math
from enum import StrEnum
from typing import Final

from castiron.transport.vocabulary import Instant

DEFAULT_JITTER: Final = 0.05
"""Share of the spacing that a strategy with jitter adds at most."""


class Strategy(StrEnum):
    """From when the spacing counts."""

    LAST_STARTED = "last_started"
    LAST_STARTED_JITTER = "last_started_jitter"
    LAST_FINISHED = "last_finished"
    LAST_FINISHED_JITTER = "last_finished_jitter"
    ALIGNED_LAST_FINISHED = "aligned_last_finished"
    """At whole multiples of the spacing since 1970-01-01 UTC, however long it takes."""
    ALIGNED_LAST_FINISHED_JITTER = "aligned_last_finished_jitter"

    @property
    def has_jitter(self) -> bool:
        """Whether tasks of one spacing drift apart."""
        return self.endswith("_jitter")

    @property
    def is_aligned(self) -> bool:
        """Whether tasks of one spacing come at the same instants."""
        return self.startswith("aligned")


def next_run(
    strategy: Strategy, spacing_s: float, started_at: Instant, finished_at: Instant, *, jitter: float = 0.0
) -> Instant:
    """Return when a task runs next; where that has passed, it runs at once, once.

    Args:
        jitter: share of the spacing that is added.
    """
    if strategy in {Strategy.LAST_STARTED, Strategy.LAST_STARTED_JITTER}:
        base: float = started_at
    elif strategy in {Strategy.LAST_FINISHED, Strategy.LAST_FINISHED_JITTER}:
        base = finished_at
    else:
        base = finished_at - math.fmod(finished_at, spacing_s)
    return Instant(base + spacing_s * (1 + jitter))


SOON_S: Final = 10.0
"""Over so long the first runs of all nodes are spread that are to come at once: as those of power checks."""


def first_run_for_node(
    spacing_s: float, now: Instant, not_before: Instant | None, share: float, *, run_immediately: bool
) -> Instant:
    """Return when a task runs first for a node: within its spacing, or soon; never before `not_before`.

    Args:
        share: 0 to 1, where in that time; another one for each node, so that they come one after the other.
    """
    within_s = min(spacing_s, SOON_S) if run_immediately else spacing_s
    return Instant((now if not_before is None else max(now, not_before)) + within_s * share)


def first_run(spacing_s: float, now: Instant, not_before: Instant | None, *, run_immediately: bool) -> Instant:
    """Return when a task runs first: after its spacing, or at once; never before `not_before`."""
    at = now if run_immediately else Instant(now + spacing_s)
    return at if not_before is None else max(at, not_before)
