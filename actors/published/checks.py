"""What became of the power checks: counts since the start, how late the latest ones were, how BMCs answered them.

Actors count, `status` reads. Which nodes those are is known of the slowest and of those that fail, and of no others.
"""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from castiron.actors.metrics.responses import Failing, Responses
from castiron.actors.metrics.sketch import WINDOW_S, Sketch, Spread, Window, merged, spread
from castiron.actors.published.board import Published
from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import CheckResult, Instant, NodeUUID

PACE_S: Final = WINDOW_S
"""Checks that ended longer ago than this say nothing about the present pace."""


class Pace(NamedTuple):
    """How the latest checks went."""

    per_s: float
    """Checks that ended in each second."""
    late_p50_ms: float | None
    """How late the median began; None: none has ended lately."""
    late_p99_ms: float | None


class Answers(NamedTuple):
    """How BMCs answer their checks."""

    lately: Spread
    """How long the answers of the last minute took."""
    slowest: list[tuple[NodeUUID, float]]
    """The seconds of their latest answers, the slowest first."""
    failing: list[Failing]
    """Those that have failed longest."""
    codes: dict[str, int]
    """How many fail, by why."""
    begun: dict[str, int]
    """How often one has begun to fail, by why, since the start."""


class Checks:
    """Counts of one conductor. Any thread may use any method; none blocks for long.

    Args:
        now: the conductor's clock.
    """

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._counts: Counter[CheckResult] = Counter()
        self._late = Sketch()
        self._responses = Responses()
        self._latest_at = began_at = now()
        self._window, self._answers = Window(began_at), Window(began_at)

    def count(
        self,
        result: CheckResult,
        late_s: float,
        node: NodeUUID | None = None,
        began_at: Instant | None = None,
        error: CastironError | None = None,
    ) -> None:
        """Count a check that has ended.

        Args:
            result: what it came to.
            late_s: how late it began.
            node: whose it was; None: nobody wants to know how its BMC answers.
            began_at: when it began.
            error: why there was no answer; None: there was one, unless it was skipped.
        """
        now = self._now()
        with self._lock:
            self._counts[result] += 1
            self._late.add(late_s)
            self._latest_at = now
            if now >= self._window.due_at:
                self._window.look(self._late.counts, now)
                self._answers.look(self._responses.times.counts, now)
            if node is not None and began_at is not None and result is not CheckResult.SKIPPED:
                if error is None:
                    self._responses.answered(node, now - began_at)
                else:
                    self._responses.failed(node, error, now)

    def attend(self, node: NodeUUID, published: Published | None) -> None:
        """Forget how a node's BMC answers that is no more, or that a hand put into maintenance; see Board.attend."""
        record = None if published is None else published.state.record
        if record is None or (record.maintenance and record.fault is None):
            with self._lock:
                self._responses.forget(node)

    def counts(self) -> dict[str, int]:
        """Return how many checks came to which result, each of them named."""
        with self._lock:
            return {result.value: self._counts[result] for result in CheckResult}

    def pace(self) -> Pace:
        """Return how the latest checks went."""
        with self._lock:
            now, counts, latest_at = self._now(), list(self._late.counts), self._latest_at
        window_s, lately = self._window.look(counts, now)
        told = spread(lately)
        if not told.samples or now - latest_at > PACE_S:
            return Pace(0.0, None, None)
        return Pace(told.samples / window_s if window_s > 0 else 0.0, told.p50_ms, told.p99_ms)

    def answers(self) -> Answers:
        """Return how BMCs answer."""
        with self._lock:
            now, counts, responses = self._now(), list(self._responses.times.counts), self._responses
            named = responses.slowest(), responses.failing()
            codes, begun = responses.failing_by_code(), responses.begun()
        return Answers(spread(self._answers.look(counts, now)[1]), *named, codes, begun)

    def lateness(self) -> Sketch:
        """Return a copy of how late all checks began since the start."""
        with self._lock:
            return merged([self._late])

    def response_times(self) -> Sketch:
        """Return a copy of how long all answers took since the start."""
        with self._lock:
            return merged([self._responses.times])
