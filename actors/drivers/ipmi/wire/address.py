"""Where a BMC is: hosts in one spelling, and socket addresses of literals without asking anybody. Pure."""

import ipaddress
import re
import socket
from typing import Final, NamedTuple

MAX_HOST_BYTES: Final = 253
"""RFC 1035, 2.3.4, less the length bytes."""

_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
"""What sendto takes and recvfrom gives back: (host, port) for IPv4, (host, port, flow, scope) for IPv6."""


class Address(NamedTuple):
    """One place to send to."""

    family: int
    """socket.AF_INET or socket.AF_INET6."""
    sockaddr: SocketAddress


def spell_host(value: object) -> str:
    """Return the host in its one spelling: a literal as RFC 5952 writes it, a name in lower case without its last dot.

    Raises:
        ValueError: it is neither an address nor a name. Names that look like numbers ("127.1") are refused, because
            resolvers disagree about what they mean.
    """
    if not isinstance(value, str):
        raise ValueError("an IP address or a host name")  # noqa: TRY004 - one kind of error from all readers
    host = value.strip().lower().removesuffix(".")
    literal = parse_literal(host.removeprefix("[").removesuffix("]"))
    if literal is not None:
        return str(literal)
    labels = host.split(".")
    is_name = len(host) <= MAX_HOST_BYTES and all(_LABEL.fullmatch(label) for label in labels)
    if not is_name or labels[-1].isdigit():
        raise ValueError("an IP address or a host name")
    return host


def parse_literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that the host is, or None for a name. An IPv4 address mapped into IPv6 is an IPv4 address."""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(literal, "ipv4_mapped", None) or literal


def spell_address(host: str, port: int) -> str:
    """Return host and port as one word, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def literal_address(host: str, port: int) -> Address | None:
    """Return the socket address of a literal, spelled as recvfrom spells it, or None for a name.

    Raises:
        OSError: the literal's zone is not an interface of this machine.
    """
    literal = parse_literal(host)
    if literal is None:
        return None
    if literal.version == 4:  # noqa: PLR2004 - IPv4
        return Address(socket.AF_INET, (str(literal), port))
    bare = socket.inet_ntop(socket.AF_INET6, literal.packed)
    zone = literal.scope_id
    scope = 0 if zone is None else int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    return Address(socket.AF_INET6, (bare, port, 0, scope))
