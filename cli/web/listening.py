"""The server: a socket on an address, uvicorn behind it, and how long it has patience with whom. The home of uvicorn.

Knows no route.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.web.guard import App

MAX_CONNECTIONS: Final = 256
"""Those of 64 streams, and six for each of a few dozen pages that are being loaded; those above are refused."""

MAX_HEAD_BYTES: Final = 16_384
"""Of a request's first line and headers: as most servers allow."""

IDLE_S: Final = 10.0
"""For a request to be sent, and between two on one connection."""

STALLED_S: Final = 30.0
"""Whoever takes nothing for so long is let go; a browser comes back by itself, and goes on where it was."""

STOP_S: Final = 3.0
"""For answers that are under way when it is stopped."""


class PatientProtocol(H11Protocol):
    """One connection, which is ended when it is idle, or its reader does not read, for too long."""

    idle_s = IDLE_S
    stalled_s = STALLED_S

    _idle: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Begin to count."""
        super().connection_made(transport)
        self._count()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count no more."""
        for timer in (self._idle, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Count from when the buffers are full."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.stalled_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Count no more: something was read."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    def _count(self) -> None:
        self._idle = self.loop.call_later(self.idle_s, self._end_if_idle, self.cycle)

    def _end_if_idle(self, seen: object | None) -> None:
        """End it unless a request is being answered, or another one has been since."""
        cycle = self.cycle
        if cycle is seen and (seen is None or cycle.response_complete):
            self.transport.abort()
        else:
            self._count()


class _Server(uvicorn.Server):
    """A server whose signals are somebody else's."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave them alone."""
        yield


def bound(address: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0: any that is free.

    Raises:
        Stop: the system does not let it.
    """
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET  # noqa: PLR2004 - as it is called
    try:
        return socket.create_server((address, port), family=family)
    except OSError as error:
        message = f"Nothing can listen at {address}:{port}: {error.strerror}. Choose another --port."
        raise Stop(message, Exit.CANNOT_CREATE) from error


def url_of(listening: socket.socket) -> str:
    """Return where a socket is reached."""
    address, port = listening.getsockname()[:2]
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


async def serve(app: App, listening: socket.socket, on_stop: Callable[[], object]) -> None:
    """Serve until SIGINT, SIGTERM or cancellation.

    Args:
        app: what is served.
        listening: where.
        on_stop: called when it is to end, so that what would last for ever does.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            timeout_keep_alive=int(IDLE_S),
            timeout_graceful_shutdown=int(STOP_S),
        )
    )

    def stop(*_: Any) -> None:
        on_stop()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    await server.serve(sockets=[listening])
