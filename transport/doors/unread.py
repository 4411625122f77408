"""How much the conductor holds for peers that do not read: large replies are counted until they have left.

ZeroMQ bounds what waits for a peer by messages, whatever their size; this bounds the bytes, for all peers together.
One thread, the front door's. What is sent instead of a reply that finds no room is the front door's business.
"""

import math
from collections import deque
from typing import Final, NamedTuple

import zmq

from castiron.transport.crowd import FLOOR

LARGE_BYTES: Final = 4_096
"""Replies from here on are counted, which costs 10 µs each; smaller ones are bounded by the peers' queues."""

MAX_UNREAD_BYTES: Final = 268_435_456
"""Of large replies that wait for their peers: four of the largest, or a page of 1,000 usual nodes for 200 clients."""

SETTLE_S: Final = 1.0
"""Between two looks at all that waits: as often as somebody looks at the figure."""


class _Waiting(NamedTuple):
    tracker: zmq.MessageTracker
    size_bytes: int


class Unread:
    """What waits for whom. The replies of one peer leave in order."""

    def __init__(self, limit_bytes: int = MAX_UNREAD_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.total_bytes = 0
        self._waiting: dict[bytes, deque[_Waiting]] = {}
        self._settled_at = -math.inf

    def has_room(self, size_bytes: int) -> bool:
        """Return whether a reply of this size may be sent. O(peers with large replies) where it gets tight."""
        if self.total_bytes + size_bytes > self.limit_bytes:
            for key in list(self._waiting):
                self._reclaim(key)
        return self.total_bytes + size_bytes <= self.limit_bytes

    def settle(self, now: float) -> None:
        """Find out what has left meanwhile, where much seems to wait: so the figure falls though nobody sends.

        O(peers with large replies), at most once in SETTLE_S.
        """
        if self.total_bytes < FLOOR * self.limit_bytes or now < self._settled_at + SETTLE_S:
            return
        self._settled_at = now
        for key in list(self._waiting):
            self._reclaim(key)

    def note(self, key: bytes, size_bytes: int, tracker: zmq.MessageTracker) -> None:
        """Count a reply that ZeroMQ has taken, until it has left or its peer has gone.

        Args:
            key: of the peer.
            size_bytes: of the reply.
            tracker: knows whether ZeroMQ still holds it.
        """
        self._reclaim(key)
        self._waiting.setdefault(key, deque()).append(_Waiting(tracker, size_bytes))
        self.total_bytes += size_bytes

    def _reclaim(self, key: bytes) -> None:
        waiting = self._waiting.get(key)
        while waiting and waiting[0].tracker.done:
            self.total_bytes -= waiting.popleft().size_bytes
        if waiting is not None and not waiting:
            del self._waiting[key]
