"""How a bulk's client hears of it: in parts, each only once the one before has left.

What the client does not read stays here, one entry a node, and nodes of bulks have a bound. So a client that never
reads costs the conductor one part, and what it asked for. No node is decided about here.
"""

from collections import deque
from typing import Final, NamedTuple

from castiron.actors.asking import Answer
from castiron.actors.bulk.choice import Chosen
from castiron.actors.core.views import request_view
from castiron.store.records import RequestRecord
from castiron.transport.doors.slip import Slip
from castiron.transport.errors import CastironError
from castiron.transport.replies import BulkOutcome, BulkPart, Forecast, RequestView
from castiron.transport.vocabulary import EventSeq

PACE_S: Final = 0.02
"""From one part to the next: what ends meanwhile travels together; a person sees no delay."""

MAX_OUTCOMES: Final = 250
"""Of one part: some 200 KB, and 5 ms of a turn to make."""

MAX_STARTED: Final = 1_000
"""Names in one part: those of some 20 KB."""

UNREAD_S: Final = 60.0
"""A client that has taken nothing for so long counts as gone, though it gives signs of life."""


class Outcome(NamedTuple):
    """What became of one node."""

    node: Chosen
    what: RequestRecord | RequestView | Forecast | CastironError


class _Sent(NamedTuple):
    slip: Slip
    started: list[str]
    outcomes: list[Outcome]
    at: float


class Telling:
    """To one client, about one bulk. One thread at a time; never blocks."""

    def __init__(self, answer: Answer, bulk: str) -> None:
        self._answer = answer
        self._bulk = bulk
        self._started: deque[str] = deque()
        self._outcomes: deque[Outcome] = deque()
        self._sent: _Sent | None = None
        self._is_muted = False
        self._next_at = float("-inf")
        self._taken_at: float | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether all has been told, and has left."""
        return self._sent is None and not self._started and not self._outcomes

    def is_unread(self, now: float) -> bool:
        """Return whether the client has not taken the part on its way for too long."""
        return self._taken_at is not None and self._sent is not None and now - self._taken_at >= UNREAD_S

    def mute(self) -> None:
        """Tell nothing any more: nobody hears it. Idempotent."""
        self._is_muted = True
        self._sent = None
        self._started.clear()
        self._outcomes.clear()

    def started(self, node: Chosen) -> None:
        """Tell that a node's request was accepted."""
        if not self._is_muted:
            self._started.append(node.name)

    def ended(self, outcome: Outcome) -> None:
        """Tell what became of a node."""
        if not self._is_muted:
            self._outcomes.append(outcome)

    def turn(self, now: float, seq: EventSeq) -> float | None:
        """Tell the next part if it may go; return when to come again, None: when there is something new to tell."""
        self._look_after(now)
        if self._sent is None and now >= self._next_at and not self.is_quiet:
            self._send(now, seq)
        return None if self.is_quiet else max(self._next_at, now + PACE_S) if self._sent else self._next_at

    def _look_after(self, now: float) -> None:
        """Take back the part that was lost, or forget the one that has left."""
        sent = self._sent
        if sent is None:
            return
        if sent.slip.is_lost:
            self._sent = None
            self._started.extendleft(reversed(sent.started))
            self._outcomes.extendleft(reversed(sent.outcomes))
            self._next_at = now + PACE_S
        elif sent.slip.has_left:
            self._sent = None
            self._taken_at = None

    def _send(self, now: float, seq: EventSeq) -> None:
        started = [self._started.popleft() for _ in range(min(MAX_STARTED, len(self._started)))]
        outcomes = [self._outcomes.popleft() for _ in range(min(MAX_OUTCOMES, len(self._outcomes)))]
        part = BulkPart(bulk=self._bulk, started=started, outcomes=[_view(outcome) for outcome in outcomes])
        self._sent = _Sent(self._answer.part(part, seq), started, outcomes, now)
        self._next_at = now + PACE_S
        if self._taken_at is None:
            self._taken_at = now


def _view(outcome: Outcome) -> BulkOutcome:
    node, what = outcome
    if isinstance(what, CastironError):
        return BulkOutcome(node=node.name, node_uuid=node.uuid, error=what.to_wire())
    if isinstance(what, Forecast):
        return BulkOutcome(node=node.name, node_uuid=node.uuid, forecast=what)
    view = request_view(what) if isinstance(what, RequestRecord) else what
    return BulkOutcome(node=node.name, node_uuid=node.uuid, request=view)
