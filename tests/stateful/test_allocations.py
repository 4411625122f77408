"""Allocations in virtual time, in any order of wishes, failures and crashes: no node is held twice.

Turns of actors and commits are drawn, too, so whatever could meet does. Between any two rules what is on disk fits
together; in the end all is well for a while, and everybody has a node, an error, or time left and somebody who looks.

A longer run, with new examples: CASTIRON_EXAMPLES=5000 python -m pytest tests/stateful/test_allocations.py
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from castiron.transport.verbs import (
    AllocationCreate,
    AllocationDelete,
    AllocationSet,
    AllocationWait,
    NodeDelete,
    NodeLockSet,
    NodeLockUnset,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodeProvisionSet,
    NodeSet,
)
from castiron.transport.vocabulary import ProvisionTarget, Seconds
from tests.support.allocating import RESOURCE_CLASS, Allocating

EXAMPLES = int(os.environ.get("CASTIRON_EXAMPLES", "0"))
NODES = ["n1", "n2", "n3"]
NAMES = st.sampled_from(NODES)
CALLED = st.sampled_from(["a", "b", "n1"])
TIMES = st.sampled_from([0.01, 0.3, 2.0, 20.0])
MOVES = st.sampled_from(
    [ProvisionTarget.DEPLOY, ProvisionTarget.UNDEPLOY, ProvisionTarget.MANAGE, ProvisionTarget.PROVIDE]
)


class AllocatingConductor(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        self.world = Allocating(seed)
        self.world.furnish(len(NODES))

    @rule(
        traits=st.sampled_from([[], ["CUSTOM_A"], ["CUSTOM_NONE"]]),
        candidates=st.none() | st.lists(NAMES, min_size=1, unique=True),
        name=st.none() | CALLED,
        timeout_s=st.sampled_from([None, None, 1.0, 30.0, 1e5]),
        times=st.integers(1, 3),
    )
    def allocate(
        self, traits: list[str], candidates: list[str] | None, name: str | None, timeout_s: float | None, times: int
    ) -> None:
        for _ in range(times):
            wanted: dict[str, Any] = {"traits": traits, "candidate_nodes": candidates, "name": name}
            self.world.ask(AllocationCreate(resource_class=RESOURCE_CLASS, timeout_s=timeout_s, **wanted))

    @rule(which=st.integers(0, 5), waits=st.booleans())
    def delete(self, which: int, *, waits: bool) -> None:
        known = self.world.services.board.allocations.all()
        uuid = known[which % len(known)].uuid if known else "nobody"
        if waits:
            self.world.ask(AllocationWait(allocation=uuid, timeout_s=5.0))
        self.world.ask(AllocationDelete(allocation=uuid))

    @rule(which=st.integers(0, 5), name=CALLED)
    def rename(self, which: int, name: str) -> None:
        known = self.world.services.board.allocations.all()
        uuid = known[which % len(known)].uuid if known else "nobody"
        self.world.ask(AllocationSet(allocation=uuid, name=name, extra={"note": which}))

    @rule(name=NAMES, to=MOVES)
    def move(self, name: str, to: ProvisionTarget) -> None:
        self.world.ask(NodeProvisionSet(node=name, target=to))

    @rule(name=NAMES, sets=st.booleans())
    def maintain(self, name: str, *, sets: bool) -> None:
        self.world.ask(NodeMaintenanceSet(node=name) if sets else NodeMaintenanceUnset(node=name))

    @rule(name=NAMES, sets=st.booleans())
    def lock(self, name: str, *, sets: bool) -> None:
        self.world.ask(NodeLockSet(node=name) if sets else NodeLockUnset(node=name))

    @rule(name=NAMES, traits=st.sampled_from([[], ["CUSTOM_A"]]))
    def retrait(self, name: str, traits: list[str]) -> None:
        self.world.ask(NodeSet(node=name, traits=traits))

    @rule(name=NAMES, force=st.booleans())
    def forget_node(self, name: str, *, force: bool) -> None:
        self.world.ask(NodeDelete(node=name, force=force))

    @rule(name=NAMES, hangs=st.booleans())
    def lose_actor(self, name: str, *, hangs: bool) -> None:
        if hangs:
            self.world.declare_hung(name)
        else:
            self.world.stop_actor(name)

    @rule()
    def lose_keeper(self) -> None:
        self.world.stop_keeper()

    @rule(is_full=st.booleans())
    def fill_disk(self, *, is_full: bool) -> None:
        self.world.writer.is_full = is_full

    @rule()
    def crash(self) -> None:
        self.world.crash()

    @rule(turns=st.integers(1, 30))
    def run(self, turns: int) -> None:
        self.world.run(turns)

    @rule(seconds=TIMES)
    def live(self, seconds: float) -> None:
        self.world.live(Seconds(seconds))

    @invariant()
    def what_is_on_disk_fits_together(self) -> None:
        if hasattr(self, "world"):
            self.world.check_at_any_time()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            self.world.check_at_rest()
            self.world.house.end()
            self.world.store.close()


TestAllocations = AllocatingConductor.TestCase
TestAllocations.settings = settings(
    max_examples=EXAMPLES or 18,
    stateful_step_count=30,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@pytest.mark.parametrize("seed", range(3))
def test_of_many_at_once_as_many_get_a_node_as_there_are_and_each_node_is_asked_once(seed: int) -> None:
    world = Allocating(seed)
    world.furnish(40)

    for _ in range(60):
        world.ask(AllocationCreate(resource_class=RESOURCE_CLASS))
    world.settle()

    world.check_at_rest()
    states = [record.state.value for record in world.store.allocations()]
    assert (states.count("active"), states.count("error")) == (40, 20)
    assert world.services.board.market.figures() == (40, 40)
    world.house.end()
    world.store.close()
