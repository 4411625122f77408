"""Which URLs may be called: those that begin with a prefix which an operator has named.

A URL is read by rules that leave nothing to interpret: characters that readers of URLs treat differently (backslash,
white space, control characters), user names, dot segments and escapes that hide any of them are refused, not repaired.
So what was compared is what is called. Two are compared part by part: scheme, host, port, and whole path segments.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote

MASKED_QUERY: Final = "?******"

_FORM: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
    r"(?P<query>\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
)
"""What is taken of RFC 3986: no user information, no fragment, ASCII only. Scheme and host are lowered by then."""

_PORTS: Final = {"http": 80, "https": 443}
_MAX_PORT: Final = 65_535
_HIDING: Final = re.compile(r"%(?:2e|2f|3b|5c|25|[01][0-9a-f]|7f)", re.IGNORECASE)
"""Escapes of dot, slash, semicolon, backslash, per cent and control characters: some servers undo them first."""


class AddressRefused(ValueError):
    """A URL cannot be called, or a prefix cannot be used. The message says why, and does not hold the URL's query."""


@dataclass(frozen=True, slots=True)
class Address:
    """A URL, taken apart."""

    scheme: str
    host: str
    port: int
    segments: tuple[str, ...]
    """Of the path, each with its escapes undone."""
    has_query: bool = False

    @property
    def destination(self) -> str:
        """Who is called: scheme, host and port."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether nothing that is said leaves this machine: 127.0.0.0/8, ::1, or the name localhost."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def is_under(self, prefix: "Address") -> bool:
        """Return whether it is the prefix, or below it."""
        same = (self.scheme, self.host, self.port) == (prefix.scheme, prefix.host, prefix.port)
        return same and self.segments[: len(prefix.segments)] == prefix.segments


def parsed(url: str) -> Address:
    """Take a URL apart.

    Raises:
        AddressRefused: it is no URL that could be called, or one that could be read in two ways.
    """
    found = _FORM.fullmatch(_lowered(url))
    if found is None:
        raise AddressRefused(
            "It must look like https://host:port/path?query: ASCII without spaces, no user name, no fragment."
        )
    port = int(found["port"] or _PORTS[found["scheme"]])
    path = found["path"] or "/"
    if port > _MAX_PORT:
        raise AddressRefused(f"There is no port {port}.")
    if _HIDING.search(path):
        raise AddressRefused(
            "Its path hides a dot, a slash, a semicolon, a per cent sign or a control character behind an escape."
        )
    segments = tuple(unquote(segment, errors="strict") for segment in _checked(path).split("/")[1:])
    return Address(found["scheme"], _host(found["host"]), port, segments, found["query"] is not None)


def prefix_of(text: str) -> Address:
    """Take a prefix apart: a URL without a query; whether it ends in a slash makes no difference.

    Raises:
        AddressRefused: as `parsed`, or it has a query.
    """
    address = parsed(text)
    if address.has_query:
        raise AddressRefused("A prefix has no query.")
    segments = address.segments[:-1] if address.segments[-1] == "" else address.segments
    return Address(address.scheme, address.host, address.port, segments)


def shown(url: str) -> str:
    """Return a URL as people may see it: a query may hold a token."""
    before, mark, _ = url.partition("?")
    return before + (MASKED_QUERY if mark else "")


class Allowed:
    """The rule of one conductor.

    Args:
        prefixes: what may be called; none: nothing.
        plain_http: http may leave this machine.

    Raises:
        AddressRefused: a prefix cannot be used; the message names it.
    """

    def __init__(self, prefixes: Iterable[str], *, plain_http: bool) -> None:
        self._plain_http = plain_http
        self._prefixes = tuple(self._usable(prefix) for prefix in prefixes)

    def check(self, url: str) -> Address:
        """Take apart a URL that is to be called.

        Raises:
            AddressRefused: it may not be called; the message says what to set.
        """
        address = parsed(url)
        if not self._prefixes:
            raise AddressRefused("No URL may be called: the setting webhook_allowed_prefixes names none.")
        self._check_scheme(address)
        if not any(address.is_under(prefix) for prefix in self._prefixes):
            raise AddressRefused(f"{shown(url)} is below none of the prefixes in the setting webhook_allowed_prefixes.")
        return address

    def _usable(self, text: str) -> Address:
        try:
            prefix = prefix_of(text)
            self._check_scheme(prefix)
        except AddressRefused as error:
            raise AddressRefused(f"{shown(text)!r} is no prefix. {error}") from None
        return prefix

    def _check_scheme(self, address: Address) -> None:
        if address.scheme == "http" and not (self._plain_http or address.is_loopback):
            raise AddressRefused(
                f"http to {address.host} can be read on the way. Use https, or set webhook_allow_plain_http."
            )


def _lowered(url: str) -> str:
    """Return the URL with scheme and host in lower case, in which they mean the same; the rest as it is."""
    scheme, mark, rest = url.partition("://")
    end = next((place for place, sign in enumerate(rest) if sign in "/?#"), len(rest))
    return scheme.lower() + mark + rest[:end].lower() + rest[end:] if url.isascii() else url


def _checked(path: str) -> str:
    # Some servers take what follows a semicolon for a parameter of the segment, and `..;` for `..`.
    if any(segment.partition(";")[0] in {".", ".."} for segment in path.split("/")):
        raise AddressRefused("Its path has a dot segment: write where it leads.")
    try:
        unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise AddressRefused("The escapes of its path are not UTF-8.") from None
    return path


def _host(host: str) -> str:
    """Return a host in the one spelling that it has.

    Raises:
        AddressRefused: it is an address that some resolvers understand and others do not, as 127.1 or 0x7f000001.
    """
    if host.startswith("["):
        try:
            return f"[{ip_address(host[1:-1]).compressed}]"
        except ValueError:
            raise AddressRefused("What stands in brackets is no IPv6 address.") from None
    last = host.rpartition(".")[2]
    if ".." in host:
        raise AddressRefused("Its host has an empty label.")
    if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last):
        try:
            return ip_address(host).compressed
        except ValueError:
            raise AddressRefused("Its host is a number; write an IPv4 address as four decimal numbers.") from None
    return host
