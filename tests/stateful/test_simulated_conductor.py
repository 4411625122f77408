"""Conductor, store and BMCs in virtual time, in any order of requests, faults and crashes: the invariants hold.

Actors fail, the process is killed after any number of turns and starts again from the store's file, the disk refuses,
BMCs fail, buttons are pressed. In the end all is well again for an hour, and every judge looks at what came of it.

A longer run, with new examples: CASTIRON_EXAMPLES=5000 python -m pytest tests/stateful/test_simulated_conductor.py
"""

import os

import pykka
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from castiron.actors.fleet import FleetActor
from castiron.testing import Faults, LongTail, Plan, Simulation, judge
from castiron.testing.simulation.evidence import Span
from castiron.testing.simulation.machines import Machine
from castiron.testing.simulation.plan import HOUR_S
from castiron.testing.simulation.users import create
from castiron.transport.verbs import (
    AnyVerb,
    BulkRun,
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodeDelete,
    NodeHistory,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodePowerSet,
    NodeSet,
    RequestAbort,
    RequestCancel,
    RequestList,
)
from castiron.transport.vocabulary import OnRestart, Policy, PowerTarget, ReplyWish

EXAMPLES = int(os.environ.get("CASTIRON_EXAMPLES", "0"))
NEVER_S = 1e9

WHICH = st.integers(0, 2)
NAMES = st.sampled_from(["n1", "n2", "n3", "other"])
FAULTS = st.sampled_from(
    [
        ("silent", Faults(silent=True)),
        ("slow", Faults(slow_s=LongTail(0.5, 8.0))),
        ("lossy", Faults(loss_percent=40.0)),
        ("duplicating", Faults(duplicate_percent=60.0)),
        ("reordering", Faults(reorder_percent=60.0)),
        ("lying", Faults(wrong_power_count=1)),
        ("deaf", Faults(ignores_power=True)),
        ("late", Faults(late_power_s=20.0)),
        ("table full", Faults(table_full=True)),
        ("wrong password", Faults(wrong_password=True)),
    ]
)
TERMS = st.fixed_dictionaries(
    {"waits_s": st.sampled_from([0.5, 20.0, 300.0])},  # so that nobody waits for ever
    optional={
        "policy": st.sampled_from(Policy),
        "hold": st.booleans(),
        "fresh": st.booleans(),
        "again": st.booleans(),
        "key": st.sampled_from(["simulated-1", "simulated-2"]),
        "on_restart": st.sampled_from(OnRestart),
        "replies": st.sampled_from(ReplyWish),
    },
)
TIMES = st.sampled_from([0.01, 0.5, 3.0, 20.0, 90.0, 700.0])


def must_hold(simulation: Simulation, *, but: str = "") -> None:
    broken = {one.name: one.violations for one in judge(simulation.gather()) if not one.held and one.name != but}
    assert broken == {}, broken


class SimulatedConductor(RuleBasedStateMachine):
    """What is drawn never depends on what the conductor answered, so that a failure can be drawn again."""

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        self.simulation = Simulation(Plan(seed=seed, nodes=3, ipmi_nodes=1, request_mean_s=NEVER_S))
        for machine in self.simulation.machines:
            self.simulation.users.ask(create(machine))
        self.simulation.live(15.0)

    def ask(self, verb: AnyVerb) -> None:
        self.simulation.users.ask(verb)

    def machine(self, which: int) -> Machine:
        return self.simulation.machines[which]

    @rule(name=NAMES, wanted=st.sampled_from(PowerTarget), hard=st.booleans(), wish=st.sampled_from(ReplyWish))
    def power(self, name: str, wanted: PowerTarget, wish: ReplyWish, *, hard: bool) -> None:
        self.ask(NodePowerSet(node=name, target=wanted, hard_fallback=hard, replies=wish))

    @rule(name=NAMES, wanted=st.sampled_from(PowerTarget), terms=TERMS)
    def power_on_terms(self, name: str, wanted: PowerTarget, terms: dict[str, object]) -> None:
        self.ask(NodePowerSet(node=name, target=wanted, **self.timed(terms)))  # type: ignore[arg-type]  # each as its name wants

    def timed(self, terms: dict[str, object]) -> dict[str, object]:
        waits_s = terms["waits_s"]
        assert isinstance(waits_s, float)
        given = {name: value for name, value in terms.items() if name != "waits_s"}
        return {**given, "deadline_at": self.simulation.clock.now() + waits_s}

    @rule(policy=st.sampled_from(Policy), wanted=st.sampled_from(PowerTarget), batch=st.sampled_from([None, 1]))
    def bulk(self, policy: Policy, wanted: PowerTarget, batch: int | None) -> None:
        order = {"verb": "node.power.set", "target": wanted.value, "policy": policy.value}
        self.ask(BulkRun(order=order, batch=batch, nodes=["n[001-002]"]))

    @rule(which=st.integers(1, 3), aborts=st.booleans(), force=st.booleans())
    def take_back(self, which: int, *, aborts: bool, force: bool) -> None:
        meant = self.simulation.users.questions[-which].accepted_id or "nobody's"
        self.ask((RequestAbort if aborts else RequestCancel)(request=meant, force=force))

    @rule(name=NAMES, writes=st.booleans())
    def boot_device(self, name: str, *, writes: bool) -> None:
        self.ask(NodeBootDeviceSet(node=name, boot_device="pxe") if writes else NodeBootDeviceGet(node=name))

    @rule(name=NAMES, new=NAMES)
    def rename(self, name: str, new: str) -> None:
        self.ask(NodeSet(node=name, name=new))

    @rule(name=NAMES, note=st.integers())
    def annotate(self, name: str, note: int) -> None:
        self.ask(NodeSet(node=name, extra={"note": note % 1000}))

    @rule(name=NAMES, force=st.booleans())
    def delete(self, name: str, *, force: bool) -> None:
        self.ask(NodeDelete(node=name, force=force))

    @rule(name=NAMES, sets=st.booleans(), reason=st.sampled_from([None, "fan"]))
    def maintain(self, name: str, reason: str | None, *, sets: bool) -> None:
        self.ask(NodeMaintenanceSet(node=name, reason=reason) if sets else NodeMaintenanceUnset(node=name))

    @rule(which=WHICH)
    def create(self, which: int) -> None:
        self.ask(create(self.machine(which)))

    @rule(name=NAMES, asks_for_history=st.booleans())
    def read(self, name: str, *, asks_for_history: bool) -> None:
        self.ask(NodeHistory(node=name) if asks_for_history else RequestList(node=name))

    @rule(which=WHICH, fault=FAULTS)
    def ail(self, which: int, fault: tuple[str, Faults]) -> None:
        self.simulation.trouble.ail(self.machine(which), *fault)

    @rule(which=WHICH)
    def heal(self, which: int) -> None:
        self.simulation.trouble.recover(self.machine(which))

    @rule(which=WHICH)
    def press(self, which: int) -> None:
        self.machine(which).press(self.simulation.clock.now())

    @rule(which=WHICH, silent_s=st.sampled_from([0.0, 5.0, 60.0]))
    def reset_bmc(self, which: int, silent_s: float) -> None:
        now, machine = self.simulation.clock.now(), self.machine(which)
        machine.bmc.cold_reset(now + silent_s)
        self.simulation.evidence.faults.append(Span("cold reset", now, now + silent_s, machine.bmc_address))

    @rule(name=NAMES, is_hung=st.booleans())
    def fail_an_actor(self, name: str, *, is_hung: bool) -> None:
        if self.simulation.house is not None:
            self.simulation.trouble.strike(self.simulation.house, name, is_hung=is_hung)

    @rule()
    def fail_the_fleet(self) -> None:
        for ref in pykka.ActorRegistry.get_by_class(FleetActor):
            ref.stop(block=False)

    @rule(turns=st.integers(0, 30), down_s=st.sampled_from([0.01, 1.0, 100.0]))
    def kill(self, turns: int, down_s: float) -> None:
        self.simulation.kill(turns, down_s)

    @rule(is_full=st.booleans())
    def disk(self, *, is_full: bool) -> None:
        self.simulation.fill_disk(is_full=is_full)

    @rule(seconds=TIMES)
    def live(self, seconds: float) -> None:
        self.simulation.live(seconds)

    @rule(turns=st.integers(1, 8))
    def take_some_turns(self, turns: int) -> None:
        self.simulation.take_turns(turns)

    def teardown(self) -> None:
        if not hasattr(self, "simulation"):
            return
        simulation = self.simulation
        with simulation:
            for machine in simulation.machines:
                simulation.trouble.recover(machine)
            simulation.fill_disk(is_full=False)
            simulation.live(HOUR_S)
            must_hold(simulation, but="records")  # a node whose actor failed too often waits for another conductor
            simulation.kill(0, down_s=1.0)  # what was put aside is taken back by the next conductor
            simulation.live(HOUR_S)
            must_hold(simulation)


SimulatedConductor.TestCase.settings = settings(
    max_examples=EXAMPLES or 40,
    stateful_step_count=30,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# A failure takes up to five minutes to be made small, and must not be cut off before it is shown.
TestSimulatedConductor = pytest.mark.timeout(0 if EXAMPLES else 600)(SimulatedConductor.TestCase)
