"""What a node's actor can be told.

Users' messages may be refused when too many wait; the others answer what the actor itself ordered, and never are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from msgspec import Struct

from castiron.actors.core.provision.run import Move
from castiron.actors.core.provision.steps import Plan
from castiron.actors.core.sensors.rules import AlarmRule
from castiron.actors.core.state import Ticket
from castiron.actors.drivers.base import DriverInfo, Outcome
from castiron.actors.drivers.findings import Sensors
from castiron.store.records import AllocationRecord, NodeRecord
from castiron.transport.errors import CastironError
from castiron.transport.verbs import AnyNodeRequest
from castiron.transport.vocabulary import AllocationUUID, Instant, NodeName, RequestID

ReplyTo = Any
"""Whom to answer; the core only passes it on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """A user asks for something that reaches the BMC."""

    is_control: ClassVar[bool] = False

    request_id: RequestID
    verb: AnyNodeRequest
    requester: str
    reply_to: ReplyTo
    plan: Plan = field(default_factory=dict[str, Any], repr=False)
    """The steps that it will work through, if it is of that kind."""
    runbook: str | None = None
    """What the runbook is called that they were taken from."""
    unless_merged: CastironError | None = None
    """Why it is refused unless it is merged: there is no room for one more request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What is to change of a node's attributes, checked against all other nodes."""

    name: NodeName | None = None
    driver: str | None = None
    driver_info: DriverInfo | None = field(default=None, repr=False)
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Record fields that concern only this node → new values."""
    merged_into: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """Record fields that are maps and become whole new ones → what they held when the new ones were made of them."""

    @property
    def is_way_to_bmc(self) -> bool:
        """Whether it touches how the node's BMC is reached, which no request under way may see change."""
        return self.driver is not None or self.driver_info is not None

    def outdated(self, record: NodeRecord) -> list[str]:
        """Return the maps that a step has changed meanwhile: the new ones would undo that."""
        return [name for name, value in self.merged_into.items() if value != getattr(record, name)]

    def changes(self, record: NodeRecord) -> dict[str, Any]:
        """Return the record's fields that become other ones, with their new values."""
        wanted = dict(self.attributes)
        if self.name is not None:
            wanted["name"] = self.name
        if self.driver is not None:
            wanted["driver"] = self.driver
        if self.driver_info is not None:
            wanted["driver_info"] = self.driver_info.info
            wanted["secret_keys"] = self.driver_info.secret_keys
            wanted["bmc_address"] = self.driver_info.bmc_address
        return {name: value for name, value in wanted.items() if value != getattr(record, name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Amend:
    """Change attributes, if the node may change now. From the fleet, which waits for TellFleet."""

    is_control: ClassVar[bool] = True  # the fleet has reserved the name and must learn the outcome

    amendment: Amendment
    revision: int | None = None
    requester: str
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """A user wants the node forgotten."""

    is_control: ClassVar[bool] = False

    revision: int | None = None
    force: bool = False
    """Also while a request is running."""
    requester: str
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMaintenance:
    """A user puts the node into maintenance, or takes it out of it. Decided at once, whatever is under way."""

    is_control: ClassVar[bool] = False

    maintenance: bool
    reason: str | None = None
    requester: str
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLock:
    """A user wants to keep the node to themselves, or to give it back. Decided at once, whatever is under way."""

    is_control: ClassVar[bool] = False

    is_locked: bool
    reason: str | None = None
    force: bool = False
    """Also if somebody else has the lock. Whether they may was judged at the door."""
    requester: str
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """A user wants a request no more."""

    is_control: ClassVar[bool] = False

    request_id: RequestID
    is_abort: bool
    """Also once it has started."""
    force: bool = False
    """Also if others want it."""
    requester: str
    reply_to: ReplyTo


class Order(StrEnum):
    """What can be said about the work that is going on."""

    ABORT = "abort"
    HOLD = "hold"
    UNHOLD = "unhold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """A user wants the work on the node ended, held, or to go on. Decided at once."""

    is_control: ClassVar[bool] = False

    order: Order
    requester: str
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAnswer:
    """Whoever carries a step out says how it ended, or that it goes on. Its token has been checked."""

    is_control: ClassVar[bool] = False

    request_id: RequestID
    step: str
    attempt: int
    outcome: Mapping[str, Any] | CastironError | None
    """None: it goes on."""
    progress: Mapping[str, Any] = field(default_factory=dict[str, Any])
    requester: str
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Somebody is to have the node, if it can be had. From the keeper of allocations."""

    is_control: ClassVar[bool] = False

    allocation: AllocationRecord
    """As it is on disk: it is allocating."""
    reply_to: ReplyTo

    @property
    def requester(self) -> str:
        """Who wants it."""
        return self.allocation.requester


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Somebody is to have the node no more. From the keeper of allocations."""

    is_control: ClassVar[bool] = False

    allocation_uuid: AllocationUUID
    requester: str
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A user wants to know what a message would do. It is decided, and the decision thrown away."""

    is_control: ClassVar[bool] = False

    message: Submit | Withdraw | Amend | Remove | SetMaintenance | SetLock | Direct
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """Take up what the store holds: after a start, a restart, or a commit that failed. What is going on goes on."""

    is_control: ClassVar[bool] = True

    check_within_s: float | None = None
    """When the machine is to be looked at for the first time; None: as the settings say."""
    overdue: RequestID | None = None
    """The request that a predecessor did not end by its time: it is not taken up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitGranted:
    """There is a place to run the request."""

    is_control: ClassVar[bool] = True

    request_id: RequestID


class Began(Struct, gc=False, frozen=True, kw_only=True):
    """The machine is being looked at, as was ordered with a timer; what is seen comes as Heard with the same ticket."""

    is_control: ClassVar[bool] = True

    ticket: Ticket
    """The timer's."""
    at: Instant
    """When it was to begin."""
    began_at: Instant
    """When it did."""


class Heard(Struct, frozen=True, kw_only=True):
    """A driver call has ended."""

    is_control: ClassVar[bool] = True

    ticket: Ticket
    outcome: Outcome
    spare_id: RequestID | None = None
    """An id for the request that may follow from it; drawn by the shell."""
    began: Began | None = None
    """What ordered the call, where the shell was told to before; it may not have been told of yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The executor says what is to be done next of a list of steps."""

    is_control: ClassVar[bool] = True

    ticket: Ticket
    moves: tuple[Move, ...] = ()
    flow: Mapping[str, Any] | None = None
    """What it keeps of the list, to be committed with what follows from its moves."""
    error: CastironError | None = None
    """Why it cannot say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineGranted:
    """There is an engine for the list that had lent its own."""

    is_control: ClassVar[bool] = True

    ticket: Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A worker says how a step gets on."""

    is_control: ClassVar[bool] = True

    ticket: Ticket
    progress: Mapping[str, Any]


class TimerDue(Struct, gc=False, frozen=True, kw_only=True):
    """A timer's time has come."""

    is_control: ClassVar[bool] = True
    goes_ahead: ClassVar[bool] = True

    ticket: Ticket
    at: Instant = Instant(0.0)
    """When it was to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensed:
    """The node's sensors were read, or could not be."""

    is_control: ClassVar[bool] = True

    rules: tuple[AlarmRule, ...]
    sensors: Sensors | None
    """None: nothing is known of them."""


Wish = Submit | Withdraw | Amend | Remove | SetMaintenance | SetLock | Direct | StepAnswer | Claim | Release
"""What somebody wants of the node."""

Message = (
    Wish | Preview | Recover | PermitGranted | Began | Heard | Moved | EngineGranted | Reported | TimerDue | Sensed
)
"""Everything that `node.decide` takes."""
