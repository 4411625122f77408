"""The guard of a front door that can be reached from elsewhere: its key, its allow-list, and what was denied.

One for the door and its events' socket together: the same key, the same list. Judging a handshake is zap's; who is
behind a message, and whether the verb is for them, is decided here, anew for each message.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import zmq

from castiron.transport.doors import zap
from castiron.transport.doors.zap import Gate, Verdict
from castiron.transport.endpoint import Endpoint
from castiron.transport.errors import EndpointRefused, KeyRefused, VerbForbidden
from castiron.transport.keys.allowlist import AllowList, allow_list_beside, includes
from castiron.transport.keys.certificate import SECRET_SUFFIX, KeyPair, read_pair
from castiron.transport.keys.follower import Follower
from castiron.transport.keys.protection import needs_keys
from castiron.transport.session import Caller
from castiron.transport.verbs import AnyVerb, tag_of

log = logging.getLogger(__name__)

SILENCE_S: Final = 10.0
"""Between two lines of the log about denied handshakes: a client that is denied tries again every second."""

SCHEME: Final = "curve"
"""Before the name of a key, where requests say who asked."""


class Guard:
    """Keys of one conductor. The front door's thread only, but for `counters`, `start` and `stop`.

    Attributes:
        server: the conductor's own pair.
        follower: of the allow-list.
    """

    def __init__(self, server: KeyPair, follower: Follower) -> None:
        self.server: Final = server
        self.follower: Final = follower
        self._denied = self._forbidden = 0
        self._told_at: float | None = None

    @property
    def allowed(self) -> AllowList:
        """The list in force."""
        return self.follower.allowed

    def counters(self) -> dict[str, int]:
        """Return what has been counted since the start. Any thread.

        handshakes_denied: connections that were not let in, because their key is not in the list; one that does not
        speak CURVE, or not to this conductor's key, is dropped by ZeroMQ and not counted. verbs_forbidden: messages
        whose key has not the role. The others are explained in Follower.counters.
        """
        return {
            "handshakes_denied": self._denied,
            "verbs_forbidden": self._forbidden,
            **self.follower.counters(),
        }

    def options(self) -> Mapping[int, int | bytes]:
        """Return the options of a socket that is guarded; to be set before it is bound."""
        return {
            zmq.CURVE_SERVER: 1,
            zmq.CURVE_SECRETKEY: self.server.secret,
            zmq.ZAP_DOMAIN: zap.DOMAIN,
            zmq.ZAP_ENFORCE_DOMAIN: 1,  # without a handler nobody is let in, instead of everybody
        }

    def judge_handshakes(self, gate: Gate, now: float) -> None:
        """Judge those that wait at a gate, some of them."""
        gate.turn(self.allowed, lambda verdict: self._deny(verdict, now))

    def caller(self, public_key: str) -> Caller:
        """Return who has a key, and in which role, as the list says now.

        Raises:
            KeyRefused: the key was in the list when its connection was made, and is not any more.
        """
        owner = self.allowed.owner(public_key)
        if owner is None:
            raise revoked(public_key)
        return Caller(f"{SCHEME}:{owner.name}", owner.role, public_key)

    def permit(self, caller: Caller, verb: AnyVerb) -> None:
        """Let a verb pass.

        Raises:
            VerbForbidden: the caller's role does not include it.
        """
        needs = verb.needs()
        if not includes(caller.role, needs):
            self._forbidden += 1
            tag = tag_of(verb)
            raise VerbForbidden(
                f"{tag} needs the role {needs}, and the key of {caller.requester.removeprefix(f'{SCHEME}:')} has "
                f"the role {caller.role}. Ask the conductor's owner, who can change it with `castiron keys allow`.",
                details={"verb": tag, "role": caller.role.value, "needs": needs.value},
            )

    def _deny(self, verdict: Verdict, now: float) -> None:
        self._denied += 1
        if self._told_at is None or now - self._told_at >= SILENCE_S:
            self._told_at = now
            told = "a connection from %s was denied: the key %s is not in %s; %d denied so far"
            log.warning(told, verdict.address or "?", verdict.public_key or "?", self.follower.path, self._denied)


def revoked(public_key: str) -> KeyRefused:
    """Return what the owner of a key is told that was let in, and is not any more."""
    return KeyRefused(
        "This key is not in the conductor's allow-list any more. Ask the conductor's owner: "
        f"castiron keys allow NAME '{public_key}'",
        details={"public_key": public_key, "endpoint": None},
    )


def server_key_beside(store: Path) -> Path:
    """Return where the secret key file of a conductor is that was told nothing else."""
    return store.with_name(f"{store.name}.server{SECRET_SUFFIX}")


def open_guard(
    endpoint: Endpoint, *, server_key_path: Path | None, allow_path: Path | None, store: Path | None
) -> Guard | None:
    """Return the guard of an endpoint; None: none is needed, or it is a Unix socket, which has its mode.

    Args:
        endpoint: where the conductor is to listen.
        server_key_path: its secret key file; None: beside the store, and on loopback none.
        allow_path: its allow-list; None: beside the store.
        store: the store's file; None: it has none.

    Raises:
        EndpointRefused: the endpoint needs keys, and there are none.
        KeyUnusable: a key file or the allow-list cannot be used.
    """
    if endpoint.is_ipc or (server_key_path is None and not needs_keys(endpoint)):
        return None
    key = server_key_path or (server_key_beside(store) if store is not None else None)
    allow = allow_path or (allow_list_beside(store) if store is not None else None)
    if key is None or allow is None or (server_key_path is None and not key.exists()):
        raise EndpointRefused(_unprotected(endpoint, key, allow), details={"endpoint": str(endpoint)})
    return Guard(read_pair(key), Follower(allow))


def _unprotected(endpoint: Endpoint, key: Path | None, allow: Path | None) -> str:
    return (
        f"{endpoint} can be reached from elsewhere, and the conductor does not listen there without keys"
        f"{': name its key file and its allow-list' if key is None or allow is None else f': there is no {key}'}. "
        "Make its key with `castiron keys new --server`, let others in with `castiron keys allow NAME KEY`, and start "
        "it again; or listen at ipc:///path/to/socket or tcp://127.0.0.1:PORT."
    )
