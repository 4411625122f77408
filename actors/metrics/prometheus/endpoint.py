"""Where metrics are read: http://ADDRESS:PORT/metrics, on threads of its own.

A scrape is answered from copies of counters, so however slow its reader is, nobody else waits. Knows HTTP and no
metric.
"""

import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from socketserver import TCPServer
from typing import Any, Final, NamedTuple, cast

from castiron.transport.errors import EndpointRefused

log = logging.getLogger(__name__)

PATH: Final = "/metrics"

MAX_SCRAPES: Final = 8
"""Scrapes at once, in as many threads: one server asks every few seconds. Further ones are closed at once."""

PATIENCE_S: Final = 10.0
"""For one who sends or reads slowly; a scrape's own time-out is 10 s unless it is told otherwise."""


class Page(NamedTuple):
    """An answer."""

    body: bytes
    content_type: str


Render = Callable[[str], Page]
"""Makes the page from the Accept header of whoever asks. Any thread; several at once."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server_version = "castiron"
    sys_version = ""
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        """Answer with the metrics."""
        if self.path.partition("?")[0] != PATH:
            return self._answer(HTTPStatus.NOT_FOUND, Page(f"Metrics are at {PATH}.\n".encode(), "text/plain"))
        try:
            page = cast("_Server", self.server).render(self.headers.get("Accept", ""))
        except Exception:
            log.exception("metrics could not be made")
            failed = Page(b"Metrics could not be made; the conductor's log says why.\n", "text/plain")
            return self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, failed)
        return self._answer(HTTPStatus.OK, page)

    def _answer(self, status: HTTPStatus, page: Page) -> None:
        self.send_response(status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say it where the rest of the conductor does, and hardly ever."""
        log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    """The socket, and a bounded number of threads."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, port: int, render: Render) -> None:
        self.address_family = AF_INET6 if ":" in address else AF_INET
        self.address = address
        self.render = render
        self._places = threading.BoundedSemaphore(MAX_SCRAPES)
        super().__init__((address, port), _Handler)

    def server_bind(self) -> None:
        """Bind, and ask nobody for the address's name, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.address, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread, or close it."""
        if not self._places.acquire(blocking=False):
            return self.shutdown_request(request)
        try:
            return super().process_request(request, client_address)
        except RuntimeError:  # the system has no thread left
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say that somebody went away in the middle."""
        del request
        log.debug("a scrape from %s ended early", client_address)


class Endpoint:
    """The endpoint of one conductor; listens from its construction on.

    Args:
        address: an IP address.
        port: 0: any that is free.
        render: makes the page.

    Attributes:
        url: where it is.

    Raises:
        EndpointRefused: the system does not let it listen there.
    """

    def __init__(self, address: str, port: int, render: Render) -> None:
        try:
            self._server = _Server(address, port, render)
        except OSError as error:
            message = f"Metrics cannot be served at {address}:{port}: {error.strerror}. Choose another prometheus_port."
            raise EndpointRefused(message, details={"endpoint": f"{address}:{port}"}) from error
        host = f"[{address}]" if ":" in address else address
        self.url = f"http://{host}:{self._server.server_address[1]}{PATH}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="castiron-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more; what is being answered goes on. Blocks for half a second at the most. Idempotent."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
