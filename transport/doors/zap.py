"""Who is let in when a connection is made: a handler of ZeroMQ's authentication protocol, ZAP 1.0 (RFC 27).

libzmq asks it about each CURVE handshake, through a socket of the same context, and waits with the handshake; so it
runs on the front door's thread, between messages, and judges with one look-up. Only CURVE with a key of
the allow-list is let in. Whatever is not well formed is denied.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import zmq
from zmq.utils import z85

from castiron.transport.keys.allowlist import AllowList

ENDPOINT: Final = "inproc://zeromq.zap.01"
"""Where libzmq looks for a handler; of a context of our own, so that nobody else's sockets ask here."""

DOMAIN: Final = b"castiron"

VERSION: Final = b"1.0"

BATCH: Final = 64
"""Handshakes judged before the front door looks after its messages again: some 3 ms."""

_CURVE: Final = b"CURVE"
_FRAMES: Final = 7
"""version, request id, domain, address, routing id, mechanism, public key."""

_OK: Final = (b"200", b"OK")
_DENIED: Final = (b"400", b"not in the allow-list")
_MALFORMED: Final = (b"500", b"malformed")


class Verdict(NamedTuple):
    """What libzmq is told of one handshake."""

    reply: tuple[bytes, ...]
    """Its frames."""
    public_key: str | None
    """Z85 text; None: there was none."""
    address: str
    """Where the connection comes from, as libzmq says."""
    is_let_in: bool


def judge(request: Sequence[bytes], allowed: AllowList) -> Verdict:
    """Judge one handshake. The key itself becomes the connection's User-Id: whose it is, is looked up each time."""
    request_id = request[1] if len(request) > 1 else b""
    address = request[3].decode("ascii", "replace") if len(request) > 3 else ""  # noqa: PLR2004 - see _FRAMES
    key = _key_in(request)
    if key is None:
        return Verdict(_reply(request_id, _MALFORMED), None, address, is_let_in=False)
    if allowed.owner(key) is None:
        return Verdict(_reply(request_id, _DENIED), key, address, is_let_in=False)
    return Verdict(_reply(request_id, _OK, key.encode("ascii")), key, address, is_let_in=True)


def _key_in(request: Sequence[bytes]) -> str | None:
    if len(request) != _FRAMES or request[0] != VERSION or request[2] != DOMAIN or request[5] != _CURVE:
        return None
    try:
        return str(z85.encode(request[6]).decode("ascii"))
    except (ValueError, struct.error):
        return None


def _reply(request_id: bytes, status: tuple[bytes, bytes], user_id: bytes = b"") -> tuple[bytes, ...]:
    code, text = status
    return VERSION, request_id, code, text, user_id, b""


class Gate:
    """The handler of one context. The thread of the context's sockets only, once they are bound.

    Attributes:
        socket: to be polled; readable when a handshake waits to be judged.
        let_in: keys of all connections that have been let in.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        """Open it; before the sockets that it judges for are bound, so that none is without."""
        self.socket: Final = context.socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(ENDPOINT)
        self.let_in: Final[set[str]] = set()

    def turn(self, allowed: AllowList, denied: Callable[[Verdict], object]) -> None:
        """Judge the handshakes that wait, some of them. Never blocks.

        Args:
            allowed: who is let in.
            denied: called with each that is not.
        """
        for _ in range(BATCH):
            try:
                request = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            verdict = judge(request, allowed)
            if verdict.is_let_in and verdict.public_key is not None:
                self.let_in.add(verdict.public_key)
            else:
                denied(verdict)
            self.socket.send_multipart(verdict.reply, zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket; handshakes that wait are not let in. Idempotent."""
        self.socket.close(linger=0)
