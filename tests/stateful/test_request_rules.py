"""A whole conductor in virtual time, several users, any order of requests on any terms: as a small model says.

Each answer is foretold; so is what each message ends, down to what depended on it. Actors fail and the process is
killed between messages, and what was accepted goes on as its terms say. What happens to a message that a crash meets
half way is the matter of test_simulated_conductor.

A longer run, with new examples: CASTIRON_EXAMPLES=5000 python -m pytest tests/stateful/test_request_rules.py
"""

import os
from dataclasses import replace
from math import inf

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.testing import Faults, Plan, Simulation, judge
from castiron.testing.simulation.evidence import Question
from castiron.testing.simulation.plan import HOUR_S
from castiron.testing.simulation.users import create
from castiron.transport.verbs import (
    AnyNodeRequest,
    AnyVerb,
    BulkRun,
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodePowerSet,
    RequestAbort,
    RequestCancel,
    to_map,
)
from castiron.transport.vocabulary import OnRestart, Policy, PowerTarget, RequestID
from tests.support.request_model import READ, Answer, Model, Wish

EXAMPLES = int(os.environ.get("CASTIRON_EXAMPLES", "0"))
NODES = ["n1", "n2"]
TAKES_S = 20.0
"""A machine's power follows its control so much later: long enough for others to come."""

NOTICED_S = 5.0
"""By then a failed actor has a successor, a look at a machine is over, and so is an abort."""

NEVER_S = 1e9

NAMES = st.sampled_from(NODES)
USERS = st.sampled_from(["ipc:uid=1", "ipc:uid=2", "curve:three"])
WISHES = st.one_of(
    st.tuples(st.just("power"), st.sampled_from([PowerTarget.ON, PowerTarget.OFF, PowerTarget.REBOOT])),
    st.tuples(st.just("power"), st.just(PowerTarget.REBOOT)),  # always takes its time, so that others meet it
    st.tuples(st.just("boot device"), st.sampled_from(["pxe", "disk"])),
    st.tuples(st.just(READ), st.just("")),
)
YES = st.sampled_from([True])
NOT_OF_ORDERS = {"node", "key", "replies", "deadline_at", "dry_run"}
"""Fields that a bulk gives itself."""

TERMS = st.fixed_dictionaries(
    {},
    optional={
        "policy": st.sampled_from(["after", "supersede"]),
        "key": st.sampled_from([f"key-number-{number}" for number in range(4)]),
        "hold": YES,
        "again": YES,
        "until": st.sampled_from([3.0, 30.0, 100.0]),
        "resumes": st.sampled_from([False]),
    },
)
WHICH = st.integers(1, 4)
"""Of the latest ones."""


class CalmPlan(Plan):
    """Actors may fail as often as they are made to, and nothing but users asks anything of the machines."""

    def settings(self) -> Settings:
        return replace(super().settings(), restart_intensity=1000, sync_power_state_interval_s=0.0)


def verb_of(wish: Wish, *, fresh: bool) -> AnyNodeRequest:
    terms = {
        "node": wish.node,
        "key": wish.key,
        "policy": Policy(wish.policy),
        "hold": wish.hold,
        "again": wish.again,
        "fresh": fresh,
        "deadline_at": None if wish.until == inf else wish.until,
        "on_restart": OnRestart.RESUME if wish.resumes else OnRestart.FAIL,
    }
    if wish.kind == "power":
        return NodePowerSet(target=PowerTarget(wish.what), **terms)  # type: ignore[arg-type]  # each as its name wants
    if wish.kind == READ:
        return NodeBootDeviceGet(**terms)  # type: ignore[arg-type]  # as above
    return NodeBootDeviceSet(boot_device=wish.what, **terms)  # type: ignore[arg-type]  # as above


def code_of(question: Question) -> str | None:
    return None if question.error is None else question.error.code


class RequestRules(RuleBasedStateMachine):
    """The model is told what users do, and the conductor does it."""

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        self.simulation = Simulation(CalmPlan(seed=seed, nodes=2, ipmi_nodes=0, request_mean_s=NEVER_S))
        for machine in self.simulation.machines:
            self.simulation.users.ask(create(machine))
        self.simulation.live(15.0)
        for machine in self.simulation.machines:
            self.simulation.trouble.ail(machine, "late", Faults(late_power_s=TAKES_S))
        self.model = Model(NODES)

    @property
    def now(self) -> float:
        return self.simulation.clock.now()

    @rule(node=NAMES, wished=WISHES, who=USERS, terms=TERMS, fresh=st.booleans())
    def request(self, node: str, wished: tuple[str, str], who: str, terms: dict[str, object], *, fresh: bool) -> None:
        kind, what = wished
        wish = Wish(node=node, kind=kind, what=what, who=who, **terms)  # type: ignore[arg-type]  # each as its name wants
        wish = replace(wish, until=self.now + wish.until)
        takes_a_look = fresh and self.model.is_idle(node) and wish.key not in self.model.keys
        answer = self.model.ask(wish)

        question = self.ask(verb_of(wish, fresh=fresh), who)
        self.simulation.live(NOTICED_S if takes_a_look else 0.0)

        assert code_of(question) == answer.code
        if answer.code is None:
            self.accepted(question.accepted_id, wish, answer)
        self.learn()

    @rule(who=USERS, wished=WISHES, policy=st.sampled_from(["strict", "after", "supersede"]))
    def bulk(self, who: str, wished: tuple[str, str], policy: str) -> None:
        wishes = [Wish(node=node, kind=wished[0], what=wished[1], who=who, policy=policy) for node in NODES]
        answers = [self.model.ask(wish) for wish in wishes]
        order = verb_of(wishes[0], fresh=False)
        told = {name: value for name, value in to_map(order).items() if name not in NOT_OF_ORDERS}
        before = self.ids()

        self.ask(BulkRun(order=told, nodes=list(NODES)), who)
        self.simulation.live(0.0)

        new = {str(request.node_name): request.id for request in self.stored() if request.id not in before}
        made = {wish.node: (wish, one) for wish, one in zip(wishes, answers, strict=True) if not (one.code or one.job)}
        assert set(new) == set(made)
        for node, (wish, answer) in made.items():
            self.model.accept(new[node], wish, answer)
        self.learn()

    @rule(which=WHICH, who=USERS, force=st.booleans(), aborts=st.booleans())
    def take_back(self, which: int, who: str, *, force: bool, aborts: bool) -> None:
        if not self.model.jobs:
            return
        job = self.model.jobs[-min(which, len(self.model.jobs))]
        code = (self.model.abort if aborts else self.model.cancel)(job, who, force=force)

        question = self.ask((RequestAbort if aborts else RequestCancel)(request=job.id, force=force), who)
        self.simulation.live(NOTICED_S if job.may_end_as else 0.0)

        assert code_of(question) == code
        assert question.told_count == 1
        self.learn()

    @rule(node=NAMES, is_set=st.booleans())
    def maintain(self, node: str, *, is_set: bool) -> None:
        self.model.maintain(node, is_set=is_set)
        self.ask(NodeMaintenanceSet(node=node) if is_set else NodeMaintenanceUnset(node=node), "operator")
        self.simulation.live(0.0)
        self.learn()

    @rule(node=NAMES, is_hung=st.booleans())
    def lose_an_actor(self, node: str, *, is_hung: bool) -> None:
        house = self.simulation.house
        assert house is not None
        assert house.declare_hung(node) if is_hung else house.stop_actor(node)
        self.model.lose_owner(node)
        self.simulation.live(NOTICED_S)
        self.learn()

    @rule(down_s=st.sampled_from([0.1, 10.0]))
    def kill(self, down_s: float) -> None:
        self.simulation.kill(0, down_s)
        self.simulation.live(down_s)
        for node in NODES:
            self.model.lose_owner(node)
        self.simulation.live(NOTICED_S)
        self.learn()

    @rule(seconds=st.sampled_from([0.5, 4.0, 15.0, 60.0]))
    def live(self, seconds: float) -> None:
        self.simulation.live(seconds)
        self.learn()

    def ask(self, verb: AnyVerb, who: str) -> Question:
        question = self.simulation.users.ask(verb, who)
        assert question is not None
        return question

    def accepted(self, accepted_id: str | None, wish: Wish, answer: Answer) -> None:
        assert accepted_id is not None
        if answer.job is not None:
            assert accepted_id == answer.job.id, "merged, or the same key"
        else:
            self.model.accept(accepted_id, wish, answer)

    def stored(self) -> list[RequestRecord]:
        return self.simulation._store.requests(limit=1000)

    def ids(self) -> set[str]:
        return {request.id for request in self.stored()}

    def learn(self) -> None:
        """Look how all requests are, and whether that is as it must be."""
        records = {request.id: request for request in self.stored()}
        assert set(records) == {job.id for job in self.model.jobs}, "what was refused left a trace, or one is lost"
        for job in self.model.jobs:
            self.model.learn(job, records[RequestID(job.id)], self.now)
        self.model.judge_starts()
        house = self.simulation.house
        assert house is not None
        for node in NODES:
            published = house.services.board.node(node)
            assert published is not None
            assert published.state.record.maintenance is self.model.maintained[node]
            due = self.model.next_of(node)
            assert due is None or due.has_started, f"{due.wish} should run"

    def teardown(self) -> None:
        if not hasattr(self, "simulation"):
            return
        with self.simulation:
            for node in NODES:
                self.maintain(node, is_set=False)
            self.live(HOUR_S)
            assert all(job.is_over for job in self.model.jobs)
            broken = {one.name: one.violations for one in judge(self.simulation.gather()) if not one.held}
            assert {name for name in broken if name != "I5"} == set(), broken


RequestRules.TestCase.settings = settings(
    max_examples=EXAMPLES or 30,
    stateful_step_count=30,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestRequestRules = pytest.mark.timeout(0 if EXAMPLES else 600)(RequestRules.TestCase)
