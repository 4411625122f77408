"""A thousand nodes whose waits end in the same tick are seen to in that tick, not so many a minute."""

from collections.abc import Sequence
from typing import Any

import pytest

from castiron.testing.simulation.plan import DAY_S, Plan
from castiron.testing.simulation.simulation import Simulation
from castiron.testing.simulation.users import create
from castiron.transport.events import EventView
from castiron.transport.verbs import NodeProvisionSet, StepWish
from castiron.transport.vocabulary import EventType, ProvisionTarget, TaskExecutor

NODES = {TaskExecutor.BUILTIN: 1000, TaskExecutor.TASKFLOW: 100}
"""A question to TaskFlow costs a millisecond, and each node asks several."""
NEVER_S = 1e9
DONE = [StepWish(step="wait", args={"seconds": 0.0})]
BY_SOMEBODY = [StepWish(step="wait")]


def ask_all(simulation: Simulation, target: ProvisionTarget, steps: Sequence[StepWish]) -> None:
    """Ask the same of all nodes, at the same moment."""
    for machine in simulation.machines:
        simulation.users.ask(NodeProvisionSet(node=machine.name, target=target, steps=list(steps)))


def told(simulation: Simulation, kind: EventType) -> list[EventView]:
    """Return what was told of one type."""
    return [event for event in simulation.evidence.published if event.type == kind]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("executor", TaskExecutor)
def test_a_thousand_waits_that_end_at_once_are_seen_to_in_the_same_tick(executor: TaskExecutor) -> None:
    few: dict[str, Any] = {"task_executor": executor, "max_engines": 3}  # what waits, or is given up, needs none
    nodes = NODES[executor]
    plan = Plan(nodes=nodes, ipmi_nodes=0, request_mean_s=NEVER_S, check_interval_s=DAY_S, **few)
    with Simulation(plan) as simulation:
        timeout_s = simulation.evidence.settings.inspect_wait_timeout_s
        for machine in simulation.machines:
            simulation.users.ask(create(machine))
        simulation.live(1.0)
        ask_all(simulation, ProvisionTarget.MANAGE, DONE)
        simulation.live(1.0)
        assert len(told(simulation, EventType.PROVISION_SET_END)) == nodes
        ask_all(simulation, ProvisionTarget.INSPECT, BY_SOMEBODY)
        simulation.live(1.0)
        waits = [
            one for one in told(simulation, EventType.STEP_START) if one.payload["provision_state"] == "inspecting"
        ]
        assert (len(waits), len({one.at for one in waits})) == (nodes, 1)
        assert told(simulation, EventType.PROVISION_SET_ERROR) == []

        simulation.live(timeout_s + 1.0)

        ends = told(simulation, EventType.PROVISION_SET_ERROR)
        assert {one.payload["provision_state"] for one in ends} == {"inspect failed"}
        assert {one.payload["error"]["code"] for one in ends} == {"step.timeout"}
        assert (len(ends), len({one.at for one in ends})) == (nodes, 1)
        assert 0 <= ends[0].at - waits[0].at - timeout_s < 1.0
