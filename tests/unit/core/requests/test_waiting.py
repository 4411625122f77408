"""What waits for a node: merged, superseded, held, expired, ended with what it depended on; one event for each end."""

import pytest
from msgspec import structs

from castiron.actors.core.effects import Accept, AnswerRequest, Refuse
from castiron.actors.core.messages import Recover
from castiron.actors.core.requests.submission import MAX_REQUESTERS
from castiron.store.records import RequestRecord
from castiron.transport.errors import CastironError, MailboxFull, NodeLocked, from_wire
from castiron.transport.verbs import NodeBootDeviceSet, NodePowerSet
from castiron.transport.vocabulary import (
    Applied,
    EventType,
    Fault,
    Instant,
    OnRestart,
    Policy,
    PowerControl,
    PowerState,
    PowerTarget,
    RequestID,
    RequestState,
)
from tests.support.node_world import World
from tests.support.weather import Fate, Gust
from tests.unit.core.node.messages import DEAD, POWER_ON, READ_BOOT, SET_PXE, maintain, refusal, types, world

POWER_OFF = NodePowerSet(node="n1", target=PowerTarget.OFF)
REBOOT = NodePowerSet(node="n1", target=PowerTarget.REBOOT)
OFF_AFTER = structs.replace(POWER_OFF, policy=Policy.AFTER)
OFF_INSTEAD = structs.replace(POWER_OFF, policy=Policy.SUPERSEDE)
DISK_AFTER = NodeBootDeviceSet(node="n1", boot_device="disk", policy=Policy.AFTER)


def taken(node: World, asked: RequestID) -> RequestRecord:
    (reply,) = node.replies[asked]
    assert isinstance(reply, Accept)
    return reply.request


def error_of(node: World, request: RequestID) -> CastironError:
    record = node.requests[request]
    assert record.error is not None
    return from_wire(record.error)


# Merging.


@pytest.mark.parametrize("begun", [False, True])
def test_impatient_reboots_are_one_reboot(begun: bool) -> None:
    node = world(PowerState.ON)
    first = node.submit(REBOOT)
    if begun:
        node.grant()

    others = [node.submit(REBOOT), node.submit(REBOOT, "tcp"), node.submit(REBOOT, "tcp")]
    node.drain()

    assert {taken(node, other).id for other in others} == {first}
    assert set(node.requests) == {first}
    assert (node.requests[first].merged, dict(node.requests[first].wanted_by)) == (3, {"ipc": None, "tcp": None})
    assert node.machine.arrived == [PowerControl.OFF, PowerControl.ON]
    node.check_ended()


def test_a_merged_request_keeps_the_latest_deadline_and_none_is_the_latest_of_all() -> None:
    node = world()
    first = node.submit(structs.replace(POWER_ON, deadline_at=node.now + 5))
    node.submit(structs.replace(POWER_ON, deadline_at=node.now + 9), "tcp")
    assert node.requests[first].deadline_at == node.now + 9

    node.submit(structs.replace(POWER_ON, deadline_at=node.now + 7), "tcp")
    assert node.requests[first].deadline_at == node.now + 9

    node.submit(POWER_ON, "third")
    assert node.requests[first].deadline_at is None


def test_a_request_is_wanted_by_so_many_and_no_more() -> None:
    node = world()
    node.submit(POWER_ON)
    for number in range(1, MAX_REQUESTERS):
        node.submit(POWER_ON, f"requester {number}")

    assert isinstance(refusal(node, node.submit(POWER_ON, "one more")), MailboxFull)
    assert taken(node, node.submit(POWER_ON, "requester 1")).merged == MAX_REQUESTERS


# Policies.


def test_what_is_to_come_after_another_starts_when_that_has_succeeded() -> None:
    node = world()
    first = node.submit(POWER_ON)
    second = node.submit(OFF_AFTER)
    assert taken(node, second).depends_on == first

    node.drain()

    assert [node.requests[one].state for one in (first, second)] == [RequestState.SUCCEEDED] * 2
    assert node.machine.arrived == [PowerControl.ON, PowerControl.OFF]
    node.check_ended()


def test_what_depends_on_a_request_that_fails_fails_with_it_and_so_on() -> None:
    node = world(PowerState.OFF, Gust(Fate.CREDENTIALS), afterwards=DEAD)
    first = node.submit(POWER_ON)
    second, third = node.submit(OFF_AFTER), node.submit(DISK_AFTER)
    node.grant()
    node.advance()

    assert node.requests[first].state is RequestState.FAILED
    for one, before in ((second, first), (third, second)):
        error = error_of(node, one)
        assert (error.code, error.details["depends_on"]) == ("request.precondition_failed", before)
        assert (node.requests[one].state, node.requests[one].applied) == (RequestState.FAILED, Applied.NO)
        assert types(node, one) == ["node.request.end"]
    assert node.state.queue == ()


def test_the_latest_word_supersedes_what_waits_and_both_sides_are_told() -> None:
    node = world()
    running = node.submit(POWER_ON)
    node.grant()
    waits = node.submit(OFF_AFTER)
    depends = node.submit(DISK_AFTER)

    last = node.submit(structs.replace(REBOOT, policy=Policy.SUPERSEDE))

    assert taken(node, last).depends_on is None
    for one in (waits, depends):
        assert node.requests[one].state is RequestState.CANCELLED
        assert error_of(node, one).code == "request.superseded"
        assert error_of(node, one).details["superseded_by"] == last
        assert types(node, one) == ["node.request.end"]
    node.drain()
    assert [node.requests[one].state for one in (running, last)] == [RequestState.SUCCEEDED] * 2
    node.check_ended()


def test_a_line_has_an_end() -> None:
    node = world()
    node.submit(POWER_ON)
    node.grant()
    limit = node.state.queue_limit
    for _ in range(limit // 2):
        node.submit(OFF_AFTER)
        node.submit(structs.replace(OFF_AFTER, target=PowerTarget.ON))

    error = refusal(node, node.submit(DISK_AFTER))

    assert isinstance(error, MailboxFull)
    assert (error.details, error.retry_after_s) == ({"node": "n1", "limit": limit}, 1.0)
    assert isinstance(refusal(node, node.submit(READ_BOOT)), MailboxFull)


# Maintenance.


def test_maintenance_ends_what_waits_and_leaves_what_runs_and_what_is_held() -> None:
    node = world()
    running = node.submit(POWER_ON)
    node.grant()
    waits = node.submit(OFF_AFTER)
    held = node.submit(structs.replace(SET_PXE, policy=Policy.AFTER, hold=True))

    node.tell(maintain(reason="fan"))

    assert (node.requests[waits].state, error_of(node, waits).code) == (RequestState.FAILED, "node.maintenance")
    assert node.requests[held].state is RequestState.FAILED  # what it depended on is gone
    assert node.requests[running].state is RequestState.RUNNING


def test_what_is_held_waits_for_the_end_of_maintenance_and_lets_others_pass() -> None:
    node = world(maintenance=True)
    held = node.submit(structs.replace(POWER_ON, hold=True))
    assert node.granted == []

    passing = node.submit(SET_PXE)
    node.grant()
    while node.requests[passing].state is not RequestState.SUCCEEDED:
        node.advance()
    assert (node.requests[held].state, node.granted) == (RequestState.QUEUED, [])

    node.tell(maintain(maintenance=False))
    node.drain()
    assert node.requests[held].state is RequestState.SUCCEEDED
    node.check_ended()


def test_a_permit_that_was_asked_for_is_given_back_when_its_request_is_held() -> None:
    node = world()
    held = node.submit(structs.replace(POWER_ON, hold=True))

    node.tell(maintain())

    assert (node.held, node.state.permit) == (set(), None)
    node.grant()
    assert node.requests[held].state is RequestState.QUEUED


# Deadlines.


def test_what_has_not_started_by_its_deadline_expires_and_nothing_was_touched() -> None:
    node = world()
    first = node.submit(POWER_ON)
    late = node.submit(structs.replace(OFF_AFTER, deadline_at=node.now + 2))
    later = node.submit(structs.replace(DISK_AFTER, deadline_at=node.now + 50))

    node.advance()

    assert node.now == 10_002.0
    assert (node.requests[late].state, error_of(node, late).code) == (RequestState.EXPIRED, "request.expired")
    assert error_of(node, later).code == "request.precondition_failed"
    node.drain()
    assert node.requests[first].state is RequestState.SUCCEEDED
    node.check_ended()


def test_a_deadline_that_is_over_is_not_accepted() -> None:
    node = world()

    error = refusal(node, node.submit(structs.replace(POWER_ON, deadline_at=node.now)))

    assert (error.code, node.requests) == ("request.expired", {})


def test_what_expired_while_nobody_looked_has_expired_at_recovery() -> None:
    node = world()
    late = node.submit(structs.replace(POWER_ON, deadline_at=node.now + 2))

    node.crash(down_s=10.0)

    assert node.requests[late].state is RequestState.EXPIRED
    node.drain()
    assert node.machine.arrived == []


def test_a_start_is_not_undone_by_a_deadline() -> None:
    node = world()
    request = node.submit(structs.replace(POWER_ON, deadline_at=node.now + 2))
    node.grant()
    node.drain()

    assert node.requests[request].state is RequestState.SUCCEEDED


# Restarts.


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_not_to_outlive_its_owner_ends_at_recovery(begun: bool) -> None:
    node = world()
    request = node.submit(structs.replace(POWER_ON, on_restart=OnRestart.FAIL))
    if begun:
        node.grant()

    node.crash()
    node.drain()

    assert (node.requests[request].state, error_of(node, request).code) == (RequestState.FAILED, "request.interrupted")
    assert node.requests[request].applied is Applied.NO
    assert node.machine.arrived == []
    node.check_ended()


# Looking first.


def test_a_fresh_request_is_judged_by_what_is_seen() -> None:
    """A node that was given up is taken back by the look, so nothing is held up by a fault that is gone."""
    node = world(PowerState.ON, maintenance=True, fault=Fault.POWER_FAILURE, maintenance_reason="silent")
    asked = node.submit(structs.replace(POWER_OFF, fresh=True, hold=True))
    assert asked not in node.replies

    node.advance()

    assert (node.record.fault, node.record.power_state) == (None, PowerState.ON)
    assert taken(node, asked).state is RequestState.QUEUED
    node.drain()
    node.check_ended()


def test_a_fresh_request_is_refused_if_the_machine_cannot_be_seen() -> None:
    node = world(PowerState.ON, DEAD)
    asked = node.submit(structs.replace(POWER_OFF, fresh=True))

    node.advance()

    assert refusal(node, asked).code == "bmc.unreachable"
    assert node.requests == {}


def test_whoever_does_not_ask_for_a_look_does_not_wait_for_one() -> None:
    node = world(PowerState.ON, Gust(takes_s=1.0))
    fresh = node.submit(structs.replace(POWER_OFF, fresh=True))

    other = node.submit(REBOOT)
    node.grant()

    assert taken(node, other).state is RequestState.QUEUED
    assert isinstance(refusal(node, fresh), NodeLocked)  # judged once the action had begun, which looks for itself


def test_what_waits_for_a_look_is_not_forgotten_over_a_write_that_fails() -> None:
    node = world(PowerState.ON, Gust(takes_s=1.0))
    fresh = node.submit(structs.replace(POWER_OFF, fresh=True))
    node.writes_fail = True
    node.tell(maintain())
    node.writes_fail = False

    node.run_until(node.now + 5.0)

    assert taken(node, fresh).id == fresh


# Taking back.


def answered(node: World, asked: str) -> RequestRecord:
    (reply,) = node.replies[asked]
    assert isinstance(reply, AnswerRequest)
    return reply.request


def test_what_waits_is_cancelled_for_certain() -> None:
    node = world()
    request = node.submit(POWER_ON)

    ended = answered(node, node.withdraw(request))

    assert (ended.state, ended.applied) == (RequestState.CANCELLED, Applied.NO)
    assert error_of(node, request).code == "request.cancelled"
    assert types(node, request) == ["node.request.end"]
    node.drain()
    assert node.machine.arrived == []
    node.check_ended()


def test_what_has_started_is_not_cancelled() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()

    assert refusal(node, node.withdraw(request)).code == "request.started"
    node.drain()
    assert node.requests[request].state is RequestState.SUCCEEDED


def test_what_has_ended_is_neither_cancelled_nor_aborted() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.drain()

    assert refusal(node, node.withdraw(request)).code == "request.ended"
    assert refusal(node, node.withdraw(request, is_abort=True)).code == "request.ended"


def test_one_of_several_withdraws_and_the_request_goes_on_for_the_others() -> None:
    node = world()
    request = node.submit(structs.replace(POWER_ON, deadline_at=node.now + 9))
    node.submit(POWER_ON, "tcp")

    left = answered(node, node.withdraw(request, "tcp"))

    assert (left.state, list(left.wanted_by), left.deadline_at) == (RequestState.QUEUED, ["ipc"], node.now + 9)
    assert answered(node, node.withdraw(request, "ipc")).state is RequestState.CANCELLED


def test_a_stranger_ends_what_others_want_only_by_force() -> None:
    node = world()
    request = node.submit(POWER_ON)

    error = refusal(node, node.withdraw(request, "stranger"))
    assert (error.code, error.details["requesters"]) == ("request.not_yours", ["ipc"])

    assert answered(node, node.withdraw(request, "stranger", force=True)).state is RequestState.CANCELLED


def test_an_abort_ends_a_wait_with_a_last_look_at_the_machine() -> None:
    node = world(PowerState.OFF, Gust(), Gust(), Gust(Fate.CARRIED_OUT, effect_after_s=60.0))
    request = node.submit(POWER_ON)
    node.grant()
    while node.state.active is not None and node.state.active.wake is None:
        node.advance()

    node.withdraw(request, is_abort=True)
    began = node.now
    while node.state.active is not None:
        node.advance()

    error = error_of(node, request)
    assert (error.code, error.details["power_state"]) == ("request.aborted", node.machine.power)
    assert node.now - began <= node.settings.command_timeout_s
    assert types(node, request) == ["node.power_set.start", "node.power_set.error"]
    node.drain()
    node.check_ended()


def test_an_abort_waits_for_the_exchange_that_is_under_way_and_no_longer() -> None:
    node = world(PowerState.OFF, Gust(), DEAD, afterwards=DEAD)
    request = node.submit(POWER_ON)
    node.grant()
    node.advance()
    assert node.state.active is not None
    assert node.state.active.call is not None  # the control is on its way, and its BMC silent

    node.withdraw(request, is_abort=True)
    began = node.now
    while node.state.active is not None:
        node.advance()

    error = error_of(node, request)
    assert (error.code, error.applied, error.details["power_state"]) == ("request.aborted", Applied.UNKNOWN, None)
    assert node.now - began <= node.settings.command_timeout_s + 0.25
    node.drain()
    node.check_ended()


def test_an_abort_that_comes_too_late_finds_a_success() -> None:
    node = world(PowerState.ON)
    request = node.submit(POWER_ON)
    node.grant()

    node.withdraw(request, is_abort=True)
    node.drain()

    assert node.requests[request].state is RequestState.SUCCEEDED
    node.check_ended()


def test_an_abort_is_on_disk_before_anything_is_done_and_a_successor_ends_it() -> None:
    node = world(PowerState.OFF, afterwards=DEAD)
    request = node.submit(POWER_ON)
    node.grant()
    node.withdraw(request, is_abort=True)
    assert node.requests[request].abort_by == "ipc"

    node.crash()

    assert (node.requests[request].state, error_of(node, request).code) == (RequestState.FAILED, "request.aborted")
    node.drain()
    assert node.machine.arrived == []
    node.check_ended()


def test_an_abort_of_what_is_to_be_taken_up_again_ends_it_at_once() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()
    node.crash()

    node.withdraw(request, is_abort=True)

    assert error_of(node, request).code == "request.aborted"
    node.drain()
    node.check_ended()


def test_an_abort_of_what_waits_cancels_it() -> None:
    node = world()
    request = node.submit(POWER_ON)

    assert answered(node, node.withdraw(request, is_abort=True)).state is RequestState.CANCELLED


def test_the_end_of_an_unstarted_request_is_an_event_that_names_it() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.withdraw(request)

    (event,) = node.told(request)

    assert event.type is EventType.REQUEST_END
    assert event.payload == {
        "verb": "node.power.set",
        "state": "cancelled",
        "requester": "ipc",
        "error": node.requests[request].error,
    }


def test_recovery_keeps_what_waits_in_its_order() -> None:
    node = world()
    first, second = node.submit(POWER_ON), node.submit(OFF_AFTER)
    node.tell(Recover())
    node.crash()
    node.drain()

    ends = [node.requests[one].ended_at or Instant(0.0) for one in (first, second)]
    assert ends == sorted(ends)
    assert node.requests[second].state is RequestState.SUCCEEDED


def test_a_refused_request_leaves_no_trace() -> None:
    node = world()
    node.submit(POWER_ON)
    before = (node.state, node.record, dict(node.requests), list(node.events))

    asked = node.submit(POWER_OFF)

    assert isinstance(node.replies[asked][0], Refuse)
    assert (node.state, node.record, dict(node.requests), list(node.events)) == before
