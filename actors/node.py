"""A node's actor: the thin shell that carries out what `core.node.decide` decides.

One message in, one decision, one batch of effects. A batch whose decision changed something is held back until the
change is on disk, and so is every batch after it; so the actor need not wait for its commits, and nothing is told that
is not on disk. Blocks never. When a commit fails, the actor goes back to what is on disk and recovers from there,
exactly as after a restart.
"""

import logging
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, assert_never

from pykka import ActorDeadError, ActorRef

from castiron.actors.clock import Timer
from castiron.actors.core.effects import (
    Accept,
    AcquirePermit,
    AnswerNode,
    CallDriver,
    CancelTimer,
    Decision,
    Effect,
    Refuse,
    ReleasePermit,
    Renew,
    Retire,
    SetTimer,
    TellFleet,
)
from castiron.actors.core.messages import Heard, Message, PermitGranted, Recover, TimerDue
from castiron.actors.core.node import decide, suspend
from castiron.actors.core.state import NodeState, Ticket
from castiron.actors.drivers.base import Call, NotDone, Outcome, Target
from castiron.actors.kin import ChildFailed, Kin
from castiron.actors.pooled import DispatchedActor, leftovers_of
from castiron.actors.reporter import RECOVERY_PAUSE_S, Reporter
from castiron.actors.services import Services
from castiron.store.errors import StoreError, StoreUnwritable
from castiron.store.records import Commit
from castiron.transport.errors import BMCUnsupported
from castiron.transport.vocabulary import Applied, Instant, NodeUUID, RequestID

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Batch:
    """A decision that waits for its commit, or for those before it."""

    decision: Decision
    landed: bool = False


@dataclass(frozen=True, slots=True)
class Landed:
    """The outcome of a batch's commit has come."""

    is_control: ClassVar[bool] = True

    batch: Batch
    outcome: Commit | StoreError


class NodeActor(DispatchedActor):
    """Owns one node. Told `core.messages`, and nothing else; start it with `Recover` as its first message."""

    def __init__(self, services: Services, kin: Kin, state: NodeState, generation: int) -> None:
        super().__init__(dispatcher=services.dispatcher, inbox_limit=services.settings.node_mailbox_limit)
        self._services = services
        self._kin = kin
        self._state = state
        self._settled = state
        self._generation = generation
        self._target_generation = generation
        self._reporter = Reporter(services, kin, generation)
        self._pending: deque[Batch] = deque()
        self._timers: dict[Ticket, Timer] = {}
        self._permits: set[RequestID] = set()
        self._retry: Timer | None = None
        self._seq = services.board.seq

    @property
    def uuid(self) -> NodeUUID:
        """The node's identity."""
        return self._state.record.uuid

    @property
    def generation(self) -> int:
        """Which of the node's owners this is."""
        return self._generation

    def on_receive(self, message: Message | Landed) -> None:
        """Decide about a message, and carry the decision out. Runs on a dispatcher thread; never blocks."""
        self._services.directory.insist(self.uuid, self._generation)
        if isinstance(message, Landed):
            return self._landed(message)
        if isinstance(message, TimerDue):
            self._timers.pop(message.ticket, None)
        decision = decide(self._state, message, self._services.clock.now(), self._services.settings)
        return self._enact(decision)

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give back what was held, answer whom nobody else would answer, and tell the supervisor."""
        del traceback
        held_back = [batch for batch in self._pending if batch.landed]
        self._let_go()
        for batch in held_back:
            self._reporter.report(batch.decision, self._seq)
        leftovers = leftovers_of(self.actor_ref)
        for message in leftovers:
            if isinstance(message, Landed):
                self._reporter.report_orphan(message.batch.decision, message.outcome)
        self._kin.supervisor.tell(
            ChildFailed(
                uuid=self.uuid,
                generation=self._generation,
                reason=f"{getattr(exception_type, '__name__', 'unknown')}: {exception_value}",
                leftovers=tuple(message for message in leftovers if not isinstance(message, Landed)),
            )
        )

    def on_stop(self) -> None:
        """Give back what was held."""
        self._let_go()

    def _enact(self, decision: Decision) -> None:
        self._state = decision.state
        batch = Batch(decision, landed=decision.change is None)
        if decision.change is None and not self._pending:
            return self._release(batch)
        self._pending.append(batch)
        if decision.change is not None:
            self._services.writer.submit(decision.change, partial(self._written, batch))
        return None

    def _written(self, batch: Batch, outcome: Commit | StoreError) -> None:
        """Bring the outcome to the actor, or to whoever asked if the actor has ended. Runs on the writer's thread."""
        try:
            self.actor_ref.tell(Landed(batch, outcome))
        except ActorDeadError:
            self._reporter.report_orphan(batch.decision, outcome)

    def _landed(self, message: Landed) -> None:
        if not self._pending or self._pending[0] is not message.batch:
            return None  # of a time before the latest recovery
        if not isinstance(message.outcome, Commit):
            return self._commit_failed(message.outcome)
        self._seq = message.outcome.seq
        message.batch.landed = True
        while self._pending and self._pending[0].landed:
            self._release(self._pending.popleft())
        return None

    def _release(self, batch: Batch) -> None:
        decision = batch.decision
        self._settled = decision.state
        requests = () if decision.change is None else decision.change.requests
        self._services.board.publish(decision.state, self._seq, requests)
        for effect in decision.effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case AcquirePermit(request_id=request_id):
                self._acquire(request_id)
            case ReleasePermit(request_id=request_id):
                self._withdraw(request_id)
            case CallDriver():
                self._call(effect)
            case SetTimer(ticket=ticket, at=at):
                self._timers[ticket] = self._services.clock.call_at(
                    at, partial(_tell, self.actor_ref, TimerDue(ticket=ticket))
                )
            case CancelTimer(ticket=ticket):
                timer = self._timers.pop(ticket, None)
                if timer is not None:
                    timer.cancel()
            case Renew():
                self._renew()
            case Retire():
                self._renew()
                self._reporter.carry_out(effect, self._settled, self._seq)
                self.stop()
            case Accept() | Refuse() | AnswerNode() | TellFleet():
                self._reporter.carry_out(effect, self._settled, self._seq)
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(effect)

    def _acquire(self, request_id: RequestID) -> None:
        self._permits.add(request_id)
        granted = partial(_tell, self.actor_ref, PermitGranted(request_id=request_id))
        self._services.permits.acquire(self._permit(request_id), granted)

    def _withdraw(self, request_id: RequestID) -> None:
        self._permits.discard(request_id)
        self._services.permits.withdraw(self._permit(request_id))

    def _permit(self, request_id: RequestID) -> tuple[NodeUUID, int, RequestID]:
        return self.uuid, self._generation, request_id

    def _call(self, effect: CallDriver) -> None:
        record = self._settled.record
        heard = partial(_tell_heard, self.actor_ref, effect.ticket)
        driver = self._services.drivers.get(record.driver)
        if driver is None:
            error = BMCUnsupported(
                f"There is no driver {record.driver!r} here any more. Install it, or give the node another.",
                details={"node": record.name},
            )
            return heard(NotDone(error=error, applied=Applied.NO))
        self._services.directory.insist(self.uuid, self._generation)
        target = Target(node=record.uuid, generation=self._target_generation, info=record.driver_info)
        return driver.submit(Call(target=target, operation=effect.operation, deadline=effect.deadline), heard)

    def _renew(self) -> None:
        for driver in self._services.drivers.values():
            driver.forget(self.uuid)

    def _commit_failed(self, error: StoreError) -> None:
        """Go back to what is on disk, tell who asked, and try to go on in a while."""
        dropped = [batch.decision for batch in self._pending]
        self._let_go()
        for decision in dropped:
            self._reporter.break_off(decision, error, self._seq)
        if not isinstance(error, StoreUnwritable):
            raise error
        self._state = replace(suspend(self._settled), tickets=self._state.tickets)
        self._services.board.publish(self._state, self._seq)
        at = Instant(self._services.clock.now() + RECOVERY_PAUSE_S)
        self._retry = self._services.clock.call_at(at, partial(_tell, self.actor_ref, Recover()))

    def _let_go(self) -> None:
        """Give back permits, timers, and what was waiting for a commit."""
        self._pending.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for request_id in list(self._permits):
            self._withdraw(request_id)
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None


def _tell(ref: ActorRef[Any], message: Message) -> None:
    """Tell an actor that may have ended meanwhile; its successor starts from the store and needs no such message."""
    try:
        ref.tell(message)
    except ActorDeadError:
        log.debug("%s ended before it could be told %s", ref, type(message).__name__)


def _tell_heard(ref: ActorRef[Any], ticket: Ticket, outcome: Outcome) -> None:
    _tell(ref, Heard(ticket=ticket, outcome=outcome))
