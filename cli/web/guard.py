"""Who may come in, and what browsers are told to keep to. Before anything else looks at what was sent.

A page of a foreign name that leads to this address (DNS rebinding) sends that name as its Host, and is refused; so is
what a foreign page asks of us. There is no method but GET. Knows HTTP, and nothing of the fleet.
"""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""A page takes what this server has and nothing else, and makes no program of what it is sent."""

HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)

OWN_SITE: Final = frozenset({b"same-origin", b"none"})
"""What a browser says of requests that this page makes, and of those that a person typed."""


class Guard:
    """Lets through what may come in, and puts the headers on every answer."""

    def __init__(self, app: App, *, is_remote: bool, names: Collection[str] = ()) -> None:
        """Stand before an application.

        Args:
            app: what is guarded.
            is_remote: it listens beyond this machine, so any IP address may be its name.
            names: others that it is called by, as in a browser's address.
        """
        self._app = app
        self._is_remote = is_remote
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise TypeError(scope["type"])

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        refused = self.refusal(scope)
        if refused is None:
            await self._app(scope, receive, send_guarded)
        else:
            await _refuse(send_guarded, *refused)

    def refusal(self, scope: Scope) -> tuple[HTTPStatus, str] | None:
        """Return why a request may not come in; None: it may."""
        given: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            given.setdefault(name.lower(), []).append(value)
        hosts = given.get(b"host", [])
        if len(hosts) != 1 or not self.is_own(hosts[0].decode("latin-1")):
            message = "This server is not called that. Name it with --host if it is."
            return HTTPStatus.MISDIRECTED_REQUEST, message
        if scope["method"] != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, "There is nothing to be changed here: GET only."
        if scope["path"] != "/" and not OWN_SITE.issuperset(given.get(b"sec-fetch-site", [])):
            return HTTPStatus.FORBIDDEN, "Only the page of this server may ask it."
        return None

    def is_own(self, host: str) -> bool:
        """Return whether a Host header names this server; a port may be any, as it is behind a tunnel."""
        name = _without_port(host).lower()
        if name == "localhost" or name in self._names:
            return True
        try:
            address = ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return self._is_remote or address.is_loopback


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


async def _refuse(send: Send, status: HTTPStatus, why: str) -> None:
    body = f"{why}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"GET"))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
