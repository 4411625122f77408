"""What holds whatever happens to a node, in whatever order."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from castiron.actors.core.effects import (
    Refuse,
)
from castiron.actors.core.messages import (
    Amendment,
    Heard,
    Recover,
    Submit,
)
from castiron.actors.core.node import decide
from castiron.actors.core.state import Ticket
from castiron.actors.core.views import node_view
from castiron.actors.drivers.base import NotDone
from castiron.transport.errors import BMCUnreachable
from castiron.transport.verbs import AnyNodeRequest, NodePowerSet, tag_of
from castiron.transport.vocabulary import (
    Applied,
    NodeName,
    OnRestart,
    Policy,
    PowerControl,
    PowerState,
    PowerTarget,
    RequestState,
)
from tests.support.node_settings import SETTINGS
from tests.support.node_world import World
from tests.support.store_records import request_id
from tests.support.weather import GUSTS, Fate, Gust, weather
from tests.unit.core.node.messages import (
    FREE,
    NEW_INFO,
    POWER_ON,
    READ_BOOT,
    SET_PXE,
    amend,
    maintain,
    remove,
    stale_messages,
    world,
)

VERBS = st.one_of(
    st.builds(
        NodePowerSet,
        node=st.just("n1"),
        target=st.sampled_from(PowerTarget),
        hard_fallback=st.booleans(),
        timeout_s=st.sampled_from([None, 1.0, 6.0]),
    ),
    st.sampled_from([SET_PXE, READ_BOOT]),
)
TERMS = st.fixed_dictionaries(
    {
        "policy": st.sampled_from(Policy),
        "hold": st.booleans(),
        "fresh": st.booleans(),
        "again": st.booleans(),
        "on_restart": st.sampled_from(OnRestart),
        "callback_url": st.sampled_from([None, "https://a/1", "https://a/2"]),
    }
)
AMENDMENTS = st.sampled_from([FREE, Amendment(), Amendment(name=NodeName("new")), Amendment(driver_info=NEW_INFO)])


class AnyNode(RuleBasedStateMachine):
    """Users, weather, crashes and failing writes in any order; `World` checks each decision."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(power=st.sampled_from(PowerState), every_s=st.sampled_from([0.0, 2.0, 25.0]), force=st.booleans())
    def begin(self, power: PowerState, every_s: float, force: bool) -> None:
        self.world.machine.power = power
        self.world.settings = replace(
            SETTINGS, sync_power_state_interval_s=every_s, force_power_state_during_sync=force
        )
        self.world.tell(Recover())

    @rule(power=st.sampled_from(PowerState))
    def change_behind_its_back(self, power: PowerState) -> None:
        self.world.machine.power = power

    @rule(verb=VERBS, terms=TERMS, requester=st.sampled_from(["ipc", "tcp"]), left_s=st.sampled_from([None, -1, 3, 60]))
    def submit(self, verb: AnyNodeRequest, terms: dict[str, Any], requester: str, left_s: float | None) -> None:
        deadline_at = None if left_s is None else self.world.now + left_s
        self.world.submit(structs.replace(verb, deadline_at=deadline_at, **terms), requester)

    @precondition(lambda self: self.world.requests)
    @rule(data=st.data(), requester=st.sampled_from(["ipc", "tcp"]), is_abort=st.booleans(), force=st.booleans())
    def withdraw(self, data: st.DataObject, requester: str, is_abort: bool, force: bool) -> None:
        request = data.draw(st.sampled_from(sorted(self.world.requests)))
        self.world.withdraw(request, requester, is_abort=is_abort, force=force)

    @rule(gusts=st.lists(GUSTS, min_size=1, max_size=6))
    def change_the_weather(self, gusts: list[Gust]) -> None:
        self.world.gusts = weather(gusts)

    @rule()
    def grant(self) -> None:
        self.world.grant()

    @rule(steps=st.integers(1, 8), timers_first=st.booleans())
    def let_time_pass(self, steps: int, timers_first: bool) -> None:
        for _ in range(steps):
            self.world.advance(timers_first=timers_first)

    @rule()
    def crash(self) -> None:
        if not self.world.is_removed:
            self.world.crash()

    @rule()
    def recover(self) -> None:
        self.world.tell(Recover())

    @rule(fail=st.booleans())
    def let_writes_fail(self, fail: bool) -> None:
        self.world.writes_fail = fail

    @rule(amendment=AMENDMENTS)
    def amend(self, amendment: Amendment) -> None:
        self.world.tell(amend(amendment))

    @rule(maintenance=st.booleans(), reason=st.sampled_from([None, "fan"]))
    def set_maintenance(self, maintenance: bool, reason: str | None) -> None:
        self.world.tell(maintain(maintenance=maintenance, reason=reason))

    @precondition(lambda self: self.world.requests)
    @rule(force=st.booleans())
    def remove(self, force: bool) -> None:
        self.world.tell(remove(force=force))

    @rule(data=st.data())
    def be_told_of_the_past(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(stale_messages(self.world)))
        before = self.world.state
        decision = self.world.tell(message)
        assert (decision.state, decision.effects, decision.change) == (before, (), None)

    @invariant()
    def views_tell_what_would_be_decided(self) -> None:
        world = self.world
        view = node_view(world.state, world.now)
        for verb in (POWER_ON, SET_PXE, READ_BOOT):
            unlike = structs.replace(verb, again=True)  # the view does not know what a request would be merged into
            submit = Submit(request_id=request_id(999), verb=unlike, requester="ipc", reply_to=None)
            refused = any(
                isinstance(effect, Refuse) for effect in decide(world.state, submit, world.now, SETTINGS).effects
            )
            assert (tag_of(verb) in view.refuses) == refused
            assert (tag_of(verb) in view.accepts) == (not refused)

    def teardown(self) -> None:
        self.world.drain()
        self.world.check_ended()
        for left in self.world.left.values():
            assert left.count(PowerControl.SOFT_OFF) <= 1


TestAnyNode = AnyNode.TestCase
TestAnyNode.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("target", PowerTarget)
def test_recovery_after_any_prefix_of_a_life_leads_to_an_end(target: PowerTarget) -> None:
    begins = PowerState.ON if target is not PowerTarget.ON else PowerState.OFF
    prefix, whole = 0, False

    while not whole:
        node = world(begins, Gust(), Gust(Fate.ANSWER_LOST), Gust(), Gust(Fate.LOST))
        request = node.submit(NodePowerSet(node="n1", target=target, hard_fallback=True))
        node.grant()
        for _ in range(prefix):
            whole = not node.advance()
        node.crash()
        node.drain()

        node.check_ended()
        assert node.requests[request].state is RequestState.SUCCEEDED
        assert node.machine.arrived.count(PowerControl.SOFT_OFF) <= 1
        prefix += 1

    assert prefix > 4


def test_an_outcome_for_nobody_changes_nothing() -> None:
    node = world()

    decision = node.tell(Heard(ticket=Ticket(1), outcome=NotDone(error=BMCUnreachable("No."), applied=Applied.NO)))

    assert (decision.effects, decision.change) == ((), None)
