"""A sender that floods a socket is muted there: the kernel drops what it sends, before it takes room or time of ours.

All BMCs share a few sockets, so the garbage of one fills the buffer that its neighbours' answers need, and the engine's
thread with it. Who floods is found by samples: whoever sent the last datagram of a batch that was full. Many answers at
once make full batches too, each ended by somebody else; one sender ends nearly all of them only if it sends nearly all.
No clock is needed: a mute ends when the address is spoken to anew through the socket, or when too many others flood.

Source: Linux, socket filters (Documentation/networking/filter.rst): SO_ATTACH_FILTER, which needs no privilege.
"""

import ctypes
import logging
import socket
import struct
from collections import deque
from ipaddress import ip_address
from typing import Final

from castiron.actors.drivers.ipmi.wire.address import SocketAddress

SAMPLES: Final = 256
"""Full batches that are remembered: 16,384 datagrams of a socket at 64 a batch, a sixteenth of a second of a flood.
Some hundred strange ones before each true answer are borne: who is muted loses its session, which is to be rare."""

FLOOD: Final = 192
"""Of so many, those that one sender ends. A BMC answers once for each question, so it would end one or two."""

MAX_MUTED: Final = 32
"""Senders that are muted on one socket. Each is a few instructions for every datagram that the kernel takes."""

SO_ATTACH_FILTER: Final = 26
SO_DETACH_FILTER: Final = 27

_LOAD_WORD: Final = 0x20
_LOAD_HALF: Final = 0x28
_JUMP_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
_IP_HEADER: Final = 0xFFF0_0000
"""SKF_NET_OFF: the network header; offset 0 is UDP's, which begins with the sender's port."""
_SENDER_AT: Final = {4: 12, 6: 8}
"""IP version → where its header has the sender."""
_WHOLE: Final = 0xFFFF_FFFF

_Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, value."""

_log = logging.getLogger(__name__)


class Mutes:
    """Who is muted on one socket. One thread."""

    def __init__(self, on: socket.socket) -> None:
        self.count = 0
        """Times that somebody was muted."""
        self._socket = on
        self._samples: deque[SocketAddress] = deque(maxlen=SAMPLES)
        self._muted: dict[SocketAddress, None] = {}

    def __len__(self) -> int:
        """Return how many are muted now."""
        return len(self._muted)

    def sample(self, sender: SocketAddress) -> None:
        """Note who sent the last datagram of a full batch; mute whoever floods."""
        self._samples.append(sender)
        if self._samples.count(sender) < FLOOD:
            return
        self._samples.clear()
        self._muted[sender] = None
        if len(self._muted) > MAX_MUTED:
            del self._muted[next(iter(self._muted))]
        self.count += 1
        _log.warning("%s port %d floods; what it sends is dropped until it is logged in to anew.", *sender[:2])
        self._apply()

    def lift(self, sender: SocketAddress) -> None:
        """Hear a sender again, if it was muted. Idempotent."""
        if sender in self._muted:
            del self._muted[sender]
            self._apply()

    def _apply(self) -> None:
        """Have the kernel do as is noted here; where it does not, a flood costs time as it did before."""
        try:
            if not self._muted:
                self._socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
                return
            program = b"".join(struct.pack("HBBI", *each) for each in instructions(list(self._muted)))
            kept = ctypes.create_string_buffer(program, len(program))
            told = struct.pack("HL", len(program) // struct.calcsize("HBBI"), ctypes.addressof(kept))
            self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, told)
        except OSError as error:
            _log.warning("A flood cannot be muted: %s.", error.strerror)


def instructions(senders: list[SocketAddress]) -> list[_Instruction]:
    """Return the filter that drops what these send and takes everything else. Pure."""
    return [step for sender in senders for step in _drop(sender)] + [(_RETURN, 0, 0, _WHOLE)]


def _drop(sender: SocketAddress) -> list[_Instruction]:
    """Return what drops the datagrams of one sender, and goes on behind itself with all others."""
    host, port = sender[:2]
    address = ip_address(str(host).partition("%")[0])
    words = struct.unpack(f">{len(address.packed) // 4}I", address.packed)
    tests = [(_LOAD_WORD, _IP_HEADER + _SENDER_AT[address.version] + 4 * at, word) for at, word in enumerate(words)]
    tests.append((_LOAD_HALF, 0, port))
    steps: list[_Instruction] = []
    for number, (load, at, value) in enumerate(tests):
        behind = 2 * (len(tests) - number - 1) + 1
        steps += [(load, 0, 0, at), (_JUMP_IF_EQUAL, 0, behind, value)]
    return [*steps, (_RETURN, 0, 0, 0)]
