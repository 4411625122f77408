"""A subscriber's socket: frames of the stream in, and the moment when its connection breaks.

One connection, no more: what was published while there was none is missing, so whoever finds it broken closes this and
begins anew. Knows frames and topics, not numbers.
"""

from collections.abc import Sequence
from typing import Final

import zmq

from castiron.transport.clients.sockets.encryption import encrypt
from castiron.transport.clients.sockets.link import Readable
from castiron.transport.clients.sockets.monitor import Monitor
from castiron.transport.endpoint import Endpoint
from castiron.transport.events import ALL, HEARTBEAT, MAX_EVENT_BYTES
from castiron.transport.keys.protection import ClientKeys

RECEIVE_HIGH_WATER_MARK: Final = 10_000
"""Events that may wait to be read, some 5 MB: ten of the largest groups that a store commits at once. Then they wait in
the conductor, which loses the next ones."""


class Subscription:
    """A SUB socket. One thread at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        readable: Readable,
        topics: Sequence[bytes] = (ALL, HEARTBEAT),
        keys: ClientKeys | None = None,
    ) -> None:
        """Subscribe. Does not wait for the connection.

        Args:
            endpoint: where events are published.
            readable: how to wait for its sockets.
            topics: beginnings of the topics to receive, in rising order.
            keys: with what to speak there; None: without keys.
        """
        self._readable = readable
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.IPV6, endpoint.is_ipv6)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_EVENT_BYTES)
        self._socket.setsockopt(zmq.RCVHWM, RECEIVE_HIGH_WATER_MARK)
        encrypt(self._socket, keys)
        for topic in topics:
            self._socket.setsockopt(zmq.SUBSCRIBE, topic)
        self._monitor = Monitor(self._socket)
        self._socket.connect(str(endpoint))

    async def receive(self, timeout_s: float) -> list[bytes] | None:
        """Return the frames of the next message; None when the time is up, or the connection has changed."""
        if not self._socket.poll(0) and timeout_s > 0:
            await self._readable([self._socket, self._monitor.socket], timeout_s)
        try:
            return self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            self._monitor.look()
            return None

    @property
    def is_broken(self) -> bool:
        """Whether the connection has ended; what had arrived before has been received."""
        return self._monitor.is_broken

    def close(self) -> None:
        """Close the socket and its context. Idempotent."""
        if not self._context.closed:
            self._monitor.close()
            self._socket.close(linger=0)
            self._context.term()
