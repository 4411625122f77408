"""The fleet's actor: the one place that decides about names, BMC addresses, and which nodes there are.

A thin shell around `core.fleet`. Creating a node is a commit of its own; changing one is prepared here and carried out
by the node's actor, which reports back. If the actor fails, a successor takes its seat at once: what nodes there are is
on the board, and what is under way is handed over. Blocks never.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, Final

from castiron.actors.asking import Asked
from castiron.actors.core.fleet import FleetIndex, Identity, Newcomer, judge_create, judge_set
from castiron.actors.core.messages import Amend, Preview
from castiron.actors.core.state import NodeState
from castiron.actors.core.views import node_view
from castiron.actors.delivery import deliver, node_not_found
from castiron.actors.dispatch.pooled import DispatchedActor, failure_text, leftovers_of
from castiron.actors.nodes.reporter import RECOVERY_PAUSE_S
from castiron.actors.runbooks.keeper import ChangeRunbook, RunbookKeeper, RunbookWritten
from castiron.actors.services import Services
from castiron.actors.supervision.kin import AmendEnded, NodeGone, Seat
from castiron.actors.supervision.nursery import Nursery
from castiron.actors.supervision.succession import Succession
from castiron.actors.supervision.supervisor import Tally
from castiron.store.errors import DuplicateNode, StoreError
from castiron.store.records import Change, Commit, EventDraft, NodeInsert, NodeRecord
from castiron.transport.errors import (
    CastironError,
    ConductorOverloaded,
    InternalError,
    NodeExists,
    StoreUnavailable,
)
from castiron.transport.replies import Forecast
from castiron.transport.verbs import NodeCreate, NodeSet
from castiron.transport.vocabulary import Applied, EventType, NodeSeq, NodeUUID, Would

log = logging.getLogger(__name__)

FIRST_CHECK_WITHIN_S: Final = 1.0
"""A new node is looked at soon: whoever made it known looks at it next. Many at once are spread by being made."""

RETRY_AFTER_S = 0.5
"""A failed fleet actor has a successor within milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNode:
    """A user wants a node known."""

    is_control: ClassVar[bool] = False

    verb: NodeCreate
    requester: str
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNode:
    """A user wants a node's attributes changed."""

    is_control: ClassVar[bool] = False

    verb: NodeSet
    requester: str
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The outcome of a new node's commit has come."""

    is_control: ClassVar[bool] = True

    record: NodeRecord
    asked: Asked
    outcome: Commit | StoreError
    is_raised: bool = False
    """The node has its actor."""
    is_again: bool = False
    """A predecessor failed at it."""


FleetMessage = CreateNode | SetNode | Created | AmendEnded | NodeGone | ChangeRunbook | RunbookWritten

ASKED: Final = (CreateNode, SetNode, ChangeRunbook)
"""What users ask of the fleet."""

Underway = Mapping[NodeUUID, Identity]
"""What nodes are about to be called, and where their BMCs are about to be: creations and changes without an end yet."""

Failed = Callable[[str, Underway, list[Any]], None]
"""Told why the fleet's actor ended, what it had under way, and what it had not looked at."""


class FleetActor(DispatchedActor):
    """Owns the index of the fleet.

    Args:
        seat: its own, where outcomes find it or its successor.
        underway: what a predecessor had under way.
        failed: told when it ends, for whatever reason.
    """

    def __init__(self, services: Services, nursery: Nursery, seat: Seat, underway: Underway, failed: Failed) -> None:
        super().__init__(dispatcher=services.dispatcher, inbox_limit=services.settings.fleet_mailbox_limit)
        self._services = services
        self._nursery = nursery
        self._seat = seat
        self._failed = failed
        self._index = FleetIndex()
        self._runbooks = RunbookKeeper(services, seat)
        self._underway = dict(underway)
        self._in_hand: FleetMessage | None = None
        for published in services.board.nodes():
            record = published.state.record
            self._index.add(record.uuid, Identity(record.name, record.bmc_address))
        for uuid, identity in underway.items():
            if self._index.name_of(uuid) is None:
                self._index.add(uuid, identity)
            else:
                self._index.reserve(uuid, identity)

    def on_receive(self, message: FleetMessage) -> None:
        """Decide about a message. Runs on a dispatcher thread; never blocks."""
        self._in_hand = message
        match message:
            case CreateNode(asked=asked) | SetNode(asked=asked) | ChangeRunbook(asked=asked):
                self._judge(message, asked)
            case RunbookWritten():
                self._runbooks.written(message)
            case Created():
                self._created(message)
            case AmendEnded(uuid=uuid, applied=applied):
                self._underway.pop(uuid, None)
                self._index.settle(uuid, applied=applied)
            case NodeGone(uuid=uuid):
                self._underway.pop(uuid, None)
                self._index.drop(uuid)
        self._in_hand = None

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Answer whoever asked for what it failed at, and hand everything else over to a successor."""
        del traceback
        reason, in_hand = failure_text(exception_type, exception_value), self._in_hand
        leftovers = leftovers_of(self.actor_ref)
        if isinstance(in_hand, Created) and not in_hand.is_again:  # it is on disk, and must not be unseen for that
            return self._failed(reason, self._underway, [replace(in_hand, is_again=True), *leftovers])
        self._failed(reason, self._underway, leftovers)
        if isinstance(in_hand, (*ASKED, Created, RunbookWritten)):  # answered last: who asks again finds a successor
            self._give_up(in_hand.asked, reason)
        return None

    def on_stop(self) -> None:
        """Hand everything over."""
        self._failed("it was stopped", self._underway, leftovers_of(self.actor_ref))

    def _give_up(self, asked: Asked, reason: str) -> None:
        error_id = self._services.new_id()
        log.error("%s: the fleet's actor failed at a message: %s", error_id, reason, extra={"error_id": error_id})
        message = "The fleet's actor failed at this message and is replaced; the conductor's log says why."
        asked.refused(InternalError(message, applied=Applied.UNKNOWN, error_id=error_id), self._services.board.seq)

    def _judge(self, message: CreateNode | SetNode | ChangeRunbook, asked: Asked) -> None:
        try:
            match message:
                case CreateNode():
                    self._create(message)
                case SetNode():
                    self._set(message)
                case ChangeRunbook():
                    self._runbooks.change(message)
        except CastironError as error:
            asked.refused(error, self._services.board.seq)

    def _create(self, message: CreateNode) -> None:
        services = self._services
        now = services.clock.now()
        newcomer = Newcomer(uuid=NodeUUID(services.new_id()), owner=services.conductor, now=now)
        made = judge_create(self._index, message.verb, newcomer, services.drivers)
        if message.verb.dry_run:
            forecast = Forecast(would=Would.CREATE, text=f"{made.name} would be made known.", node=made.name)
            return message.asked.answer.final(forecast, services.board.seq)
        record = replace(made, node_seq=NodeSeq(1))
        event = EventDraft(
            type=EventType.NODE_CREATE_END,
            at=now,
            node_uuid=record.uuid,
            node_name=record.name,
            payload={"driver": record.driver, "requester": message.requester},
        )
        change = Change(node=NodeInsert(record=record), events=(event,))
        services.writer.submit(change, partial(_tell_created, self._seat, record, message.asked))
        self._underway[record.uuid] = Identity(record.name, record.bmc_address)
        return self._index.add(record.uuid, self._underway[record.uuid])

    def _created(self, message: Created) -> None:
        record, outcome = message.record, message.outcome
        if isinstance(outcome, Commit):
            state = NodeState(record=record, queue_limit=self._services.settings.node_queue_limit)
            if not message.is_raised:
                self._nursery.raise_node(state, outcome.seq, check_within_s=FIRST_CHECK_WITHIN_S)
                self._in_hand = replace(message, is_raised=True)
            self._underway.pop(record.uuid, None)
            return message.asked.answer.final(node_view(state, self._services.clock.now()), outcome.seq)
        self._underway.pop(record.uuid, None)
        self._index.drop(record.uuid)
        return message.asked.refused(_not_created(record, outcome), self._services.board.seq)

    def _set(self, message: SetNode) -> None:
        published = self._services.board.node(message.verb.node)
        if published is None:
            raise node_not_found(message.verb.node)
        record = published.state.record
        amendment, identity = judge_set(self._index, message.verb, record, self._services.drivers)
        amend = Amend(
            amendment=amendment, revision=message.verb.revision, requester=message.requester, reply_to=message.asked
        )
        if message.verb.dry_run:
            return deliver(self._services, published.state, Preview(message=amend, reply_to=message.asked))
        deliver(self._services, published.state, amend)
        self._underway[record.uuid] = identity
        return self._index.reserve(record.uuid, identity)


def seat_fleet(services: Services, nursery: Nursery, seat: Seat, tally: Tally, given_up: Callable[[str], None]) -> None:
    """Start the fleet's actor, and see to its succession.

    Args:
        given_up: told if it ended and cannot be started again.
    """

    def refuse(message: FleetMessage) -> bool:
        if isinstance(message, ASKED):
            message.asked.refused(being_replaced(), services.board.seq)
        return isinstance(message, ASKED)

    def count() -> None:
        tally.fleet_restarts += 1

    begin = partial(FleetActor.start, services, nursery, seat)
    what = "the fleet's actor"
    Succession[Underway](
        services=services, seat=seat, what=what, begin=begin, refuse=refuse, count=count, given_up=given_up
    ).start({}, [])


def being_replaced() -> ConductorOverloaded:
    """Return the error for a change of the fleet that comes while nobody can look at it."""
    return ConductorOverloaded(
        "The fleet's actor is being replaced. Try again.", details={"what": "fleet"}, retry_after_s=RETRY_AFTER_S
    )


def _tell_created(seat: Seat, record: NodeRecord, asked: Asked, outcome: Commit | StoreError) -> None:
    """Bring the outcome to whoever is the fleet's actor now. Runs on the writer's thread."""
    seat.tell(Created(record=record, asked=asked, outcome=outcome))


def _not_created(record: NodeRecord, error: StoreError) -> CastironError:
    if isinstance(error, DuplicateNode):
        return NodeExists(
            f"Another node is called {record.name}. Choose another name.",
            details={"name": record.name, "uuid": None},
        )
    return StoreUnavailable(
        f"{error}. Nothing was changed.", details={"reason": str(error)}, retry_after_s=RECOVERY_PAUSE_S
    )
