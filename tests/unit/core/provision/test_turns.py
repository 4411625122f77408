"""Turns of both executors: what is begun in one, and what a list does that has lent its engine."""

from dataclasses import replace
from itertools import repeat
from typing import Any

import pytest

from castiron.actors.core.effects import AskExecutor, LendEngine, RetakeEngine
from castiron.actors.core.messages import EngineGranted, Order, PermitGranted
from castiron.actors.core.provision.inheriting import MAX_TAKEN_UP
from castiron.actors.core.provision.run import Run
from castiron.actors.core.state import Ticket
from castiron.actors.executors.builtin import BuiltInEngine
from castiron.actors.executors.executor import Open
from castiron.actors.executors.taskflow.engine import FlowEngine
from castiron.transport.errors import StepFailed
from castiron.transport.verbs import NodeProvisionSet, StepWish
from castiron.transport.vocabulary import (
    FINAL_REQUEST_STATES,
    EngineMode,
    EventType,
    Instant,
    Policy,
    PowerState,
    ProvisionState,
    ProvisionTarget,
    RequestID,
    RequestState,
    TaskExecutor,
)
from tests.support.node_world import World
from tests.support.step_work import Luck
from tests.unit.core.node.messages import maintain, world

EXECUTORS: dict[str, tuple[TaskExecutor, Open]] = {
    "built-in": (TaskExecutor.BUILTIN, BuiltInEngine),
    "taskflow": (TaskExecutor.TASKFLOW, FlowEngine),
}


def node(executor: str, **record: Any) -> World:
    made = world(PowerState.OFF, provision_state=ProvisionState.AVAILABLE, **record)
    chosen, make = EXECUTORS[executor]
    made.settings = replace(made.settings, task_executor=chosen, sync_power_state_interval_s=0.0)
    made.executor.make = make
    return made


def deploy(of: World, *steps: StepWish) -> RequestID:
    verb = NodeProvisionSet(
        node="n1", target=ProvisionTarget.DEPLOY, steps=list(steps), engine_mode=EngineMode.PARALLEL
    )
    request = of.submit(verb)
    of.grant()
    return request


def settle(of: World, until: float = 5.0) -> None:
    """Let all happen that happens within so many seconds."""
    end = of.now + until
    while True:
        answers = (*of.timers.values(), *(at for at, _ in {**of.calls, **of.executor.answers}.values()))
        if min((*answers, of.recover_at or end)) >= end:
            of.now = Instant(end)
            return
        of.advance()


def begun(of: World) -> list[str]:
    return [event.payload["name"] for event in of.events if event.type is EventType.STEP_START]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_of_steps_that_are_to_begin_at_once_none_begins_after_one_that_fails_at_once(executor: str) -> None:
    of = node(executor, driver="a-plug-in")  # its driver knows of no password: that is known without asking

    request = deploy(
        of,
        StepWish(interface="test", step="back", name="before", after=[]),
        StepWish(interface="management", step="change_bmc_password", args={"generate": True}, after=[]),
        StepWish(interface="test", step="twice", name="later", after=[]),
    )
    settle(of)

    assert of.requests[request].state is RequestState.FAILED
    password = "management.change_bmc_password"
    assert begun(of) == ["before", password, password, "before"], "begun, and taken back, the latest first"
    assert ("execute", "later") not in of.bench.done
    assert of.record.provision_state is ProvisionState.DEPLOY_FAILED


def standing(of: World) -> str:
    return of.record.provision_state.value


def run_of(of: World) -> Run:
    assert of.state.active is not None
    assert isinstance(of.state.active.action, Run)
    return of.state.active.action


def waiting() -> World:
    """Return a node whose first step waits for somebody; one more is to come."""
    of = node("taskflow")
    deploy(of, StepWish(step="wait"), StepWish(interface="test", step="twice"))
    settle(of)
    assert of.record.provision_state is ProvisionState.DEPLOY_WAIT
    return of


def test_a_list_that_waits_lends_its_engine_and_asks_for_one_to_go_on() -> None:
    of = waiting()
    assert not of.executor.has_place

    of.answer({"said": 1})

    wish = next(one.ticket for one in of.effects if isinstance(one, RetakeEngine))
    assert not [one for one in of.effects if isinstance(one, AskExecutor)]
    assert standing(of) == "wait call-back", "nothing is done yet"
    of.executor.answers.clear()
    of.tell(EngineGranted(ticket=Ticket(wish + 1000)))
    assert not of.effects, "the grant of another wish"
    of.executor.has_place, of.executor.wish = True, None
    of.tell(EngineGranted(ticket=wish))
    assert any(isinstance(one, AskExecutor) for one in of.effects)
    settle(of)
    assert standing(of) == "active"


def test_a_successor_takes_up_what_waits_without_an_engine_first() -> None:
    of = waiting()

    of.crash()
    of.grant()

    assert of.state.active is not None
    assert of.state.active.is_parked
    assert run_of(of).is_busy, "whoever answers is heard, whether there is an engine or not"
    assert of.answer({"said": 1})
    settle(of, 60.0)
    assert of.record.provision_state is ProvisionState.ACTIVE


@pytest.mark.parametrize("is_in_line", [False, True])
def test_what_is_given_up_goes_back_without_an_engine(is_in_line: bool) -> None:
    of = node("taskflow")
    request = deploy(
        of,
        StepWish(interface="test", step="back"),
        StepWish(step="wait", after=["test.back"]),
        StepWish(interface="test", step="twice"),
    )
    settle(of)
    if is_in_line:
        of.answer({"said": 1})
        of.executor.answers.clear()  # others keep all of them

    of.direct(Order.ABORT)

    assert [one for one in of.effects if isinstance(one, LendEngine)]
    settle(of)
    assert of.requests[request].state is RequestState.FAILED
    assert ("revert", "test.back") in of.bench.done


def test_a_pause_of_seconds_keeps_the_engine_and_a_long_one_lends_it() -> None:
    for seconds, is_lent in ((4, False), (6, True)):
        of = node("taskflow")
        deploy(of, StepWish(step="wait", args={"seconds": seconds}), StepWish(interface="test", step="twice"))
        settle(of, 1.0)
        assert of.executor.has_place is not is_lent
        settle(of, 60.0)
        assert of.record.provision_state is ProvisionState.ACTIVE


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_step_that_ends_its_conductor_again_and_again_is_begun_so_often(executor: str) -> None:
    of = node(executor)
    request = deploy(of, StepWish(interface="test", step="back"), StepWish(interface="test", step="twice"))
    settle(of)
    assert standing(of) == "active", "it does no harm in itself"
    again = NodeProvisionSet(node="n1", target=ProvisionTarget.REBUILD, steps=[StepWish(interface="test", step="back")])
    of.bench.luck = repeat(Luck.HANGS)
    request = of.submit(again)
    of.grant()

    lives = 0
    while of.requests[request].state is RequestState.RUNNING:
        settle(of, 0.2)
        of.crash()
        of.bench.luck = repeat(Luck.HANGS if lives < MAX_TAKEN_UP else Luck.WELL)
        of.grant()
        settle(of, 0.2)
        lives += 1
        assert lives < 20, "it is begun for ever"

    error = of.requests[request].error or {}
    assert (error["code"], "again and again" in error["message"]) == ("step.interrupted", True)
    assert lives == MAX_TAKEN_UP + 1
    assert standing(of) == "deploy failed"


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_its_state_does_not_allow_any_more_when_it_has_its_permit_leaves_no_trace(executor: str) -> None:
    of = node(executor)
    of.submit(NodeProvisionSet(node="n1", target=ProvisionTarget.MANAGE))
    late = of.submit(NodeProvisionSet(node="n1", target=ProvisionTarget.DEPLOY, steps=[], policy=Policy.AFTER))
    assert of.requests[late].state is RequestState.QUEUED
    of.grant()
    settle(of)
    before = of.record

    of.grant()

    assert of.requests[late].state is RequestState.FAILED
    assert [event.type for event in of.told(late)] == [EventType.REQUEST_END]
    now = of.record
    assert (now.provision_state, now.target_provision_state, now.last_error) == ("manageable", None, before.last_error)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("how", ["it ends", "it fails", "it is aborted"])
def test_maintenance_that_was_set_by_hand_while_a_list_went_on_stays_however_that_ends(executor: str, how: str) -> None:
    of = node(executor)
    request = deploy(of, StepWish(step="wait"), StepWish(interface="test", step="twice"))
    settle(of)
    of.tell(maintain())

    if how == "it is aborted":
        of.direct(Order.ABORT)
    else:
        of.answer(StepFailed("No.") if how == "it fails" else {"said": 1})
    settle(of, 60.0)

    assert of.requests[request].state in FINAL_REQUEST_STATES
    assert of.record.maintenance, "nobody has taken it out"


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_permit_that_is_told_twice_begins_nothing_beside_what_goes_on(executor: str) -> None:
    of = node(executor)
    request = deploy(of, StepWish(step="wait"), StepWish(interface="test", step="twice"))
    of.submit(NodeProvisionSet(node="n1", target=ProvisionTarget.SERVICE, steps=[], policy=Policy.AFTER))
    settle(of)
    events, active = list(of.events), of.state.active

    of.tell(PermitGranted(request_id=request))

    assert of.events == events
    assert of.state.active is active
    assert [one.state for one in of.requests.values()].count(RequestState.RUNNING) == 1
    of.answer({"said": 1})
    of.drain()
    assert all(one.state in FINAL_REQUEST_STATES for one in of.requests.values())


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_waits_behind_a_list_is_carried_out_after_a_write_that_failed(executor: str) -> None:
    of = node(executor)
    first = deploy(of, StepWish(step="wait"), StepWish(interface="test", step="twice"))
    settle(of)
    power_on = [StepWish(step="power_on")]
    later = NodeProvisionSet(node="n1", target=ProvisionTarget.SERVICE, steps=power_on, policy=Policy.AFTER)
    second = of.submit(later)

    of.writes_fail = True
    of.answer({"said": 1})
    settle(of, 0.5)
    of.writes_fail = False
    settle(of, 10.0)
    of.grant()
    assert of.answer({"said": 1}), "what was not written was not heard"
    of.drain()

    assert [of.requests[one].state.value for one in (first, second)] == ["succeeded", "succeeded"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_is_late_is_ended_and_leaves_an_error_in_its_node_with_its_event_alone(executor: str) -> None:
    of = node(executor)
    of.settings = replace(of.settings, deploy_callback_timeout_s=2.0)
    request = deploy(of, StepWish(step="wait", retries=1), StepWish(interface="test", step="twice"))
    settle(of, 3.0)
    assert (begun(of), of.record.last_error) == (["wait", "wait"], None), "it is tried again"

    settle(of, 3.0)

    error = of.requests[request].error or {}
    assert (error["code"], of.record.last_error) == ("step.timeout", error["message"])
    assert of.events[-1].type is EventType.PROVISION_SET_ERROR
