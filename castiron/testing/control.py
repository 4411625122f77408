"""Where a running farm takes orders: a Unix socket of this user's, one order and one answer on each connection.

Both are a line of JSON; `castiron.testing.orders` says what they hold. One thread serves one connection after the
other; a client that does not speak or does not read is given up after a while. The socket's mode is 0600 before anybody
can connect, and what a dead farm left behind is replaced.
"""

import contextlib
import errno
import json
import logging
import os
import socket
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from threading import Thread
from types import TracebackType
from typing import Final, Self

from castiron.testing.farm import BMCFarm
from castiron.testing.orders import INVALID, Answer, obey
from castiron.transport.endpoint import Endpoint, probe

MAX_ORDER_BYTES: Final = 65_536
"""One line. The longest sensible order sets every fault of a host range that fills a terminal."""
PATIENCE_S: Final = 2.0
"""For a client to send, or to take, the next bytes. Nobody else is served meanwhile."""
CLOSE_TIMEOUT_S: Final = 2 * PATIENCE_S
"""How long `close` waits for the thread to be done with a client."""
SOCKET_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

_BACKLOG: Final = 128  # a shell loop's worth of commands at once: beyond it, connecting fails at once

_log = logging.getLogger(__name__)


class FarmControl:
    """A farm's socket for orders. Use it in a `with`, or call `start` and `close`.

    Args:
        farm: one that has been started; it must outlive this.
        path: where the socket is to be; its folder is made if it is missing.
    """

    def __init__(self, farm: BMCFarm, path: Path) -> None:
        self.path = path
        self._farm = farm
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Listen.

        Raises:
            OSError: something else is at the path, another farm listens there, or the system does not let us.
        """
        self._listener = _listen(self.path)
        self._file = self.path.lstat()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = Thread(target=self._run, name="bmc-farm-control", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening and remove the socket. Blocks up to CLOSE_TIMEOUT_S. Idempotent."""
        if self._thread is None:
            return
        os.eventfd_write(self._wake, 1)
        self._thread.join(CLOSE_TIMEOUT_S)
        self._thread = None
        self._listener.close()
        os.close(self._wake)
        with contextlib.suppress(OSError):  # gone, or somebody else's by now
            if os.path.samestat(self.path.lstat(), self._file):
                self.path.unlink()

    def _run(self) -> None:
        with DefaultSelector() as selector:
            selector.register(self._listener, EVENT_READ)
            selector.register(self._wake, EVENT_READ)
            while all(key.fileobj is self._listener for key, _ in selector.select()):
                with contextlib.suppress(OSError):  # a client that went away, or takes too long
                    self._serve()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(PATIENCE_S)
            with connection.makefile("rwb") as lines:
                lines.write(json.dumps(self._answer(lines.readline(MAX_ORDER_BYTES))).encode() + b"\n")

    def _answer(self, line: bytes) -> Answer:
        try:
            order = json.loads(line)
        except (ValueError, RecursionError):
            return {"error": {"code": INVALID, "message": f"An order is one line of JSON, up to {MAX_ORDER_BYTES} B."}}
        try:
            return obey(self._farm, order)
        except Exception:  # noqa: BLE001 - a fault of ours is told, and the next order is taken
            _log.exception("An order failed by a fault of the farm's own.")
            return {"error": {"code": "internal", "message": "The farm failed at this order; its output says how."}}


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(SOCKET_MODE)  # nobody can connect before `listen`
        listener.listen(_BACKLOG)
        listener.settimeout(0)
    except BaseException:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    """Remove the socket of a dead farm; refuse to touch anything else."""
    if not os.path.lexists(path):
        return
    if not path.is_socket():
        raise OSError(errno.EEXIST, f"{path} is there, and is no socket; remove it, or choose another path")
    failure = probe(Endpoint(path=str(path)))
    if failure is None:
        raise OSError(errno.EADDRINUSE, f"another farm takes orders at {path}; choose another path")
    if isinstance(failure, PermissionError):
        raise OSError(errno.EACCES, f"the socket of another user is at {path}; choose another path")
    path.unlink()
