"""How late a conductor's checks began from some moment on.

`status` tells of the last minute, in which a start's work, or what was measured before, may still be.
"""

from typing import NamedTuple

from bench.apart import Apart
from castiron.actors.metrics.sketch import spread

QUESTION = "lateness"
"""Answered by a conductor apart, with the counts of a Sketch."""


class Late(NamedTuple):
    """How late checks began."""

    p50_ms: float
    p99_ms: float


class Lateness:
    """From when it is made on."""

    def __init__(self, server: Apart) -> None:
        self._server = server
        self._before: list[int] = server.ask(QUESTION)

    def told(self) -> Late:
        """Return how late checks began since.

        Raises:
            RuntimeError: none did: nothing is known, which is not the same as 0.
        """
        now: list[int] = self._server.ask(QUESTION)
        told = spread([after - before for after, before in zip(now, self._before, strict=True)])
        if told.p50_ms is None or told.p99_ms is None:
            raise RuntimeError("no check began while its lateness was watched: watch for longer")
        return Late(told.p50_ms, told.p99_ms)
