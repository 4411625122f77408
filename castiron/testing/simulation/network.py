"""A network without sockets, in virtual time: between the IPMI engine and BMCs that are functions of bytes.

Nothing decides here whether a BMC answers; datagrams are carried, and counted.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.ipmi.inline import InlineIPMIDriver
from castiron.actors.drivers.ipmi.wire.address import Address, SocketAddress
from castiron.actors.drivers.ipmi.wire.network import SOCKETS_PER_FAMILY, Peer, Receiver
from castiron.testing.bmc import Answers
from castiron.transport.vocabulary import Instant

SOURCE: Final = ("127.0.0.1", 40_000)
"""Where all datagrams to BMCs come from."""

TRIP_S: Final = 0.001
"""From a question to the answer of a BMC that takes no time."""

KEPT: Final = 10_000
"""Datagrams that are remembered, the latest: enough for a test to look at."""

Responder = Callable[[bytes, tuple[str, int], float], Answers]
"""A BMC's `receive`."""


class SimNetwork:
    """Carries datagrams, by as many ways to an address as real sockets have. One thread: the clock's.

    Attributes:
        bmcs: (host, port) → who answers there; nobody does elsewhere.
        sent: when each datagram left, and to where; the latest.
        has_route: whether anything can be sent at all.
        is_lost: judges each datagram to a BMC before it leaves.
        driver: who is handed what arrives; set it before anything is sent.
    """

    driver: InlineIPMIDriver

    def __init__(self, clock: Clock, bmcs: dict[SocketAddress, Responder] | None = None) -> None:
        self.bmcs: dict[SocketAddress, Responder] = {} if bmcs is None else bmcs
        self.sent: deque[tuple[Instant, SocketAddress, bytes]] = deque(maxlen=KEPT)
        self.has_route = True
        self.is_lost: Callable[[bytes], bool] = lambda _: False
        self._clock = clock
        self._receivers: dict[Peer, Receiver] = {}

    def claim(self, address: Address, receiver: Receiver) -> Peer | None:
        """Reserve the first way to an address that is free."""
        ways = (Peer(index, address.sockaddr) for index in range(SOCKETS_PER_FAMILY))
        peer = next((way for way in ways if way not in self._receivers), None)
        if peer is not None:
            self._receivers[peer] = receiver
        return peer

    def release(self, peer: Peer) -> None:
        """Give it back."""
        self._receivers.pop(peer, None)

    def send(self, peer: Peer, datagram: bytes) -> bool:
        """Carry a datagram to its BMC, and the answers back."""
        if not self.has_route:
            return False
        now = self._clock.now()
        self.sent.append((now, peer.sockaddr, datagram))
        bmc = self.bmcs.get(peer.sockaddr)
        if bmc is not None and not self.is_lost(datagram):
            for delay_s, answer in bmc(datagram, SOURCE, now):
                self._clock.call_at(Instant(now + TRIP_S + delay_s), partial(self.arrive, peer, answer))
        return True

    def arrive(self, peer: Peer, datagram: bytes) -> None:
        """Hand a datagram to the driver, as if by this way."""
        self.driver.deliver(self._receivers.get(peer), datagram)
