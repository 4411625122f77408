"""One call: a POST over HTTP, within a time, that takes no more of an answer than its status.

Redirects are not followed: they would lead where nobody allowed. Proxies and credentials of the environment are not
used: what is called is what was compared. Certificates are those that the operating system trusts. Runs in whatever
event loop awaits it; knows nothing of deliveries.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import httpx

from castiron.transport.webhooks.answer import Answered

MAX_IDLE: Final = 16
"""Connections that are kept open for the next call; more are closed."""

KEEP_S: Final = 30.0
"""How long: receivers close after 5 to 75 s, and one that closes first costs a retry."""

MAX_ANSWER_BYTES: Final = 4_096
"""Of an answer's body that are read so that its connection can be used again; nobody looks at them."""

READ_S: Final = 0.5
"""How long that may take: the status has been heard, and nothing else matters."""

CONNECT_SHARE: Final = 0.5
"""Of a call's time, what the look-up of the name, the connection and TLS may take."""

USER_AGENT: Final = "castiron"


class Poster:
    """Makes calls from one event loop, and keeps connections open between them; an async context manager.

    httpx's transport without its client: no redirects, cookies, proxies or credentials, and no log that has whole URLs.
    """

    def __init__(self, *, max_in_flight: int) -> None:
        limits = httpx.Limits(
            max_connections=max_in_flight, max_keepalive_connections=MAX_IDLE, keepalive_expiry=KEEP_S
        )
        self._transport = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(), trust_env=False, limits=limits)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, traceback)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float) -> Answered:
        """Make a call. Raises nothing of HTTP's: no answer is an outcome, too.

        Args:
            timeout_s: for the look-up of the name, the connection, TLS, the request and the answer's head together.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(url, headers, body, timeout_s * CONNECT_SHARE)
        except TimeoutError:
            return Answered(None, f"no answer within {timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, OSError, ValueError) as error:
            return Answered(
                None, _in_words(error), is_away=isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            )

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes, connect_s: float) -> Answered:
        # httpx counts each time anew with each byte that comes, so the whole call has an end of its own, around this.
        times = httpx.Timeout(None, connect=connect_s).as_dict()
        told = {"user-agent": USER_AGENT, "accept": "*/*", **headers}
        request = httpx.Request("POST", url, headers=told, content=body, extensions={"timeout": times})
        response = await self._transport.handle_async_request(request)
        try:
            if _is_short(response):
                with suppress(httpx.HTTPError, TimeoutError):
                    async with asyncio.timeout(READ_S):
                        await response.aread()
        finally:
            await response.aclose()
        status = response.status_code
        return Answered(status, f"status {status}", _retry_after_s(response.headers.get("retry-after")))


def _is_short(response: httpx.Response) -> bool:
    length = response.headers.get("content-length", "")
    is_plain = "content-encoding" not in response.headers  # a few bytes may be compressed gigabytes
    return (
        is_plain
        and length.isdecimal()
        and len(length) <= len(str(MAX_ANSWER_BYTES))
        and int(length) <= MAX_ANSWER_BYTES
    )


def _retry_after_s(text: str | None) -> float | None:
    """Return what Retry-After says in seconds; None: nothing, or a date, whose clock is not ours."""
    is_number = text is not None and text.isascii() and text.isdecimal() and len(text) <= 9  # noqa: PLR2004 - 30 years
    return float(text or 0) if is_number else None


def _in_words(error: Exception) -> str:
    """Return why there was no answer, without anything that the receiver sent or that a URL holds."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return "no connection"
        case httpx.RemoteProtocolError():
            return "what came back is not HTTP, or ended too early"
        case httpx.ReadError() | httpx.WriteError() | OSError():
            return "the connection was lost"
        case _:
            return f"no answer ({type(error).__name__})"
