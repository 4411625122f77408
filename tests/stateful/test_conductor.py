"""A real conductor, driven at random by two clients, on BMCs and actors that fail: held against a small model."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from castiron.actors.conductor import Conductor
from castiron.actors.settings import Settings
from castiron.testing import BMCFarm
from castiron.testing.bmc import Faults
from castiron.transport.clients.client import Client
from castiron.transport.clients.requests import Request
from castiron.transport.errors import CastironError, ConductorOverloaded
from castiron.transport.vocabulary import PowerState, PowerTarget
from tests.support.conductor_plugin import actor_of
from tests.support.conductor_process import Audit, opened
from tests.support.deadline import until

NAMES = st.sampled_from(["a", "b", "c"])
BMCS = st.integers(0, 2)
CLIENTS = st.integers(0, 1)
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

    @rule(name=NAMES, wanted=TARGETS, who=CLIENTS, hard=st.booleans())
    def power(self, name: str, wanted: PowerTarget, who: int, *, hard: bool) -> None:
        before = None if name not in self.nodes else self.clients[0].nodes.show(name)
        outcome = self.outcome(who, lambda client: client.nodes.power(name, wanted, hard_fallback=hard))
        if before is None:
            assert outcome == "node.not_found"
        elif outcome == "node.locked":
            assert self.is_busy(name)
        else:
            assert isinstance(outcome, Request)
            self.accepted.append(outcome)

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
    def restart(self) -> None:
        self.conductor.stop()
        self.conductor.start()

    @rule()
    def come_to_rest(self) -> None:
        for request in self.accepted:
            request.wait(timeout_s=15)
        for name in self.nodes:
            until(partial(self.is_idle, name))
            shown = self.clients[1].nodes.show(name)
            assert (shown.target_power_state, shown.queued_requests, shown.fault) == (None, [], None)
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
            except ConductorOverloaded:
                return False
            except CastironError as error:
                found.append(error.code)
            return True

        until(is_answered)
        return found[0]


ConductorMachine.TestCase.settings = settings(
    max_examples=50,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestConductor = ConductorMachine.TestCase
