"""One node in virtual time: a disk, a permit, timers and a driver around `decide`, held to the shell's contract.

Every decision is checked as it is made. The driver is a `weather.Machine`, so any outcome can come of any call.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from castiron.actors.core.effects import (
    Accept,
    AcquirePermit,
    AnswerHolding,
    AnswerNode,
    AnswerRequest,
    CallDriver,
    CallWorker,
    CancelTimer,
    Checked,
    Decision,
    DrawPassword,
    Effect,
    Foretell,
    Park,
    Refuse,
    ReleasePermit,
    Renew,
    Retire,
    SetTimer,
    StopWorker,
    TellFleet,
)
from castiron.actors.core.machines.actions import EVENTS, PROVISION_SET
from castiron.actors.core.machines.pace import pace_of
from castiron.actors.core.messages import (
    Direct,
    Heard,
    Message,
    Order,
    PermitGranted,
    Recover,
    SetLock,
    SetMaintenance,
    Submit,
    TimerDue,
    Withdraw,
)
from castiron.actors.core.node import decide, suspend
from castiron.actors.core.provision.planning import plan
from castiron.actors.core.provision.run import Run
from castiron.actors.core.provision.steps import Plan
from castiron.actors.core.requests.obstacles import UNDER_WAY
from castiron.actors.core.state import Lane, NodeState, Ticket
from castiron.actors.core.timing import LAST_WORD_S
from castiron.actors.drivers.base import GetPower, NotDone, Outcome, SetPower
from castiron.actors.settings import Settings
from castiron.store.records import CallbackRecord, Change, EventDraft, NodeRecord, NodeRemove, NodeUpdate, RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import CastironError
from castiron.transport.verbs import AnyNodeRequest, NodeProvisionSet
from castiron.transport.vocabulary import (
    FINAL_REQUEST_STATES,
    Applied,
    EventType,
    Instant,
    PowerControl,
    RequestID,
    RequestState,
)
from tests.support.engine_bench import FOR_IT, EngineBench, check_going
from tests.support.node_settings import DRIVER_TICK_S, RECOVERY_PAUSE_S, SETTINGS
from tests.support.node_timers import timers_of
from tests.support.step_work import CATALOGUE, LIST_ENDS, POISON, Bench, answer_for, check_moves, check_steps, is_others
from tests.support.store_records import plain_node, request_id
from tests.support.weather import Fate, Gust, Machine, weather

STARTS = {events.start for events in EVENTS.values()} | {EventType.PROVISION_SET_START}
ENDS = {event for events in EVENTS.values() for event in events} - STARTS | LIST_ENDS


@dataclass
class World:
    """A node and everything around it. `tell` is the only way in."""

    record: NodeRecord = field(default_factory=plain_node)
    """As it is on disk."""
    machine: Machine = field(default_factory=Machine)
    bench: Bench = field(default_factory=Bench)
    gusts: Iterator[Gust] = field(default_factory=lambda: weather([]))
    now: Instant = Instant(10_000.0)
    settings: Settings = SETTINGS
    is_removed: bool = False
    writes_fail: bool = False
    executor: EngineBench = field(default_factory=EngineBench)

    def __post_init__(self) -> None:
        self.state = NodeState(record=self.record)
        self.requests: dict[RequestID, RequestRecord] = {}
        self.events: list[EventDraft] = []
        self.owed: list[tuple[RequestID, str, str]] = []  # calls: request, URL, state
        self.effects: list[Effect] = []  # of the latest decision
        self.replies: dict[object, list[Effect | CastironError]] = {}
        self.granted: list[RequestID] = []
        """Grants that the actor has not looked at yet."""
        self.held: set[RequestID] = set()
        self.timers: dict[Ticket, Instant] = {}
        self.calls: dict[Ticket, tuple[Instant, Outcome]] = {}
        self.recover_at: Instant | None = None
        self.left: dict[RequestID, list[PowerControl]] = {}  # not certain to be without effect, for each request
        self._asked = 0

    # What happens.

    def submit(self, verb: AnyNodeRequest, requester: str = "ipc") -> RequestID:
        """Ask as a user does; the answer is in `replies` under the request's id."""
        self._asked += 1
        new = request_id(self._asked)
        keep_on = self.record.disable_power_off
        steps: Plan = plan(verb, CATALOGUE, 60.0, keep_on=keep_on) if isinstance(verb, NodeProvisionSet) else {}
        self.tell(Submit(request_id=new, verb=verb, requester=requester, reply_to=new, plan=steps))
        return new

    def direct(self, order: Order, requester: str = "ipc") -> str:
        """Say something about the work that goes on; the answer is in `replies` under what is returned."""
        self._asked += 1
        asked = f"order {self._asked}"
        self.tell(Direct(order=order, requester=requester, reply_to=asked))
        return asked

    def answer(self, outcome: dict[str, Any] | CastironError | None) -> bool:
        """Say how the first step ended that waits for somebody, or that it goes on; return whether there was one."""
        answer = answer_for(self.state.active, outcome)
        if answer is not None:
            self.tell(answer)
        return answer is not None

    def withdraw(
        self, request: RequestID, requester: str = "ipc", *, is_abort: bool = False, force: bool = False
    ) -> str:
        """Take a request back as a user does; the answer is in `replies` under what is returned."""
        self._asked += 1
        asked = f"withdrawal {self._asked}"
        self.tell(Withdraw(request_id=request, is_abort=is_abort, force=force, requester=requester, reply_to=asked))
        return asked

    def tell(self, message: Message) -> Decision:
        """Let the node decide, check the decision, commit it, and carry it out."""
        before = self.state
        decision = decide(before, message, self.now, self.settings)
        self._check(before, message, decision)
        if decision.change is not None and self.writes_fail:
            self._break_off(before, decision)
            return decision
        self.state = decision.state
        if decision.change is not None:
            self._commit(decision.change)
        self.effects = list(decision.effects)
        for effect in decision.effects:
            self._carry_out(effect)
        self._check_state()
        return decision

    def grant(self) -> None:
        """Tell of a permit, if there is one to tell of."""
        if self.granted:
            self.tell(PermitGranted(request_id=self.granted.pop(0)))

    def advance(self, *, timers_first: bool = False) -> bool:
        """Go on to what is due next; return whether there was anything."""
        timers = [(at, 0 if timers_first else 1, ticket) for ticket, at in self.timers.items()]
        answers = {**self.calls, **self.executor.answers}
        calls = [(at, 1 if timers_first else 0, ticket) for ticket, (at, _) in answers.items()]
        due = min((*timers, *calls), default=None)
        if self.recover_at is not None and (due is None or self.recover_at < due[0]):
            self.now, self.recover_at = max(self.now, self.recover_at), None
            self.tell(Recover())
            return True
        if due is None:
            return False
        at, _, ticket = due
        self.now = max(self.now, at)
        if ticket in self.executor.answers:
            self.tell(self.executor.arrive(ticket))
        elif ticket in self.timers:
            due_at = self.timers.pop(ticket)
            self.tell(TimerDue(ticket=ticket, at=due_at))
        else:
            _, outcome = self.calls.pop(ticket)
            self._asked += 1
            self.tell(Heard(ticket=ticket, outcome=outcome, spare_id=request_id(self._asked)))
        return True

    def run_until(self, until: float) -> None:
        """Let everything happen that is due by then, grants at once."""
        while True:
            if self.granted:
                self.grant()
                continue
            due = (*self.timers.values(), *(at for at, _ in self.calls.values()), self.recover_at or until)
            if min(due) >= until:
                break
            self.advance()
        self.now = Instant(until)

    def crash(self, down_s: float = 1.0) -> None:
        """Lose everything but the disk, and start again from it."""
        self.now = Instant(self.now + down_s)
        for gone in (self.granted, self.held, self.timers, self.calls):
            gone.clear()
        self.executor.close()
        self.recover_at = None
        waiting = [request for request in self.requests.values() if request.state not in FINAL_REQUEST_STATES]
        running = [request for request in waiting if request.state is RequestState.RUNNING]
        queue = tuple(request for request in waiting if request.state is not RequestState.RUNNING)
        self.state = NodeState(record=self.record, interrupted=running[0] if running else None, queue=queue)
        self.tell(Recover())

    def drain(self) -> None:
        """Let everything come to its end, in fair weather."""
        self.gusts, self.writes_fail = weather([]), False
        self.settings = replace(self.settings, sync_power_state_interval_s=0.0, power_failure_recovery_interval_s=0.0)
        if not self.is_removed:
            self.tell(Recover())
            self.tell(SetLock(is_locked=False, force=True, requester="ipc", reply_to="drain"))
        for _ in range(2000):
            if self.granted:
                self.grant()
            elif not self.advance() and not self._let_go():
                return
        raise AssertionError("it does not come to an end")

    def _let_go(self) -> bool:
        """Let what is held go on, or end it; return whether anything was."""
        run = None if self.state.active is None else self.state.active.action
        if any(self.state.is_held(request) for request in self.state.queue):
            return bool(self.tell(SetMaintenance(maintenance=False, requester="ipc", reply_to="drain")))
        return isinstance(run, Run) and run.is_held and bool(self.direct(Order.ABORT))

    # What must hold.

    def told(self, request: RequestID) -> list[EventDraft]:
        """Return the events of a request, in order."""
        return [event for event in self.events if event.request_id == request]

    def check_ended(self) -> None:
        """Nothing is under way, and every start has had exactly one end."""
        assert self.state.first is None
        assert self.state.permit is None
        assert self.record.target_power_state is None
        assert [*self.held, *self.timers, *self.calls, *self.executor.answers] == []
        for request in self.requests.values():
            assert request.state in FINAL_REQUEST_STATES
            assert request.ended_at is not None
            assert request.progress == {}
            kinds = [event.type for event in self.told(request.id)]
            if request.started_at is not None and request.verb == PROVISION_SET:
                assert (kinds[0] in STARTS, kinds[-1] in ENDS) == (True, True)
            elif request.started_at is not None:
                assert len(kinds) == (2 if request.verb in EVENTS else 0)
            else:
                assert kinds in ([EventType.REQUEST_END], [] if self.is_removed else kinds[:1])
        ended = [(one.id, url, one.state.value) for one in self.requests.values() for url in one.callbacks]
        assert sorted(self.owed) == sorted(ended), "each URL of each request is owed one call, with its end"

    def _check(self, before: NodeState, message: Message, decision: Decision) -> None:
        change, effects = decision.change, decision.effects
        if isinstance(message, Submit | Withdraw) and any(isinstance(effect, Refuse) for effect in effects):  # I5
            assert change is None
            assert decision.state == before
        for effect in effects:
            if isinstance(effect, CallDriver) and effect.gives_way:
                check = decision.state.check
                assert (check.call, effect.operation) == (effect.ticket, GetPower())
                assert not decision.state.is_busy, "a check that nobody needs"
            elif isinstance(effect, CallDriver):
                active = decision.state.active
                assert active is not None
                asked = next((lane for lane in active.lanes if lane.call == effect.ticket), active)
                assert asked.call == effect.ticket
                assert asked.limit_at is not None
                assert self.now < effect.deadline <= asked.limit_at
                if isinstance(effect.operation, SetPower):
                    assert change is not None, "a control was ordered without a commit"
                    progress = change.requests[0].progress
                    place = progress["steps"][asked.place]["place"] if isinstance(asked, Lane) else progress
                    assert place["sent"][-1] == effect.operation.control
            if isinstance(effect, (Accept, Retire)) or (isinstance(effect, AnswerRequest) and effect.is_final):
                assert change is not None, "something was said that is not on disk"
        told = () if change is None else change.events
        check_moves(before.record, decision.state.record, told)  # R3-5
        assert decision.state.record.last_error != POISON["last_error"]
        if change is None:
            assert decision.state.record == replace(
                before.record,
                power_state=decision.state.record.power_state,
                power_state_at=decision.state.record.power_state_at,
            )

    def _check_state(self) -> None:
        state = self.state
        running = [request for request in self.requests.values() if request.state is RequestState.RUNNING]
        assert len(running) <= 1  # I1
        assert state.active is None or state.interrupted is None
        assert state.permit is None or (state.first is not None and state.permit == state.first.id)
        live = timers_of(state)
        if state.expiry is not None:
            assert self.timers[state.expiry.ticket] == state.expiry.at
        if state.check.is_begun:
            is_checked = bool(pace_of(state, state.check, self.settings).every_s) or bool(state.parked)
            assert is_checked == (state.check.timer in self.timers or bool(state.check.call))
            assert state.check.timer is None or state.check.call is None
        assert set(self.timers) <= live, "a timer was forgotten"
        if state.active is not None:
            assert state.active.request == self.requests[state.active.request.id] == running[0]
            assert state.permit in self.held
            under_way = state.active.lanes if isinstance(state.active.action, Run) else (state.active,)
            for one in under_way:
                assert one.limit is not None and one.limit_at is not None  # noqa: PT018 - one thing
                assert self.timers[one.limit] == one.limit_at + LAST_WORD_S  # I12
                waits = [one.call is not None, one.wake in self.timers, is_others(state.active, one)]
                assert waits.count(True) == 1
            run = state.active.action
            if isinstance(run, Run):
                check_going(state.active, run)
                assert state.active.turn is None or state.active.turn in self.timers  # I12
            else:
                assert state.active.limit_at == (state.active.abort_until or run.until)
        is_moved = bool(running) and running[0].verb == PROVISION_SET
        assert (self.record.provision_state in UNDER_WAY) == is_moved
        check_steps([] if self.is_removed else self.events)
        starts = [event.request_id for event in self.events if event.type in STARTS]
        ends = [event.request_id for event in self.events if event.type in ENDS]
        assert len(set(starts)) == len(starts)  # I2
        assert ends == starts[: len(ends)]
        assert len(starts) - len(ends) in (0, 1)

    def _commit(self, change: Change) -> None:
        assert not self.is_removed, "the row is gone"
        assert isinstance(change.node, NodeUpdate | NodeRemove)
        record = change.node.record
        self.is_removed = isinstance(change.node, NodeRemove)
        assert record.revision == self.record.revision + (0 if self.is_removed else 1)
        assert record.node_seq == self.record.node_seq + len(change.events)
        assert record.updated_at == self.now
        self.record = record
        self.requests.update({request.id: request for request in change.requests})
        self.events.extend(change.events)
        for one in change.outbox:
            assert isinstance(one, CallbackRecord)
            self.owed.append((one.request_id, one.url, one.body["state"]))

    def _break_off(self, settled: NodeState, decision: Decision) -> None:
        """Do as the shell does after a commit that failed."""
        for effect in decision.effects:
            if isinstance(effect, (Accept, AnswerNode, AnswerRequest, Park, Retire)):
                self.replies.setdefault(effect.reply_to, []).append(CastironError("not written"))
        self.state = replace(suspend(settled), tickets=decision.state.tickets)
        self.timers.clear()
        self.executor.close()
        self.held.clear()  # grants that are in the mailbox stay there
        self.recover_at = Instant(self.now + RECOVERY_PAUSE_S)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case AcquirePermit(request_id=wanted, needs_engine=has_place):
                self.executor.begin(has_place=has_place)
                assert wanted not in self.held, "asked for a permit twice"
                self.held.add(wanted)
                self.granted.append(wanted)
            case ReleasePermit(request_id=unwanted):
                self.held.discard(unwanted)
            case CallDriver():
                self._call(effect)
            case CallWorker() | DrawPassword():
                late_at, outcome = self.bench.carry_out(effect)
                self.calls[effect.ticket] = (Instant((late_at or self.now - 0.09) + DRIVER_TICK_S), outcome)
            case _ if isinstance(effect, FOR_IT):
                self.executor.carry_out(effect, self.now)
            case SetTimer(ticket=ticket, at=at):
                self.timers[ticket] = at
            case CancelTimer(ticket=ticket):
                self.timers.pop(ticket, None)
            case Accept() | Refuse() | AnswerNode() | Retire() | AnswerRequest() | Foretell():
                self.replies.setdefault(effect.reply_to, []).append(effect)
            case _:  # a worker need not heed its stop; the others change nothing here
                assert isinstance(effect, Renew | TellFleet | Checked | Park | StopWorker | AnswerHolding), effect

    def _call(self, call: CallDriver) -> None:
        gust = next(self.gusts)
        if self.now + gust.takes_s > call.deadline and gust.fate in (Fate.CARRIED_OUT, Fate.ANSWER_LOST):
            gust = gust._replace(fate=Fate.TOO_LATE)
        outcome = self.machine.carry_out(call.operation, gust, self.now, self.record.driver_info)
        certain = isinstance(outcome, NotDone) and outcome.applied is Applied.NO
        if isinstance(call.operation, SetPower) and self.state.active is not None and not certain:
            self.left.setdefault(self.state.active.request.id, []).append(call.operation.control)
        answered_at = min(self.now + gust.takes_s, call.deadline + DRIVER_TICK_S)
        if gust.fate is Fate.TOO_LATE:
            answered_at = call.deadline + DRIVER_TICK_S
        if gust.fate is not Fate.NEVER:
            self.calls[call.ticket] = (Instant(answered_at), outcome)
