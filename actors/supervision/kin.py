"""What actors tell each other, and where: nodes report to the fleet and to the supervisor.

Messages and seats only; whoever gets a message decides what it means.
"""

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from pykka import ActorDeadError, ActorRef, Timeout

from castiron.actors.core.messages import Preview, Remove, SetMaintenance, Wish
from castiron.actors.dispatch.mailbox import Mailbox
from castiron.transport.vocabulary import NodeUUID, RequestID

UsersMessage = Wish | Preview
"""What a node's actor is told on behalf of a user, who waits for an answer."""


class Seat:
    """Where an actor can be told something, whoever sits there: a failed actor is replaced, and its seat stays.

    What actors tell each other waits while nobody sits there, as it would in a mailbox: no more of it than changes
    are under way. Any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._ref: ActorRef[Any] | None = None
        self._kept: deque[Any] = deque()
        self._is_closed = False

    def take(self, ref: ActorRef[Any]) -> None:
        """Sit down, and be told what was kept. Whoever comes to a closed seat is stopped.

        Whoever has ended on the way here does not sit down: a successor is coming, or sits there already.
        """
        with self._lock:
            if not ref.is_alive():
                return
            self._ref = ref
            if self._is_closed:
                ref.stop(block=False)
            with suppress(ActorDeadError):  # failed at once: the rest waits for the next one
                while self._kept:
                    ref.tell(self._kept[0])
                    self._kept.popleft()

    def close(self, timeout_s: float) -> None:
        """Stop the actor that sits here; nobody is told anything from now on. Blocks up to timeout_s; idempotent."""
        with self._lock:
            self._is_closed = True
            self._kept.clear()
            ref = self._ref
        if ref is not None:
            with suppress(Timeout):
                ref.stop(timeout=timeout_s)

    def users_waiting(self) -> int:
        """Return how many users' messages wait at the actor that sits here; 0 where nobody does."""
        with self._lock:
            return 0 if self._ref is None else cast("Mailbox", self._ref.actor_inbox).users_waiting()

    @property
    def is_closed(self) -> bool:
        """Whether nobody may sit here any more."""
        return self._is_closed

    def tell(self, message: object) -> None:
        """Put a message into the actor's mailbox, if it is one of the control lane's as soon as somebody sits there.

        Raises:
            ActorDeadError: it is a user's message, and nobody sits there just now.
            InboxFull: it is a user's message, and as many wait as may.
        """
        with self._lock:
            try:
                if self._ref is not None:
                    return self._ref.tell(message)
            except ActorDeadError:
                pass  # a successor is on the way
            is_control: bool = getattr(message, "is_control", False)
            if not is_control:
                raise ActorDeadError("nobody sits here just now")
            if not self._is_closed:
                self._kept.append(message)
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """The two actors that a node's actor reports to, and the one that keeps allocations."""

    fleet: Seat
    supervisor: Seat
    keeper: Seat = field(default_factory=Seat)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFailed:
    """A node's actor failed, or has stopped; for the supervisor."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID
    generation: int
    reason: str
    leftovers: tuple[UsersMessage, ...]
    """Messages that it had not looked at, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strayed:
    """Messages reached an actor that has been replaced; for the supervisor, who knows the successor."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID
    messages: tuple[UsersMessage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """A user wants something that only a node's actor can do, and the node was put aside; for the supervisor."""

    is_control: ClassVar[bool] = False

    uuid: NodeUUID
    message: Remove | SetMaintenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Hung:
    """A turn of a node's actor does not end, or what it was to end; for the supervisor."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID
    generation: int
    reason: str
    overdue: RequestID | None = None
    """The request that its successor is to end, and not to take up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendEnded:
    """A change of a node's attributes has ended; for the fleet."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID
    applied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGone:
    """A node is known no more; for the fleet."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID
