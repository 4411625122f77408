"""A client's socket: frames out, frames in, and the moment when the connection breaks.

What could not be sent was certainly not received, and nothing is sent again behind the caller's back. ZMQ_IMMEDIATE
promises that, but throws away the answers that had arrived when a connection broke; so the connection is watched here
instead, and a broken one is replaced with its socket. Knows frames and sockets, not verbs; how one waits for a socket
is given, so that a thread may block in it, or a loop go on.
"""

import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

import zmq

from castiron.transport.clients.sockets.encryption import encrypt, refused
from castiron.transport.clients.sockets.monitor import Monitor
from castiron.transport.endpoint import Endpoint
from castiron.transport.errors import CastironError
from castiron.transport.frames import MAX_REPLY_BYTES
from castiron.transport.keys.protection import ClientKeys

HIGH_WATER_MARK: Final = 1024
"""Messages that may wait in the socket each way: eight times what a peer may have in flight."""

RECONNECT_MS: Final = 50
RECONNECT_MAX_MS: Final = 1000
"""First and longest pause between attempts to connect; a conductor restarts in about a second."""

Readable = Callable[[Sequence["zmq.Socket[bytes]"], float], Awaitable[Collection["zmq.Socket[bytes]"]]]
"""Wait until one of these can be read, at most so many seconds, and return those that can."""


class Link:
    """One connection to a conductor at a time, made again whenever it breaks. One thread at a time."""

    def __init__(self, endpoint: Endpoint, readable: Readable, keys: ClientKeys | None = None) -> None:
        """Open the sockets. Does not wait for the connection.

        Args:
            endpoint: where the conductor listens.
            readable: how to wait for its sockets.
            keys: with what to speak there; None: without keys.
        """
        self._endpoint = endpoint
        self._readable = readable
        self._keys = keys
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._open()

    def _open(self) -> None:
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.IPV6, self._endpoint.is_ipv6)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_REPLY_BYTES)
        self._socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        self._socket.set_hwm(HIGH_WATER_MARK)
        encrypt(self._socket, self._keys)
        self._monitor = Monitor(self._socket)
        self._socket.connect(str(self._endpoint))

    def _close(self) -> None:
        self._monitor.close()
        self._socket.close(linger=0)

    def close(self) -> None:
        """Close the sockets and their context; what waits in them is dropped. Idempotent."""
        if not self._context.closed:
            self._close()
            self._context.term()

    async def is_connected(self, timeout_s: float) -> bool:
        """Return whether there is a connection, waiting at most `timeout_s` for one."""
        self._monitor.look()
        if not self._monitor.is_connected and timeout_s > 0 and await self._readable([self._monitor.socket], timeout_s):
            self._monitor.look()
        return self._monitor.is_connected

    def refusal(self) -> CastironError | None:
        """Return why no connection comes about, if the other side has said so since the last call.

        What it said holds for the attempts until now; the next ones begin anew.
        """
        self._monitor.look()
        if self._monitor.refusal is None or self._monitor.is_broken:
            return None
        why = refused(self._monitor.refusal, self._endpoint, self._keys)
        if why is not None:
            self._close()
            self._open()
        return why

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send a message, and return whether that was possible. Never blocks; what was not sent never will be."""
        if self._monitor.is_connected:
            with contextlib.suppress(zmq.Again):
                self._socket.send_multipart(frames, zmq.NOBLOCK)
                return True
        return False

    async def receive(self, timeout_s: float) -> list[bytes] | None:
        """Return the frames of the next message; None when the time is up, or the connection has changed."""
        if not self._socket.poll(0):
            if timeout_s <= 0:
                return None
            await self._readable([self._socket, self._monitor.socket], timeout_s)
        try:
            return self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None

    def has_broken(self) -> bool:
        """Return whether the connection has broken since the last call, and begin another if it has.

        Not before everything that had arrived has been received. What was sent may have been received at the other end.
        """
        self._monitor.look()
        if not self._monitor.is_broken or self._socket.poll(0):
            return False
        self._close()
        self._open()
        return True
