"""Many addresses asked whether a BMC is there: one presence ping each, paced, and once more to those that were silent.

Blocks its thread, for one who waits in front of it. Sends to the addresses that it is given and to nobody else, never
faster than it is told, and believes answers of those alone that it has asked.
"""

import ipaddress
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from castiron.actors.drivers.ipmi.probing import packets
from castiron.actors.drivers.ipmi.wire.network import MAX_BATCH, MAX_DATAGRAM_BYTES, RECEIVE_BUFFER_BYTES

MAX_ADDRESSES: Final = 65_536
"""A /16; with the usual rate four minutes. More is a slip, or somebody else's network."""

Host = ipaddress.IPv4Address | ipaddress.IPv6Address


class Found(NamedTuple):
    """A BMC that answered."""

    address: str
    port: int
    speaks_ipmi: bool
    """It says so; otherwise it is some other thing that speaks ASF."""
    response_ms: float
    """From the last ping to the answer."""


class TooMany(ValueError):
    """More addresses than one look may have."""


def hosts_of(networks: Sequence[str]) -> list[Host]:
    """Return the addresses of networks, each once; a single address is a network, too.

    Raises:
        TooMany: there are more than MAX_ADDRESSES.
        ValueError: one is not a network, or nobody in it can be asked by itself.
    """
    hosts: dict[Host, None] = {}
    for text in networks:
        network = ipaddress.ip_network(text, strict=False)
        if network.is_multicast or network.network_address.is_unspecified:
            raise ValueError(f"{text} is no network of machines")
        if network.num_addresses > MAX_ADDRESSES or len(hosts) + network.num_addresses > MAX_ADDRESSES + 2:
            raise TooMany(f"{text} makes it more than {MAX_ADDRESSES:,} addresses; ask a part of it")
        hosts.update(dict.fromkeys(network.hosts()))
    return list(hosts)


class Sweep:
    """One look over some addresses.

    Args:
        hosts: whom to ask, in this order.
        port: their UDP port.
        rate_per_s: pings a second at the most.
        tries: rounds; only those that were silent are asked again.
        wait_s: after a round, for answers that are late.
        now: seconds of a clock that never goes back.

    Attributes:
        asked: pings that were due until now, those that could not leave included.
        unsent: of those, how many this machine could not send.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        *,
        port: int,
        rate_per_s: float,
        tries: int,
        wait_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.asked = self.unsent = 0
        self._hosts = hosts
        self._port = port
        self._gap_s = 1 / rate_per_s
        self._tries = tries
        self._wait_s = wait_s
        self._now = now
        self._sent_at: dict[str, float] = {}
        self._found: set[str] = set()
        self._sockets: dict[int, socket.socket] = {}

    def run(self) -> Iterator[Found | None]:
        """Yield what is found, when it is; None each time that nothing was, so that progress can be shown."""
        with ExitStack() as undo:
            self._open(undo)
            for _ in range(self._tries):
                yield from self._round()
                yield from self._listen(self._now() + self._wait_s)
                if len(self._found) == len(self._hosts):
                    return

    def _open(self, undo: ExitStack) -> None:
        for version in sorted({host.version for host in self._hosts}):
            made = undo.enter_context(
                socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)  # noqa: PLR2004 - IPv4
            )
            made.settimeout(0)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            self._sockets[version] = made

    def _round(self) -> Iterator[Found | None]:
        due_at = self._now()
        for number, host in enumerate(self._hosts):
            if str(host) in self._found:
                continue
            yield from self._listen(due_at)
            due_at = max(due_at, self._now() - self._gap_s) + self._gap_s  # what was late is not made up for in a burst
            self._ping(host, tag=number % 255)

    def _ping(self, host: Host, tag: int) -> None:
        self.asked += 1
        self._sent_at[str(host)] = self._now()
        try:
            self._sockets[host.version].sendto(packets.ping(tag), (str(host), self._port))
        except OSError:  # no route, or a firewall of this machine's
            self.unsent += 1

    def _listen(self, until: float) -> Iterator[Found | None]:
        """Yield what arrives until then, at least what is there already."""
        while True:
            ready, _, _ = select.select(list(self._sockets.values()), [], [], max(0.0, until - self._now()))
            for made in ready:
                yield from self._read(made)
            yield None
            if self._now() >= until:
                return

    def _read(self, made: socket.socket) -> Iterator[Found]:
        for _ in range(MAX_BATCH):
            try:
                datagram, (address, port, *_) = made.recvfrom(MAX_DATAGRAM_BYTES)
            except OSError:
                return
            pong = packets.read_pong(datagram)
            sent_at = self._sent_at.get(address)
            if pong is None or sent_at is None or port != self._port or address in self._found:
                continue
            self._found.add(address)
            yield Found(address, port, pong.speaks_ipmi, round((self._now() - sent_at) * 1000, 1))
