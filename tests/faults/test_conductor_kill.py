"""kill -9 at any moment: what was accepted ends once, and no machine is sent the same control twice."""

import contextlib
import random
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from castiron.testing import BMCFarm
from castiron.testing.bmc import Faults
from castiron.testing.simulated import SimulatedBMC
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.blocking.requests import Request
from castiron.transport.errors import ConductorLost
from castiron.transport.vocabulary import PowerState
from tests.support.conductor_process import Audit, ConductorProcess, opened
from tests.support.deadline import until

SILENT = Faults(silent=True)
SETTINGS = {"unknown_outcome_settle_s": 0.5, "power_poll_max_s": 0.2}
PATIENCE_S = 20.0


class World:
    """A farm, a store, and one conductor after the other."""

    def __init__(self, farm: BMCFarm, folder: Path) -> None:
        self.farm = farm
        self.store = folder / "castiron.db"
        self._endpoint = f"ipc://{folder}/c.ipc"

    def conductor(self, **settings: float) -> ConductorProcess:
        return ConductorProcess(self.store, self._endpoint, **{**SETTINGS, **settings})

    def audit(self) -> Audit:
        with opened(self.store) as store:
            audit = Audit(store)
        audit.check()
        return audit


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    with BMCFarm(bmcs=4) as farm:
        yield World(farm, tmp_path)


def step_of(client: Client, request: Request) -> str | None:
    return client.requests.show(request.id).view.step


def controls_of(bmc: SimulatedBMC) -> list[str]:
    return [control.action.name for control in bmc.controls]


def ended(conductor: ConductorProcess, request_id: str) -> Request:
    with conductor.client() as client:
        return client.requests.wait(request_id, PATIENCE_S)


def test_a_request_that_was_accepted_and_had_not_started_is_carried_out_by_the_next_conductor(world: World) -> None:
    first, second = world.farm[0], world.farm[1]
    first.set_faults(SILENT)
    with world.conductor(max_running_actions=1) as conductor, conductor.client() as client:
        client.nodes.create("n1", driver_info=first.driver_info)
        client.nodes.create("n2", driver_info=second.driver_info)
        holder = client.nodes.power("n1", "power on")
        until(lambda: client.requests.show(holder.id).state == "running")
        waiting = client.nodes.power("n2", "power on")
        assert (waiting.state, second.controls) == ("queued", [])
        conductor.kill()
    first.set_faults(Faults())

    with world.conductor() as conductor:
        assert ended(conductor, holder.id).state == "succeeded"
        assert ended(conductor, waiting.id).state == "succeeded"
        conductor.stop()

    assert [controls_of(first), controls_of(second)] == [["POWER_UP"], ["POWER_UP"]]
    world.audit()


def test_a_control_that_was_announced_and_never_reached_the_bmc_is_sent_by_the_next_conductor(world: World) -> None:
    bmc = world.farm[0]
    with world.conductor() as conductor, conductor.client() as client:
        client.nodes.create("n1", driver_info=bmc.driver_info)
        client.nodes.power("n1", "power off").wait(timeout_s=5)  # it is off; this logs in
        bmc.set_faults(Faults(slow_s=0.5))
        before = bmc.command_count
        request = client.nodes.power("n1", "power on")
        until(lambda: bmc.command_count > before)
        bmc.set_faults(SILENT)  # the answer to the look is on its way; what follows it is lost
        until(lambda: step_of(client, request) == "sending on")
        conductor.kill()
    assert bmc.controls == []
    bmc.set_faults(Faults())

    with world.conductor() as conductor:
        after = ended(conductor, request.id)
        conductor.stop()

    assert (after.state, after.view.attempts) == ("succeeded", 2)
    assert controls_of(bmc) == ["POWER_UP"]
    world.audit()


def test_a_control_that_the_bmc_acted_on_is_not_sent_again_by_the_next_conductor(world: World) -> None:
    bmc = world.farm[0]
    with world.conductor() as conductor, conductor.client() as client:
        client.nodes.create("n1", driver_info=bmc.driver_info)
        client.nodes.power("n1", "power off").wait(timeout_s=5)
        bmc.set_faults(Faults(slow_s=0.3))
        request = client.nodes.power("n1", "power on")
        bmc.wait_for_controls(1, timeout_s=5)  # it has acted; its answer is on its way
        conductor.kill()
    bmc.set_faults(Faults())

    with world.conductor() as conductor:
        assert ended(conductor, request.id).state == "succeeded"
        conductor.stop()

    assert (controls_of(bmc), bmc.power) == (["POWER_UP"], PowerState.ON)
    world.audit()


def test_a_soft_power_off_that_may_have_arrived_is_never_pressed_again(world: World) -> None:
    bmc = world.farm[0]
    bmc.power = PowerState.ON
    bmc.soft_off_s = 2.0
    with world.conductor() as conductor, conductor.client() as client:
        client.nodes.create("n1", driver_info=bmc.driver_info)
        request = client.nodes.power("n1", "soft power off")
        bmc.wait_for_controls(1, timeout_s=5)
        conductor.kill()

    with world.conductor() as conductor:
        assert ended(conductor, request.id).state == "succeeded"
        conductor.stop()

    assert controls_of(bmc) == ["SOFT_SHUTDOWN"]
    world.audit()


def test_a_reboot_goes_on_between_its_halves(world: World) -> None:
    bmc = world.farm[0]
    bmc.power = PowerState.ON
    with world.conductor() as conductor, conductor.client() as client:
        client.nodes.create("n1", driver_info=bmc.driver_info)
        client.nodes.power("n1", "power on").wait(timeout_s=5)
        bmc.set_faults(Faults(slow_s=0.3))
        request = client.nodes.power("n1", "rebooting")
        bmc.wait_for_controls(1, timeout_s=5)  # off; on has not been sent
        conductor.kill()
    assert bmc.power is PowerState.OFF
    bmc.set_faults(Faults())

    with world.conductor() as conductor:
        after = ended(conductor, request.id)
        conductor.stop()

    assert (after.state, after.result and after.result["sent"]) == ("succeeded", ["off", "on"])
    assert (controls_of(bmc), bmc.power) == (["POWER_DOWN", "POWER_UP"], PowerState.ON)
    world.audit()


def test_killed_again_and_again_at_random_moments_nothing_is_lost_and_nothing_done_twice(world: World) -> None:
    rng = random.Random(20)
    names = {f"n{number}": bmc for number, bmc in enumerate(world.farm, start=1)}
    wanted = dict.fromkeys(names, "power off")
    for bmc in names.values():
        bmc.set_faults(Faults(slow_s=(0.0, 0.02)))

    for round_number in range(11):
        with (
            world.conductor(unknown_outcome_settle_s=0.1) as conductor,
            conductor.client(timeout_s=1.0, patience_s=1.0) as client,
        ):
            if round_number == 0:
                for name, bmc in names.items():
                    client.nodes.create(name, driver_info=bmc.driver_info)
            stopwatch = threading.Timer(rng.uniform(0.01, 0.3), conductor.kill)
            stopwatch.start()
            flip_until_killed(client, wanted, rng)
            stopwatch.join()

    with world.conductor() as conductor:
        with conductor.client() as client:
            for request in client.requests.list(limit=10_000):
                request.wait(timeout_s=PATIENCE_S)
        conductor.stop()

    audit = world.audit()
    assert len(audit.requests) >= 11
    assert any(request.attempts > 1 for request in audit.requests), "no kill hit an action"
    for name, bmc in names.items():
        done = [request for request in audit.requests if request.node_name == name]
        assert all(request.state == "succeeded" for request in done)
        # Each request flips the machine; a control sent twice for one would stand twice in a row.
        flips = controls_of(bmc)
        assert flips == (["POWER_UP", "POWER_DOWN"] * len(flips))[: len(flips)]
        assert len(flips) == len(done)


def flip_until_killed(client: Client, wanted: dict[str, str], rng: random.Random) -> None:
    """Ask one node after the other for the state that it is not in."""
    pause = threading.Event()
    try:
        for name in wanted:
            latest = client.requests.list(name, limit=1)
            wanted[name] = latest[0].view.arguments["target"] if latest else "power off"
        while True:
            name = rng.choice(list(wanted))
            while any(not request.is_final for request in client.requests.list(name, limit=1)):
                pause.wait(0.005)
            flipped = "power on" if wanted[name] == "power off" else "power off"
            client.nodes.power(name, flipped)
            wanted[name] = flipped
    except ConductorLost:
        return


@pytest.mark.parametrize("wait_s", [0.0, 0.0005, 0.002, 0.005])
def test_a_kill_around_a_forced_deletion_leaves_all_of_it_done_or_none(world: World, wait_s: float) -> None:
    bmc = world.farm[0]
    bmc.set_faults(SILENT)
    with world.conductor() as conductor, conductor.client() as client:
        node = client.nodes.create("n1", driver_info=bmc.driver_info)
        request = client.nodes.power("n1", "power on")
        until(lambda: client.requests.show(request.id).state == "running")
        deleting = threading.Thread(target=delete_by_force, args=(conductor,))
        deleting.start()
        threading.Event().wait(wait_s)
        conductor.kill()
        deleting.join(PATIENCE_S)
    bmc.set_faults(Faults())

    with world.conductor() as conductor, conductor.client() as client:
        found = ended(conductor, request.id)
        is_known = [view.uuid for view in client.nodes.list()] == [node.uuid]
        conductor.stop()

    assert found.state == ("succeeded" if is_known else "failed")
    types = [event.draft.type.value for event in world.audit().events if event.draft.request_id == request.id]
    assert types == ["node.power_set.start", "node.power_set.end" if is_known else "node.power_set.error"]


def delete_by_force(conductor: ConductorProcess) -> None:
    with conductor.client() as client, contextlib.suppress(ConductorLost):
        client.nodes.delete("n1", force=True)


def test_a_wait_for_nodes_goes_on_with_the_next_conductor(world: World) -> None:
    bmc = world.farm[0]
    found: list[str] = []
    begun = threading.Event()

    def wait(endpoint: str) -> None:
        with Client(endpoint) as client:
            views = client.nodes.wait_for(
                ["n1"], ["power_state=power on"], timeout_s=PATIENCE_S, progress=lambda _: begun.set()
            )
            found.extend(view.name for view in views)

    with world.conductor() as conductor, conductor.client() as client:
        client.nodes.create("n1", driver_info=bmc.driver_info)
        waiting = threading.Thread(target=wait, args=(conductor.endpoint,))
        waiting.start()
        assert begun.wait(PATIENCE_S)
        conductor.kill()

    with world.conductor() as conductor, conductor.client() as client:
        client.nodes.power("n1", "power on")
        waiting.join(PATIENCE_S)
        conductor.stop()

    assert found == ["n1"]
