"""A request's life at a node's actor, step by step, and what a node that is busy says to the next one."""

import pytest

from castiron.actors.core.effects import (
    Accept,
    AcquirePermit,
    CallDriver,
    SetTimer,
)
from castiron.actors.core.views import request_view
from castiron.actors.drivers.base import GetPower
from castiron.transport.errors import NodeLocked
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import (
    Applied,
    EventType,
    Instant,
    PowerControl,
    PowerState,
    PowerTarget,
    RequestState,
)
from tests.support.node_settings import SETTINGS
from tests.support.weather import weather
from tests.unit.core.node.messages import DEAD, POWER_ON, READ_BOOT, SET_PXE, refusal, types, world

# A request's life.


def test_an_accepted_request_is_on_disk_and_leaves_the_node_untouched_until_it_may_run() -> None:
    node = world()

    request = node.submit(POWER_ON)

    wanted = AcquirePermit(request, "node.power.set", requester="ipc")
    assert node.effects == [Accept(request, node.requests[request]), wanted]
    assert node.requests[request].state is RequestState.QUEUED
    assert node.requests[request].arguments == {
        "node": "n1",
        "target": "power on",
        "timeout_s": None,
        "hard_fallback": False,
    }
    assert node.events == []
    assert node.record.target_power_state is None
    assert node.state.queue == (node.requests[request],)


def test_a_start_is_announced_and_its_deadline_known_once_it_may_run() -> None:
    node = world(power_state=PowerState.OFF, last_error="the last one failed")
    request = node.submit(POWER_ON)

    node.grant()

    running = node.requests[request]
    assert (running.state, running.started_at, running.attempts) == (RequestState.RUNNING, node.now, 1)
    assert running.overdue_at == node.now + SETTINGS.power_state_change_timeout_s
    assert (node.record.target_power_state, node.record.last_error) == (PowerState.ON, None)
    assert [event.type for event in node.events] == [EventType.POWER_SET_START]
    assert node.events[0].payload == {"requester": "ipc", "to_power": "power on", "power_state": "power off"}
    assert [type(effect) for effect in node.effects] == [SetTimer, CallDriver]


def test_a_success_is_told_with_what_the_bmc_reported() -> None:
    node = world()
    request = node.submit(POWER_ON)

    node.drain()

    node.check_ended()
    ended = node.requests[request]
    assert (ended.state, ended.error, ended.applied) == (RequestState.SUCCEEDED, None, None)
    assert ended.result is not None
    assert ended.result["power_state"] is PowerState.ON
    assert types(node, request) == ["node.power_set.start", "node.power_set.end"]
    assert node.events[-1].payload == {
        "requester": "ipc",
        "to_power": "power on",
        "power_state": "power on",
        "power_state_at": ended.result["power_state_at"],
        "sent": ["on"],
    }
    assert (node.record.power_state, node.record.power_state_at) == (PowerState.ON, ended.result["power_state_at"])


def test_a_failure_is_told_with_its_error_and_stays_on_the_node() -> None:
    node = world(power_state=PowerState.OFF)
    node.gusts = weather([], DEAD)
    request = node.submit(POWER_ON)
    node.grant()

    while node.state.active is not None:
        node.advance()

    node.check_ended()
    ended = node.requests[request]
    assert (ended.state, ended.applied, ended.result) == (RequestState.FAILED, Applied.NO, None)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["details"]) == ("bmc.unreachable", {"node": "n1"})
    assert types(node, request) == ["node.power_set.start", "node.power_set.error"]
    told = {"requester": "ipc", "to_power": "power on", "power_state": "power off", "error": ended.error}
    assert node.events[-1].payload == told
    assert node.record.last_error == ended.error["message"]


def test_a_boot_device_is_set_with_its_own_events() -> None:
    node = world()
    request = node.submit(SET_PXE)

    node.drain()

    node.check_ended()
    setting = {"boot_device": "pxe", "persistent": False, "uefi": False}
    assert types(node, request) == ["node.boot_device_set.start", "node.boot_device_set.end"]
    assert [event.payload for event in node.events] == [{"requester": "ipc", **setting}] * 2
    assert node.requests[request].result == setting


def test_a_reading_is_announced_to_nobody_and_leaves_the_last_error_alone() -> None:
    node = world(last_error="the last one failed")
    request = node.submit(READ_BOOT)

    node.drain()

    node.check_ended()
    assert node.events == []
    assert node.record.last_error == "the last one failed"
    assert node.requests[request].result == {"boot_device": "disk", "persistent": False, "uefi": False}


def test_what_is_seen_on_the_way_is_known_before_the_end() -> None:
    node = world(PowerState.OFF)
    node.submit(POWER_ON)
    node.grant()

    node.advance()

    assert node.state.record.power_state is PowerState.OFF
    assert node.state.record.power_state_at == node.now


def test_a_commands_deadline_is_its_own_time_or_the_actions_if_that_is_shorter() -> None:
    deadlines: list[float] = []
    for timeout_s in (9.0, 1.0):
        node = world()
        node.submit(NodePowerSet(node="n1", target=PowerTarget.ON, timeout_s=timeout_s))
        node.grant()
        call = node.effects[-1]
        assert isinstance(call, CallDriver)
        assert call.operation == GetPower()
        deadlines.append(call.deadline - node.now)

    assert deadlines == [SETTINGS.command_timeout_s, 1.0]


def test_the_deadline_on_disk_moves_with_the_leg() -> None:
    node = world(PowerState.ON)
    request = node.submit(NodePowerSet(node="n1", target=PowerTarget.REBOOT))
    node.grant()
    first = node.requests[request].overdue_at

    while node.machine.arrived != [PowerControl.OFF, PowerControl.ON]:
        node.advance()

    assert first is not None
    assert node.requests[request].overdue_at == node.now + SETTINGS.power_state_change_timeout_s > first


# One at a time.


def test_a_busy_node_refuses_and_says_what_it_is_busy_with() -> None:
    node = world()
    first = node.submit(POWER_ON)
    node.now = Instant(node.now + 3.21)

    second = node.submit(SET_PXE)

    error = refusal(node, second)
    assert isinstance(error, NodeLocked)
    assert error.message == (
        "n1 is busy: node.power.set from ipc, 3.2 s ago, is not finished. "
        f"Wait for request {first}, or ask with another policy: after, or supersede."
    )
    assert error.details == {
        "node": "n1",
        "request": first,
        "verb": "node.power.set",
        "age_s": pytest.approx(3.21),
        "requester": "ipc",
        "power_state": None,
        "maintenance": False,
        "accepts": [
            "node.set",
            "node.delete",
            "node.maintenance.set",
            "node.maintenance.unset",
            "node.lock.set",
            "node.lock.unset",
            "node.boot_device.get",
        ],
    }
    assert second not in node.requests


@pytest.mark.parametrize("begun", [False, True])
def test_a_node_is_busy_from_acceptance_to_the_end(begun: bool) -> None:
    node = world()
    node.submit(POWER_ON)
    if begun:
        node.grant()

    assert isinstance(refusal(node, node.submit(SET_PXE)), NodeLocked)
    node.drain()
    assert isinstance(node.replies[node.submit(POWER_ON)][0], Accept)


def test_an_age_is_never_negative() -> None:
    node = world()
    node.submit(POWER_ON)
    node.now = Instant(node.now - 100)

    assert refusal(node, node.submit(SET_PXE)).details["age_s"] == 0.0


def test_a_request_that_has_ended_is_overdue_no_more() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()
    assert request_view(node.requests[request]).overdue_at is not None

    node.drain()

    assert node.requests[request].state is RequestState.SUCCEEDED
    assert request_view(node.requests[request]).overdue_at is None
