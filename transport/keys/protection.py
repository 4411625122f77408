"""Which endpoints need keys, and with which ones a client speaks there.

Decisions only: nothing is connected to. A Unix socket never takes keys: its mode keeps others out, and the kernel says
who is at the other end. Loopback takes them where they are named; every other address does not go without.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from castiron.transport.endpoint import CLIENT_KEY_VARIABLE, SERVER_KEY_VARIABLE, Endpoint
from castiron.transport.errors import EndpointRefused

if TYPE_CHECKING:
    from castiron.transport.keys.certificate import KeyPair


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """With what a client speaks to one conductor."""

    pair: "KeyPair"
    server: str
    """The conductor's public key: nobody else can read what is sent, or answer."""


def needs_keys(endpoint: Endpoint) -> bool:
    """Return whether others than this machine's own programs can reach it, as far as its address says.

    True for every name but localhost, whatever it may resolve to.
    """
    if endpoint.is_ipc:
        return False
    try:
        return not ipaddress.ip_address(endpoint.address).is_loopback
    except ValueError:
        return True


def client_keys(
    endpoint: Endpoint, key: str | Path | None, server_key: str | Path | None, environment: Mapping[str, str]
) -> ClientKeys | None:
    """Return the keys to speak with at an endpoint; None: without.

    Args:
        endpoint: where the conductor listens.
        key: the client's secret key file; None: CASTIRON_CLIENT_KEY.
        server_key: the conductor's public key, or a file with it; None: CASTIRON_SERVER_KEY.
        environment: `os.environ`, or what a test wants it to be.

    Raises:
        EndpointRefused: keys are needed and not named, or one of the two is missing.
        KeyUnusable: a key file cannot be used.
    """
    if endpoint.is_ipc:
        return None
    key = key or environment.get(CLIENT_KEY_VARIABLE) or None
    server_key = server_key or environment.get(SERVER_KEY_VARIABLE) or None
    if key is None and server_key is None and not needs_keys(endpoint):
        return None
    if key is None or server_key is None:
        raise EndpointRefused(_missing(endpoint, key, server_key), details={"endpoint": str(endpoint)})
    from castiron.transport.keys.certificate import read_pair  # noqa: PLC0415 - zmq.auth: 5 ms that a Unix socket does without

    return ClientKeys(read_pair(Path(key).expanduser()), public_key(server_key))


def public_key(given: str | Path) -> str:
    """Return a public key that was given as itself, or as a file that holds it.

    Raises:
        KeyUnusable: it is neither.
    """
    path = Path(given).expanduser()
    from castiron.transport.keys.certificate import is_public_key, public_key_in  # noqa: PLC0415 - as above

    return str(given) if is_public_key(str(given)) and not path.exists() else public_key_in(path)


def _missing(endpoint: Endpoint, key: str | Path | None, server_key: str | Path | None) -> str:
    own = f"your secret key file with --key or {CLIENT_KEY_VARIABLE} (`castiron keys new` makes one)"
    theirs = f"the conductor's public key with --server-key or {SERVER_KEY_VARIABLE}"
    if key is None and server_key is None:
        return f"{endpoint} is not on this machine, and castiron speaks there with keys only. Name {own}, and {theirs}."
    there, missing = ("The conductor's public key", own) if key is None else ("Your key", theirs)
    return f"{there} alone is not enough to speak to {endpoint}. Name also {missing}."
