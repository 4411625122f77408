"""Where a conductor listens: the default, what may be listened on, and whether somebody does.

The server, the clients and the command line share this file, so that they agree on the default. What may be spoken to
without keys is decided in keys/protection. Names and checks live here; ZeroMQ does not.
"""

import errno
import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from castiron.transport.errors import ConductorLost, EndpointRefused
from castiron.transport.vocabulary import Applied

ENDPOINT_VARIABLE: Final = "CASTIRON_ENDPOINT"
"""Environment variable that names the endpoint where no argument does."""

CLIENT_KEY_VARIABLE: Final = "CASTIRON_CLIENT_KEY"
"""Environment variable that names the client's secret key file where no argument does."""

SERVER_KEY_VARIABLE: Final = "CASTIRON_SERVER_KEY"
"""The same of the conductor's public key: the key itself, or a file."""

MAX_PATH_BYTES: Final = 107
"""Of a Unix socket: sun_path has 108 bytes with its final NUL (unix(7))."""

MAX_PORT: Final = 65_535

EVENTS_SUFFIX: Final = ".events"
"""Follows the path of a conductor's socket in the path of the one where its events are published."""

PROBE_TIMEOUT_S: Final = 0.5
"""For one connection on this machine; the kernel accepts or refuses it without asking the program."""

WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - to be recognised; nothing is bound here
"""Addresses that a conductor may listen at, and nobody can be reached at from elsewhere."""

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?\Z")

_HELP: Final = "Use ipc:///path/to/socket, or tcp://127.0.0.1:PORT."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that passed the checks: a Unix socket (`path`) or TCP (`address`, `port`)."""

    path: str | None = None
    address: str = ""
    """An IP address or the name of a host; localhost is 127.0.0.1 here."""
    port: int = 0
    """0: let the kernel choose; makes sense for listeners only."""

    @property
    def is_ipc(self) -> bool:
        """Whether it is a Unix socket."""
        return self.path is not None

    @property
    def is_ipv6(self) -> bool:
        """Whether its address is one of IPv6."""
        return ":" in self.address

    @property
    def is_on_loopback(self) -> bool:
        """Whether it is certainly on this machine: a Unix socket, or an address of the loopback interface."""
        return self.is_ipc or (_is_address(self.address) and ipaddress.ip_address(self.address).is_loopback)

    def of_events(self) -> "Endpoint":
        """Return where a conductor that listens here publishes its events: beside the file, or on the next port.

        Raises:
            EndpointRefused: there is no such place.
        """
        if self.path is not None:
            return _parse_path(str(self), f"{self.path}{EVENTS_SUFFIX}")
        if self.port == MAX_PORT:
            raise _refused(str(self), f"{self} leaves no port above it, where events are published.")
        return replace(self, port=self.port + 1 if self.port else 0)

    def seen_from(self, reached: "Endpoint") -> "Endpoint":
        """Return where a client connects to that was told this endpoint by a conductor which it reached at another.

        A conductor that listens at all of its addresses does not know by which one it is reached.
        """
        return replace(self, address=reached.address) if self.address in WILDCARDS else self

    def __str__(self) -> str:
        if self.path is not None:
            return f"ipc://{self.path}"
        host = f"[{self.address}]" if self.is_ipv6 else self.address
        return f"tcp://{host}:{self.port}"


def default_endpoint(environment: Mapping[str, str]) -> str:
    """Return the endpoint to use when nobody named one.

    CASTIRON_ENDPOINT, else conductor.ipc in $XDG_RUNTIME_DIR/castiron, else in ~/.castiron.

    Args:
        environment: `os.environ`, or what a test wants it to be.
    """
    if named := environment.get(ENDPOINT_VARIABLE):
        return named
    runtime = environment.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "castiron" if runtime else Path(environment.get("HOME") or "~").expanduser() / ".castiron"
    return f"ipc://{folder / 'conductor.ipc'}"


def parse_endpoint(text: str) -> Endpoint:
    """Read an endpoint, and refuse what castiron must not use.

    Raises:
        EndpointRefused: neither ipc:// nor tcp://, no address or port, a path no Unix socket can have.
    """
    scheme, separator, rest = text.partition("://")
    if separator and scheme == "ipc":
        return _parse_path(text, rest)
    if separator and scheme == "tcp":
        return _parse_address(text, rest)
    raise _refused(text, f"{text!r} is not an endpoint of castiron.")


def _parse_path(text: str, path: str) -> Endpoint:
    if not path or path.startswith(("@", "*")) or "\0" in path:
        raise _refused(text, f"{text!r} names no file; a socket needs one, for its mode is what protects it.")
    size = len(os.fsencode(path))
    if size > MAX_PATH_BYTES:
        message = (
            f"The socket path {path!r} has {size} bytes; the kernel allows {MAX_PATH_BYTES}. Choose a shorter one."
        )
        raise EndpointRefused(message, details={"endpoint": text})
    return Endpoint(path=path)


def _parse_address(text: str, rest: str) -> Endpoint:
    host, separator, port = rest.rpartition(":")
    number = 0 if port in {"*", "0"} else _port(port)
    if not separator or number is None:
        raise _refused(text, f"{text!r} has no port between 1 and 65535.")
    bare = host.removeprefix("[").removesuffix("]")
    address = _SPELLINGS.get(bare, bare)
    if not _is_host(address):
        raise _refused(text, f"{text!r} names no address and no host.")
    return Endpoint(address=address, port=number)


_SPELLINGS: Final = {"localhost": "127.0.0.1", "*": "0.0.0.0"}  # noqa: S104 - as above


def _is_host(text: str) -> bool:
    return _is_address(text) or _HOST_NAME.match(text) is not None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _port(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= len(str(MAX_PORT)) and 0 < int(text) <= MAX_PORT else None


def _refused(text: str, message: str) -> EndpointRefused:
    return EndpointRefused(f"{message} {_HELP}", details={"endpoint": text})


def probe(endpoint: Endpoint, timeout_s: float = PROBE_TIMEOUT_S) -> OSError | None:
    """Return why nobody accepts connections there now; None if somebody does.

    Opens one connection and closes it. A program that is stopped, or too busy to accept in time, counts as there: the
    kernel keeps its place.

    Args:
        endpoint: where.
        timeout_s: for the connection; 0: never blocks, unless the name of a host is to be looked up.
    """
    family = socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET
    with socket.socket(socket.AF_UNIX if endpoint.is_ipc else family, socket.SOCK_STREAM) as stream:
        stream.settimeout(timeout_s)
        place = (endpoint.address, endpoint.port) if endpoint.path is None else endpoint.path
        try:
            stream.connect(place)
        except BlockingIOError:  # begun; on this machine the kernel knows what has become of it by now
            return _failure(stream.connect_ex(place))
        except TimeoutError:
            return None
        except OSError as failure:
            return failure
    return None


def _failure(code: int) -> OSError | None:
    """Return the failure of a connection that was begun; None: it is there, or nothing is known yet."""
    failure = OSError(code, os.strerror(code))
    return None if code in {0, errno.EISCONN} or isinstance(failure, BlockingIOError) else failure


def why_silent(endpoint: Endpoint, *, may_block: bool = True) -> str:
    """Say why a conductor does not answer there, as far as it can be seen from here, and what to try.

    Args:
        endpoint: where.
        may_block: look at it for up to 0.5 s, and look names up; otherwise look at this machine only, at once.
    """
    if not may_block and not endpoint.is_on_loopback:
        return (
            "Whether anything listens there was not looked at, as that takes time. Is the conductor running? "
            f"Try `castiron status`, or name another endpoint with --endpoint or {ENDPOINT_VARIABLE}."
        )
    failure = probe(endpoint, PROBE_TIMEOUT_S if may_block else 0)
    if isinstance(failure, PermissionError):
        return "This user may not open the socket: run as the conductor's user."
    if isinstance(failure, socket.gaierror):
        return f"There is no host of that name: {failure.strerror}."
    if failure is not None:
        return (
            "Nothing listens there: the conductor is not running, or it listens elsewhere. "
            f"Start one with `castiron serve`, or name its endpoint with --endpoint or {ENDPOINT_VARIABLE}."
        )
    return (
        "Something accepts connections there and does not answer: the conductor is stopped or overloaded, or it is "
        f"another program. Try `castiron status`, or name another endpoint with --endpoint or {ENDPOINT_VARIABLE}."
    )


def unanswered(endpoint: Endpoint, what: str, applied: Applied | None, *, may_block: bool = True) -> ConductorLost:
    """Return the failure of a question that nobody answers any more.

    Args:
        endpoint: where it was asked.
        what: has happened, in words.
        applied: what is known of whether it was done.
        may_block: as `why_silent`.
    """
    message = f"{what} (endpoint {endpoint}). {why_silent(endpoint, may_block=may_block)}"
    return ConductorLost(message, details={"endpoint": str(endpoint)}, applied=applied)
