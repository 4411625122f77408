"""The way of datagrams to a BMC, and the way back: it loses, duplicates and reorders as the BMC's faults say.

A datagram that is to be reordered is held until the next one of the same console has passed it, however long that
takes. So it is overtaken for certain, and no timer is needed.
"""

from random import Random

from castiron.testing.bmc.faults import Faults


class Line:
    """One direction. It holds at most one console's datagram at a time.

    Attributes:
        held: the datagram, as often as it is to arrive; empty for none.
    """

    __slots__ = ("_source", "held")

    def __init__(self) -> None:
        self.held: list[bytes] = []
        self._source: tuple[str, int] | None = None

    def carry(self, datagram: bytes, source: tuple[str, int], faults: Faults, rng: Random) -> list[bytes]:
        """Take a datagram from or to a console; return what arrives now, in the order in which it does."""
        if faults.loses(rng):
            return []
        arriving = [datagram] * (2 if faults.duplicates(rng) else 1)
        if not self.held and faults.reorders(rng):
            self.held, self._source = arriving, source
            return []
        if self.held and source == self._source:
            arriving += self.held
            self.held = []
        return arriving
