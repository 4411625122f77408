"""A node's actor: the thin shell that carries out what `core.node.decide` decides.

One message in, one decision, one batch of effects. A decision that changed something is held back until the change is
on disk, and so is every decision made on top of it; so the actor need not wait for its commits, and nothing is told
that is not on disk. Blocks never. When a commit fails, the actor goes back to what is on disk and recovers from there,
exactly as after a restart. Once its generation counts no more, it does nothing but see to it that whoever asked is
answered.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, assert_never

from castiron.actors.core.effects import (
    Accept,
    AcquirePermit,
    AnswerHolding,
    AnswerNode,
    AnswerRequest,
    AskExecutor,
    CallDriver,
    CallWorker,
    CancelTimer,
    Checked,
    Decision,
    DrawPassword,
    Effect,
    Foretell,
    LendEngine,
    Park,
    Refuse,
    ReleasePermit,
    Renew,
    RetakeEngine,
    Retire,
    SetTimer,
    StopWorker,
    TellFleet,
)
from castiron.actors.core.messages import (
    Began,
    EngineGranted,
    Heard,
    Message,
    PermitGranted,
    Recover,
    Submit,
    TimerDue,
)
from castiron.actors.core.node import decide, suspend
from castiron.actors.core.state import NodeState, Ticket
from castiron.actors.dispatch.clock import Timer
from castiron.actors.dispatch.grid import drawn
from castiron.actors.dispatch.pooled import DispatchedActor, failure_text, leftovers_of
from castiron.actors.drivers.base import Call, Done, NotDone, Target
from castiron.actors.drivers.work import Secret
from castiron.actors.nodes import telling
from castiron.actors.nodes.batch import Batches, Landed
from castiron.actors.nodes.order import Order
from castiron.actors.nodes.place import Granted, Place, classes_of
from castiron.actors.nodes.reporter import RECOVERY_PAUSE_S, Reporter
from castiron.actors.published.board import Board
from castiron.actors.services import Services
from castiron.actors.steps.declaring import StepContext
from castiron.actors.steps.drawing import draw_password
from castiron.actors.steps.results import Reports
from castiron.actors.steps.tokens import StepPlace
from castiron.actors.steps.workers import Job
from castiron.actors.supervision.kin import ChildFailed, Kin
from castiron.store.errors import StaleAllocation, StoreError, StoreUnwritable
from castiron.store.records import Commit
from castiron.store.records.copying import replace
from castiron.transport.errors import BMCUnsupported
from castiron.transport.requester import identity_of
from castiron.transport.vocabulary import Applied, Instant, NodeUUID, RequestID

log = logging.getLogger(__name__)


class NodeActor(DispatchedActor):
    """Owns one node. Told `core.messages`, and nothing else; start it with `Recover` as its first message."""

    def __init__(self, services: Services, kin: Kin, state: NodeState, generation: int) -> None:
        super().__init__(dispatcher=services.dispatcher, inbox_limit=services.settings.node_mailbox_limit)
        self.uuid: Final[NodeUUID] = state.record.uuid
        """The node's identity."""
        self._services = services
        self._kin = kin
        self._state = state
        self._settled = state
        self._generation = generation
        self._reporter = Reporter(services, kin, state.record.uuid, generation)
        self._batches = Batches()
        self._timers: dict[Ticket, Timer] = {}
        self._order: Order | None = None
        self._known_target: Target | None = None
        self._jobs: dict[Ticket, Callable[[], None]] = {}
        """Steps that workers are at, and how each is asked to stop."""
        self._hand = services.engines.hand()
        self._place = Place(services.permits, state.record.uuid, generation)
        self._retry: Timer | None = None
        self._seq = services.board.seq
        self._undecided: Message | None = None

    @property
    def generation(self) -> int:
        """Which of the node's owners this is."""
        return self._generation

    @property
    def known_as(self) -> str:
        """The node, by its name."""
        return f"node {self._state.record.name}"

    def about(self, message: Any) -> RequestID | None:
        """Return the request that a message is about: it says so itself, or changed it, or the request is under way."""
        named: RequestID | None = getattr(message, "request_id", None)
        batch = message.batch if isinstance(message, Landed) else self._batches.latest()
        if named is None and batch is not None:
            changes = (decision.change for decision in batch.decisions if decision.change is not None)
            named = next((request.id for change in changes for request in change.requests), None)
        active = self._state.active
        return active.request.id if named is None and active is not None else named

    def on_receive(self, message: Message | Landed | Granted) -> None:
        """Decide about a message, and carry the decision out. Runs on a dispatcher thread; never blocks."""
        if not self._counts():
            return self._reporter.pass_on(message)
        if isinstance(message, Landed):
            message.batch.outcome = message.outcome
            self._release_landed()
        elif isinstance(message, Granted):
            if self._place.is_granted(message):
                self._decide(PermitGranted(request_id=message.request_id))
        else:
            self._decide(message)
        if not self._counts():  # taken over while it hung, and going on at last
            self._let_go()
        return None

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give back what was held, answer whom nobody else would answer, and tell the supervisor."""
        del traceback
        self._end(failure_text(exception_type, exception_value))

    def on_stop(self) -> None:
        """Do the same: if the node is still its own, nobody meant to stop it."""
        self._end("it was stopped")

    def _decide(self, message: Message) -> None:
        order, self._order = self._order, None
        if order is not None and not order.is_answer(message) and not order.revoke():
            self._decide(order.began)  # it came before
        now = self._services.clock.now()
        if isinstance(message, (TimerDue, Began, Heard)):
            self._timers.pop(message.ticket, None)
        if isinstance(message, Heard):
            self._jobs.pop(message.ticket, None)
            if self._state.awaits(message.ticket):
                self._services.troubles.tell(self.uuid, self._state.record.name, message.outcome, now)
        self._undecided = message
        decision = decide(self._state, message, now, self._services.settings)
        if isinstance(message, Submit):
            decision = self._begun_at_once(decision)
        self._state = decision.state
        if decision.change is not None:
            batch = self._batches.open(decision)
            self._services.writer.submit(
                decision.change, partial(telling.landed, self.actor_ref, self._reporter, batch)
            )
        elif not self._batches.follow(decision):
            self._undecided = None
            self._release((decision,))
        self._undecided = None

    def _begun_at_once(self, decision: Decision) -> Decision:
        """Begin a request with the change that accepts it, where there is room and nobody waits for it."""
        wanted = decision.wanted
        if wanted is None or decision.change is None or not self._place.take(wanted):
            return decision
        granted = PermitGranted(request_id=wanted.request_id)
        begun = decide(decision.state, granted, self._services.clock.now(), self._services.settings)
        return decision.with_permit(begun)

    def _release_landed(self) -> None:
        while (batch := self._batches.take_landed()) is not None:
            outcome = batch.outcome
            if isinstance(outcome, Commit) and self._counts():
                self._seq = outcome.seq
                self._release(batch.decisions)
            elif outcome is not None:
                self._reporter.report_outcome(batch, outcome)
                if isinstance(outcome, StoreError):
                    self._go_back(outcome)

    def _release(self, decisions: Sequence[Decision]) -> None:
        """Let others notice. First all are told who are to be told something: what follows may fail, or hang."""
        for decision in decisions:
            if decision.change is not None or not decision.state.looks_like(self._settled):
                self._show(decision)
            self._settled = decision.state
            self._reporter.tell(decision, self._seq)
        for decision in decisions:
            for effect in decision.effects:
                self._carry_out(effect)
        if self._settled.active is None or self._settled.active.is_unaided:
            self._hand.close()

    def _show(self, decision: Decision) -> None:
        change = decision.change
        requests, held = ((), ()) if change is None else (change.requests, change.allocations)
        self._services.crowding.queued(decision.state)
        self._board.publish(decision.state, self._seq, requests, held, generation=self._generation)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case AcquirePermit() | ReleasePermit() | LendEngine() | RetakeEngine():
                self._keep_place(effect)
            case CallDriver() | CallWorker() | DrawPassword() | AskExecutor():
                self._call(effect)
            case StopWorker(ticket=ticket):
                self._stop_job(ticket)
            case SetTimer() | CancelTimer():
                self._time(effect)
            case Checked(result=result, late_s=late_s, error=error):
                self._services.checks.count(result, late_s, self.uuid, self._settled.check.started_at, error)
            case Renew():
                self._forget()
            case Retire():
                self.stop()
                self._forget()
            case (
                Accept()
                | Refuse()
                | Park()
                | AnswerNode()
                | AnswerRequest()
                | AnswerHolding()
                | Foretell()
                | TellFleet()
            ):
                pass  # told already
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(effect)

    def _keep_place(self, effect: AcquirePermit | ReleasePermit | LendEngine | RetakeEngine) -> None:
        match effect:
            case AcquirePermit():
                kinds = classes_of(effect.verb, effect.target, needs_engine=effect.needs_engine)
                tell = partial(telling.tell, self.actor_ref)
                self._place.ask_for(effect.request_id, *kinds, tell=tell, whose=identity_of(effect.requester))
            case ReleasePermit(request_id=request_id):
                self._place.give_back(request_id)
            case LendEngine():
                self._hand.close()
                self._place.lend_engine()
            case RetakeEngine(ticket=ticket):
                self._place.retake_engine(partial(telling.tell, self.actor_ref, EngineGranted(ticket=ticket)))

    def _time(self, effect: SetTimer | CancelTimer) -> None:
        if isinstance(effect, CancelTimer):
            return self._cancel_timer(effect.ticket)
        services, at = self._services, effect.at
        if effect.early_s:
            at = drawn(at, effect.early_s, services.rng.random(), services.fineness(effect.every_s))
        driver = services.drivers.get(self._settled.record.driver) if effect.look_every_s else None
        if driver is not None and getattr(driver, "takes_orders", False):
            self._order = Order(self.actor_ref, services, driver, self._target, timer=effect, at=at)
            self._timers[effect.ticket] = services.clock.call_at(at, self._order)
        else:
            self._timers[effect.ticket] = self._call_at(at, TimerDue(ticket=effect.ticket, at=at))
        return None

    def _cancel_timer(self, ticket: Ticket) -> None:
        timer = self._timers.pop(ticket, None)
        if timer is not None:
            timer.cancel()

    def _call(self, effect: CallDriver | CallWorker | DrawPassword | AskExecutor) -> None:
        if not self._counts():
            return None  # hung in what came before; the successor looks for itself
        match effect:
            case CallDriver():
                return self._drive(effect)
            case CallWorker():
                return self._work(effect)
            case DrawPassword(ticket=ticket):
                drawn = Secret(draw_password(self._services.secret_rng))
                return telling.heard(self.actor_ref, ticket, None, Done(value=drawn))
            case AskExecutor(ticket=ticket, key=key, run=run):
                return self._hand.ask(key, run, partial(telling.moved, self.actor_ref, ticket))

    def _drive(self, effect: CallDriver) -> None:
        record = self._settled.record
        new_id = self._services.new_id if self._services.settings.force_power_state_during_sync else None
        heard = partial(telling.heard, self.actor_ref, effect.ticket, new_id)
        driver = self._services.drivers.get(record.driver)
        if driver is None:
            error = BMCUnsupported(
                f"There is no driver {record.driver!r} here any more. Install it, or give the node another.",
                details={"node": record.name},
            )
            return heard(NotDone(error=error, applied=Applied.NO))
        call = Call(
            target=self._target,
            operation=effect.operation,
            deadline=effect.deadline,
            gives_way=effect.gives_way,
            next_by=effect.next_by,
        )
        return driver.submit(call, heard)

    @property
    def _target(self) -> Target:
        """The node's BMC: the same object for as long as nothing of it changes, as drivers keep it."""
        info, target = self._settled.record.driver_info, self._known_target
        if target is None or target.info is not info:
            self._known_target = target = Target(node=self.uuid, generation=self._generation, info=info)
        return target

    def _work(self, effect: CallWorker) -> None:
        record, services = self._settled.record, self._services
        place = StepPlace(effect.request_id, effect.name, effect.attempt)
        context = StepContext(
            node=record.name,
            node_uuid=record.uuid,
            driver=record.driver,
            driver_info=record.driver_info,
            properties=record.properties,
            attempt=effect.attempt,
            deadline=effect.deadline,
            token=services.tokens.give(record.uuid, place),
            report=Reports(partial(telling.reported, self.actor_ref, effect.ticket)),
        )
        heard = partial(telling.heard, self.actor_ref, effect.ticket, None)
        whose = (record.uuid, effect.request_id, effect.name)
        job = Job(work=effect.work, context=context, done=heard, whose=whose)
        self._jobs[effect.ticket] = services.workers.submit(job)

    def _stop_job(self, ticket: Ticket) -> None:
        stop = self._jobs.pop(ticket, None)
        if stop is not None:
            stop()

    def _forget(self) -> None:
        for driver in self._services.drivers.values():
            driver.forget(self.uuid)

    def _go_back(self, error: StoreError) -> None:
        """Go back to what is on disk after a commit that failed, tell who asked, and try to go on in a while."""
        for batch in self._batches.take_all():  # made on top of it, so they fail as well
            self._reporter.report_outcome(batch, error)
        if not isinstance(error, (StoreUnwritable, StaleAllocation)):
            raise error
        self._let_go()
        self._state = replace(suspend(self._settled), tickets=self._state.tickets)
        self._board.publish(self._state, self._seq, generation=self._generation)
        self._retry = self._call_at(Instant(self._services.clock.now() + RECOVERY_PAUSE_S), Recover())

    def _end(self, reason: str) -> None:
        """Hand everything over."""
        self._let_go()
        undecided, self._undecided = self._undecided, None
        if undecided is not None:
            self._reporter.give_up(undecided, reason)
        for batch in self._batches.take_all():
            if batch.outcome is not None:  # of the others, `_landed` tells
                self._reporter.report_outcome(batch, batch.outcome)
        leftovers = self._settled.parked + self._reporter.settle(leftovers_of(self.actor_ref))
        failed = ChildFailed(uuid=self.uuid, generation=self._generation, reason=reason, leftovers=leftovers)
        self._kin.supervisor.tell(failed)

    def _let_go(self) -> None:
        """Give back permits and timers, and ask workers to stop: nobody hears how their steps end."""
        for timer in (*self._timers.values(), self._retry):
            if timer is not None:
                timer.cancel()
        self._timers.clear()
        self._retry = None
        for ticket in tuple(self._jobs):
            self._stop_job(ticket)
        self._hand.close()
        self._place.give_back()

    def _counts(self) -> bool:
        return self._services.directory.counts(self.uuid, self._generation)

    @property
    def _board(self) -> Board:
        return self._services.board

    def _call_at(self, at: Instant, message: Message) -> Timer:
        return self._services.clock.call_at(at, partial(telling.tell, self.actor_ref, message))
