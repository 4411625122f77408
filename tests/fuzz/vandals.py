"""Those who do not even speak ZeroMQ: raw bytes at the door, handshakes left half-way, connections that just end."""

import contextlib
import random
import socket
from collections.abc import Callable
from typing import Final

import zmq

from castiron.transport.doors.listener import MAX_FRAME_BYTES
from castiron.transport.endpoint import Endpoint, parse_endpoint
from tests.fuzz.corpus import Dice
from tests.support.raw_peer import RawPeer

CONNECT_S: Final = 5.0

GREETING: Final = b"\xff" + b"\x00" * 8 + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\x00") + b"\x00" * 32
"""ZMTP 3.0 (rfc.zeromq.org/spec/23): signature, version, mechanism NULL, filler."""

READY: Final = b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"

OLD: Final = b"\x01\x00"
"""ZMTP 1.0: an empty identity, and messages may follow at once."""


def _ready(dice: Dice) -> bytes:
    body = bytearray(READY)
    for _ in range(dice.randrange(0, 4)):
        body[dice.randrange(len(body))] = dice.randrange(256)
    return bytes(body)


RAW: Final[tuple[Callable[[Dice], bytes], ...]] = (
    lambda dice: dice.randbytes(dice.randrange(1, 2000)),
    lambda _: b"",
    lambda _: b"GET / HTTP/1.1\r\nHost: conductor\r\n\r\n",
    lambda dice: GREETING[: dice.randrange(len(GREETING))],
    lambda dice: GREETING + dice.randbytes(dice.randrange(1, 200)),
    lambda dice: GREETING + _ready(dice) + dice.randbytes(dice.randrange(300)),
    lambda dice: GREETING + READY + b"\x02" + b"\xff" * 8 + dice.randbytes(50),  # a frame of 16 EiB
    lambda dice: GREETING + READY + b"\x01\x05hello" * dice.randrange(1, 200),  # a message that never ends
    lambda dice: GREETING + READY + b"\x04\x05\x04PING" * dice.randrange(1, 50),
    lambda dice: OLD + b"".join(bytes((len(word) + 1, 0)) + word for word in [dice.randbytes(9)] * 3),
    lambda _: GREETING.replace(b"NULL", b"CURV"),
)
"""What is sent, before any of it is ZMTP or after some of it was."""


def connected(endpoint: Endpoint) -> socket.socket:
    """Connect as no ZeroMQ client does."""
    if endpoint.path is not None:
        made = socket.socket(socket.AF_UNIX)
        made.connect(endpoint.path)  # blocking: it waits for room in the backlog, where a timeout would not let it
        made.settimeout(CONNECT_S)
        return made
    host, _, port = str(endpoint).removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(port)), CONNECT_S)


class Vandals:
    """So many of them at a time, at each door; some stay, half-way through their handshake, until the next come."""

    def __init__(self, doors: list[str], count: int) -> None:
        self._doors = [parse_endpoint(door) for door in doors]
        self._count = count
        self._half_open: list[socket.socket] = []

    def strike(self, seed: int) -> None:
        """Come, send, and go, or stay."""
        dice = random.Random(seed)
        self.leave()
        for door in self._doors:
            for _ in range(self._count):
                self._send(connected(door), dice)
        self._overwhelm(str(self._doors[0]), dice)

    def leave(self) -> None:
        """Close what is half open."""
        while self._half_open:
            self._half_open.pop().close()

    def _send(self, stream: socket.socket, dice: Dice) -> None:
        with contextlib.suppress(OSError):  # hung up on, as it should be
            stream.sendall(dice.choice(RAW)(dice))
        if dice.random() < 0.3:
            self._half_open.append(stream)
        else:
            stream.close()

    @staticmethod
    def _overwhelm(door: str, dice: Dice) -> None:
        """Send what ends the connection; then send what is well-formed, and go without reading."""
        with RawPeer(door) as brute:
            brute.send(b"\x00" * (MAX_FRAME_BYTES + dice.randrange(1, 1000)))
        with RawPeer(door, receive_hwm=1) as ghost, contextlib.suppress(TimeoutError, zmq.Again):
            for number in range(dice.randrange(1, 40)):
                ghost.say(b"%d" % number, {"verb": "node.list"})
