"""What is served: the page, the fleet as JSON, one node and one request, and the stream of changes. All of it is GET.

How much at a time is decided here; who may come in, before.
"""

from collections.abc import AsyncIterator
from http import HTTPStatus
from importlib.resources import files
from pathlib import PurePath
from typing import Any, Final, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from castiron.cli.output.faults import error_map
from castiron.cli.web.board import Board
from castiron.cli.web.feed import as_json
from castiron.cli.web.inquiry import Inquiry
from castiron.transport.errors import ArgumentInvalid, CapacityError, CastironError, NodeNotFound, RequestNotFound

MAX_STREAMS: Final = 64
"""Browsers at once: a control room has a dozen. Each holds a connection; those above are told to try later."""

MAX_QUERY: Final = 8_192
"""Bytes of a filter: a range and sixteen conditions as people type them."""

HEARTBEAT_S: Final = 15.0
"""Between two signs of life in a stream, so that both sides find out that the other is gone."""

CHUNK_BYTES: Final = 65_536
"""Handed over at a time, so that no more than that waits in memory for a slow browser."""

RETRY_MS: Final = 1_000
"""How long a browser waits before it comes back."""

_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_STATUSES: Final[tuple[tuple[type[Exception], HTTPStatus], ...]] = (
    (ArgumentInvalid, HTTPStatus.BAD_REQUEST),
    (NodeNotFound, HTTPStatus.NOT_FOUND),
    (RequestNotFound, HTTPStatus.NOT_FOUND),
    (CastironError, HTTPStatus.SERVICE_UNAVAILABLE),
)
"""The first line that fits decides."""


class Site:
    """The routes, and how many browsers follow. One loop's thread only."""

    def __init__(self, board: Board, inquiry: Inquiry) -> None:
        self._board = board
        self._inquiry = inquiry
        self._streams = 0
        self._files = {
            file.name: (file.read_bytes(), _TYPES[suffix])
            for file in files("castiron.cli.web").joinpath("page").iterdir()
            if (suffix := PurePath(file.name).suffix) in _TYPES
        }

    def app(self) -> Starlette:
        """Return the application."""
        routes = [
            Route("/", self._index),
            Route("/page/{name}", self._file),
            Route("/api/fleet", self._fleet),
            Route("/api/chosen", self._chosen),
            Route("/api/work", self._work),
            Route("/api/nodes/{uuid}", self._node),
            Route("/api/requests/{id}", self._request),
            Route("/api/stream", self._stream, methods=["GET"]),
        ]
        return Starlette(routes=routes, exception_handlers={CastironError: _failed, TimeoutError: _too_slow})

    async def _index(self, request: Request) -> Response:
        del request
        return self._page("index.html")

    async def _file(self, request: Request) -> Response:
        return self._page(request.path_params["name"])

    def _page(self, name: str) -> Response:
        if name not in self._files:
            return Response("There is no such file.\n", HTTPStatus.NOT_FOUND, media_type="text/plain")
        body, kind = self._files[name]
        return Response(body, media_type=kind)

    async def _fleet(self, request: Request) -> Response:
        del request
        return _answer(self._board.seen())

    async def _chosen(self, request: Request) -> Response:
        if len(request.url.query) > MAX_QUERY:
            raise ArgumentInvalid(f"A filter has {MAX_QUERY} bytes at the most.")
        query = request.query_params
        uuids = await self._inquiry.choose(query.get("range", ""), query.getlist("where"))
        return _answer({"uuids": uuids})

    async def _work(self, request: Request) -> Response:
        del request
        return _answer({"work": await self._inquiry.work()})

    async def _node(self, request: Request) -> Response:
        return _answer(await self._inquiry.node(request.path_params["uuid"]))

    async def _request(self, request: Request) -> Response:
        return _answer(await self._inquiry.trace(request.path_params["id"]))

    async def _stream(self, request: Request) -> Response:
        if self._streams >= MAX_STREAMS:
            raise CapacityError(f"{MAX_STREAMS} browsers follow already. Close one, or try later.", retry_after_s=5.0)
        last_id = request.headers.get("last-event-id") or request.query_params.get("after", "")
        body = pieces(self._board, self._board.feed.place(last_id))
        return _Stream(self, body)

    def enter(self) -> None:
        """Count a browser in."""
        self._streams += 1

    def leave(self) -> None:
        """Count a browser out."""
        self._streams -= 1


class _Stream(StreamingResponse):
    """A stream that is counted while it lasts."""

    def __init__(self, site: Site, body: AsyncIterator[bytes]) -> None:
        super().__init__(body, media_type="text/event-stream")
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        self._site.enter()
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._site.leave()


async def pieces(board: Board, place: int) -> AsyncIterator[bytes]:
    """Yield what a browser is sent that has everything up to a place, as server-sent events, in pieces."""
    feed = board.feed
    yield f"retry: {RETRY_MS}\n\n".encode()
    while not feed.is_closed:
        message = feed.after(place) if place < feed.number else None
        if message is not None:
            place, data = message
        elif place != feed.number:
            place, data = feed.number, board.everything()
        else:
            data = b"" if await feed.newer(place, HEARTBEAT_S) else b": still here\n\n"
        for piece in _chunks(data):
            yield piece


def _chunks(data: bytes) -> list[bytes]:
    return [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]


def _answer(content: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(as_json(content), int(status), media_type="application/json")


def _failed(request: Request, error: Exception) -> Response:
    del request
    status = next(status for kind, status in _STATUSES if isinstance(error, kind))
    return _answer({"error": error_map(cast("CastironError", error))}, status)


def _too_slow(request: Request, error: Exception) -> Response:
    del request, error
    told = {"code": "reply.timeout", "message": "The conductor took too long to answer."}
    return _answer({"error": told}, HTTPStatus.GATEWAY_TIMEOUT)
