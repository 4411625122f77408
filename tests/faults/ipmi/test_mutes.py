"""Who floods is muted by the kernel, nobody else is, and it is heard again once it is spoken to anew."""

import logging
import socket
from collections.abc import Iterator

import pytest

from castiron.actors.drivers.ipmi.wire.address import Address
from castiron.actors.drivers.ipmi.wire.mutes import FLOOD, MAX_MUTED, SAMPLES, Mutes
from castiron.actors.drivers.ipmi.wire.network import MAX_BATCH, SOCKETS_PER_FAMILY, UDPNetwork
from tests.support.deadline import until


class Ear:
    """Whoever is spoken to."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def receive(self, datagram: bytes) -> None:
        self.heard.append(datagram)


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """A socket, and two that send to it."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with (
        socket.socket(family, socket.SOCK_DGRAM) as ours,
        socket.socket(family, socket.SOCK_DGRAM) as one,
        socket.socket(family, socket.SOCK_DGRAM) as other,
    ):
        for each in (ours, one, other):
            each.bind((request.param, 0))
        ours.settimeout(5)
        yield ours, one, other


def flood(mutes: Mutes, sender: socket.socket) -> None:
    for _ in range(FLOOD):
        mutes.sample(sender.getsockname())


def test_who_floods_is_muted_and_its_neighbour_is_not(
    pair: tuple[socket.socket, socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    ours, one, other = pair
    mutes = Mutes(ours)
    with caplog.at_level(logging.WARNING):
        flood(mutes, one)

    one.sendto(b"garbage", ours.getsockname())
    other.sendto(b"answer", ours.getsockname())
    assert ours.recv(99) == b"answer"
    assert (mutes.count, len(mutes)) == (1, 1)
    assert f"port {one.getsockname()[1]} floods" in caplog.text

    mutes.lift(one.getsockname())
    one.sendto(b"answer of its own", ours.getsockname())
    assert ours.recv(99) == b"answer of its own"
    assert len(mutes) == 0


def test_both_can_be_muted_and_one_let_go(pair: tuple[socket.socket, socket.socket, socket.socket]) -> None:
    ours, one, other = pair
    mutes = Mutes(ours)
    flood(mutes, one)
    flood(mutes, other)
    mutes.lift(one.getsockname())

    other.sendto(b"garbage", ours.getsockname())
    one.sendto(b"answer", ours.getsockname())

    assert ours.recv(99) == b"answer"


def test_many_who_answer_at_once_are_no_flood(pair: tuple[socket.socket, socket.socket, socket.socket]) -> None:
    mutes = Mutes(pair[0])

    for number in range(10 * SAMPLES):
        mutes.sample(("127.0.0.1", 1024 + number % 50))

    assert (mutes.count, len(mutes)) == (0, 0)


def test_no_more_are_muted_than_there_is_room_for(pair: tuple[socket.socket, socket.socket, socket.socket]) -> None:
    ours, one, _ = pair
    mutes = Mutes(ours)
    flood(mutes, one)
    for number in range(MAX_MUTED):
        for _ in range(FLOOD):
            mutes.sample(("127.0.0.99", 1024 + number))

    one.sendto(b"the first is heard again", ours.getsockname())

    assert len(mutes) == MAX_MUTED
    assert ours.recv(99) == b"the first is heard again"


def test_a_flood_is_found_by_reading_and_ends_with_the_next_claim() -> None:
    network = UDPNetwork()
    ear = Ear()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bmc:
        bmc.bind(("127.0.0.1", 0))
        address = Address(socket.AF_INET, bmc.getsockname())
        peer = network.claim(address, ear)
        assert peer is not None
        assert network.send(peer, b"question")
        _, port = bmc.recvfrom(99)

        def pour() -> bool:
            for _ in range(8 * MAX_BATCH):
                bmc.sendto(b"garbage", port)
            while list(network.read(peer.socket_index)):
                pass
            return network.counters()["muted"] == 1

        until(pour)
        assert network.counters() == {"floods": 1, "muted": 1}
        bmc.sendto(b"answer", port)
        assert list(network.read(peer.socket_index)) == []

        network.release(peer)
        again = [network.claim(address, ear) for _ in range(SOCKETS_PER_FAMILY)]
        assert peer in again
        bmc.sendto(b"answer", port)
        assert list(network.read(peer.socket_index)) == [(ear, b"answer")]
        assert network.counters() == {"floods": 1, "muted": 0}
    network.close()
