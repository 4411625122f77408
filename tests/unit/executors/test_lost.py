"""An executor that cannot answer: its list fails with the reason, and what was done is taken back without it."""

from dataclasses import replace

import pytest

from castiron.actors.core.messages import Recover
from castiron.transport.verbs import NodeProvisionSet, StepWish
from castiron.transport.vocabulary import EventType, ProvisionState, ProvisionTarget, TaskExecutor
from tests.support.node_settings import SETTINGS
from tests.support.node_world import World
from tests.support.store_records import plain_node


@pytest.mark.parametrize("is_silent", [False, True])
def test_what_was_done_is_taken_back_without_the_executor(*, is_silent: bool) -> None:
    world = World(record=replace(plain_node(), provision_state=ProvisionState.AVAILABLE))
    world.settings = replace(SETTINGS, task_executor=TaskExecutor.TASKFLOW)
    world.tell(Recover())
    steps = [StepWish(interface="test", step="back"), StepWish(step="power_on")]
    asked = world.submit(NodeProvisionSet(node="n1", target=ProvisionTarget.DEPLOY, steps=steps))
    world.grant()
    while not any(event.type == EventType.STEP_START for event in world.events):
        world.advance()

    world.executor.is_lost = True
    if is_silent:
        next(world.executor._turns)  # the first question since is not answered
    for _ in range(50):
        world.advance()

    request = world.requests[asked]
    assert (request.state, (request.error or {})["code"]) == ("failed", "step.failed")
    told = [
        (event.type, event.payload["name"], event.payload.get("revert", False)) for event in world.told(asked)[1:-1]
    ]
    assert (EventType.STEP_END, "test.back", True) in told
    assert world.record.provision_state is ProvisionState.DEPLOY_FAILED
    assert not any(name == "power_on" for _, name, _ in told)
