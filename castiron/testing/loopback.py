"""One UDP socket that is every address of 127.0.0.0/8 at once, on one port.

Linux delivers all of that network to this machine. So a socket on 0.0.0.0 learns from each datagram's ancillary data
(IP_PKTINFO) which address was meant, and answers from it; a thousand BMCs need one descriptor. The socket is tied to
the loopback interface, and what does not come from 127.0.0.0/8 is dropped besides: nothing outside can reach it.
"""

import contextlib
import errno
import socket
from struct import Struct
from typing import Final, NamedTuple

MAX_BYTES: Final = 2048
"""More than any IPMI datagram; a longer one is cut."""
RECEIVE_BUFFER_BYTES: Final = 4 << 20
"""Asked of the kernel: the logins of some 4,000 BMCs at the same instant wait there. Default: about 250."""

_IP_PKTINFO: Final = 8  # linux/in.h; the socket module has no name for it before Python 3.14
_PKTINFO: Final = Struct("i4s4s")  # interface, address to answer from, address that was meant
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_PKTINFO.size)
_LOOPBACK: Final = "127."


class Received(NamedTuple):
    """A datagram that came in."""

    datagram: bytes
    """What it holds."""
    address: bytes
    """The four bytes of the address that it was sent to."""
    source: tuple[str, int]
    """Who sent it."""


class LoopbackSocket:
    """A non-blocking UDP socket on every 127.x address. For one thread.

    Args:
        port: the UDP port; 0 for any that is free.

    Raises:
        OSError: EADDRINUSE, the port is taken; EACCES, it is below 1024 and this process may not use it.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._prepare(port)
        except BaseException:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def receive(self) -> Received | None:
        """Return the next datagram from a loopback address; None if none is waiting. Never blocks."""
        while True:
            try:
                datagram, ancillary, _, source = self._socket.recvmsg(MAX_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                return None
            if ancillary and source[0].startswith(_LOOPBACK):
                return Received(datagram, ancillary[0][2][8:12], source)

    def send(self, datagram: bytes, address: bytes, destination: tuple[str, int]) -> None:
        """Send a datagram from the address with these four bytes. Never blocks; like UDP, it may come to nothing."""
        origin = [(socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, address, bytes(4)))]
        with contextlib.suppress(OSError):  # a full buffer, a port 0: a lost datagram
            self._socket.sendmsg([datagram], origin, 0, destination)

    def close(self) -> None:
        """Give the port back. Idempotent."""
        self._socket.close()

    def _prepare(self, port: int) -> None:
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        with contextlib.suppress(PermissionError):  # before Linux 5.7 for root only; the check of the source remains
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        try:
            self._socket.bind(("0.0.0.0", port))  # noqa: S104 (the loopback interface only, see above)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            taken = f"UDP port {port} is taken by another program; choose another port, or 0 for any free one"
            raise OSError(errno.EADDRINUSE, taken) from None
