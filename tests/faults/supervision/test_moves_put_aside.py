"""Nodes that are put aside in the middle of a move, also somebody's: told as they are, and given back by hand."""

from dataclasses import replace

import pytest

from castiron.transport.errors import NodeInMaintenance
from castiron.transport.vocabulary import AllocationState, Fault, ProvisionState, TaskExecutor
from tests.faults.supervision.house import QUICK, House, fail
from tests.support.deadline import until
from tests.support.moving import NOTHING, PATIENCE_S, Story


@pytest.mark.parametrize("executor", TaskExecutor)
def test_a_node_of_somebodys_that_is_put_aside_in_the_middle_of_a_move_is_told_and_given_back(
    house: House, executor: TaskExecutor
) -> None:
    client = house.with_nodes(replace(QUICK, task_executor=executor, hung_turn_s=10.0))
    story = Story(client)
    client.nodes.set("n1", resource_class="bm")
    for target in ("manage", "provide"):
        story.ended(story.move("n1", target, NOTHING))
    story.ended(client.nodes.power("n1", "power on"))
    mine = client.allocations.create(resource_class="bm", name="mine").wait(PATIENCE_S)
    assert mine.node_uuid == house.uuids[0]
    request = story.move("n1", "deploy", ["wait", "power_off"])
    token = story.token("n1")

    house.driver.bugs[house.uuids[0]] = fail
    client.provision.step_done("n1", token)

    error = story.ended(request, "failed").view.error or {}
    steps = [(one["name"], one["state"]) for one in error["details"]["steps"]]
    assert (error["code"], steps) == ("internal", [("wait", "success"), ("power_off", "failure")])
    node = story.show("n1")
    assert (node.fault, node.provision_state) == (Fault.ACTOR_FAILURE, ProvisionState.DEPLOY_FAILED)
    assert (node.maintenance, node.active_request) == (True, None)
    held = client.allocations.show("mine")
    assert (held.state, held.node_uuid) == (AllocationState.ACTIVE, node.uuid), "it is somebody's still"
    for ask in (lambda: story.move("n1", "undeploy", NOTHING), lambda: client.allocations.delete("mine")):
        with pytest.raises(NodeInMaintenance, match="maintenance unset n1"):
            ask()

    del house.driver.bugs[house.uuids[0]]
    client.nodes.unset_maintenance("n1")
    until(lambda: story.show("n1").fault is None, timeout_s=PATIENCE_S)
    client.allocations.delete("mine")
    assert story.show("n1").allocation_uuid is None
    assert list(client.allocations.list()) == []
    story.ended(story.move("n1", "undeploy", NOTHING))
    story.check()
    house.audit_numbers()
