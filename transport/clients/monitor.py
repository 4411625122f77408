"""Whether a client's socket is connected: read from the socket's own monitor, as ZeroMQ reconnects without a word."""

import sys
from typing import Final

import zmq

EVENT_BYTES: Final = 2
"""Of a monitor's message: its first frame begins with the event (zmq_socket_monitor(3)). pyzmq's own reader of it would
import asyncio, 17 ms that a command line need not pay."""

_CONNECTED: Final = int(zmq.EVENT_HANDSHAKE_SUCCEEDED)
_DISCONNECTED: Final = int(zmq.EVENT_DISCONNECTED)


class Monitor:
    """Watches one socket, from before it is connected. The socket's thread only.

    Attributes:
        socket: to be polled; readable when something has happened to the connection.
        is_connected: whether there was a connection when `look` looked last.
        is_broken: whether one has ended. Attempts that never spoke ZeroMQ do not count.
    """

    def __init__(self, watched: "zmq.Socket[bytes]") -> None:
        self._watched = watched
        self.socket: Final[zmq.Socket[bytes]] = watched.get_monitor_socket(_CONNECTED | _DISCONNECTED)
        self.is_connected = self.is_broken = False

    def look(self) -> None:
        """Take note of what has happened to the connection."""
        while self.socket.poll(0):
            event = int.from_bytes(self.socket.recv_multipart()[0][:EVENT_BYTES], sys.byteorder)
            self.is_broken |= event == _DISCONNECTED and self.is_connected
            self.is_connected = event == _CONNECTED

    def close(self) -> None:
        """Watch no more; close this before the socket that is watched."""
        self._watched.disable_monitor()
        self.socket.close(linger=0)
