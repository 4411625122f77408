"""The sockets: four for each address family, shared by all BMCs, and who is behind which address. No IPMI here.

A datagram belongs to whoever claimed its socket and sender, to nobody else; four sockets let as many nodes share a BMC.
"""

import socket
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from castiron.actors.drivers.ipmi.wire.address import Address, SocketAddress
from castiron.actors.drivers.ipmi.wire.mutes import Mutes

SOCKETS_PER_FAMILY: Final = 4
"""Their receive buffers together hold the answers to about a thousand requests sent in one burst."""

RECEIVE_BUFFER_BYTES: Final = 16 << 20
"""Asked for; the kernel gives what net.core.rmem_max allows."""

MAX_DATAGRAM_BYTES: Final = 1024
"""An RMCP datagram with an IPMI payload has at most 0.3 KB; longer ones are cut, and fail their checks."""

MAX_BATCH: Final = 64
"""Datagrams read from one socket before others and timers have their turn."""


class Receiver(Protocol):
    """Somebody who speaks to an address."""

    def receive(self, datagram: bytes) -> None:
        """Take a datagram that came from the address."""
        ...


class Peer(NamedTuple):
    """A claimed address: the way to send there, and what to release."""

    socket_index: int
    sockaddr: SocketAddress


class Network(Protocol):
    """What the engine needs of the sockets. A simulation has one without any."""

    def claim(self, address: Address, receiver: Receiver) -> Peer | None:
        """Reserve a way to the address; None if its family is not to be had here, or all ways are taken."""
        ...

    def release(self, peer: Peer) -> None:
        """Give the way back; what still arrives is nobody's. Idempotent."""
        ...

    def send(self, peer: Peer, datagram: bytes) -> bool:
        """Send; return whether it left this machine."""
        ...


SocketFactory = Callable[[int, int], socket.socket]
"""Makes a socket of a family and a type, as socket.socket does."""


class UDPNetwork:
    """Real sockets. One thread."""

    def __init__(self, make_socket: SocketFactory = socket.socket) -> None:
        self._sockets: list[socket.socket] = []
        self._receivers: list[dict[SocketAddress, Receiver]] = []
        self._mutes: list[Mutes] = []
        self._of_family: dict[int, list[int]] = {}
        self._turn = 0
        for family in (socket.AF_INET, socket.AF_INET6):
            self._of_family[family] = self._make(family, make_socket)

    def _make(self, family: int, make_socket: SocketFactory) -> list[int]:
        indexes: list[int] = []
        for _ in range(SOCKETS_PER_FAMILY):
            try:
                made = make_socket(family, socket.SOCK_DGRAM)
            except OSError:
                break  # a machine without IPv6
            made.settimeout(0)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            indexes.append(len(self._sockets))
            self._sockets.append(made)
            self._receivers.append({})
            self._mutes.append(Mutes(made))
        return indexes

    def filenos(self) -> Mapping[int, int]:
        """Return descriptor → index of each socket, to poll for input."""
        return {made.fileno(): index for index, made in enumerate(self._sockets)}

    def claim(self, address: Address, receiver: Receiver) -> Peer | None:
        """Reserve a way to the address: the next socket in turn on which nobody speaks to it."""
        indexes = self._of_family.get(address.family, [])
        self._turn += 1
        for step in range(len(indexes)):
            index = indexes[(self._turn + step) % len(indexes)]
            if address.sockaddr not in self._receivers[index]:
                self._receivers[index][address.sockaddr] = receiver
                self._mutes[index].lift(address.sockaddr)
                return Peer(index, address.sockaddr)
        return None

    def release(self, peer: Peer) -> None:
        """Give the way back. Idempotent."""
        self._receivers[peer.socket_index].pop(peer.sockaddr, None)

    def send(self, peer: Peer, datagram: bytes) -> bool:
        """Send; return whether the kernel took it: a full buffer or a missing route is False, silence is not."""
        try:
            self._sockets[peer.socket_index].sendto(datagram, peer.sockaddr)
        except OSError:
            return False
        return True

    def read(self, index: int) -> list[tuple[Receiver | None, bytes]]:
        """Return what has arrived on a socket, up to MAX_BATCH, each with who claimed its sender (None: nobody).

        All of it before anybody takes any of it: each call of the kernel lets other threads in, and whoever is woken by
        the first answer would take the interpreter from us before the second.
        """
        arrived: list[tuple[Receiver | None, bytes]] = []
        receive, receivers = self._sockets[index].recvfrom, self._receivers[index]
        for left in reversed(range(MAX_BATCH)):
            try:
                datagram, sender = receive(MAX_DATAGRAM_BYTES)
            except OSError:
                break
            arrived.append((receivers.get(sender), datagram))
            if not left:
                self._mutes[index].sample(sender)
        return arrived

    def counters(self) -> Mapping[str, int]:
        """Return floods: times that a sender was muted for what it sent; muted: senders that are, now. Any thread."""
        return {"floods": sum(each.count for each in self._mutes), "muted": sum(map(len, self._mutes))}

    def close(self) -> None:
        """Close the sockets. Idempotent."""
        for made in self._sockets:
            made.close()
