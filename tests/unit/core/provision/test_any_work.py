"""What holds whatever happens to a node that is moved, in whatever order."""

from itertools import chain, repeat
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec import structs

from castiron.actors.core.effects import Refuse
from castiron.actors.core.messages import Amendment, Order, Recover, SetLock
from castiron.actors.core.requests.guards import action_of_verb, guarded
from castiron.actors.core.requests.obstacles import targets_of
from castiron.actors.executors.taskflow.engine import FlowEngine
from castiron.store.records.copying import replace
from castiron.transport.errors import PowerOffDisabled, StepFailed
from castiron.transport.verbs import AnyNodeRequest, NodePowerSet, NodeProvisionSet, StepWish
from castiron.transport.vocabulary import (
    EngineMode,
    OnRestart,
    Policy,
    PowerTarget,
    ProvisionState,
    ProvisionTarget,
    TaskExecutor,
)
from tests.support.node_world import World
from tests.support.step_work import Luck
from tests.support.weather import GUSTS, Gust, weather
from tests.unit.core.node.messages import amend, maintain, remove, stale_messages

NAMES = ("blind", "twice", "seen", "back", "stubborn", "power_on", "reboot", "check_bmc", "wait", "hold")
STEPS = st.lists(
    st.builds(
        StepWish,
        step=st.sampled_from(NAMES),
        retries=st.sampled_from([0, 0, 1, 2]),
        retry_delay_s=st.sampled_from([0.0, 3.0]),
        timeout_s=st.sampled_from([None, 2.0, 30.0]),
        after=st.sampled_from([None, None, []]),
        abortable=st.sampled_from([None, None, False]),
    ),
    max_size=6,
)
MOVES = st.builds(
    NodeProvisionSet,
    node=st.just("n1"),
    target=st.sampled_from(ProvisionTarget),
    steps=STEPS,
    engine_mode=st.sampled_from(EngineMode),
)
POWER = st.builds(NodePowerSet, node=st.just("n1"), target=st.sampled_from(PowerTarget))
GUARDS = ("protected", "retired", "disable_power_off", "lock")
PEOPLE = st.sampled_from(["ipc", "ipc", "curve:ann"])
RESTING = [
    ProvisionState.ENROLL,
    ProvisionState.MANAGEABLE,
    ProvisionState.AVAILABLE,
    ProvisionState.ACTIVE,
    ProvisionState.RESCUE,
    ProvisionState.ERROR,
    ProvisionState.DEPLOY_FAILED,
    ProvisionState.SERVICE_FAILED,
]


class AnyWork(RuleBasedStateMachine):
    """Users, weather, workers, crashes and failing writes in any order; `World` checks each decision."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(state=st.sampled_from(RESTING), every_s=st.sampled_from([0.0, 25.0]))
    def begin(self, state: ProvisionState, every_s: float) -> None:
        self.world.record = replace(self.world.record, provision_state=state)
        self.world.state = replace(self.world.state, record=self.world.record)
        self.world.settings = replace(self.world.settings, sync_power_state_interval_s=every_s)
        self.world.tell(Recover())

    @rule(
        verb=st.one_of(MOVES, POWER),
        policy=st.sampled_from(Policy),
        on_restart=st.sampled_from(OnRestart),
        requester=PEOPLE,
    )
    def submit(self, verb: AnyNodeRequest, policy: Policy, on_restart: OnRestart, requester: str) -> None:
        self._submit(structs.replace(verb, policy=policy, on_restart=on_restart), requester)

    def _submit(self, verb: AnyNodeRequest, requester: str = "ipc") -> None:
        """Ask, unless planning refuses it, as it does at the door; what a guard stands against leaves no trace."""
        before = self.world.record
        try:
            asked = self.world.submit(verb, requester)
        except PowerOffDisabled:
            assert before.disable_power_off
            return
        if self._is_locked_out(requester) or guarded(before, action_of_verb(verb), requester) is not None:
            assert asked not in self.world.requests
            assert self.world.record == before

    @rule(data=st.data(), move=MOVES, is_begun=st.booleans())
    def move(self, data: st.DataObject, move: NodeProvisionSet, is_begun: bool) -> None:
        """Ask for something that the node's state allows, if it allows anything."""
        targets = targets_of(self.world.record.provision_state)
        if targets and self.world.state.first is None:
            target = data.draw(st.sampled_from(targets))
            self._submit(structs.replace(move, target=target))
            if is_begun:
                self.world.grant()

    @precondition(lambda self: self.world.state.active is not None)
    @rule(steps=st.integers(1, 12))
    def work(self, steps: int) -> None:
        for _ in range(steps):
            self.world.advance()

    @rule(data=st.data(), is_abort=st.booleans(), requester=PEOPLE)
    def withdraw(self, data: st.DataObject, is_abort: bool, requester: str) -> None:
        if self.world.requests:
            request = data.draw(st.sampled_from(sorted(self.world.requests)))
            self.world.withdraw(request, requester, is_abort=is_abort, force=requester != "ipc")

    @rule(order=st.sampled_from(Order), requester=PEOPLE)
    def direct(self, order: Order, requester: str) -> None:
        before, asked = self.world.record, self.world.direct(order, requester)
        if self._is_locked_out(requester):
            assert isinstance(self.world.replies[asked][0], Refuse)
            assert self.world.record == before

    @rule(guard=st.sampled_from(GUARDS), stands=st.sampled_from([True, False, False]), requester=PEOPLE)
    def set_a_guard(self, guard: str, stands: bool, requester: str) -> None:
        if self.world.is_removed:
            return
        if guard == "lock":
            self.world.tell(SetLock(is_locked=stands, force=not stands, requester=requester, reply_to="lock"))
        else:
            self.world.tell(amend(Amendment(attributes={guard: stands})))

    def _is_locked_out(self, requester: str) -> bool:
        lock = self.world.record.lock
        return lock is not None and lock.owner != requester

    @rule(outcome=st.sampled_from([{"said": 1}, None, "failed"]))
    def answer(self, outcome: Any) -> None:
        self.world.answer(StepFailed("No.") if outcome == "failed" else outcome)

    @rule(gusts=st.lists(GUSTS, min_size=1, max_size=4))
    def change_the_weather(self, gusts: list[Gust]) -> None:
        self.world.gusts = weather(gusts)

    @rule(luck=st.lists(st.sampled_from(Luck), min_size=1, max_size=6))
    def change_the_luck(self, luck: list[Luck]) -> None:
        self.world.bench.luck = chain(luck, repeat(Luck.WELL))

    @rule(steps=st.integers(1, 8), timers_first=st.booleans())
    def let_time_pass(self, steps: int, timers_first: bool) -> None:
        for _ in range(steps):
            self.world.grant()
            self.world.advance(timers_first=timers_first)

    @rule()
    def crash(self) -> None:
        if not self.world.is_removed:
            self.world.crash()

    @rule(fail=st.booleans())
    def let_writes_fail(self, fail: bool) -> None:
        self.world.writes_fail = fail

    @rule(maintenance=st.sampled_from([True, False, False]))
    def set_maintenance(self, maintenance: bool) -> None:
        self.world.tell(maintain(maintenance=maintenance))

    @rule(data=st.data())
    def be_told_of_the_past(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(stale_messages(self.world)))
        before = self.world.state
        decision = self.world.tell(message)
        assert (decision.state, decision.effects, decision.change) == (before, (), None)

    @rule(is_meant=st.sampled_from([True, *[False] * 9]))
    def remove(self, is_meant: bool) -> None:
        if is_meant and self.world.requests:
            self.world.tell(remove(force=True))

    def teardown(self) -> None:
        self.world.bench.luck = repeat(Luck.WELL)
        self.world.drain()
        self.world.check_ended()


class AnyWorkOfTaskFlow(AnyWork):
    """The same, with TaskFlow as the executor, which may fail or hang."""

    @initialize()
    def choose(self) -> None:
        self.world.settings = replace(self.world.settings, task_executor=TaskExecutor.TASKFLOW)
        self.world.executor.make = FlowEngine

    @rule(is_lost=st.sampled_from([True, False, False]))
    def lose_the_executor(self, is_lost: bool) -> None:
        self.world.executor.is_lost = is_lost

    def teardown(self) -> None:
        self.world.executor.is_lost = False
        super().teardown()


TestAnyWork = AnyWork.TestCase
TestAnyWork.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestAnyWorkOfTaskFlow = AnyWorkOfTaskFlow.TestCase
TestAnyWorkOfTaskFlow.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
