"""What waits for a node: merged, superseded, held, expired, ended with what it depended on; one event for each end."""

import pytest
from msgspec import structs

from castiron.actors.core.effects import Refuse
from castiron.actors.core.messages import Recover, Submit
from castiron.actors.core.requests.submission import MAX_REQUESTERS
from castiron.transport.errors import ConductorOverloaded, MailboxFull, NodeLocked
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import (
    Applied,
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
from tests.support.weather import Fate, Gust
from tests.unit.core.node.messages import DEAD, POWER_ON, READ_BOOT, SET_PXE, maintain, refusal, types, world
from tests.unit.core.requests.asked import DISK_AFTER, OFF_AFTER, POWER_OFF, REBOOT, error_of, taken

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
    assert (error.details, error.retry_after_s) == (
        {"node": "n1", "limit": limit, "what": "node_queue"},
        1.0,
    )
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


def test_where_there_is_no_room_a_wish_joins_another_and_makes_no_new_request() -> None:
    node = world()
    full = ConductorOverloaded("Full.", details={"what": "open_requests", "limit": 1}, retry_after_s=1.0)
    first = node.submit(POWER_ON)

    def told(verb: NodePowerSet, request: str) -> None:
        node.tell(
            Submit(request_id=RequestID(request), verb=verb, requester="tcp", reply_to=request, unless_merged=full)
        )

    told(POWER_ON, "joined")
    told(structs.replace(POWER_OFF, policy=Policy.AFTER), "late")

    assert taken(node, RequestID("joined")).id == first
    assert refusal(node, "late") is full
    assert set(node.requests) == {first}
