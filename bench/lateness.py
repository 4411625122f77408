"""How late a conductor's checks began from some moment on.

`status` tells of the last minute, in which a start's work, or what was measured before, may still be.
"""

from bench.apart import Apart
from castiron.actors.metrics.sketch import Spread, spread

QUESTION = "lateness"
"""Answered by a conductor apart, with the counts of a Sketch."""


class Lateness:
    """From when it is made on."""

    def __init__(self, server: Apart) -> None:
        self._server = server
        self._before: list[int] = server.ask(QUESTION)

    def spread(self) -> Spread:
        """Return how late checks began since."""
        now: list[int] = self._server.ask(QUESTION)
        return spread([after - before for after, before in zip(now, self._before, strict=True)])
