"""Lives of requests that move a node: what is told, what is refused, what ends them."""

from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pytest

from castiron.actors.core.effects import AnswerNode
from castiron.actors.core.messages import Order
from castiron.actors.core.provision.run import Run
from castiron.actors.core.requests.obstacles import UNDER_WAY
from castiron.transport.errors import NodeInMaintenance, NodeStateInvalid, StepNotWaiting
from castiron.transport.verbs import NodePowerSet, NodeProvisionSet, StepWish
from castiron.transport.vocabulary import (
    Applied,
    EventType,
    PowerState,
    PowerTarget,
    ProvisionState,
    ProvisionTarget,
    RequestID,
    RequestState,
    StepState,
)
from tests.support.node_world import World
from tests.support.step_work import Luck, answer_for
from tests.unit.core.node.messages import maintain, refusal, types, world

WAIT_S = 1800.0


def node(state: ProvisionState, *luck: Luck, **record: Any) -> World:
    made = world(PowerState.OFF, provision_state=state, **record)
    made.bench.luck = chain(luck, repeat(Luck.WELL))
    return made


def ask(of: World, target: ProvisionTarget, *steps: str | StepWish, **terms: Any) -> RequestID:
    wishes = [StepWish(step=one) if isinstance(one, str) else one for one in steps]
    chosen = wishes if steps or target is ProvisionTarget.DEPLOY else None
    return of.submit(NodeProvisionSet(node="n1", target=target, steps=chosen, **terms))


def go(of: World, target: ProvisionTarget, *steps: str | StepWish, **terms: Any) -> RequestID:
    request = ask(of, target, *steps, **terms)
    of.run_until(of.now + 30.0)
    return request


def states(of: World) -> list[tuple[str, str]]:
    run = of.state.active.action if of.state.active is not None else None
    assert isinstance(run, Run)
    return [(one.step.name, one.state.value) for one in run.steps]


def moves(of: World) -> list[str]:
    """Return the states that events told of, in order."""
    return [str(event.payload["provision_state"]) for event in of.events if "event" in event.payload]


def test_nothing_is_said_or_changed_before_there_is_a_permit() -> None:
    made = node(ProvisionState.AVAILABLE)

    request = ask(made, ProvisionTarget.DEPLOY, "power_on")

    assert made.events == []
    assert (made.record.provision_state, made.record.target_provision_state) == (ProvisionState.AVAILABLE, None)
    assert made.requests[request].state is RequestState.QUEUED


def test_a_deployment_is_told_from_its_start_to_its_end() -> None:
    made = node(ProvisionState.AVAILABLE)

    request = go(made, ProvisionTarget.DEPLOY, "power_on", "twice")

    assert types(made, request) == [
        "node.provision_set.start",
        "node.step.start",
        "node.step.end",
        "node.step.start",
        "node.step.end",
        "node.provision_set.end",
    ]
    assert (made.record.provision_state, made.record.target_provision_state) == (ProvisionState.ACTIVE, None)
    ended = made.requests[request]
    assert [one["state"] for one in (ended.result or {})["steps"]] == ["success", "success"]
    assert made.bench.done == [("execute", "test.twice")]


def test_what_is_given_back_is_switched_off_and_cleaned_in_one_request() -> None:
    made = node(ProvisionState.ACTIVE)

    request = go(made, ProvisionTarget.UNDEPLOY)

    assert moves(made) == ["deleting", "cleaning", "available"]
    assert made.requests[request].state is RequestState.SUCCEEDED


def test_cleaning_by_hand_leads_back_to_manageable() -> None:
    made = node(ProvisionState.MANAGEABLE)

    go(made, ProvisionTarget.CLEAN, "twice")

    assert moves(made) == ["cleaning", "manageable"]


def test_a_move_that_needs_no_work_starts_and_ends_at_once() -> None:
    made = node(ProvisionState.AVAILABLE)

    request = go(made, ProvisionTarget.MANAGE)

    assert types(made, request) == ["node.provision_set.start", "node.provision_set.end"]
    assert made.record.provision_state is ProvisionState.MANAGEABLE


def test_a_step_that_fails_fails_its_node_with_the_reason_and_nothing_begins_after_it() -> None:
    made = node(ProvisionState.AVAILABLE, Luck.FAILS)

    request = go(made, ProvisionTarget.DEPLOY, "twice", "power_on")

    assert made.record.provision_state is ProvisionState.DEPLOY_FAILED
    assert made.record.last_error == "It did not work."
    ended = made.requests[request]
    assert (ended.state, ended.applied) == (RequestState.FAILED, Applied.UNKNOWN)
    assert (ended.error or {})["details"]["step"] == "test.twice"
    assert made.machine.arrived == []


def test_a_step_is_tried_again_as_often_as_it_may_and_each_attempt_is_told() -> None:
    made = node(ProvisionState.AVAILABLE, Luck.FAILS, Luck.FAILS)

    request = go(made, ProvisionTarget.DEPLOY, StepWish(step="twice", retries=2, retry_delay_s=5.0))

    assert made.requests[request].state is RequestState.SUCCEEDED
    attempts = [event.payload["attempt"] for event in made.events if event.type is EventType.STEP_START]
    assert attempts == [1, 2, 3]


def test_what_can_be_taken_back_is_the_latest_first() -> None:
    made = node(ProvisionState.AVAILABLE, Luck.WELL, Luck.WELL, Luck.FAILS)

    go(made, ProvisionTarget.DEPLOY, "back", StepWish(step="back", name="second"), "twice")

    assert made.bench.done == [
        ("execute", "test.back"),
        ("execute", "second"),
        ("revert", "second"),
        ("revert", "test.back"),
    ]
    assert made.record.provision_state is ProvisionState.DEPLOY_FAILED


def test_a_step_that_waits_makes_the_node_wait_and_its_answer_makes_it_go_on() -> None:
    made = node(ProvisionState.AVAILABLE)
    request = go(made, ProvisionTarget.DEPLOY, "wait", "power_on")
    assert made.record.provision_state is ProvisionState.DEPLOY_WAIT

    assert made.answer({"disk": "written"})
    made.run_until(made.now + 30.0)

    assert moves(made) == ["deploying", "wait call-back", "deploying", "active"]
    assert (made.requests[request].result or {})["steps"][0]["result"] == {"disk": "written"}


def test_a_node_that_nobody_answers_for_fails_and_signs_of_life_put_that_off() -> None:
    made = node(ProvisionState.AVAILABLE)
    request = go(made, ProvisionTarget.DEPLOY, "wait")
    made.run_until(made.now + WAIT_S - 60.0)
    assert made.answer(None)
    made.run_until(made.now + WAIT_S - 60.0)
    assert moves(made)[-1] == "wait call-back"

    made.run_until(made.now + 120.0)

    assert made.record.provision_state is ProvisionState.DEPLOY_FAILED
    assert (made.requests[request].error or {})["code"] == "step.timeout"


def test_a_restart_leaves_a_wait_the_time_that_is_left() -> None:
    made = node(ProvisionState.AVAILABLE)
    go(made, ProvisionTarget.DEPLOY, "wait")
    made.run_until(made.now + WAIT_S / 2)

    made.crash(down_s=60.0)
    made.grant()

    assert moves(made)[-1] == "wait call-back"
    assert states(made) == [("wait", "waiting")]
    made.run_until(made.now + WAIT_S / 2)
    assert made.record.provision_state is ProvisionState.DEPLOY_FAILED


def test_after_a_restart_it_goes_on_at_the_first_unfinished_step() -> None:
    made = node(ProvisionState.AVAILABLE, Luck.WELL, Luck.HANGS)
    request = ask(made, ProvisionTarget.DEPLOY, "blind", StepWish(step="twice", timeout_s=20.0), "power_on")
    made.grant()
    made.run_until(made.now + 1.0)
    assert states(made)[1] == ("test.twice", "running")

    made.crash()
    made.run_until(made.now + 30.0)

    assert made.requests[request].state is RequestState.SUCCEEDED
    assert made.bench.done == [("execute", "test.blind"), ("execute", "test.twice"), ("execute", "test.twice")]


@pytest.mark.parametrize(("step", "state"), [("blind", ProvisionState.DEPLOY_FAILED), ("seen", ProvisionState.ACTIVE)])
def test_what_must_not_be_done_twice_is_asked_for_or_fails_honestly(step: str, state: ProvisionState) -> None:
    made = node(ProvisionState.AVAILABLE, Luck.HANGS)
    ask(made, ProvisionTarget.DEPLOY, StepWish(step=step, timeout_s=20.0, retries=3))
    made.grant()
    made.run_until(made.now + 1.0)

    made.crash()
    made.run_until(made.now + 30.0)

    assert made.record.provision_state is state
    assert made.bench.done == [("execute", f"test.{step}")]


def test_a_list_is_held_between_two_steps_and_goes_on() -> None:
    made = node(ProvisionState.AVAILABLE)
    request = go(made, ProvisionTarget.DEPLOY, "twice", "hold", "power_on")
    assert made.record.provision_state is ProvisionState.DEPLOY_HOLD
    made.crash()
    made.grant()
    made.run_until(made.now + 100_000.0)
    assert made.record.provision_state is ProvisionState.DEPLOY_HOLD

    made.direct(Order.UNHOLD)
    made.run_until(made.now + 30.0)

    assert made.requests[request].state is RequestState.SUCCEEDED
    assert moves(made) == ["deploying", "deploy hold", "wait call-back", "deploying", "active"]


@pytest.mark.parametrize(
    ("before", "target", "after"),
    [
        (ProvisionState.ENROLL, ProvisionTarget.MANAGE, ProvisionState.ENROLL),
        (ProvisionState.MANAGEABLE, ProvisionTarget.INSPECT, ProvisionState.INSPECT_FAILED),
        (ProvisionState.MANAGEABLE, ProvisionTarget.CLEAN, ProvisionState.CLEAN_FAILED),
        (ProvisionState.MANAGEABLE, ProvisionTarget.ADOPT, ProvisionState.ADOPT_FAILED),
        (ProvisionState.AVAILABLE, ProvisionTarget.DEPLOY, ProvisionState.DEPLOY_FAILED),
        (ProvisionState.ACTIVE, ProvisionTarget.UNDEPLOY, ProvisionState.ERROR),
        (ProvisionState.ACTIVE, ProvisionTarget.RESCUE, ProvisionState.RESCUE_FAILED),
        (ProvisionState.ACTIVE, ProvisionTarget.SERVICE, ProvisionState.SERVICE_FAILED),
        (ProvisionState.RESCUE, ProvisionTarget.UNRESCUE, ProvisionState.UNRESCUE_FAILED),
    ],
)
@pytest.mark.parametrize("is_crashed", [False, True])
def test_work_can_be_aborted_in_every_state_that_has_any(
    before: ProvisionState, target: ProvisionTarget, after: ProvisionState, is_crashed: bool
) -> None:
    made = node(before, Luck.WELL, Luck.HANGS)
    request = ask(made, target, "back", StepWish(step="twice", timeout_s=20.0), "power_on")
    made.grant()
    made.run_until(made.now + 1.0)
    assert str(made.record.provision_state).endswith("ing")

    asked = made.direct(Order.ABORT)
    if is_crashed:
        made.crash()
    made.run_until(made.now + 60.0)

    assert isinstance(made.replies[asked][0], AnswerNode)
    assert made.record.provision_state is after
    assert (made.requests[request].error or {})["code"] == "request.aborted"
    assert ("revert", "test.back") in made.bench.done
    assert made.machine.arrived == []


def test_a_step_that_must_not_be_interrupted_runs_to_its_end_before_the_abort() -> None:
    made = node(ProvisionState.AVAILABLE)
    ask(made, ProvisionTarget.DEPLOY, "stubborn", "power_on")
    made.grant()

    made.direct(Order.ABORT)
    made.run_until(made.now + 30.0)

    assert made.bench.done == [("execute", "test.stubborn"), ("revert", "test.stubborn")]
    assert made.record.provision_state is ProvisionState.DEPLOY_FAILED


def test_a_node_that_waits_can_be_given_back() -> None:
    made = node(ProvisionState.AVAILABLE)
    first = go(made, ProvisionTarget.DEPLOY, "wait")

    second = go(made, ProvisionTarget.UNDEPLOY)

    assert (made.requests[first].error or {})["code"] == "request.aborted"
    assert made.requests[second].state is RequestState.SUCCEEDED
    assert made.record.provision_state is ProvisionState.AVAILABLE


def test_a_node_is_checked_while_it_waits_for_somebody_else() -> None:
    made = world(PowerState.ON, provision_state=ProvisionState.AVAILABLE, power_state=PowerState.ON)
    made.settings = replace(made.settings, sync_power_state_interval_s=25.0)
    go(made, ProvisionTarget.DEPLOY, "wait")

    made.machine.power = PowerState.OFF
    made.run_until(made.now + 60.0)

    assert made.record.power_state is PowerState.OFF


@pytest.mark.parametrize("state", ProvisionState)
@pytest.mark.parametrize("target", ProvisionTarget)
def test_what_a_state_does_not_allow_is_refused_with_what_it_does(
    state: ProvisionState, target: ProvisionTarget
) -> None:
    made = node(state)

    request = ask(made, target, "twice")

    if request in made.requests:
        made.run_until(made.now + 60.0)
        assert made.requests[request].state is RequestState.SUCCEEDED
    else:
        error = refusal(made, request)
        assert isinstance(error, NodeStateInvalid)
        for allowed in error.details["accepts"]:
            assert ask(made, ProvisionTarget(allowed), "twice") in made.requests
            break


def test_a_node_in_maintenance_is_not_moved_but_the_wish_may_be_held() -> None:
    made = node(ProvisionState.AVAILABLE)
    made.tell(maintain(maintenance=True))

    assert isinstance(refusal(made, ask(made, ProvisionTarget.DEPLOY, "twice")), NodeInMaintenance)
    held = ask(made, ProvisionTarget.DEPLOY, "twice", hold=True)
    made.tell(maintain(maintenance=False))
    made.run_until(made.now + 30.0)
    assert made.requests[held].state is RequestState.SUCCEEDED


def test_power_is_refused_while_the_steps_have_the_machine() -> None:
    made = node(ProvisionState.AVAILABLE)
    go(made, ProvisionTarget.DEPLOY, "wait")

    asked = made.submit(NodePowerSet(node="n1", target=PowerTarget.ON))

    assert refusal(made, asked).code == "node.locked"


def test_an_answer_to_a_step_that_does_not_wait_is_refused() -> None:
    made = node(ProvisionState.AVAILABLE)
    go(made, ProvisionTarget.DEPLOY, "wait", "wait")
    late = answer_for(made.state.active, {})
    assert late is not None
    made.answer({})
    made.run_until(made.now + 1.0)
    assert states(made) == [("wait", StepState.SUCCESS.value), ("wait#2", StepState.WAITING.value)]

    made.tell(replace(late, reply_to="late"))

    assert isinstance(refusal(made, "late"), StepNotWaiting)


@pytest.mark.parametrize("state", sorted(UNDER_WAY))
def test_a_node_that_nobody_works_on_is_led_out_of_its_state_with_the_reason(state: ProvisionState) -> None:
    made = node(state)

    assert made.record.provision_state not in UNDER_WAY
    assert "nobody works on it" in (made.record.last_error or "")


def test_a_step_that_begins_after_a_wait_is_told_with_the_state_that_holds_with_it() -> None:
    made = node(ProvisionState.AVAILABLE)
    go(made, ProvisionTarget.DEPLOY, "wait", "twice", "wait")

    made.answer({})
    made.run_until(made.now + 1.0)

    starts = [event.payload["provision_state"] for event in made.events if event.type is EventType.STEP_START]
    assert starts == ["deploying", "deploying", "deploying"]
    assert made.record.provision_state is ProvisionState.DEPLOY_WAIT


def test_a_list_that_has_failed_has_ended_and_is_not_held() -> None:
    made = node(ProvisionState.ACTIVE, Luck.FAILS)
    go(made, ProvisionTarget.SERVICE, "twice")
    before, told = made.record, len(made.events)

    for order in (Order.HOLD, Order.UNHOLD):
        refused = refusal(made, made.direct(order))
        assert isinstance(refused, NodeStateInvalid)
        assert refused.details["accepts"] == ["undeploy", "rescue", "service", "abort"]
    assert (made.record, len(made.events)) == (before, told)
