"""A client's socket: frames out, frames in, and the moment when the connection breaks.

A DEALER socket that queues nothing without a connection (ZMQ_IMMEDIATE): what could not be sent was certainly not
received, and nothing is sent again behind the caller's back after a reconnect. Knows frames and sockets, not verbs.
"""

import contextlib
from collections.abc import Sequence
from typing import Any, Final

import zmq
from zmq.utils.monitor import parse_monitor_message

from castiron.transport.endpoint import Endpoint
from castiron.transport.frames import MAX_REPLY_BYTES

HIGH_WATER_MARK: Final = 1024
"""Messages that may wait in the socket each way: eight times what a peer may have in flight."""

RECONNECT_MS: Final = 50
RECONNECT_MAX_MS: Final = 1000
"""First and longest pause between attempts to connect; a conductor restarts in about a second."""


class Link:
    """One connection to a conductor, made again by ZeroMQ whenever it breaks. One thread at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Open the sockets. Does not wait for the connection."""
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._socket.setsockopt(zmq.IPV6, endpoint.is_ipv6)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_REPLY_BYTES)
        self._socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        self._socket.set_hwm(HIGH_WATER_MARK)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._monitor.setsockopt(zmq.LINGER, 0)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._socket.connect(str(endpoint))

    def close(self) -> None:
        """Close the sockets and their context; what waits in them is dropped. Idempotent."""
        if not self._socket.closed:
            self._socket.disable_monitor()
            self._monitor.close()
            self._socket.close()
            self._context.term()

    def send(self, frames: Sequence[bytes], timeout_s: float) -> bool:
        """Hand a message to the kernel's side of the socket, waiting for a connection for at most `timeout_s`.

        Returns:
            False if there was no connection: nothing was sent, and nothing will be.
        """
        if not self._socket.poll(_ms(timeout_s), zmq.POLLOUT):
            return False
        with contextlib.suppress(zmq.Again):
            self._socket.send_multipart(frames, zmq.NOBLOCK)
            return True
        return False

    def receive(self, timeout_s: float) -> list[bytes] | None:
        """Return the frames of the next message, or None when the time is up or the connection has broken."""
        ready: dict[Any, int] = dict(self._poller.poll(_ms(timeout_s)))
        return self._socket.recv_multipart(zmq.NOBLOCK) if self._socket in ready else None

    def has_broken(self) -> bool:
        """Return whether the connection broke since the last call. What had been sent may have been received."""
        has_broken = False
        while self._monitor.poll(0):
            event = parse_monitor_message(self._monitor.recv_multipart())
            has_broken = has_broken or event["event"] == zmq.EVENT_DISCONNECTED
        return has_broken


def _ms(timeout_s: float) -> int:
    """Return milliseconds, rounded up so that a wait never ends before its time."""
    return max(0, -int(-timeout_s * 1000 // 1))
