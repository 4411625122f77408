"""A real conductor, driven at random by two clients, on BMCs and actors that fail: held against a small model.

At the end of each run I1 to I5 and I8 to I12 of the design are judged: what the store says of starts, ends and numbers
(I1, I2, I10), that each accepted request has come to its end in time (I3, I8, I12), that each key is one request (I4),
that what was refused or cancelled was never started (I5), that maintenance by hand is as it was left (I9), and that
busy was answered with the limit and a time (I11).
"""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pykka
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from castiron.actors.conductor import Conductor
from castiron.actors.fleet import FleetActor
from castiron.actors.settings import Settings
from castiron.testing import BMCFarm
from castiron.testing.bmc import Faults
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.blocking.requests import Request
from castiron.transport.errors import CastironError, ConductorOverloaded
from castiron.transport.replies import NodeView
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import Policy, PowerState, PowerTarget, RequestState
from tests.support.conductor_plugin import actor_of
from tests.support.conductor_process import Audit, opened
from tests.support.deadline import until

NAMES = st.sampled_from(["a", "b", "c"])
BMCS = st.integers(0, 2)
CLIENTS = st.integers(0, 1)
POLICIES = st.sampled_from(list(Policy))
KEYS = st.sampled_from(["key-of-one", "key-of-two"])
LATEST = st.integers(1, 3)
"""One of the latest requests."""
TARGETS = st.sampled_from(list(PowerTarget))
FAULTS = st.sampled_from(
    [Faults(), Faults(slow_s=0.05), Faults(slow_s=(0.0, 0.1)), Faults(loss_percent=30.0), Faults(silent=True)]
)
SETTINGS = Settings(
    power_state_change_timeout_s=1.0,
    soft_power_off_timeout_s=1.0,
    command_timeout_s=0.5,
    power_poll_initial_s=0.02,
    power_poll_max_s=0.1,
    unknown_outcome_settle_s=0.2,
    restart_delay_initial_s=0.01,
    restart_intensity=100,
    graceful_shutdown_timeout_s=2.0,
)


class ConductorMachine(RuleBasedStateMachine):
    """The model: which names there are and at which BMC, and the requests that were accepted.

    What is drawn never depends on what the conductor answered, so that a failure can be drawn again.
    """

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="castiron-"))
        self.farm = BMCFarm(bmcs=3).start()
        self.conductor = Conductor(store=self.folder / "c.db", endpoint=f"ipc://{self.folder}/c.ipc", settings=SETTINGS)
        self.conductor.start()
        self.clients = [self.conductor.client(timeout_s=10), self.conductor.client(timeout_s=10)]
        self.nodes: dict[str, int] = {}
        self.uuids: dict[str, str] = {}
        self.accepted: list[Request] = []
        self.keys: dict[str, tuple[tuple[str | None, PowerTarget], str]] = {}
        self.maintained: set[str] = set()
        self.busy: list[tuple[float | None, object]] = []
        """What each busy answer said: after how long to ask again, and which limit."""

    @rule(name=NAMES, bmc=BMCS, who=CLIENTS)
    def create(self, name: str, bmc: int, who: int) -> None:
        info = self.farm[bmc].driver_info
        outcome = self.outcome(who, lambda client: client.nodes.create(name, driver_info=info))
        if name in self.nodes:
            assert outcome == "node.exists"
        elif bmc in self.nodes.values():
            assert outcome == "node.bmc_address_taken"
        else:
            self.nodes[name], self.uuids[name] = bmc, outcome.uuid

    @rule(name=NAMES, new=NAMES, who=CLIENTS)
    def rename(self, name: str, new: str, who: int) -> None:
        outcome = self.outcome(who, lambda client: client.nodes.set(name, name=new))
        if name not in self.nodes:
            assert outcome == "node.not_found"
        elif new != name and new in self.nodes:
            assert outcome == "node.exists"
        elif outcome == "node.locked":
            assert self.is_busy(name)
        else:
            assert outcome.name == new
            self.nodes[new], self.uuids[new] = self.nodes.pop(name), self.uuids.pop(name)
            if name in self.maintained:
                self.maintained = self.maintained - {name} | {new}

    @rule(name=NAMES, who=CLIENTS)
    def delete(self, name: str, who: int) -> None:
        outcome = self.outcome(who, lambda client: client.nodes.delete(name))
        if name not in self.nodes:
            assert outcome == "node.not_found"
        elif outcome == "node.locked":
            assert self.is_busy(name)
        else:
            assert outcome.name == name
            del self.nodes[name], self.uuids[name]
            self.maintained -= {name}

    @rule(name=NAMES, wanted=TARGETS, who=CLIENTS, hard=st.booleans(), policy=POLICIES, hold=st.booleans())
    def power(self, name: str, wanted: PowerTarget, who: int, policy: Policy, *, hard: bool, hold: bool) -> None:
        outcome = self.outcome(
            who, lambda client: client.nodes.power(name, wanted, hard_fallback=hard, policy=policy, hold=hold)
        )
        self.note(name, outcome)

    @rule(name=NAMES, wanted=TARGETS, who=CLIENTS, key=KEYS)
    def power_once(self, name: str, wanted: PowerTarget, who: int, key: str) -> None:
        outcome = self.outcome(who, lambda client: client.nodes.power(name, wanted, key=key))
        asked = (self.uuids.get(name), wanted)
        if name in self.nodes and key in self.keys:
            known, request_id = self.keys[key]
            assert (outcome.id if isinstance(outcome, Request) else outcome) == (
                request_id if known == asked else "request.reused"
            )
        elif isinstance(outcome, Request):
            self.keys[key] = asked, outcome.id
        self.note(name, outcome)

    def note(self, name: str, outcome: Any) -> None:
        """Note what was accepted, and hold against the model what was not."""
        if name not in self.nodes:
            assert outcome == "node.not_found"
        elif isinstance(outcome, Request):
            self.accepted.append(outcome)
        elif outcome != "request.reused":
            assert outcome == "node.locked"
            assert self.is_busy(name)

    @rule(which=LATEST, who=CLIENTS)
    def cancel(self, which: int, who: int) -> None:
        for request in self.accepted[-which : len(self.accepted) - which + 1]:
            outcome = self.outcome(who, lambda client: client.requests.cancel(request.id))  # noqa: B023 - called at once
            assert outcome in {"request.started", "request.ended", "request.not_found"} or (
                outcome.state == RequestState.CANCELLED
            )

    @rule(which=LATEST, who=CLIENTS)
    def abort(self, which: int, who: int) -> None:
        for request in self.accepted[-which : len(self.accepted) - which + 1]:
            outcome = self.outcome(who, lambda client: client.requests.abort(request.id))  # noqa: B023 - called at once
            assert outcome in {"request.ended", "request.not_found"} or outcome.is_final

    @rule(names=st.sets(NAMES, min_size=1), wanted=TARGETS, who=CLIENTS, batch=st.integers(1, 3))
    def bulk(self, names: set[str], wanted: PowerTarget, who: int, batch: int) -> None:
        order = NodePowerSet(node="", target=wanted)
        outcomes = self.outcome(
            who, lambda client: list(client.nodes.bulk(order, sorted(names), batch=batch, timeout_s=30))
        )
        if names - set(self.nodes):
            assert outcomes == "node.not_found"
            return
        assert sorted(one.node for one in outcomes) == sorted(names)
        for one in outcomes:
            if one.request is not None:
                self.accepted.append(self.clients[who].requests.show(one.request.id))
            else:
                assert one.error["code"] in {"node.locked", "conductor.overloaded"}  # its actor is being replaced

    @rule(name=NAMES, who=CLIENTS, is_set=st.booleans())
    def maintain(self, name: str, who: int, *, is_set: bool) -> None:
        def change(client: Client) -> NodeView:
            return client.nodes.set_maintenance(name) if is_set else client.nodes.unset_maintenance(name)

        outcome = self.outcome(who, change)
        if name not in self.nodes:
            assert outcome == "node.not_found"
        elif outcome != "node.locked":  # it is being deleted
            assert outcome.maintenance is is_set
            self.maintained = self.maintained | {name} if is_set else self.maintained - {name}

    @rule(bmc=BMCS, faults=FAULTS)
    def weather(self, bmc: int, faults: Faults) -> None:
        self.farm[bmc].set_faults(faults)

    @rule(bmc=BMCS, state=st.sampled_from(PowerState))
    def press_button(self, bmc: int, state: PowerState) -> None:
        self.farm[bmc].power = state

    @rule(bmc=BMCS)
    def reset_bmc(self, bmc: int) -> None:
        self.farm[bmc].cold_reset()

    @rule(name=NAMES)
    def stop_an_actor(self, name: str) -> None:
        with suppress(LookupError):  # no such node, or it is being replaced already
            actor_of(self.uuids.get(name, "")).stop(block=False)

    @rule()
    def stop_the_fleets_actor(self) -> None:
        for ref in pykka.ActorRegistry.get_by_class(FleetActor):
            ref.stop(block=False)

    @rule()
    def restart(self) -> None:
        self.conductor.stop()
        self.conductor.start()

    @rule()
    def come_to_rest(self) -> None:
        for name in sorted(self.maintained):
            self.maintain(name, 0, is_set=False)  # what is held goes on
        for request in self.accepted:
            request.wait(timeout_s=15)
        for name in self.nodes:
            until(partial(self.is_idle, name))
            shown = self.clients[1].nodes.show(name)
            assert (shown.target_power_state, shown.queued_requests, shown.fault) == (None, [], None)
            assert shown.maintenance is (name in self.maintained)
        assert sorted(self.nodes) == [node.name for node in self.clients[0].nodes.list()]

    def teardown(self) -> None:
        if not hasattr(self, "conductor"):
            return
        try:
            if self.conductor.failure is None:
                self.come_to_rest()
        finally:
            for client in self.clients:
                client.close()
            self.conductor.stop()
            self.farm.close()
        with opened(self.folder / "c.db") as store:
            audit = Audit(store)
        shutil.rmtree(self.folder)
        assert self.conductor.failure is None
        audit.check()
        assert {request.id for request in audit.requests} == {request.id for request in self.accepted}
        assert {node.name for node in audit.nodes} == set(self.nodes)
        cancelled = [request for request in audit.requests if request.state is RequestState.CANCELLED]
        assert [request for request in cancelled if request.started_at is not None] == []
        keyed = {request.key: request.id for request in audit.requests if request.key in self.keys}
        assert all(retry_after_s is not None and what for retry_after_s, what in self.busy)
        assert keyed == {key: request_id for key, (_, request_id) in self.keys.items()}

    def is_idle(self, name: str) -> bool:
        """Whether nothing is under way at the node."""
        return self.clients[1].nodes.show(name).active_request is None

    def is_busy(self, name: str) -> bool:
        """Whether a request of the node may have been open while it refused."""
        uuid = self.uuids[name]
        return any(request.view.node_uuid == uuid for request in self.accepted)

    def outcome(self, who: int, verb: Callable[[Client], Any]) -> Any:
        """Return what was answered, or the error's code; ask again while an actor is being replaced."""
        found: list[Any] = []

        def is_answered() -> bool:
            try:
                found.append(verb(self.clients[who]))
            except ConductorOverloaded as busy:
                self.busy.append((busy.retry_after_s, busy.details.get("what")))
                return False
            except CastironError as error:
                found.append(error.code)
            return True

        until(is_answered)
        return found[0]


ConductorMachine.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # what real threads did is not to be had again by shrinking: minutes
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestConductor = ConductorMachine.TestCase
