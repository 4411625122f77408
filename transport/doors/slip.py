"""What became of a part of an answer: on its way, gone from here, or lost before it could go.

Whoever tells something in parts gives the next one only once the one before has left. So of each such answer one part
waits in the conductor, however slowly its client reads; the rest stays with whoever tells it, who has a bound for it.
"""

import zmq


class Slip:
    """Of one part. Written by the front door's thread, read by any; never blocks."""

    __slots__ = ("_is_lost", "_tracker")

    def __init__(self) -> None:
        self._is_lost = False
        self._tracker: zmq.MessageTracker | None = None

    @property
    def is_lost(self) -> bool:
        """Whether it was not sent: there was no room, or its peer had gone. It may be told again."""
        return self._is_lost

    @property
    def has_left(self) -> bool:
        """Whether ZeroMQ has given it to the operating system, or thrown it away together with its connection."""
        return self._tracker is not None and bool(self._tracker.done)

    def send(self, tracker: zmq.MessageTracker) -> None:
        """Note that ZeroMQ has taken it."""
        self._tracker = tracker

    def lose(self) -> None:
        """Note that it was not sent."""
        self._is_lost = True


def arrived() -> Slip:
    """Return the slip of a part that was told to somebody in this very process."""
    slip = Slip()
    slip.send(zmq.MessageTracker())
    return slip
