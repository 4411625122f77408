"""How fast requests end, as lately seen, and when there will be room for whoever finds none: an estimate, in turn.

Pure, with the time handed in. Whoever is refused is given the next place in line that will come free, so that many who
come back as told do not all come back at once. Nothing is kept free for them: who comes in between is let in. May come
in: another estimate. Must not: what the bounds are, which is the gate's business.
"""

import math
from collections import OrderedDict
from typing import Final

UNKNOWN_S: Final = 1.0
"""What is told before any end was seen: long against an action that changes nothing, short for a person."""

LEAST_S: Final = 0.1
"""A reply and a new message take a hundredth of it; less would only make more refusals."""

MOST_S: Final = 10.0
"""Where hardly anything ends, asking again this often costs nothing, and a place is not left empty for long."""

MARGIN: Final = 1.5
"""Ends do not come as regularly as their mean says."""

SAMPLE_S: Final = 0.25
"""Ends are counted over at least so long."""

MEMORY_S: Final = 3.0
"""Of the estimate: half of it is what was seen in the last two seconds."""

GAP_S: Final = 5.0
"""After so long without crowding a count says nothing: few ended because few were asked for."""

MAX_PROMISES: Final = 4096
"""Identities whose lines are remembered: as many as rates are kept for. Beyond it the oldest begins anew."""


class Outflow:
    """The requests that end. Not for several threads at once.

    Attributes:
        per_s: requests that end in a second; None: nobody knows yet.
    """

    def __init__(self) -> None:
        self.per_s: float | None = None
        self._count = 0
        self._counted_at = -math.inf
        self._promised_at: OrderedDict[str, float] = OrderedDict()

    def count(self, ended: int, now: float) -> None:
        """Take in how many have ended since the start. Call it while it is crowded, as often as you like; O(1)."""
        passed_s = now - self._counted_at
        if passed_s < SAMPLE_S:
            return
        if passed_s <= GAP_S:
            seen = (ended - self._count) / passed_s
            weight = 1.0 - math.exp(-passed_s / MEMORY_S)
            self.per_s = seen if self.per_s is None else self.per_s + weight * (seen - self.per_s)
        self._count, self._counted_at = ended, now

    def room_after_s(self, line: str, share: float, now: float) -> float:
        """Return after how many seconds there will be room, for the next one of a line.

        Args:
            line: those who wait for the same places.
            share: of the requests that have not ended, those that hold such places; over 0.
            now: seconds.
        """
        if self.per_s is None:
            return UNKNOWN_S
        for_one_s = MARGIN / (self.per_s * share) if self.per_s else math.inf
        at = min(max(now, self._promised_at.get(line, now)) + for_one_s, now + MOST_S)
        self._promised_at[line] = at
        self._promised_at.move_to_end(line)
        if len(self._promised_at) > MAX_PROMISES:
            self._promised_at.popitem(last=False)
        return max(LEAST_S, at - now)
