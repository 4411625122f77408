"""Who may come in: idempotency keys, before any actor is bothered.

A key is reserved where its request comes in, under one lock, so no two requests of one key are ever under way to
actors. A key is known from the moment that its request was accepted until that is pruned: here as a digest, which costs
a new key nothing and a known one a look into the store; on disk together with its request, in one commit. May come in:
other limits on what is admitted. Must not: what concerns one node only.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, Protocol

from castiron.actors.core.requests.compatibility import wish_of
from castiron.store.records import RequestRecord
from castiron.transport.errors import CastironError, RequestReused
from castiron.transport.verbs import AnyNodeRequest, arguments_of, tag_of
from castiron.transport.vocabulary import EventSeq, NodeUUID


class Follower(Protocol):
    """Somebody who waits for what becomes of a request with the same key that is on its way."""

    def joined(self, request: RequestRecord, seq: EventSeq) -> None:
        """The request was accepted; it is theirs as well."""
        ...

    def refused(self, error: CastironError, seq: EventSeq) -> None:
        """It was refused, and so are they."""
        ...


class Wanted(NamedTuple):
    """What is asked for with a key."""

    key: str
    node_uuid: NodeUUID
    verb: AnyNodeRequest


@dataclass(slots=True)
class _Pending:
    wanted: Wanted
    followers: list[Follower] = field(default_factory=list[Follower])


class Keys:
    """The idempotency keys of one conductor. Any thread; never blocks."""

    def __init__(self, known: Iterable[str]) -> None:
        """Begin with the keys that the store has."""
        self._lock = threading.Lock()
        self._known = {_digest(key) for key in known}
        self._pending: dict[str, _Pending] = {}

    def __len__(self) -> int:
        """Return how many keys are known or on their way."""
        return len(self._known) + len(self._pending)

    def reserve(self, wanted: Wanted, follower: Follower) -> bool:
        """Reserve a key for a request that is about to be submitted; return whether it is free.

        If not, a request of that key is on its way, and `follower` will hear what becomes of it.

        Raises:
            RequestReused: what is on its way is another request.
        """
        with self._lock:
            pending = self._pending.get(wanted.key)
            if pending is None:
                self._pending[wanted.key] = _Pending(wanted)
                return True
            if not _is_one(pending.wanted, wanted):
                raise reused(wanted.key, None)
            pending.followers.append(follower)
            return False

    def is_known(self, key: str) -> bool:
        """Return whether the store has the key; it has a moment to forget it, so look there before you believe it."""
        return _digest(key) in self._known

    def settled(self, key: str, request: RequestRecord, seq: EventSeq) -> None:
        """Note that the request of a reserved key was accepted, or merged into that one. Idempotent."""
        with self._lock:
            self._known.add(_digest(key))
            pending = self._pending.pop(key, None)
        for follower in () if pending is None else pending.followers:
            follower.joined(request, seq)

    def refused(self, key: str, error: CastironError, seq: EventSeq) -> None:
        """Note that it was refused: the key is free again. Idempotent."""
        with self._lock:
            pending = self._pending.pop(key, None)
        for follower in () if pending is None else pending.followers:
            follower.refused(error, seq)

    def forget(self, keys: Iterable[str]) -> None:
        """Note that the store does not have these keys any more."""
        with self._lock:
            self._known.difference_update(_digest(key) for key in keys)


def judge_known(wanted: Wanted, request: RequestRecord) -> None:
    """Compare what is asked for with a key to the request that has the key.

    Raises:
        RequestReused: it is another request. How it is to be treated (policy, deadline, …) may differ.
    """
    tag, arguments = tag_of(wanted.verb), arguments_of(wanted.verb)
    is_same = request.verb == tag and wish_of(request.arguments) == wish_of(arguments)
    if request.node_uuid != wanted.node_uuid or not is_same:
        raise reused(wanted.key, request)


def reused(key: str, request: RequestRecord | None) -> RequestReused:
    """Return the refusal of a key that belongs to another request."""
    which = "another request, which is on its way" if request is None else f"request {request.id}, {request.verb}"
    return RequestReused(
        f"The key belongs to {which}. Make a new key for each new request.",
        details={
            "key": key,
            "request": None if request is None else request.id,
            "verb": None if request is None else request.verb,
            "node": None if request is None else request.node_name,
        },
    )


def _is_one(one: Wanted, other: Wanted) -> bool:
    return (one.node_uuid, tag_of(one.verb), wish_of(arguments_of(one.verb))) == (
        other.node_uuid,
        tag_of(other.verb),
        wish_of(arguments_of(other.verb)),
    )


def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=16).digest()
