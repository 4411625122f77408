"""A network without sockets, in virtual time: between the IPMI engine and BMCs that are functions of bytes."""

from collections.abc import Callable
from functools import partial
from typing import Final

from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.ipmi.inline import InlineIPMIDriver
from castiron.actors.drivers.ipmi.wire.address import Address, SocketAddress
from castiron.actors.drivers.ipmi.wire.network import Peer, Receiver
from castiron.testing.bmc import Answers
from castiron.transport.vocabulary import Instant

SOURCE: Final = ("127.0.0.1", 40_000)
TRIP_S: Final = 0.001

Responder = Callable[[bytes, tuple[str, int], float], Answers]
"""A BMC's `receive`."""


class SimNetwork:
    """Carries datagrams. One way for each address, so a second node on it is refused.

    Attributes:
        bmcs: (host, port) → who answers there; nobody does elsewhere.
        sent: when each datagram left, and to where.
        has_route: whether anything can be sent at all.
        is_lost: judges each datagram to a BMC before it leaves.
    """

    def __init__(self, clock: Clock) -> None:
        self.bmcs: dict[SocketAddress, Responder] = {}
        self.sent: list[tuple[Instant, SocketAddress, bytes]] = []
        self.has_route = True
        self.is_lost: Callable[[bytes], bool] = lambda _: False
        self.driver: InlineIPMIDriver | None = None
        self._clock = clock
        self._receivers: dict[SocketAddress, Receiver] = {}

    def claim(self, address: Address, receiver: Receiver) -> Peer | None:
        """Reserve the only way to an address."""
        if address.sockaddr in self._receivers:
            return None
        self._receivers[address.sockaddr] = receiver
        return Peer(0, address.sockaddr)

    def release(self, peer: Peer) -> None:
        """Give it back."""
        self._receivers.pop(peer.sockaddr, None)

    def send(self, peer: Peer, datagram: bytes) -> bool:
        """Carry a datagram to its BMC, and the answers back."""
        if not self.has_route:
            return False
        now = self._clock.now()
        self.sent.append((now, peer.sockaddr, datagram))
        bmc = self.bmcs.get(peer.sockaddr)
        if bmc is not None and not self.is_lost(datagram):
            for delay_s, answer in bmc(datagram, SOURCE, now):
                self._clock.call_at(Instant(now + TRIP_S + delay_s), partial(self.arrive, peer.sockaddr, answer))
        return True

    def arrive(self, sender: SocketAddress, datagram: bytes) -> None:
        """Hand a datagram to the driver, as if from an address."""
        assert self.driver is not None
        self.driver.deliver(self._receivers.get(sender), datagram)
