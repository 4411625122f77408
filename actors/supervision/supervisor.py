"""The supervisor: one for one, it gives a failed node's actor a successor, or puts the node aside.

A thin shell around `core.supervision`. It hears of failures from the actors themselves, and of turns that hang from the
watch. A node that was put aside is tried again when a user takes it out of maintenance or deletes it. A successor
starts from the store, behind every write of its predecessor; messages of users that the predecessor had not looked at
are handed on. Blocks never.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import ClassVar

from pykka import ActorDeadError

from castiron.actors.core.aside import put_aside
from castiron.actors.core.messages import Amend, Submit
from castiron.actors.core.state import NodeState
from castiron.actors.core.supervision import Policy, PutAside, Restart, judge
from castiron.actors.delivery import deliver, node_not_found
from castiron.actors.dispatch.pooled import DispatchedActor, abandon, failure_text, leftovers_of
from castiron.actors.nodes.place import owner_of
from castiron.actors.nodes.reporter import Reporter
from castiron.actors.services import Loaded, Services
from castiron.actors.settings import Settings
from castiron.actors.supervision.kin import (
    AmendEnded,
    ChildFailed,
    Hung,
    Kin,
    NodeGone,
    Strayed,
    TakeBack,
    UsersMessage,
)
from castiron.actors.supervision.nursery import Nursery, state_from_store
from castiron.store.errors import StoreError
from castiron.store.records import Change, Commit, NodeUpdate
from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import EventSeq, Instant, NodeUUID, RequestID

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replace:
    """The wait before a restart is over."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID


@dataclass(frozen=True, slots=True)
class Found:
    """A node as it is on disk, for its successor or for putting it aside; or why it could not be read."""

    is_control: ClassVar[bool] = True

    uuid: NodeUUID
    loaded: Loaded


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
    reason: str = ""
    """Of the latest failure."""
    aside: bool = False
    """It has failed too often."""
    rests: bool = False
    """It was put aside for that, and nothing is under way for it."""
    overdue: RequestID | None = None
    """The request that a successor is to end."""
    leftovers: list[UsersMessage] = field(default_factory=list[UsersMessage])


@dataclass(slots=True)
class Tally:
    """What has been done for failed actors since the start, for `status`."""

    restarts: int = 0
    """Of nodes' actors; written by the supervisor alone."""
    put_aside: int = 0
    """Nodes that are put aside now; written by the supervisor alone."""
    fleet_restarts: int = 0
    """Of the fleet's actor; written by whoever seats it."""
    keeper_restarts: int = 0
    """Of whoever keeps allocations; written by whoever seats it."""


def policy_of(settings: Settings) -> Policy:
    """Return how patient the settings are."""
    return Policy(
        intensity=settings.restart_intensity,
        period_s=settings.restart_period_s,
        delay_initial_s=settings.restart_delay_initial_s,
        delay_max_s=settings.restart_delay_max_s,
    )


SupervisorMessage = ChildFailed | Strayed | TakeBack | Hung | Replace | Found | Aside


class SupervisorActor(DispatchedActor):
    """Watches over the nodes' actors.

    Args:
        failed: told if the supervisor itself ends, for whatever reason.
    """

    def __init__(
        self, services: Services, kin: Kin, nursery: Nursery, tally: Tally, failed: Callable[[str], None]
    ) -> None:
        super().__init__(dispatcher=services.dispatcher)
        self._services = services
        self._kin = kin
        self._nursery = nursery
        self._tally = tally
        self._failed = failed
        self._children: dict[NodeUUID, Child] = {}
        self._forgets_at = Instant(0.0)
        self._policy = policy_of(services.settings)

    def on_receive(self, message: SupervisorMessage) -> None:
        """Decide about a message. Runs on a dispatcher thread; never blocks."""
        match message:
            case ChildFailed():
                self._child_failed(message)
            case Strayed(uuid=uuid, messages=messages):
                self._hand_on(uuid, messages)
            case TakeBack():
                self._take_back(message)
            case Hung():
                self._hung(message)
            case Replace(uuid=uuid):
                self._load(uuid)
            case Found(uuid=uuid, loaded=loaded):
                self._found(uuid, loaded)
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
        self._failed(f"the supervisor failed ({failure_text(exception_type, exception_value)})")

    def on_stop(self) -> None:
        """Say that nobody watches any more."""
        self._failed("the supervisor was stopped")

    def _child_failed(self, message: ChildFailed) -> None:
        services, now = self._services, self._services.clock.now()
        if not services.directory.vacate(message.uuid, message.generation):
            return self._hand_on(message.uuid, message.leftovers)  # retired, or replaced already, as hanging
        self._forget_old_failures(now)
        child = self._children.setdefault(message.uuid, Child())
        child.leftovers.extend(message.leftovers)
        child.reason = message.reason
        child.failures, verdict = judge(child.failures, now, self._policy)
        match verdict:
            case Restart(after_s=after_s):
                told = "node %s: its actor failed (%s); a successor in %.2f s"
                log.error(told, message.uuid, message.reason, after_s, extra={"node_uuid": message.uuid})
                self._later(after_s, message.uuid)
            case PutAside(failures=failures):
                told = "node %s: its actor failed (%s), %d times; it is to be put aside"
                log.error(told, message.uuid, message.reason, failures, extra={"node_uuid": message.uuid})
                child.aside = True
                self._load(message.uuid)
        return None

    def _take_back(self, message: TakeBack) -> None:
        """Try the actor of a node that rests again, with all its chances, and hand on what is wanted of it."""
        uuid = message.uuid
        owner = self._services.directory.owner(uuid)
        if owner is None or owner.ref is not None:
            return self._hand_on(uuid, (message.message,))  # removed, or taken back already
        child = self._children.setdefault(uuid, Child())
        child.leftovers.append(message.message)
        if child.rests:
            child.failures, child.aside, child.rests = (), False, False
            self._tally.put_aside -= 1
            log.warning("node %s: its actor is tried again, for %s", uuid, message.message.requester)
            self._load(uuid)
        return None

    def _hung(self, message: Hung) -> None:
        """Take the node from an actor whose turn does not end; from now on its generation counts for nothing."""
        uuid, generation = message.uuid, message.generation
        owner = self._services.directory.owner(uuid)
        if owner is None or owner.ref is None or owner.generation != generation:
            return
        leftovers = self._parked_at(uuid, generation)
        leftovers += Reporter(self._services, self._kin, uuid, generation).settle(leftovers_of(owner.ref))
        self._children.setdefault(uuid, Child()).overdue = message.overdue
        abandon(owner.ref)
        self._child_failed(ChildFailed(uuid=uuid, generation=generation, reason=message.reason, leftovers=leftovers))
        # Its generation counts no more, so it will not ask for another one.
        self._services.permits.withdraw(owner_of(uuid, generation))

    def _parked_at(self, uuid: NodeUUID, generation: int) -> tuple[UsersMessage, ...]:
        """Return what waits for a look at the machine: only the actor that hangs knows it, and it is not on disk."""
        published = self._services.board.node(uuid)
        return published.state.parked if published is not None and published.generation == generation else ()

    def _load(self, uuid: NodeUUID) -> None:
        self._services.load(uuid, partial(self._tell_found, uuid))

    def _tell_found(self, uuid: NodeUUID, loaded: Loaded) -> None:
        """Bring what is on disk. Runs on the archive's thread."""
        self._tell_self(Found(uuid, loaded))

    def _found(self, uuid: NodeUUID, loaded: Loaded) -> None:
        child = self._children.setdefault(uuid, Child())
        if isinstance(loaded, Exception):
            log.error(
                "node %s: could not be read from the store (%s); trying again", uuid, loaded, extra={"node_uuid": uuid}
            )
            self._later(self._policy.delay_max_s, uuid)
        elif loaded.record is None:
            self._see_off(uuid, loaded.seq)
        elif child.aside:
            now, error_id = self._services.clock.now(), self._services.new_id()
            change = put_aside(loaded.record, loaded.requests, now, len(child.failures), error_id=error_id)
            extra = {"node": loaded.record.name, "node_uuid": uuid, "error_id": error_id}
            log.error("%s: node %s is put aside: %s", error_id, loaded.record.name, child.reason, extra=extra)
            self._services.writer.submit(change, partial(self._tell_aside, change))
        else:
            self._tally.restarts += 1
            limit = self._services.settings.node_queue_limit
            state = state_from_store(loaded.record, loaded.requests, limit)
            overdue, child.overdue = child.overdue, None
            self._nursery.raise_node(state, loaded.seq, overdue=overdue)
            self._hand_on_leftovers(uuid)

    def _see_off(self, uuid: NodeUUID, seq: EventSeq) -> None:
        """See to a node whose removal was committed before its actor failed."""
        owner = self._services.directory.owner(uuid)
        if owner is not None:
            self._services.directory.leave(uuid, owner.generation)
        self._services.board.remove(uuid, seq)
        self._services.troubles.forget(uuid)
        self._kin.fleet.tell(NodeGone(uuid=uuid))
        self._hand_on_leftovers(uuid)
        del self._children[uuid]

    def _tell_aside(self, change: Change, outcome: Commit | StoreError) -> None:
        """Bring the outcome. Runs on the writer's thread."""
        self._tell_self(Aside(change, outcome))

    def _put_aside(self, message: Aside) -> None:
        update = message.change.node
        if not isinstance(update, NodeUpdate):
            return None
        uuid = update.record.uuid
        if not isinstance(message.outcome, Commit):
            log.error(
                "node %s: could not be put aside (%s); trying again", uuid, message.outcome, extra={"node_uuid": uuid}
            )
            return self._later(self._policy.delay_max_s, uuid)
        self._children[uuid].rests = True
        self._tally.put_aside += 1
        owner = self._services.directory.owner(uuid)
        generation = 0 if owner is None else owner.generation
        state, requests = NodeState(record=update.record), message.change.requests
        self._services.board.publish(state, message.outcome.seq, requests, generation=generation)
        return self._hand_on_leftovers(uuid)

    def _hand_on_leftovers(self, uuid: NodeUUID) -> None:
        child = self._children[uuid]
        leftovers, child.leftovers = child.leftovers, []
        self._hand_on(uuid, leftovers)

    def _hand_on(self, uuid: NodeUUID, messages: Iterable[UsersMessage]) -> None:
        """Hand on what a predecessor had not looked at, or say why not."""
        for message in messages:
            if isinstance(message, Submit) and getattr(message.reply_to, "is_told", False):
                continue  # its predecessor had judged it, and that was committed meanwhile
            published = self._services.board.node(uuid)
            try:
                if published is None:
                    raise node_not_found(uuid)
                deliver(self._services, published.state, message)
            except CastironError as error:
                message.reply_to.refused(error, self._services.board.seq)
                if isinstance(message, Amend):
                    self._kin.fleet.tell(AmendEnded(uuid=uuid, applied=False))

    def _forget_old_failures(self, now: Instant) -> None:
        """Keep only what still counts, so that what is remembered is bounded by what fails within two periods.

        Once a period: where all nodes' actors fail at once, each of them must not look at all the others.
        """
        if now < self._forgets_at:
            return
        self._forgets_at = Instant(now + self._policy.period_s)
        for uuid, child in list(self._children.items()):
            is_over = all(now - at >= self._policy.period_s for at in child.failures)
            if is_over and not child.aside and not child.leftovers:
                del self._children[uuid]

    def _later(self, after_s: float, uuid: NodeUUID) -> None:
        at = Instant(self._services.clock.now() + after_s)
        self._services.clock.call_at(at, partial(self._tell_self, Replace(uuid)))

    def _tell_self(self, message: SupervisorMessage) -> None:
        try:
            self.actor_ref.tell(message)
        except ActorDeadError:
            log.debug("the supervisor has stopped")
