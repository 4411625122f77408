"""What actors tell each other: nodes report to the fleet and to the supervisor.

Messages only; whoever gets one decides what it means.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from pykka import ActorDeadError, ActorRef

from castiron.transport.vocabulary import NodeUUID


class Seat:
    """Where an actor can be told something, whoever sits there: a failed actor is replaced, and its seat stays."""

    def __init__(self) -> None:
        self._ref: ActorRef[Any] | None = None

    def take(self, ref: ActorRef[Any]) -> None:
        """Sit down."""
        self._ref = ref

    def leave(self) -> None:
        """Stop the actor that sits here, without waiting for its end. Idempotent."""
        if self._ref is not None:
            self._ref.stop(block=False)

    @property
    def is_taken(self) -> bool:
        """Whether a living actor sits there."""
        return self._ref is not None and self._ref.is_alive()

    def tell(self, message: Any) -> None:
        """Put a message into the actor's mailbox.

        Raises:
            ActorDeadError: nobody sits there just now.
            InboxFull: it is a user's message, and as many wait as may.
        """
        if self._ref is None:
            raise ActorDeadError("nobody sits here yet")
        self._ref.tell(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """The two actors that a node's actor reports to."""

    fleet: Seat
    supervisor: Seat


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFailed:
    """A node's actor failed; for the supervisor."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID
    generation: int
    reason: str
    leftovers: tuple[Any, ...]
    """Messages that it had not looked at, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hung:
    """A turn of a node's actor does not end; for the supervisor."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID
    generation: int
    reason: str


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
