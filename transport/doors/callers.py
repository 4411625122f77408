"""Who is behind a message: what the kernel or a key says of its sender, never what the sender says of itself."""

from functools import lru_cache
from typing import Final

import zmq

from castiron.transport.doors.guard import Guard
from castiron.transport.session import Caller

_CREDENTIALS: Final = 3
"""uid, gid and pid."""

REMEMBERED: Final = 1024
"""Addresses that need not be taken apart again: of the processes that ask most. 1.5 µs each, for every request."""


class Callers:
    """Tells who sent a frame. The front door's thread only."""

    def __init__(self, guard: Guard | None, *, is_ipc: bool) -> None:
        self._guard = guard
        self._is_ipc = is_ipc

    def of(self, frame: zmq.Frame) -> Caller:
        """Return who sent a frame.

        Raises:
            KeyRefused: one whose key is not in the allow-list any more.
        """
        if self._guard is not None:
            return self._guard.caller(_property(frame, "User-Id"))
        if self._is_ipc:
            return _ipc_caller(_property(frame, "Peer-Address"))
        return Caller(f"tcp:{_property(frame, 'Peer-Address') or 'unknown'}")


@lru_cache(REMEMBERED)
def _ipc_caller(peer_address: str) -> Caller:
    return Caller(ipc_requester(peer_address))


def ipc_requester(peer_address: str) -> str:
    """Return who is at the other end of a Unix socket, as the kernel says (SO_PEERCRED): "ipc:uid=1000".

    libzmq tells of such a peer "host:uid:gid:pid"; where it does not, only "ipc" is known.
    """
    _, *numbers = peer_address.rsplit(":", 3)
    is_known = len(numbers) == _CREDENTIALS and all(number.isdecimal() for number in numbers)
    return f"ipc:uid={numbers[0]}" if is_known else "ipc"


def _property(frame: zmq.Frame, name: str) -> str:
    try:
        return str(frame.get(name))
    except zmq.ZMQError:  # the system did not say
        return "unknown"
