"""A thousand nodes are deployed at once while steps fail, hang, and die with the conductor: nobody else notices."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from castiron.testing import Evidence, Plan, Simulation
from castiron.testing.simulation.report import Report, report_of
from castiron.testing.simulation.rollout.fates import Calling
from castiron.testing.simulation.rollout.story import Rollout
from castiron.transport.events import EventView
from castiron.transport.vocabulary import EventType, TaskExecutor

JUDGES = ("I1", "I2", "I3", "I5", "R3-1", "R3-2", "R3-3", "R3-4", "steps", "bounded", "once", "log", "answers", "rest")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What fails in a simulation is meant to; thousands of lines about it cost more than the simulation."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def rolled_out(**sizes: Any) -> tuple[Report, Evidence, Rollout]:
    """Run a rollout, and see that all that must hold does; a failure names the command that replays it."""
    plan = Plan(rollout=True, ipmi_nodes=0, **sizes)
    with Simulation(plan) as simulation:
        rollout = Rollout(simulation)
        evidence = rollout.run()
    report = report_of(plan, evidence)
    broken = {verdict.name: verdict.violations for verdict in report.invariants if not verdict.held}
    assert not broken, f"{broken}\nReplay: {report.replay}"
    return report, evidence, rollout


def timeline(events: Sequence[EventView]) -> dict[str, list[tuple[float, str, object]]]:
    """Return what was told of each node's list, and when."""
    told: dict[str, list[tuple[float, str, object]]] = {}
    for event in events:
        if event.request is not None and event.node is not None:
            told.setdefault(event.node, []).append((event.at, event.type, event.payload.get("name")))
    return told


def troubled(events: Sequence[EventView]) -> set[str | None]:
    """Return the nodes of which a step has failed."""
    return {event.node for event in events if event.type == EventType.STEP_ERROR}


@pytest.mark.timeout(300)
def test_a_thousand_nodes_deploy_at_once_and_steps_fail_hang_and_die_with_the_conductor() -> None:
    report, evidence, rollout = rolled_out(seed=6, nodes=1000)

    judged = {verdict.name: verdict.judged_count for verdict in report.invariants}
    assert [name for name in JUDGES if not judged[name]] == []
    assert judged["steps"] > 15_000
    assert report.faults["no conductor"] > 1
    ends = Counter(evidence.requests[key].state.value for key in evidence.requests)
    assert ends["succeeded"] > 2500
    failed = {word for word in report.requests if word.startswith("failed")}
    assert failed >= {f"failed: {code}" for code in ("step.failed", "step.timeout", "step.interrupted")}
    assert "failed: request.aborted" in failed
    assert {called.calling for called in rollout.agents.called} == set(Calling) - {Calling.NEVER}
    assert set(rollout.ordered.values()) == {"abort", "abort the request", "hold", "ask again"}


@pytest.mark.timeout(120)
def test_who_has_no_trouble_does_not_notice_that_others_have() -> None:
    alone: dict[str, Any] = {"seed": 3, "nodes": 100, "orders_percent": 0.0, "kills": 0}
    _, calm, _ = rolled_out(trouble_percent=0.0, **alone)
    _, rough, _ = rolled_out(trouble_percent=8.0, **alone)

    hurt = troubled(rough.events)
    before, after = timeline(calm.events), timeline(rough.events)
    spared = [node for node in before if node not in hurt]
    assert troubled(calm.events) == set()
    assert len(hurt) > 20
    assert len(spared) > 20
    assert {node: after[node] for node in spared} == {node: before[node] for node in spared}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("executor", TaskExecutor)
@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_seed(seed: int, executor: TaskExecutor) -> None:
    rolled_out(
        seed=seed, nodes=40, trouble_percent=15.0, orders_percent=40.0, kills=8, task_executor=executor, max_engines=7
    )
