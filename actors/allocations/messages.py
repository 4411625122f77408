"""What the keeper of allocations can be told: by users, by the writer, by nodes' actors, and by clocks.

Users' messages may be refused when too many wait; the others answer what the keeper itself ordered, and never are.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from castiron.actors.asking import Asked
from castiron.actors.supervision.kin import Seat
from castiron.store.errors import StoreError
from castiron.store.records import AllocationRecord, Commit
from castiron.transport.errors import CastironError
from castiron.transport.verbs import AllocationCreate, AllocationDelete, AllocationSet
from castiron.transport.vocabulary import AllocationUUID, EventSeq, NodeUUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAllocation:
    """A user wants a node."""

    is_control: ClassVar[bool] = False

    verb: AllocationCreate
    requester: str
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAllocation:
    """A user wants an allocation's attributes changed."""

    is_control: ClassVar[bool] = False

    verb: AllocationSet
    requester: str
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAllocation:
    """A user wants an allocation forgotten."""

    is_control: ClassVar[bool] = False

    verb: AllocationDelete
    requester: str
    asked: Asked


class Kind(Enum):
    """What a write does to an allocation."""

    CREATE = auto()
    SET = auto()
    REMOVE = auto()
    FAIL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """An allocation is being written."""

    kind: Kind
    record: AllocationRecord
    """As it will be; of one that is removed, as it was."""
    asked: Asked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A node is being asked: to be held, or to be given back."""

    node: NodeUUID
    record: AllocationRecord
    """As it was when the node was asked."""
    ticket: int | None = None
    """Of the claim, in `Races`; None: it is to be given back."""
    asked: Asked | None = None
    """Who wants it given back."""


Step = Writing | Asking
"""What is under way for an allocation: one thing at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The outcome of a write has come."""

    is_control: ClassVar[bool] = True

    uuid: AllocationUUID
    writing: Writing
    outcome: Commit | StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A node's actor has answered."""

    is_control: ClassVar[bool] = True

    uuid: AllocationUUID
    node: NodeUUID
    error: CastironError | None
    """Why not; None: it is so, and on disk."""
    seq: EventSeq


@dataclass(frozen=True, slots=True)
class Freed:
    """A node can be had from now on, and somebody waits for one of its class."""

    is_control: ClassVar[bool] = True

    node: NodeUUID


@dataclass(frozen=True, slots=True)
class Resume:
    """Look for a node again, if one is still looked for."""

    is_control: ClassVar[bool] = True

    uuid: AllocationUUID


@dataclass(frozen=True, slots=True)
class Expired:
    """The time is up in which a node was to be found."""

    is_control: ClassVar[bool] = True

    uuid: AllocationUUID


UsersMessage = CreateAllocation | SetAllocation | DeleteAllocation

KeepersMessage = UsersMessage | Written | Answered | Freed | Resume | Expired


@dataclass(frozen=True, slots=True)
class Holding:
    """Whom a node's actor answers: whoever keeps allocations when the answer comes. Any thread; never blocks."""

    seat: Seat
    uuid: AllocationUUID
    node: NodeUUID

    def held(self, seq: EventSeq) -> None:
        """Say that it is as it was wanted, and on disk."""
        self.seat.tell(Answered(uuid=self.uuid, node=self.node, error=None, seq=seq))

    def refused(self, error: CastironError, seq: EventSeq) -> None:
        """Say why nothing was changed."""
        self.seat.tell(Answered(uuid=self.uuid, node=self.node, error=error, seq=seq))
