"""kill -9 while nodes are being allocated: what was accepted goes on by itself, and node and allocation agree."""

from pathlib import Path
from random import Random

import pytest

from castiron.store.checkup import check
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import CastironError
from castiron.transport.replies import AllocationView
from castiron.transport.vocabulary import AllocationState
from tests.support.conductor_process import ConductorProcess, opened
from tests.support.deadline import until

NODES = 6


class World:
    """A store, and one conductor after the other."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "castiron.db"
        self._endpoint = f"ipc://{folder}/c.ipc"

    def conductor(self) -> ConductorProcess:
        return ConductorProcess(self.store, self._endpoint, sync_power_state_interval_s=0.0)

    def check(self) -> None:
        """Check what a kill has left."""
        assert check(self.store, None).findings == []


def furnish(client: Client, count: int, resource_class: str = "baremetal") -> None:
    """Make nodes that can be had."""
    names = [f"{resource_class}-{number}" for number in range(count)]
    for name in names:
        client.nodes.create(name, driver="fake", resource_class=resource_class)
    for target in ("manage", "provide"):
        for request in [client.provision.set(name, target) for name in names]:
            assert request.wait(30).state == "succeeded"


def agree(client: Client) -> list[AllocationView]:
    """Check that nodes and allocations name each other, and return the allocations."""
    views = [one.view for one in client.allocations.list()]
    held = {view.uuid: view.node_uuid for view in views if view.state == AllocationState.ACTIVE}
    assert {node.allocation_uuid: node.uuid for node in client.nodes.list() if node.allocation_uuid} == held
    assert len(set(held.values())) == len(held)
    return views


@pytest.mark.parametrize("seed", range(2))
def test_whatever_was_accepted_goes_on_after_a_kill_at_any_moment(tmp_path: Path, seed: int) -> None:
    world, kill_at, accepted = World(tmp_path), Random(seed).randrange(3, NODES), set[str]()
    with world.conductor() as conductor, Client(conductor.endpoint, timeout_s=5.0, patience_s=0.0) as client:
        furnish(client, NODES)
        try:
            for place in range(NODES + 6):
                accepted.add(client.allocations.create("baremetal").uuid)
                if place == kill_at:
                    conductor.kill()
        except CastironError:
            pass  # the conductor is gone
        conductor.kill()
    world.check()

    with world.conductor() as conductor, conductor.client() as client:
        ended = [client.allocations.wait(uuid, 20) for uuid in sorted(accepted)]

        assert {one.state for one in ended} <= {AllocationState.ACTIVE, AllocationState.ERROR}
        assert accepted <= {view.uuid for view in agree(client)}
        assert sum(one.state == AllocationState.ACTIVE for one in ended) == min(len(accepted), NODES)
        conductor.stop()
    world.check()


def test_what_waits_for_a_node_waits_on_after_a_kill_until_there_is_one_or_its_time_is_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    with world.conductor() as conductor, conductor.client() as client:
        furnish(client, 1)
        first = client.allocations.create("baremetal").wait(20)
        patient = client.allocations.create("baremetal", timeout_s=600.0, name="patient")
        hasty = client.allocations.create("baremetal", timeout_s=0.5, name="hasty")
        conductor.kill()
    with opened(world.store) as store:
        assert {one.state for one in store.allocations() if one.uuid != first.uuid} == {AllocationState.ALLOCATING}

    with world.conductor() as conductor, conductor.client() as client:
        failed = client.allocations.wait("hasty", 20)
        assert failed.view.error is not None
        assert failed.view.error["details"]["deadline_at"] == hasty.view.deadline_at
        assert client.allocations.show("patient").state == AllocationState.ALLOCATING

        client.allocations.delete(first.uuid)

        assert client.allocations.wait(patient.uuid, 20).node_uuid == first.node_uuid
        agree(client)
        conductor.stop()


def test_a_node_that_is_undeployed_across_a_kill_is_held_until_it_is_and_then_by_nobody(tmp_path: Path) -> None:
    world = World(tmp_path)
    with world.conductor() as conductor, conductor.client() as client:
        furnish(client, 1)
        held = client.allocations.create("baremetal", name="mine").wait(20)
        assert client.provision.set("baremetal-0", "deploy").wait(30).state == "succeeded"
        request = client.provision.set("baremetal-0", "undeploy")
        conductor.kill()
    world.check()

    with world.conductor() as conductor, conductor.client() as client:
        assert client.requests.wait(request.id, 30).state == "succeeded"
        until(lambda: client.nodes.show("baremetal-0").provision_state == "available")
        assert agree(client) == []
        types = [event.type for event in client.events(since=0, types=["allocation.*"], follow=False)]
        assert types == ["allocation.create.start", "allocation.create.end", "allocation.delete.end"]
        assert client.allocations.create("baremetal").wait(20).node_uuid == held.node_uuid
        conductor.stop()
    world.check()
