"""What a node's actor knows: the record on disk, the request under way, the queue.

Frozen: a decision makes a new state. May come in: what decisions need. Must not: references to actors, sockets, timers.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NewType

from msgspec import Struct, field

from castiron.actors.core.machines.boot import BootAction
from castiron.actors.core.machines.exchange import ExchangeAction
from castiron.actors.core.machines.job import JobAction
from castiron.actors.core.machines.password import PasswordAction
from castiron.actors.core.machines.pause import CallBackAction, PauseAction
from castiron.actors.core.machines.power import PowerAction
from castiron.actors.core.provision.run import Run
from castiron.store.records import NodeRecord, RequestRecord, TraceEntry
from castiron.store.records.copying import replace
from castiron.transport.vocabulary import AlarmState, CheckPace, Instant, RequestID

if TYPE_CHECKING:
    from castiron.actors.core.messages import Submit

Action = PowerAction | BootAction
"""What can be under way; the classes have the same methods."""

StepAction = Action | ExchangeAction | PasswordAction | PauseAction | CallBackAction | JobAction
"""What can be under way for a step; the classes have the same methods."""

Ticket = NewType("Ticket", int)
"""Number of a driver call or a timer of one actor. An answer with another number than expected is of the past."""


class Lane(Struct, gc=False, frozen=True, kw_only=True):
    """One step of the request under way that has begun, and what it waits for; the fields as in Active."""

    place: int
    """The step's, in its list."""
    action: StepAction
    is_revert: bool = False
    is_stopping: bool = False
    """It was asked to stop, and ends with what is under way."""
    call: Ticket | None = None
    wake: Ticket | None = None
    limit: Ticket | None = None
    limit_at: Instant | None = None


def asks_bmc(lane: Lane) -> bool:
    """Return whether what a step waits for tells how its BMC does: no worker's word, nor a password that is tried."""
    return not isinstance(lane.action, JobAction | PasswordAction)


class Active(Struct, gc=False, frozen=True, kw_only=True):
    """The request under way, and what it waits for."""

    request: RequestRecord
    action: Action | Run
    """What drives the machine: by itself, or as a list of steps, each in a lane of its own."""
    lanes: tuple[Lane, ...] = ()
    call: Ticket | None = None
    """The driver call whose outcome it waits for."""
    wake: Ticket | None = None
    """The timer that ends its wait."""
    limit: Ticket | None = None
    """The timer that ends its time."""
    limit_at: Instant | None = None
    abort_until: Instant | None = None
    """It is being aborted, and ends by then; None: it is not."""
    looks: bool = False
    """The driver call is a last look at a machine whose action is being aborted."""
    trace: tuple[TraceEntry, ...] = ()
    """The request's life so far; the request has it as the latest commit left it."""
    turn: Ticket | None = None
    """The question to the executor, which step is next, whose answer it waits for, and the timer that ends the wait."""
    is_parked: bool = False
    """It has lent its engine to others, as nothing was to be decided for a while."""
    engine_wish: Ticket | None = None
    """It is parked, stands in line for an engine, and goes on when it has one."""
    is_unaided: bool = False
    """The executor could not answer: what has been done is taken back without it."""

    def is_bmcs(self, ticket: Ticket) -> bool:
        """Return whether an outcome that it waits for is its BMC's own: no worker's word, nor a password's."""
        return ticket == self.call or any(ticket == lane.call for lane in self.lanes if asks_bmc(lane))

    @property
    def traced(self) -> RequestRecord:
        """The request with all that is known of its life, to be committed."""
        return replace(self.request, trace=self.trace)


def drives_power(active: Active) -> bool:
    """Return whether a request, or one of its steps, is at work on the machine's power."""
    return isinstance(active.action, PowerAction) or any(isinstance(lane.action, PowerAction) for lane in active.lanes)


class Check(Struct, gc=False, frozen=True, kw_only=True):
    """Where the node's power check stands. Not on disk: a new owner begins anew.

    A struct, because each check makes three of it; nothing in it can lead back to it, so the collector need not look.
    """

    is_begun: bool = False
    """The node is looked after: it is checked wherever it is to be."""
    timer: Ticket | None = None
    """The next check's."""
    every_s: float = 0.0
    """The interval that the timer was set for; 0.0: the node is not checked."""
    pace: CheckPace = CheckPace.OFF
    """Why it is this one."""
    due_at: Instant | None = None
    """When that timer is due at the latest; of a check under way, when it was."""
    call: Ticket | None = None
    """The driver call of the check under way."""
    started_at: Instant = Instant(0.0)
    """When the latest check began."""
    is_first: bool = False
    """The latest check is the first one that the node's owner made."""
    late_s: float = 0.0
    """How late it began."""
    agreed_at: Instant | None = None
    """When the machine was last seen in the power state on record."""
    acted_at: Instant | None = None
    """When the latest action on the machine's power ended, or its BMC answered a request after failed checks."""
    changed_at: Instant | None = None
    """The same, or when the machine was seen to change shortly after it: since then it may be stable."""
    failures: int = 0
    """Checks in a row that got no power state."""
    forced: int = 0
    """Checks in a row that had to drive the machine back."""


NOT_BEGUN: Final = Check()
"""Before the node's owner has begun to look after it."""


class Streak(NamedTuple):
    """Readings in a row that say the same of an alarm rule, and not what its state says."""

    state: AlarmState
    length: int


NO_STREAKS: Final[Mapping[str, Streak]] = MappingProxyType({})


def no_streaks() -> Mapping[str, Streak]:
    """Return none; a factory, as Python 3.11 takes a mappingproxy for a mutable default."""
    return NO_STREAKS


class Expiry(NamedTuple):
    """A timer for requests that must have started by then."""

    ticket: Ticket
    at: Instant


class NodeState(Struct, gc=False, frozen=True, kw_only=True):
    """One node, whole."""

    record: NodeRecord
    queue: tuple[RequestRecord, ...] = ()
    """Accepted and not started, the oldest first."""
    interrupted: RequestRecord | None = None
    """Was under way when its owner ended; waits for a permit to be taken up again."""
    active: Active | None = None
    permit: RequestID | None = None
    """The request, always `first`, that a permit was asked for or is held for."""
    check: Check = NOT_BEGUN
    queue_limit: int = 16
    """How many may wait; the setting node_queue_limit. Here, because views tell of it as decisions do."""
    parked: "tuple[Submit, ...]" = ()
    """Requests that are judged once the machine has been looked at; not on disk, and not accepted yet."""
    expiry: Expiry | None = None
    """When the next request that waits expires."""
    leaving: bool = False
    """Its removal was decided, and is on its way to the disk: nothing else is taken on."""
    tickets: int = 0
    """Tickets given out so far."""
    streaks: Mapping[str, Streak] = field(default_factory=no_streaks)
    """Name of an alarm rule → what its state may change to. Not on disk: a new owner counts anew."""

    @property
    def first(self) -> RequestRecord | None:
        """The request under way, else the one to be taken up again, else the longest waiting one that is not held."""
        if self.active is not None:
            return self.active.request
        if self.interrupted is not None:
            return self.interrupted
        if not self.queue:
            return None  # as nearly always
        return next((request for request in self.queue if not self.is_held(request)), None)

    def awaits(self, ticket: Ticket) -> bool:
        """Return whether anybody wants to know of a BMC's answer: a check that gave way says nothing about its BMC."""
        check, active = self.check, self.active
        return ticket in (check.call, check.timer) or (active is not None and active.is_bmcs(ticket))

    @property
    def is_in_hand(self) -> bool:
        """Whether a request looks at the machine by itself until its end; a list of steps does so now and then."""
        return self.first is not None and (self.active is None or not isinstance(self.active.action, Run))

    @property
    def is_busy(self) -> bool:
        """Whether a request looks at the machine itself, or is about to; one whose steps all wait for others is not."""
        active = self.active
        if active is None or not isinstance(active.action, Run):
            return self.first is not None
        return active.turn is not None or any(lane.call is not None or lane.wake is not None for lane in active.lanes)

    @property
    def power_state_at(self) -> Instant | None:
        """When the power state on record was seen last; what a check only confirms is not on disk."""
        recorded, agreed = self.record.power_state_at, self.check.agreed_at
        if agreed is None or self.record.power_state is None:
            return recorded
        return agreed if recorded is None else max(recorded, agreed)

    @property
    def running(self) -> RequestRecord | None:
        """The request that has begun: the machine may have been touched."""
        return self.interrupted if self.active is None else self.active.request

    @property
    def open(self) -> tuple[RequestRecord, ...]:
        """The requests that have not ended, the one that has begun first."""
        return self.queue if self.running is None else (self.running, *self.queue)

    def traced(self, request: RequestRecord) -> RequestRecord:
        """Return a request with all that is known of its life."""
        active = self.active
        return request if active is None or active.request.id != request.id else replace(request, trace=active.trace)

    def having(self, request: RequestRecord) -> "NodeState":
        """Return the state with a request as it is now, wherever it stands; it must be `traced`."""
        if self.active is not None and self.active.request.id == request.id:
            return replace(self, active=replace(self.active, request=request, trace=request.trace))
        if self.interrupted is not None and self.interrupted.id == request.id:
            return replace(self, interrupted=request)
        return replace(self, queue=tuple(request if one.id == request.id else one for one in self.queue))

    def is_held(self, request: RequestRecord) -> bool:
        """Return whether a request that waits does so until the node's maintenance is over."""
        return request.hold and self.record.maintenance

    def looks_like(self, other: "NodeState") -> bool:
        """Return whether whoever looks at the node sees what they saw of another state of it.

        That a check has begun, and which timers are set, is its owner's own affair.
        """
        mine, its = self.check, other.check
        return (
            self.record is other.record
            and self.active is other.active
            and self.queue is other.queue
            and self.interrupted is other.interrupted
            and self.parked is other.parked
            and (self.permit, self.leaving) == (other.permit, other.leaving)
            and (mine.is_begun, mine.failures, mine.agreed_at) == (its.is_begun, its.failures, its.agreed_at)
            and mine.due_at == its.due_at
            and mine.pace is its.pace
        )

    def recording(self, **changes: Any) -> "NodeState":
        """Return the state with a changed record."""
        return replace(self, record=replace(self.record, **changes))
