"""How a loop waits for ZeroMQ's sockets: by the descriptor that each has for it.

The descriptor says that something has happened to a socket since one looked last, not what; and whoever sends over the
socket, or reads it, has looked. So one looks before each wait, whoever sends in between has to `wake`, and a wait may
end with nothing to read. pyzmq's own poller for asyncio is not used: a wait of it that is cancelled takes the next
one's descriptor away with it.
"""

import asyncio
from collections.abc import Collection, Sequence

import zmq


class Waits:
    """Waits for sockets. The loop's thread only."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Future[None]] = set()

    async def readable(
        self, sockets: Sequence["zmq.Socket[bytes]"], timeout_s: float
    ) -> Collection["zmq.Socket[bytes]"]:
        """Wait until one of the sockets can be read, at most so long, and return those that can.

        Returns early, with none perhaps, when something else has happened to one of them, or when woken.
        """
        if (ready := _ready(sockets)) or timeout_s <= 0:
            return ready
        loop = asyncio.get_running_loop()
        happened = loop.create_future()
        self._under_way.add(happened)
        descriptors = [int(socket.getsockopt(zmq.FD)) for socket in sockets]
        for descriptor in descriptors:
            loop.add_reader(descriptor, _end, happened)
        timer = loop.call_later(timeout_s, _end, happened)
        try:
            await happened
        finally:
            timer.cancel()
            self._under_way.discard(happened)
            for descriptor in descriptors:
                loop.remove_reader(descriptor)
        return _ready(sockets)

    def wake(self) -> None:
        """End all waits that are under way."""
        for wait in self._under_way:
            _end(wait)


def _ready(sockets: Sequence["zmq.Socket[bytes]"]) -> "list[zmq.Socket[bytes]]":
    return [socket for socket in sockets if int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN]


def _end(wait: "asyncio.Future[None]") -> None:
    if not wait.done():
        wait.set_result(None)
