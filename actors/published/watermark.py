"""Up to which event number everything can be seen that has happened.

Commits land in the order of their numbers; the actors that made them show the outcome later, and in any order between
nodes. So the highest number that has been shown says little: a lower one may still be on its way. The mark is below the
first that is. Whoever reads the nodes at the mark, and then the events after it, misses nothing.
"""

from collections import Counter, deque
from typing import Final

from castiron.transport.vocabulary import EventSeq, NodeUUID

MAX_WAITING: Final = 100_000
"""Commits that may wait to be shown; more than the writer holds. Those that nobody ever shows, because an actor ended
at the wrong moment, give way to others one day; until then the mark is lower than it could be, which is never wrong."""


class Watermark:
    """The mark of one conductor. Not for several threads at once, but for reading `seq`.

    Attributes:
        seq: the mark.
    """

    def __init__(self, seq: EventSeq) -> None:
        self.seq = seq
        self._latest = seq
        self._waiting: deque[tuple[EventSeq, EventSeq, NodeUUID]] = deque()
        self._counts: Counter[NodeUUID] = Counter()
        self._shown: dict[NodeUUID, EventSeq] = {}

    def land(self, uuid: NodeUUID | None, first: EventSeq, last: EventSeq) -> None:
        """Note a commit with the events `first` to `last` of a node, or of none; in the order of the numbers."""
        self._latest = max(self._latest, last)
        if uuid is not None:  # what is of no node is not shown anywhere
            self._waiting.append((first, last, uuid))
            self._counts[uuid] += 1
        if len(self._waiting) > MAX_WAITING:
            self._pass()
        self._advance()

    def show(self, uuid: NodeUUID, seq: EventSeq) -> None:
        """Note that what is shown of a node now holds at `seq`, or that the node is shown no more."""
        self._latest = max(self._latest, seq)
        if uuid in self._counts:
            self._shown[uuid] = max(seq, self._shown.get(uuid, seq))
        self._advance()

    def _advance(self) -> None:
        while self._waiting and self._shown.get(self._waiting[0][2], -1) >= self._waiting[0][1]:
            self._pass()
        self.seq = EventSeq(self._waiting[0][0] - 1) if self._waiting else self._latest

    def _pass(self) -> None:
        _, _, uuid = self._waiting.popleft()
        self._counts[uuid] -= 1
        if not self._counts[uuid]:
            del self._counts[uuid]
            self._shown.pop(uuid, None)
