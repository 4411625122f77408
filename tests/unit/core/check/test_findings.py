"""The power check, rule by rule: what follows from what is seen, and how a node comes to a fault and back."""

from itertools import pairwise
from typing import Any

import pytest

from castiron.actors.core.machines.check import REQUESTER
from castiron.actors.core.machines.pace import pace_of
from castiron.actors.core.messages import Heard, Recover, Remove, SetMaintenance, TimerDue
from castiron.actors.core.state import Check, NodeState
from castiron.actors.drivers.base import Done
from castiron.store.records import NodeLock
from castiron.store.records.copying import replace
from castiron.transport.vocabulary import (
    CheckResult,
    EventType,
    Fault,
    Instant,
    PowerControl,
    RequestState,
)
from tests.support.node_world import World
from tests.support.store_records import plain_node
from tests.support.weather import Gust, Machine, weather
from tests.unit.core.check.checked_node import (
    CHECKED,
    EVERY_S,
    FORCING,
    OFF,
    ON,
    POWER_OFF,
    SILENT,
    START,
    begun,
    checks,
    counted,
    fail,
    kinds,
)

# What follows from it.


def test_a_machine_in_the_state_on_record_costs_no_commit() -> None:
    node = begun()
    revision = node.record.revision

    assert counted(node) == [CheckResult.AGREED]
    assert (node.record.revision, node.events) == (revision, [])
    assert node.state.power_state_at == node.now


def test_when_a_machine_was_seen_is_what_is_on_disk_or_what_a_check_confirmed_since() -> None:
    node = begun(power_state_at=Instant(START - 5))
    assert node.state.power_state_at == START - 5
    counted(node)
    seen_at = node.now
    assert node.state.power_state_at == seen_at

    fail(node, 4)

    assert node.state.record.power_state is None
    assert node.record.power_state_at is None


def test_a_machine_that_was_never_seen_is_recorded_and_told() -> None:
    node = World(record=plain_node(), machine=Machine(power=ON), settings=CHECKED)
    node.tell(Recover())

    assert counted(node) == [CheckResult.CORRECTED]
    assert (node.record.power_state, node.record.power_state_at) == (ON, node.now)
    assert [(event.type, event.payload) for event in node.events] == [
        (EventType.POWER_STATE_CORRECTED, {"from_power": None, "power_state": ON})
    ]


def test_a_change_behind_our_back_is_followed_with_one_event() -> None:
    node = begun()
    node.machine.power = OFF

    node.run_until(START + 10 * EVERY_S)

    assert node.record.power_state is OFF
    assert [(event.type, event.payload) for event in node.events] == [
        (EventType.POWER_STATE_CORRECTED, {"from_power": ON, "power_state": OFF})
    ]
    assert node.machine.arrived == []


def test_a_machine_is_driven_back_where_that_is_wanted() -> None:
    node = begun(FORCING)
    node.machine.power = OFF

    node.run_until(START + EVERY_S)

    assert (node.machine.power, node.record.power_state) == (ON, ON)
    assert node.machine.arrived == [PowerControl.ON]
    assert kinds(node) == [EventType.POWER_SET_START, EventType.POWER_SET_END]
    (request,) = node.requests.values()
    assert (request.requester, request.state) == (REQUESTER, RequestState.SUCCEEDED)


@pytest.mark.parametrize(
    "guard", [{"disable_power_off": True}, {"lock": NodeLock(owner="ipc", reason=None, since=Instant(1.0))}]
)
def test_a_machine_that_must_not_be_driven_is_followed(guard: dict[str, Any]) -> None:
    node = begun(FORCING, **guard)
    node.machine.power = OFF

    assert counted(node) == [CheckResult.CORRECTED]
    assert (node.record.power_state, node.requests, node.machine.arrived) == (OFF, {}, [])


def test_a_machine_that_was_never_seen_is_not_driven_anywhere() -> None:
    node = World(record=plain_node(), machine=Machine(power=ON), settings=FORCING)
    node.tell(Recover())

    assert counted(node) == [CheckResult.CORRECTED]
    assert node.requests == {}


def test_a_machine_that_does_not_stay_where_it_is_driven_is_given_up() -> None:
    node = begun(FORCING)
    for _ in range(FORCING.power_state_sync_max_retries):
        node.machine.power = OFF
        assert counted(node) == [CheckResult.FORCED]
        while node.state.first is not None:
            node.grant()
            node.advance()
    node.machine.power = OFF

    assert counted(node) == [CheckResult.FAULTED]
    assert (node.record.fault, node.record.power_state) == (Fault.POWER_FAILURE, OFF)
    assert "3 times in a row" in str(node.record.maintenance_reason)


def test_what_was_driven_back_and_stayed_counts_no_more() -> None:
    node = begun(FORCING)
    for _ in range(2 * FORCING.power_state_sync_max_retries):
        node.machine.power = OFF
        assert counted(node) == [CheckResult.FORCED]
        node.run_until(node.now + 1)
        assert counted(node) == [CheckResult.AGREED]

    assert node.record.fault is None


def test_a_silent_bmc_is_asked_less_and_less_often_and_then_put_into_maintenance() -> None:
    node = begun()
    node.gusts = weather([], afterwards=SILENT)

    times = checks(node, START + 300)

    assert [round(later - earlier, 3) for earlier, later in pairwise(times)] == [25.0, 50.0, 100.0]
    record = node.record
    assert (record.maintenance, record.fault, record.power_state) == (True, Fault.POWER_FAILURE, None)
    assert record.maintenance_reason == record.last_error
    assert "4 times in a row" in str(record.maintenance_reason)
    assert kinds(node) == [EventType.NODE_FAULT_SET]
    assert node.events[0].payload["error"]["code"] == "bmc.unreachable"
    assert node.events[0].payload["from_power"] == ON


@pytest.mark.parametrize("failures", range(40))
def test_the_interval_of_a_silent_bmc_grows_to_its_limit(failures: int) -> None:
    state = NodeState(record=plain_node())

    check = Check(failures=failures)
    assert pace_of(state, check, CHECKED).every_s == min(300.0, EVERY_S * 2 ** max(0, failures - 1))
    rare = replace(state, record=plain_node(power_check_interval_s=900.0))
    assert pace_of(rare, check, CHECKED).every_s == 900.0


def test_an_answer_in_between_starts_the_count_again() -> None:
    node = begun()

    assert fail(node, 3) == [CheckResult.FAILED] * 3
    node.gusts = weather([])
    assert counted(node) == [CheckResult.AGREED]
    assert fail(node, 4) == [CheckResult.FAILED] * 3 + [CheckResult.FAULTED]


def test_how_many_failures_are_borne_is_a_setting() -> None:
    node = begun(replace(CHECKED, power_state_sync_max_retries=0))

    assert fail(node, 1) == [CheckResult.FAULTED]


def test_a_driver_that_gives_no_power_state_has_failed() -> None:
    node = begun()
    ticket, at = node.timers.popitem()
    node.tell(TimerDue(ticket=ticket, at=at))
    ((call, _),) = node.calls.items()
    node.calls.clear()

    node.tell(Heard(ticket=call, outcome=Done(value=None)))

    assert node.state.check.failures == 1


# Fault and recovery.


def test_a_node_with_a_power_failure_is_tried_again_and_taken_back() -> None:
    node = begun()
    fail(node, 4)
    failed_at = node.state.check
    fail(node, 2)
    node.gusts = weather([])

    times = checks(node, failed_at.started_at + 3 * 300.0 + 1)

    assert times == [failed_at.started_at + 900.0]
    record = node.record
    assert (record.maintenance, record.maintenance_reason, record.fault) == (False, None, None)
    assert (record.last_error, record.power_state) == (None, ON)
    assert kinds(node) == [EventType.NODE_FAULT_SET, EventType.NODE_FAULT_CLEARED, EventType.POWER_STATE_CORRECTED]
    assert list(node.timers.values()) == [times[0] + EVERY_S]


def test_a_recovered_node_in_the_state_on_record_is_told_of_once() -> None:
    node = begun(maintenance=True, maintenance_reason="silent", fault=Fault.POWER_FAILURE)

    assert counted(node) == [CheckResult.RECOVERED]
    assert kinds(node) == [EventType.NODE_FAULT_CLEARED]


def test_a_machine_is_not_driven_back_while_somebody_else_wants_something_of_it() -> None:
    node = begun(FORCING)
    node.machine.power = OFF
    node.advance()
    node.submit(POWER_OFF)

    assert counted(node) == [CheckResult.SKIPPED]
    assert [request.requester for request in node.requests.values()] == ["ipc"]
    assert node.state.check.forced == 0, "what was not driven back does not count as driven back"


def test_a_machine_in_maintenance_is_followed_and_never_driven_back() -> None:
    node = begun(replace(FORCING, power_check_in_maintenance=True), maintenance=True, maintenance_reason="fan")
    node.machine.power = OFF

    node.run_until(START + EVERY_S)

    assert (node.machine.power, node.record.power_state, node.requests) == (OFF, OFF, {})
    assert (node.record.maintenance, node.record.maintenance_reason) == (True, "fan")


def test_a_node_that_was_given_up_and_is_back_is_followed_whatever_it_was_last_seen_in() -> None:
    given_up = {"maintenance": True, "maintenance_reason": "It was found at power off.", "fault": Fault.POWER_FAILURE}
    node = begun(FORCING, power=OFF, **given_up)
    node.machine.power = ON

    assert counted(node) == [CheckResult.RECOVERED]
    assert (node.record.power_state, node.requests) == (ON, {})


def test_a_node_that_somebody_says_is_well_is_given_its_whole_patience_again() -> None:
    node = begun()
    assert fail(node, 4)[-1] is CheckResult.FAULTED

    node.tell(SetMaintenance(maintenance=False, requester="ipc", reply_to="asked"))

    assert node.state.check.failures == 0
    assert fail(node, 4) == [CheckResult.FAILED] * 3 + [CheckResult.FAULTED]


def test_recovery_leaves_the_error_of_a_request_that_failed_meanwhile() -> None:
    node = begun(
        maintenance=True, maintenance_reason="silent", last_error="the button sticks", fault=Fault.POWER_FAILURE
    )

    assert counted(node) == [CheckResult.RECOVERED]
    assert (node.record.maintenance_reason, node.record.last_error) == (None, "the button sticks")


def test_without_recovery_a_fault_stays_until_somebody_looks() -> None:
    node = begun(replace(CHECKED, power_failure_recovery_interval_s=0.0))
    fail(node, 4)

    assert (node.timers, node.calls) == ({}, {})


def test_a_recovered_node_is_not_driven_to_what_it_was_once_in() -> None:
    node = begun(FORCING)
    fail(node, 4)
    node.machine.power, node.gusts = OFF, weather([])

    assert counted(node) == [CheckResult.RECOVERED]
    assert (node.record.power_state, node.requests) == (OFF, {})


@pytest.mark.parametrize("outcome", [SILENT, Gust()])
def test_maintenance_that_was_set_by_hand_is_never_left_and_not_checked(outcome: Gust) -> None:
    node = begun(maintenance=True, maintenance_reason="fan")
    node.gusts = weather([], afterwards=outcome)

    assert checks(node, START + 86_400) == []
    assert (node.record.maintenance, node.record.maintenance_reason) == (True, "fan")


@pytest.mark.parametrize("outcome", [SILENT, Gust()])
def test_where_it_is_asked_for_machines_in_maintenance_are_looked_at_and_stay_in_it(outcome: Gust) -> None:
    node = begun(replace(CHECKED, power_check_in_maintenance=True), maintenance=True, maintenance_reason="fan")
    node.machine.power = OFF
    node.gusts = weather([], afterwards=outcome)

    assert len(checks(node, START + 7200)) > 20
    assert (node.record.maintenance, node.record.maintenance_reason, node.record.fault) == (True, "fan", None)
    assert node.record.power_state is (ON if outcome == SILENT else OFF)


def test_a_node_that_is_put_aside_or_leaves_is_not_checked() -> None:
    aside = NodeState(record=plain_node(fault=Fault.ACTOR_FAILURE, maintenance=True))
    assert pace_of(aside, Check(), CHECKED).every_s == 0.0
    node = begun()

    node.tell(Remove(requester="ipc", reply_to="asked"))

    assert (node.timers, node.calls) == ({}, {})
