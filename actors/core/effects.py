"""What a decision orders, as data. The actor's shell carries it out.

The order is the design's: permit, then commit, then everything that others can notice. Effects that stand beside a
Change are held back until it is on disk; so are the effects of later decisions, which were made on top of it.
"""

from dataclasses import dataclass

from msgspec import Struct

from castiron.actors.core.messages import ReplyTo
from castiron.actors.core.provision.run import Run
from castiron.actors.core.state import NodeState, Ticket
from castiron.actors.drivers.base import Operation
from castiron.actors.drivers.work import RunStep
from castiron.store.records import Change, NodeUpdate, RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import CastironError
from castiron.transport.replies import Forecast
from castiron.transport.vocabulary import CheckResult, Instant, NodeName, RequestID


@dataclass(frozen=True, slots=True)
class Accept:
    """Tell the requester that the request is on disk, and remember who wants to hear its end."""

    reply_to: ReplyTo
    request: RequestRecord


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the requester why not."""

    reply_to: ReplyTo
    error: CastironError


@dataclass(frozen=True, slots=True)
class Park:
    """Somebody waits for a look at the machine before the request is judged; the state says who."""

    reply_to: ReplyTo


@dataclass(frozen=True, slots=True)
class AnswerNode:
    """Answer with the node as it is after this decision."""

    reply_to: ReplyTo


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Answer with a request as it is after this decision."""

    reply_to: ReplyTo
    request: RequestRecord
    is_final: bool
    """It is all there is to say; otherwise whoever asked waits for the request's end."""


@dataclass(frozen=True, slots=True)
class AnswerHolding:
    """Tell the keeper of allocations that the node was claimed, or given back, as it wanted."""

    reply_to: ReplyTo


@dataclass(frozen=True, slots=True)
class Foretell:
    """Answer with what a message would do."""

    reply_to: ReplyTo
    forecast: Forecast


@dataclass(frozen=True, slots=True)
class AcquirePermit:
    """Ask for a place to run the request."""

    request_id: RequestID
    verb: str
    target: str | None = None
    """What the verb is to bring about, where it says so: some targets have a bound of their own."""
    requester: str = ""
    """Who wants it: those who wait take turns."""
    needs_engine: bool = False
    """It begins with a list of steps, whose order an executor's engine may decide."""


@dataclass(frozen=True, slots=True)
class ReleasePermit:
    """Give the place back."""

    request_id: RequestID


class CallDriver(Struct, frozen=True):
    """Ask the driver; the outcome comes back as Heard with this ticket."""

    ticket: Ticket
    operation: Operation
    deadline: Instant
    gives_way: bool = False
    """Nobody waits for it: it ends as soon as somebody wants something of the same BMC."""
    next_by: Instant | None = None
    """By then the same is asked again."""


@dataclass(frozen=True, slots=True)
class CallWorker:
    """Have a worker carry a step out; the outcome comes back as Heard with this ticket."""

    ticket: Ticket
    work: RunStep
    name: str
    """The step's, in its list."""
    attempt: int
    request_id: RequestID
    deadline: Instant


@dataclass(frozen=True, slots=True)
class DrawPassword:
    """Draw a password for a BMC; it comes back as Heard with this ticket."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class StopWorker:
    """Ask a worker to stop, whose step nobody wants any more; its outcome may still come. Idempotent."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class AskExecutor:
    """Ask which steps are next; the answer comes back as Moved with this ticket."""

    ticket: Ticket
    key: str
    """Which list it is: another key, another engine."""
    run: Run


@dataclass(frozen=True, slots=True)
class LendEngine:
    """Let others have the list's engine, or its place in the line for one. Idempotent."""


@dataclass(frozen=True, slots=True)
class RetakeEngine:
    """Stand in line for an engine; that there is one comes back as EngineGranted with this ticket."""

    ticket: Ticket


class SetTimer(Struct, gc=False, frozen=True):
    """Say TimerDue with this ticket at this time, or earlier by a part of `early_s` that the shell draws."""

    ticket: Ticket
    at: Instant
    early_s: float = 0.0
    every_s: float = 0.0
    """Not 0.0: it is one of a rhythm, so far apart, and comes up together with those of other nodes."""
    look_every_s: float = 0.0
    """Not 0.0: if the node is told nothing until then, ask the driver for the power state instead, as a check that is
    repeated so long after; say Began with this ticket before the next message, and Heard with it and what began."""


class CancelTimer(Struct, gc=False, frozen=True):
    """Do not, if it has not been said yet."""

    ticket: Ticket


class Checked(Struct, frozen=True):
    """Count a power check that has ended."""

    result: CheckResult
    late_s: float
    """How late it began."""
    error: CastironError | None = None
    """Why there was no answer."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Forget the driver's session: the driver_info has changed."""


@dataclass(frozen=True, slots=True)
class TellFleet:
    """Tell the fleet how an Amend ended, so that names and addresses that nobody has are free again."""

    applied: bool


@dataclass(frozen=True, slots=True)
class Retire:
    """The node is known no more: leave the directory, tell the fleet, answer, and stop."""

    reply_to: ReplyTo
    name: NodeName


Effect = (
    Accept
    | Refuse
    | Park
    | AnswerNode
    | AnswerRequest
    | AnswerHolding
    | Foretell
    | AcquirePermit
    | ReleasePermit
    | CallDriver
    | CallWorker
    | DrawPassword
    | StopWorker
    | AskExecutor
    | LendEngine
    | RetakeEngine
    | SetTimer
    | CancelTimer
    | Checked
    | Renew
    | TellFleet
    | Retire
)


class Decision(Struct, frozen=True):
    """The state afterwards, what must be on disk, and what follows once it is."""

    state: NodeState
    effects: tuple[Effect, ...] = ()
    change: Change | None = None

    @property
    def wanted(self) -> AcquirePermit | None:
        """The permit that it asks for, if it gives none back."""
        if any(isinstance(effect, ReleasePermit) for effect in self.effects):
            return None
        return next((effect for effect in self.effects if isinstance(effect, AcquirePermit)), None)

    def with_permit(self, granted: "Decision") -> "Decision":
        """Return this decision and the one that its permit led to at once as a single one, with a single change.

        Args:
            granted: what was decided on top of this one about `PermitGranted`; both have a change of the same node.
        """
        first, then, record = self.change, granted.change, granted.state.record
        if first is None or then is None or not isinstance(first.node, NodeUpdate):
            raise ValueError("only two changes of a node can be made one")
        record = replace(record, revision=self.state.record.revision)
        known = {request.id for request in first.requests}
        requests = {request.id: request for request in (*first.requests, *then.requests)}
        change = Change(
            node=NodeUpdate(record=record, before=first.node.before),
            requests=tuple(requests.values()),
            before={**{new: then.before[new] for new in then.before if new not in known}, **first.before},
            events=first.events + then.events,
            keys=first.keys + then.keys,
            outbox=first.outbox + then.outbox,
            allocations=first.allocations + then.allocations,
        )
        kept = tuple(effect for effect in self.effects if not isinstance(effect, AcquirePermit))
        return Decision(replace(granted.state, record=record), kept + granted.effects, change)
