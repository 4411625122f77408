"""A place where a conductor listens: a bound socket, and its file where it is a Unix socket.

The file is made here and not by ZeroMQ: between bind and listen nobody can connect, so its mode is 0600 before anybody
can. What a dead conductor left behind is replaced; a live one is never disturbed.
"""

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

import zmq

from castiron.transport.doors.guard import Guard
from castiron.transport.doors.zap import Gate
from castiron.transport.endpoint import Endpoint, parse_endpoint, probe
from castiron.transport.errors import EndpointRefused

SOCKET_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

BACKLOG: Final = 512
"""Connections that the kernel keeps until they are accepted; the kernel may cut it (net.core.somaxconn)."""

MAX_FRAME_BYTES: Final = 1_048_576
"""A larger frame ends its connection. Sixteen times what is answered with an error, so that a slip gets one."""

RECEIVE_HIGH_WATER_MARK: Final = 256
"""Messages of one peer that wait to be read; then its own socket holds them back."""

SEND_HIGH_WATER_MARK: Final = 256
"""Answers that wait for one peer to read, then they are dropped; twice what its messages in flight can get."""


ROUTER_OPTIONS: Final[Mapping[int, int]] = {
    zmq.ROUTER_MANDATORY: 1,  # a vanished peer is an error to count
    zmq.MAXMSGSIZE: MAX_FRAME_BYTES,
    zmq.RCVHWM: RECEIVE_HIGH_WATER_MARK,
    zmq.SNDHWM: SEND_HIGH_WATER_MARK,
}


class Listener:
    """A socket that is bound. Opened by one thread, used by one (maybe another), closed by that one.

    It has a ZeroMQ context, and so an I/O thread, of its own: two listeners of a conductor do not wait for each other.

    Attributes:
        socket: the socket.
        endpoint: where it is bound.
        gate: where handshakes are judged; None: whoever can connect may.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        kind: int = zmq.ROUTER,
        options: Mapping[int, int] = ROUTER_OPTIONS,
        guard: Guard | None = None,
    ) -> None:
        """Bind.

        Args:
            endpoint: where.
            kind: of the socket, as ZeroMQ numbers them.
            options: of the socket, beside those that every listener has.
            guard: whose key and list protect it; None: nobody's.

        Raises:
            EndpointRefused: somebody listens there, or the system does not let us.
        """
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self.socket = self._context.socket(kind)
        self._path = Path(endpoint.path) if endpoint.path is not None else None
        self._file: os.stat_result | None = None
        self.gate = None if guard is None else Gate(self._context)
        try:
            self._set_options(endpoint, {**options, **({} if guard is None else guard.options())})
            self.endpoint = self._bind(endpoint)
        except BaseException:
            self.close()
            raise

    def _set_options(self, endpoint: Endpoint, options: Mapping[int, int | bytes]) -> None:
        self.socket.setsockopt(zmq.SNDTIMEO, 0)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.IPV6, endpoint.is_ipv6)
        self.socket.setsockopt(zmq.BACKLOG, BACKLOG)
        for option, value in options.items():
            self.socket.setsockopt(option, value)

    def _bind(self, endpoint: Endpoint) -> Endpoint:
        try:
            if self._path is not None:
                stream = _open_unix(endpoint, self._path)
                self._file = self._path.lstat()
                self.socket.setsockopt(zmq.USE_FD, stream.detach())
            self.socket.bind(str(endpoint))
        except (OSError, zmq.ZMQError) as failure:
            raise _refused(endpoint, f"The system refuses it: {failure.strerror or failure}.") from None
        return endpoint if endpoint.is_ipc else parse_endpoint(self.socket.getsockopt_string(zmq.LAST_ENDPOINT))

    def close(self, linger_ms: int = 0) -> None:
        """Close the socket and remove its file.

        Args:
            linger_ms: how long to wait for peers to take what has been sent.
        """
        self._remove_file()
        self.socket.close(linger=linger_ms)
        if self.gate is not None:
            self.gate.close()
        self._context.term()

    def _remove_file(self) -> None:
        """Remove the file if it is still ours: somebody may have replaced it."""
        with contextlib.suppress(OSError):
            if self._path is not None and self._file is not None and os.path.samestat(self._path.lstat(), self._file):
                self._path.unlink()


def _open_unix(endpoint: Endpoint, path: Path) -> socket.socket:
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _locked(endpoint, path.parent):
            _clear(endpoint, path)
            stream.bind(str(path))
            path.chmod(SOCKET_MODE)
            stream.listen(BACKLOG)
    except BaseException:
        stream.close()
        raise
    return stream


@contextlib.contextmanager
def _locked(endpoint: Endpoint, folder: Path) -> Generator[None]:
    """Keep two conductors that start at the same moment from replacing each other's socket."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise _refused(endpoint, f"Another program opens a socket in {folder} right now. Start again.") from None
    finally:
        os.close(descriptor)


def _clear(endpoint: Endpoint, path: Path) -> None:
    """Make room for the socket: remove the one of a dead conductor, refuse to touch anything else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise _refused(endpoint, "A file that is not a socket is there. Remove it, or choose another path.")
    failure = probe(endpoint)
    if failure is None:
        raise _refused(endpoint, "A conductor listens there already. Stop it, or choose another path.")
    if isinstance(failure, PermissionError):
        raise _refused(endpoint, "The socket of another user is there. Choose another path.")
    path.unlink()


def _refused(endpoint: Endpoint, reason: str) -> EndpointRefused:
    return EndpointRefused(f"Cannot listen at {endpoint}. {reason}", details={"endpoint": str(endpoint)})
