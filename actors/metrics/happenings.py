"""What has happened since the start, counted as it lands on disk: events by type, requests by how they ended.

Every word that is counted is one of the protocol's, so there are as many counts as there are words. Must not come in:
anything of a single node.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from castiron.actors.metrics.sketch import Sketch, merged
from castiron.store.records import Commit, RequestRecord
from castiron.transport.vocabulary import EventType, PowerTarget, ProvisionTarget, RequestState

_TARGETS: Final = frozenset({*(target.value for target in PowerTarget), *(target.value for target in ProvisionTarget)})

Landed = Callable[[Sequence[Commit]], None]
"""Told of commits, in order, on the writer's thread."""


class Ended(NamedTuple):
    """A kind of request that has ended."""

    verb: str
    target: str
    """Of a power action or a move; empty: of another request."""


class Endings:
    """Requests that have ended. One thread at a time notes; any may read."""

    def __init__(self) -> None:
        self._states: Counter[tuple[Ended, RequestState]] = Counter()
        self._times: dict[Ended, Sketch] = {}

    def note(self, request: RequestRecord) -> None:
        """Take note of a request that has ended."""
        target: Any = request.arguments.get("target", "")
        kind = Ended(request.verb, target if target in _TARGETS else "")
        self._states[kind, request.state] += 1
        if request.started_at is None or request.ended_at is None:
            return
        sketch = self._times.get(kind)
        if sketch is None:
            sketch = self._times[kind] = Sketch()
        sketch.add(request.ended_at - request.started_at)

    def states(self) -> dict[tuple[Ended, RequestState], int]:
        """Return how many have ended, by kind and how."""
        return dict(self._states)

    def times(self) -> dict[Ended, Sketch]:
        """Return how long those took that had begun, by kind."""
        return {kind: merged([sketch]) for kind, sketch in dict(self._times).items()}


class Happenings:
    """Counts what lands, and passes it on. One thread, the writer's; any may read.

    Args:
        told: who hears of commits next.
    """

    def __init__(self, told: Landed) -> None:
        self._told = told
        self._events: Counter[EventType] = Counter()

    def landed(self, commits: Sequence[Commit]) -> None:
        """Count a group of commits, and pass it on."""
        for commit in commits:
            for event in commit.events:
                self._events[event.draft.type] += 1
        self._told(commits)

    def events(self) -> dict[EventType, int]:
        """Return how many events of which type have happened."""
        return dict(self._events)
