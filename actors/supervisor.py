"""The supervisor: one for one, it gives a failed node's actor a successor, or puts the node aside.

A thin shell around `core.supervision`. It hears of failures from the actors themselves, and looks at the dispatcher for
turns that hang. A successor starts from the store, behind every write of its predecessor; messages that the predecessor
had not looked at are handed on. Blocks never.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, ClassVar

from pykka import ActorDeadError

from castiron.actors.core.aside import put_aside
from castiron.actors.core.messages import Amend, Remove, Submit
from castiron.actors.core.state import NodeState
from castiron.actors.core.supervision import Policy, PutAside, Restart, judge
from castiron.actors.delivery import deliver, node_not_found
from castiron.actors.kin import AmendEnded, ChildFailed, Hung, Kin, NodeGone
from castiron.actors.nursery import Nursery, state_from_store
from castiron.actors.pooled import DispatchedActor, abandon, leftovers_of
from castiron.actors.services import Services
from castiron.store.errors import StoreError
from castiron.store.records import Change, Commit, NodeRecord, NodeUpdate, RequestRecord
from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import Instant, NodeUUID

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replace:
    """The wait before a restart is over."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID


@dataclass(frozen=True, slots=True)
class Found:
    """A node as it is on disk, for its successor or for putting it aside."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID
    record: NodeRecord | None
    requests: list[RequestRecord]


@dataclass(frozen=True, slots=True)
class Aside:
    """The outcome of putting a node aside."""

    is_control: ClassVar[bool] = True

    change: Change
    outcome: Commit | StoreError


@dataclass(slots=True)
class Child:
    """What is remembered of a node whose actor has failed."""

    failures: tuple[Instant, ...] = ()
    aside: bool = False
    leftovers: list[Any] = field(default_factory=list[Any])


SupervisorMessage = ChildFailed | Hung | Replace | Found | Aside


class SupervisorActor(DispatchedActor):
    """Watches over the nodes' actors."""

    def __init__(self, services: Services, kin: Kin, nursery: Nursery, failed: Callable[[str], None]) -> None:
        super().__init__(dispatcher=services.dispatcher)
        self._services = services
        self._kin = kin
        self._nursery = nursery
        self._failed = failed
        self._children: dict[NodeUUID, Child] = {}
        self.restarts = 0
        settings = services.settings
        self._policy = Policy(
            intensity=settings.restart_intensity,
            period_s=settings.restart_period_s,
            delay_initial_s=settings.restart_delay_initial_s,
            delay_max_s=settings.restart_delay_max_s,
        )

    def on_receive(self, message: SupervisorMessage) -> None:
        """Decide about a message. Runs on a dispatcher thread; never blocks."""
        match message:
            case ChildFailed():
                self._child_failed(message)
            case Hung():
                self._hung(message)
            case Replace(uuid=uuid):
                self._services.load(uuid, partial(self._found, uuid))
            case Found():
                self._carry_on(message)
            case Aside():
                self._put_aside(message)

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say that nobody watches any more."""
        del traceback
        self._failed(f"{getattr(exception_type, '__name__', 'unknown')}: {exception_value}")

    def _child_failed(self, message: ChildFailed) -> None:
        services = self._services
        if not services.directory.vacate(message.uuid, message.generation):
            return self._hand_back(message.uuid, message.leftovers)  # replaced already, as hanging
        child = self._children.setdefault(message.uuid, Child())
        child.leftovers.extend(message.leftovers)
        child.failures, verdict = judge(child.failures, services.clock.now(), self._policy)
        match verdict:
            case Restart(after_s=after_s):
                log.error(
                    "node %s: its actor failed (%s); a successor in %.2f s", message.uuid, message.reason, after_s
                )
                at = Instant(services.clock.now() + after_s)
                services.clock.call_at(at, partial(self._tell_self, Replace(message.uuid)))
            case PutAside(failures=failures):
                log.error(
                    "node %s: its actor failed (%s), %d times now; put aside", message.uuid, message.reason, failures
                )
                child.aside = True
                services.load(message.uuid, partial(self._found, message.uuid))
        return None

    def _hung(self, message: Hung) -> None:
        """Take the node from an actor whose turn does not end; from now on its generation counts for nothing."""
        owner = self._services.directory.owner(message.uuid)
        if owner is None or owner.ref is None or owner.generation != message.generation:
            return
        leftovers = tuple(leftovers_of(owner.ref))
        abandon(owner.ref)
        failed = ChildFailed(
            uuid=message.uuid, generation=message.generation, reason=message.reason, leftovers=leftovers
        )
        self._child_failed(failed)
        self._services.directory.next_generation(message.uuid)

    def _found(self, uuid: NodeUUID, record: NodeRecord | None, requests: list[RequestRecord]) -> None:
        """Bring what is on disk. Runs on the store's reading thread."""
        self._tell_self(Found(uuid, record, requests))

    def _carry_on(self, message: Found) -> None:
        child = self._children.setdefault(message.uuid, Child())
        if message.record is None:  # its removal was committed before it failed
            self._services.board.remove(message.uuid, self._services.board.seq)
            self._kin.fleet.tell(NodeGone(uuid=message.uuid))
            del self._children[message.uuid]
            return self._hand_back(message.uuid, tuple(child.leftovers))
        if child.aside:
            change = put_aside(message.record, message.requests, self._services.clock.now(), len(child.failures))
            return self._services.writer.submit(change, partial(self._written, change))
        self.restarts += 1
        self._nursery.raise_node(state_from_store(message.record, message.requests), self._services.board.seq)
        leftovers, child.leftovers = tuple(child.leftovers), []
        return self._hand_back(message.uuid, leftovers)

    def _written(self, change: Change, outcome: Commit | StoreError) -> None:
        """Bring the outcome. Runs on the writer's thread."""
        self._tell_self(Aside(change, outcome))

    def _put_aside(self, message: Aside) -> None:
        update = message.change.node
        if not isinstance(update, NodeUpdate):
            return
        uuid = update.record.uuid
        if isinstance(message.outcome, Commit):
            state = NodeState(record=update.record)
            self._services.board.publish(state, message.outcome.seq, message.change.requests)
        else:
            log.error("node %s: could not be put aside: %s", uuid, message.outcome)
            at = Instant(self._services.clock.now() + self._policy.period_s)
            self._services.clock.call_at(at, partial(self._tell_self, Replace(uuid)))
        child = self._children[uuid]
        leftovers, child.leftovers = tuple(child.leftovers), []
        self._hand_back(uuid, leftovers)

    def _hand_back(self, uuid: NodeUUID, messages: tuple[Any, ...]) -> None:
        """Hand on what a predecessor had not looked at; what answers its own orders dies with it."""
        for message in messages:
            if not isinstance(message, (Submit, Remove, Amend)):
                continue
            published = self._services.board.node(uuid)
            try:
                if published is None:
                    raise node_not_found(uuid)
                deliver(self._services, published.state, message)
            except CastironError as error:
                message.reply_to.refused(error, self._services.board.seq)
                if isinstance(message, Amend):
                    self._kin.fleet.tell(AmendEnded(uuid=uuid, applied=False))

    def _tell_self(self, message: SupervisorMessage) -> None:
        try:
            self.actor_ref.tell(message)
        except ActorDeadError:
            log.debug("the supervisor has stopped")
