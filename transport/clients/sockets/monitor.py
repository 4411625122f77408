"""Whether a client's socket is connected: read from the socket's own monitor, as ZeroMQ reconnects without a word.

A connection that is refused is tried again without a word, too; why it was refused is kept here.
"""

import sys
from enum import Enum, auto
from typing import Final

import zmq

EVENT_BYTES: Final = 2
VALUE_BYTES: Final = 4
"""Of a monitor's message: its first frame is the event and its value (zmq_socket_monitor(3)). pyzmq's own reader of it
would import asyncio, 17 ms that a command line need not pay."""

BROKEN_OFF: Final = 3
"""Handshakes in a row that end without a reason, until that is the reason: a conductor that restarts breaks off one."""

_CONNECTED: Final = int(zmq.EVENT_HANDSHAKE_SUCCEEDED)
_DISCONNECTED: Final = int(zmq.EVENT_DISCONNECTED)
_DENIED: Final = int(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
_MISUNDERSTOOD: Final = int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
_BROKEN_OFF: Final = int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
_WATCHED: Final = _CONNECTED | _DISCONNECTED | _DENIED | _MISUNDERSTOOD | _BROKEN_OFF

_OTHER_MECHANISM: Final = int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)


class Refusal(Enum):
    """Why no connection comes about, though somebody listens."""

    DENIED = auto()
    """The other side knows the key, and does not let it in."""
    OTHER_MECHANISM = auto()
    """One side uses keys, and the other does not."""
    BROKEN_OFF = auto()
    """The other side ends each handshake without a word: it cannot read it."""


class Monitor:
    """Watches one socket, from before it is connected. The socket's thread only.

    Attributes:
        socket: to be polled; readable when something has happened to the connection.
        is_connected: whether there was a connection when `look` looked last.
        is_broken: whether one has ended. Attempts that never spoke ZeroMQ do not count.
        refusal: why the latest attempts have failed; None: they have not, or nobody knows why.
    """

    def __init__(self, watched: "zmq.Socket[bytes]") -> None:
        self._watched = watched
        self.socket: Final[zmq.Socket[bytes]] = watched.get_monitor_socket(_WATCHED)
        self.is_connected = self.is_broken = False
        self.refusal: Refusal | None = None
        self._broken_off = 0

    def look(self) -> None:
        """Take note of what has happened to the connection."""
        while self.socket.poll(0):
            message = self.socket.recv_multipart()[0]
            event = int.from_bytes(message[:EVENT_BYTES], sys.byteorder)
            value = int.from_bytes(message[EVENT_BYTES : EVENT_BYTES + VALUE_BYTES], sys.byteorder)
            self._note(event, value)

    def _note(self, event: int, value: int) -> None:
        self.is_broken |= event == _DISCONNECTED and self.is_connected
        self.is_connected = event == _CONNECTED
        if event == _CONNECTED:
            self.refusal, self._broken_off = None, 0
        elif event == _DENIED:
            self.refusal = Refusal.DENIED
        elif event == _MISUNDERSTOOD and value == _OTHER_MECHANISM:
            self.refusal = Refusal.OTHER_MECHANISM
        elif event in {_BROKEN_OFF, _MISUNDERSTOOD}:
            self._broken_off += 1
            if self._broken_off >= BROKEN_OFF and self.refusal is None:
                self.refusal = Refusal.BROKEN_OFF

    def close(self) -> None:
        """Watch no more; close this before the socket that is watched."""
        self._watched.disable_monitor()
        self.socket.close(linger=0)
