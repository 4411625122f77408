"""How a client's sockets are given their keys, and what is said when a conductor does not take them."""

import zmq

from castiron.transport.clients.sockets.monitor import Refusal
from castiron.transport.endpoint import CLIENT_KEY_VARIABLE, SERVER_KEY_VARIABLE, Endpoint
from castiron.transport.errors import CastironError, HandshakeFailed, KeyRefused
from castiron.transport.keys.protection import ClientKeys
from castiron.transport.vocabulary import Applied


def encrypt(socket: "zmq.Socket[bytes]", keys: ClientKeys | None) -> None:
    """Give a socket its keys, before it is connected; None: it goes without."""
    if keys is not None:
        socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server.encode("ascii"))
        socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.pair.public.encode("ascii"))
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.pair.secret)


def refused(refusal: Refusal, endpoint: Endpoint, keys: ClientKeys | None) -> CastironError | None:
    """Return what a caller is told; None: nothing that can be told from a conductor that is away.

    Args:
        refusal: why no connection comes about.
        endpoint: where.
        keys: with what it was tried.
    """
    details = {"endpoint": str(endpoint)}
    if keys is None:
        if refusal is Refusal.BROKEN_OFF:
            return None
        return HandshakeFailed(
            f"The conductor at {endpoint} takes keys only. Name your secret key file with --key or "
            f"{CLIENT_KEY_VARIABLE}, and the conductor's public key with --server-key or {SERVER_KEY_VARIABLE}.",
            details=details,
            applied=Applied.NO,
        )
    match refusal:
        case Refusal.DENIED:
            return KeyRefused(
                f"This key is not in the allow-list of the conductor at {endpoint}. Ask its owner: "
                f"castiron keys allow NAME '{keys.pair.public}'",
                details={**details, "public_key": keys.pair.public},
                applied=Applied.NO,
            )
        case Refusal.OTHER_MECHANISM:
            told = "does not use keys. Leave --key and --server-key away, and their variables unset."
        case Refusal.BROKEN_OFF:
            told = (
                f"ends each handshake: most likely {keys.server} is not its public key, or it does not use keys at "
                "all. Compare it with what `castiron keys new --server` has made there, and name the right one with "
                "--server-key."
            )
    return HandshakeFailed(f"The conductor at {endpoint} {told}", details=details, applied=Applied.NO)
