"""The fleet's actor: the one place that decides about names, BMC addresses, and which nodes there are.

A thin shell around `core.fleet`. Creating a node is a commit of its own; changing one is prepared here and carried out
by the node's actor, which reports back. Blocks never.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import ClassVar

from pykka import ActorDeadError

from castiron.actors.asking import Asked
from castiron.actors.core.fleet import FleetIndex, Identity, Newcomer, judge_create, judge_set
from castiron.actors.core.messages import Amend
from castiron.actors.core.state import NodeState
from castiron.actors.core.views import node_view
from castiron.actors.delivery import deliver, node_not_found
from castiron.actors.kin import AmendEnded, NodeGone
from castiron.actors.nursery import Nursery
from castiron.actors.pooled import DispatchedActor, leftovers_of
from castiron.actors.reporter import RECOVERY_PAUSE_S
from castiron.actors.services import Services
from castiron.store.errors import DuplicateNode, StoreError
from castiron.store.records import Change, Commit, EventDraft, NodeInsert, NodeRecord
from castiron.transport.errors import CastironError, NodeExists, StoreUnavailable
from castiron.transport.verbs import NodeCreate, NodeSet
from castiron.transport.vocabulary import EventType, NodeSeq, NodeUUID


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


FleetMessage = CreateNode | SetNode | Created | AmendEnded | NodeGone


class FleetActor(DispatchedActor):
    """Owns the index of the fleet."""

    def __init__(self, services: Services, nursery: Nursery, failed: Callable[[str], None]) -> None:
        super().__init__(dispatcher=services.dispatcher, inbox_limit=services.settings.fleet_mailbox_limit)
        self._services = services
        self._nursery = nursery
        self._failed = failed
        self._index = FleetIndex()
        for published in services.board.nodes():
            record = published.state.record
            self._index.add(record.uuid, Identity(record.name, record.bmc_address))

    def on_receive(self, message: FleetMessage) -> None:
        """Decide about a message. Runs on a dispatcher thread; never blocks."""
        match message:
            case CreateNode(asked=asked) | SetNode(asked=asked):
                self._judge(message, asked)
            case Created():
                self._created(message)
            case AmendEnded(uuid=uuid, applied=applied):
                self._index.settle(uuid, applied=applied)
            case NodeGone(uuid=uuid):
                self._index.drop(uuid)

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Answer whoever waits, and make room for a successor, who starts from what is published."""
        del traceback
        for message in leftovers_of(self.actor_ref):
            if isinstance(message, (CreateNode, SetNode)):
                message.asked.refused(_unavailable("The fleet's actor was replaced."), self._services.board.seq)
            elif isinstance(message, Created):
                self._created(message)
        self._failed(f"{getattr(exception_type, '__name__', 'unknown')}: {exception_value}")

    def _judge(self, message: CreateNode | SetNode, asked: Asked) -> None:
        try:
            if isinstance(message, CreateNode):
                self._create(message)
            else:
                self._set(message)
        except CastironError as error:
            asked.refused(error, self._services.board.seq)

    def _create(self, message: CreateNode) -> None:
        services = self._services
        now = services.clock.now()
        newcomer = Newcomer(uuid=NodeUUID(services.new_id()), owner=services.conductor, now=now)
        record = replace(judge_create(self._index, message.verb, newcomer, services.drivers), node_seq=NodeSeq(1))
        self._index.add(record.uuid, Identity(record.name, record.bmc_address))
        event = EventDraft(
            type=EventType.NODE_CREATE_END,
            at=now,
            node_uuid=record.uuid,
            node_name=record.name,
            payload={"driver": record.driver, "requester": message.requester},
        )
        change = Change(node=NodeInsert(record=record), events=(event,))
        services.writer.submit(change, partial(self._written, record, message.asked))

    def _written(self, record: NodeRecord, asked: Asked, outcome: Commit | StoreError) -> None:
        """Bring the outcome to the actor. Runs on the writer's thread."""
        try:
            self.actor_ref.tell(Created(record=record, asked=asked, outcome=outcome))
        except ActorDeadError:
            asked.refused(_unavailable("The conductor stopped."), self._services.board.seq)

    def _created(self, message: Created) -> None:
        record, outcome = message.record, message.outcome
        if isinstance(outcome, Commit):
            state = NodeState(record=record)
            self._nursery.raise_node(state, outcome.seq)
            return message.asked.answer.final(node_view(state, self._services.clock.now()), outcome.seq)
        self._index.drop(record.uuid)
        error: CastironError = _unavailable(str(outcome))
        if isinstance(outcome, DuplicateNode):
            error = NodeExists(
                f"Another node is called {record.name}. Choose another name.",
                details={"name": record.name, "uuid": None},
            )
        return message.asked.refused(error, self._services.board.seq)

    def _set(self, message: SetNode) -> None:
        published = self._services.board.node(message.verb.node)
        if published is None:
            raise node_not_found(message.verb.node)
        record = published.state.record
        amendment, identity = judge_set(self._index, message.verb, record, self._services.drivers)
        self._index.reserve(record.uuid, identity)
        amend = Amend(
            amendment=amendment, revision=message.verb.revision, requester=message.requester, reply_to=message.asked
        )
        try:
            deliver(self._services, published.state, amend)
        except CastironError:
            self._index.settle(record.uuid, applied=False)
            raise


def _unavailable(reason: str) -> StoreUnavailable:
    return StoreUnavailable(f"{reason} Nothing was changed.", retry_after_s=RECOVERY_PAUSE_S)
