"""How BMCs answer: how long their answers take, who is slowest, and who does not answer.

Told of each check that has ended. Keeps a few names and the nodes that fail, nothing of those that do well. Whoever
calls holds a lock of his own. Must not come in: what follows for a node whose BMC fails.
"""

from collections import Counter
from typing import Final, NamedTuple

from castiron.actors.metrics.sketch import Sketch
from castiron.transport.errors import BMCUnreachable, CastironError
from castiron.transport.vocabulary import Instant, NodeUUID

MAX_SLOWEST: Final = 16
"""Nodes that are named as slowest: more than fit on a screen beside everything else."""

MAX_NAMED: Final = 16
"""Nodes that are named as failing, those that have failed longest; the others are counted."""

SILENT: Final = BMCUnreachable.code
"""Why a check fails whose BMC gives no answer at all."""

NO_CODE: Final = "unknown"
"""Why one fails of which nobody knows."""


class Failing(NamedTuple):
    """A node whose BMC gave no power state when it was asked last."""

    node: NodeUUID
    since: Instant
    code: str
    """Of the latest failure."""


class Responses:
    """The answers of all BMCs. One thread at a time.

    Attributes:
        times: from the begin of each check to its answer, logins and waits included.
    """

    def __init__(self) -> None:
        self.times = Sketch()
        self._slowest: dict[NodeUUID, float] = {}
        self._floor_s = 0.0
        self._failing: dict[NodeUUID, tuple[Instant, str]] = {}
        self._codes: Counter[str] = Counter()
        self._begun: Counter[str] = Counter()

    def answered(self, node: NodeUUID, took_s: float) -> None:
        """Take note of a check that got a power state."""
        self.times.add(took_s)
        if node in self._failing:
            self._recover(node)
        if took_s > self._floor_s or node in self._slowest:
            self._rank(node, took_s)

    def failed(self, node: NodeUUID, error: CastironError | None, now: Instant) -> None:
        """Take note of one that did not."""
        since, before = self._failing.get(node, (now, ""))
        code = NO_CODE if error is None else error.code
        self._failing[node] = (since, code)
        self._codes[before] -= before != ""
        self._codes[code] += 1
        self._begun[code] += code != before
        self._leave(node)

    def forget(self, node: NodeUUID) -> None:
        """Forget a node that is no more, or is not checked any more. Idempotent."""
        self._recover(node)
        self._leave(node)

    def slowest(self) -> list[tuple[NodeUUID, float]]:
        """Return nodes with the seconds that their latest answer took, the slowest first.

        One that others push out comes in again with its next slow answer.
        """
        return sorted(self._slowest.items(), key=lambda ranked: -ranked[1])

    def failing(self) -> list[Failing]:
        """Return the nodes that have failed longest."""
        first = zip(range(MAX_NAMED), self._failing.items(), strict=False)
        return [Failing(node, since, code) for _, (node, (since, code)) in first]

    def failing_by_code(self) -> dict[str, int]:
        """Return how many nodes fail, by why."""
        return {code: count for code, count in sorted(self._codes.items()) if count}

    def begun(self) -> dict[str, int]:
        """Return how often a node has begun to fail, by why, since the start."""
        return dict(self._begun)

    def _recover(self, node: NodeUUID) -> None:
        if (gone := self._failing.pop(node, None)) is not None:
            self._codes[gone[1]] -= 1

    def _rank(self, node: NodeUUID, took_s: float) -> None:
        self._slowest[node] = took_s
        if len(self._slowest) > MAX_SLOWEST:
            del self._slowest[min(self._slowest, key=self._slowest.__getitem__)]
        if len(self._slowest) == MAX_SLOWEST:
            self._floor_s = min(self._slowest.values())

    def _leave(self, node: NodeUUID) -> None:
        if self._slowest.pop(node, None) is not None:
            self._floor_s = 0.0
