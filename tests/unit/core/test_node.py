"""What a node's actor does about each message, and what holds whatever happens."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from castiron.actors.core.effects import (
    Accept,
    AcquirePermit,
    AnswerNode,
    CallDriver,
    Refuse,
    ReleasePermit,
    Renew,
    Retire,
    SetTimer,
    TellFleet,
)
from castiron.actors.core.messages import (
    Amend,
    Amendment,
    Heard,
    Message,
    PermitGranted,
    Recover,
    Remove,
    SetMaintenance,
    Submit,
    TimerDue,
)
from castiron.actors.core.node import decide
from castiron.actors.core.requests.obstacles import aside
from castiron.actors.core.running import LAST_WORD_S
from castiron.actors.core.state import Ticket
from castiron.actors.core.views import node_view
from castiron.actors.drivers.base import Done, DriverInfo, GetPower, NotDone
from castiron.store.records import RequestRecord
from castiron.transport.errors import BMCUnreachable, CastironError, NodeLocked, RevisionStale
from castiron.transport.verbs import AnyNodeRequest, NodeBootDeviceGet, NodeBootDeviceSet, NodePowerSet, tag_of
from castiron.transport.vocabulary import (
    Applied,
    EventType,
    Fault,
    Instant,
    NodeName,
    PowerControl,
    PowerState,
    PowerTarget,
    RequestID,
    RequestState,
)
from tests.support.node_world import DRIVER_TICK_S, SETTINGS, World
from tests.support.store_records import PASSWORD, plain_node, request_id
from tests.support.weather import FAIR, GUSTS, Fate, Gust, Machine, weather

POWER_ON = NodePowerSet(node="n1", target=PowerTarget.ON)
SET_PXE = NodeBootDeviceSet(node="n1", boot_device="pxe")
READ_BOOT = NodeBootDeviceGet(node="n1")
DEAD = Gust(Fate.LOST, takes_s=99.0)


def world(power: PowerState = PowerState.OFF, *gusts: Gust, afterwards: Gust = FAIR, **record: Any) -> World:
    return World(record=plain_node(**record), machine=Machine(power=power), gusts=weather(gusts, afterwards))


def refusal(of: World, reply_to: object) -> CastironError:
    (reply,) = of.replies[reply_to]
    assert isinstance(reply, Refuse)
    return reply.error


def types(of: World, request: RequestID) -> list[str]:
    return [event.type.value for event in of.told(request)]


# A request's life.


def test_an_accepted_request_is_on_disk_and_leaves_the_node_untouched_until_it_may_run() -> None:
    node = world()

    request = node.submit(POWER_ON)

    assert node.effects == [Accept(request, node.requests[request]), AcquirePermit(request)]
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
    assert running.deadline_at == node.now + SETTINGS.power_state_change_timeout_s
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
    first = node.requests[request].deadline_at

    while node.machine.arrived != [PowerControl.OFF, PowerControl.ON]:
        node.advance()

    assert first is not None
    assert node.requests[request].deadline_at == node.now + SETTINGS.power_state_change_timeout_s > first


def bounded(timeout_s: float, target: PowerTarget = PowerTarget.ON) -> NodePowerSet:
    return NodePowerSet(node="n1", target=target, timeout_s=timeout_s)


def ended_after(node: World, verb: AnyNodeRequest) -> tuple[RequestRecord, float]:
    request = node.submit(verb)
    node.grant()
    while node.state.active is not None:
        node.advance()
    ended = node.requests[request]
    assert ended.started_at is not None
    assert ended.ended_at is not None
    return ended, ended.ended_at - ended.started_at


def test_the_driver_has_the_last_word_about_why_there_was_no_answer() -> None:
    ended, after_s = ended_after(world(PowerState.OFF, afterwards=DEAD), bounded(2.0))

    assert ended.error is not None
    assert ended.error["code"] == "bmc.unreachable"
    assert after_s == pytest.approx(2.0 + DRIVER_TICK_S)


def test_a_driver_that_never_answers_is_not_waited_for() -> None:
    ended, after_s = ended_after(world(PowerState.OFF, FAIR, afterwards=Gust(Fate.NEVER)), bounded(2.0))

    assert ended.error is not None
    assert (ended.error["code"], ended.applied) == ("power.unconfirmed", Applied.UNKNOWN)
    assert after_s == pytest.approx(2.0 + LAST_WORD_S)


def test_a_wait_ends_with_the_actions_time() -> None:
    stuck = Gust(effect_after_s=None)

    ended, after_s = ended_after(world(PowerState.OFF, afterwards=stuck), bounded(2.0))

    assert (ended.state, ended.applied) == (RequestState.FAILED, Applied.YES)
    assert after_s == pytest.approx(2.0)


def test_a_time_that_is_over_during_a_wait_ends_the_wait_too() -> None:
    node = world(PowerState.OFF, afterwards=Gust(Fate.BUSY))
    node.submit(bounded(9.0))
    node.grant()
    node.advance()
    waiting = node.state.active
    assert waiting is not None
    assert waiting.limit is not None
    del node.timers[waiting.limit]

    node.tell(TimerDue(ticket=waiting.limit))

    node.check_ended()


def test_nothing_is_sent_on_an_answer_that_comes_after_the_time() -> None:
    node = world(PowerState.OFF)
    request = node.submit(bounded(2.0))
    node.grant()
    asked = node.state.active
    assert asked is not None
    assert asked.call is not None
    node.now = Instant(asked.action.until + DRIVER_TICK_S)

    node.tell(Heard(ticket=asked.call, outcome=Done(value=PowerState.OFF)))

    assert node.machine.arrived == []
    assert node.requests[request].applied is Applied.NO


def test_a_confirmation_that_comes_with_the_last_word_counts() -> None:
    node = world(PowerState.OFF)
    request = node.submit(bounded(2.0))
    node.grant()
    asked = node.state.active
    assert asked is not None
    assert asked.call is not None
    node.now = Instant(asked.action.until + DRIVER_TICK_S)

    node.tell(Heard(ticket=asked.call, outcome=Done(value=PowerState.ON)))

    assert node.requests[request].state is RequestState.SUCCEEDED


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
        f"Wait for request {first}, or try again later."
    )
    assert error.details == {
        "node": "n1",
        "request": first,
        "verb": "node.power.set",
        "age_s": pytest.approx(3.21),
        "requester": "ipc",
    }
    assert second not in node.requests


@pytest.mark.parametrize("begun", [False, True])
def test_a_node_is_busy_from_acceptance_to_the_end(begun: bool) -> None:
    node = world()
    node.submit(POWER_ON)
    if begun:
        node.grant()

    assert isinstance(refusal(node, node.submit(POWER_ON)), NodeLocked)
    node.drain()
    assert isinstance(node.replies[node.submit(POWER_ON)][0], Accept)


def test_an_age_is_never_negative() -> None:
    node = world()
    node.submit(POWER_ON)
    node.now = Instant(node.now - 100)

    assert refusal(node, node.submit(POWER_ON)).details["age_s"] == 0.0


# What is of the past.


def stale_messages(node: World) -> list[Message]:
    active = node.state.active
    live: set[Ticket | None] = {node.state.check.timer, node.state.check.call}
    if active is not None:
        live |= {active.call, active.wake, active.limit}
    tickets = [Ticket(number) for number in range(node.state.tickets + 3) if number not in live]
    saw_on = Done(value=PowerState.ON)
    return [
        *(Heard(ticket=ticket, outcome=saw_on) for ticket in tickets),
        *(TimerDue(ticket=ticket) for ticket in tickets),
        *(TimerDue(ticket=active.call) for _ in range(1) if active is not None and active.call is not None),
    ]


def test_tickets_of_the_past_are_ignored() -> None:
    node = world(PowerState.ON)
    node.submit(NodePowerSet(node="n1", target=PowerTarget.SOFT_REBOOT))
    node.grant()
    seen = 0

    while node.advance():
        for message in stale_messages(node):
            before = node.state
            decision = node.tell(message)
            assert (decision.state, decision.effects, decision.change) == (before, (), None)
            seen += 1

    assert seen > 50


def test_a_permit_that_nobody_wants_any_more_is_given_back() -> None:
    node = world()

    decision = node.tell(PermitGranted(request_id=request_id(7)))

    assert decision.effects == (ReleasePermit(request_id(7)),)


def test_a_permit_from_before_a_failed_write_is_given_back() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.writes_fail = True
    node.tell(amend(FREE))
    node.writes_fail = False

    node.grant()

    assert node.effects == [ReleasePermit(request)]
    assert node.state.active is None
    node.drain()
    node.check_ended()


def test_the_timer_of_the_end_is_set_once_for_as_long_as_the_end_stays() -> None:
    node = world(PowerState.OFF, DEAD)
    node.submit(POWER_ON)
    node.grant()
    limit = node.state.active.limit if node.state.active else None

    node.advance()
    node.advance()

    assert node.state.active is not None
    assert node.state.active.limit == limit


def test_a_permit_that_is_told_of_twice_is_kept() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()

    decision = node.tell(PermitGranted(request_id=request))

    assert decision.effects == ()
    assert request in node.held


# Recovering.


def test_what_waited_is_asked_a_permit_for_and_begins() -> None:
    node = world()
    request = node.submit(POWER_ON)

    node.crash()

    assert node.effects == [AcquirePermit(request)]
    assert node.events == []
    node.drain()
    node.check_ended()
    assert node.requests[request].attempts == 1


def test_what_was_under_way_is_taken_up_and_not_announced_again() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()

    node.crash()
    node.grant()

    assert node.requests[request].attempts == 2
    assert node.requests[request].deadline_at == node.now + SETTINGS.power_state_change_timeout_s
    assert types(node, request) == ["node.power_set.start"]
    node.drain()
    node.check_ended()


def test_a_crash_after_the_last_confirmation_and_before_its_commit_still_ends_in_success() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()
    while not any(isinstance(done, Done) and done.value is PowerState.ON for _, done in node.calls.values()):
        node.advance()

    node.crash()
    node.drain()

    node.check_ended()
    assert node.requests[request].state is RequestState.SUCCEEDED
    assert node.machine.arrived == [PowerControl.ON]


def test_a_crash_between_a_controls_commit_and_its_sending_sends_it_after_a_while() -> None:
    node = world(PowerState.OFF, FAIR, Gust(Fate.LOST))  # as if it had never left
    node.submit(POWER_ON)
    node.grant()
    node.advance()
    committed_at = node.now

    node.crash()
    while not node.machine.arrived:
        node.grant()
        node.advance()

    assert node.now >= committed_at + SETTINGS.unknown_outcome_settle_s


def test_a_second_recover_does_not_disturb_what_is_going_on() -> None:
    node = world()
    node.submit(POWER_ON)
    waiting = node.tell(Recover())
    node.grant()

    going_on = node.tell(Recover())

    assert (waiting.effects, going_on.effects, going_on.change) == ((), (), None)


def test_a_write_that_fails_puts_the_action_back_and_recover_takes_it_up() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()

    node.writes_fail = True
    while node.recover_at is None:
        node.advance()
    node.writes_fail = False

    assert node.state.active is None
    assert node.state.interrupted == node.requests[request]
    assert isinstance(refusal(node, node.submit(POWER_ON)), NodeLocked)
    node.drain()
    node.check_ended()
    assert node.requests[request].state is RequestState.SUCCEEDED


def test_a_request_accepted_between_a_failed_write_and_the_recovery_asks_for_one_permit() -> None:
    node = world()
    node.writes_fail = True
    node.submit(POWER_ON)
    node.writes_fail = False

    request = node.submit(POWER_ON)
    node.drain()

    node.check_ended()
    assert node.requests[request].state is RequestState.SUCCEEDED


def test_a_node_that_was_put_aside_is_taken_back() -> None:
    reason = "Its actor failed."
    node = world(maintenance=True, maintenance_reason=reason, fault=Fault.ACTOR_FAILURE, last_error=reason)
    assert aside(node.record) is not None

    node.tell(Recover())

    assert (node.record.maintenance, node.record.maintenance_reason, node.record.fault) == (False, None, None)
    assert [event.type for event in node.events] == [EventType.NODE_FAULT_CLEARED]
    assert node.events[0].payload == {"fault": "actor failure", "power_state": None}


# Changing and deleting the node.


def amend(amendment: Amendment, revision: int | None = None) -> Amend:
    return Amend(amendment=amendment, revision=revision, requester="ipc", reply_to="asked")


NEW_INFO = DriverInfo(info={"ipmi_address": "127.0.0.2"}, secret_keys=frozenset(), bmc_address="127.0.0.2:623")
FREE = Amendment(attributes={"extra": {"rack": "r1"}})


def test_attributes_change_while_the_node_is_busy() -> None:
    node = world()
    node.submit(POWER_ON)

    node.tell(amend(FREE))

    assert node.record.extra == {"rack": "r1"}
    assert node.effects == [TellFleet(applied=True), AnswerNode("asked")]
    assert node.events[-1].payload == {
        "changed": ["extra"],
        "changes": {"extra.rack": {"from": None, "to": "r1"}},
        "requester": "ipc",
    }


@pytest.mark.parametrize(
    "amendment", [Amendment(driver="socket"), Amendment(name=NodeName("new"), driver_info=NEW_INFO)]
)
def test_the_way_to_the_bmc_does_not_change_while_the_node_is_busy(amendment: Amendment) -> None:
    node = world()
    node.submit(POWER_ON)

    node.tell(amend(amendment))

    assert isinstance(refusal(node, "asked"), NodeLocked)
    assert node.effects[0] == TellFleet(applied=False)


def test_a_new_name_is_told_with_the_previous_one() -> None:
    node = world()

    node.tell(amend(Amendment(name=NodeName("new"))))

    assert node.record.name == "new"
    assert node.events[0].node_name == "new"
    assert node.events[0].payload == {
        "changed": ["name"],
        "changes": {"name": {"from": "n1", "to": "new"}},
        "requester": "ipc",
        "previous_name": "n1",
    }


def test_new_driver_info_drops_the_session_and_tells_no_secret() -> None:
    node = world()

    node.tell(amend(Amendment(driver="socket", driver_info=NEW_INFO)))

    assert node.effects == [Renew(), TellFleet(applied=True), AnswerNode("asked")]
    assert (node.record.driver, node.record.driver_info) == ("socket", NEW_INFO.info)
    assert (node.record.secret_keys, node.record.bmc_address) == (frozenset(), "127.0.0.2:623")
    assert node.events[0].payload["changed"] == ["bmc_address", "driver", "driver_info"]
    assert PASSWORD not in repr(node.events)


def test_a_change_of_nothing_writes_nothing_and_announces_nothing() -> None:
    node = world(extra={"rack": "r1"})

    decision = node.tell(amend(FREE))

    assert decision.change is None
    assert node.effects == [TellFleet(applied=True), AnswerNode("asked")]


def test_a_change_for_another_revision_is_refused() -> None:
    node = world(revision=4)

    node.tell(amend(FREE, revision=3))

    error = refusal(node, "asked")
    assert isinstance(error, RevisionStale)
    assert error.message == "n1 has changed: its revision is 4, not 3. Read it again and decide anew."
    assert error.details == {"node": "n1", "have": 4, "want": 3}


def test_a_change_for_this_revision_is_made() -> None:
    node = world(revision=4)

    node.tell(amend(FREE, revision=4))

    assert node.record.revision == 5


def remove(revision: int | None = None, reply_to: str = "deleted", *, force: bool = False) -> Remove:
    return Remove(revision=revision, force=force, requester="ipc", reply_to=reply_to)


def test_a_deleted_node_is_removed_and_its_actor_retires() -> None:
    node = world()

    node.tell(remove())

    assert node.is_removed
    assert node.effects == [Retire("deleted", NodeName("n1"))]
    assert [(event.type, event.payload) for event in node.events] == [(EventType.NODE_DELETE_END, {"requester": "ipc"})]


@pytest.mark.parametrize(
    "message",
    [
        Submit(request_id=request_id(1), verb=POWER_ON, requester="ipc", reply_to="asked"),
        amend(FREE),
        remove(reply_to="asked"),
        SetMaintenance(maintenance=True, requester="ipc", reply_to="asked"),
    ],
)
def test_a_node_that_is_being_deleted_takes_nothing_more(message: Message) -> None:
    node = world(fault=Fault.ACTOR_FAILURE)
    node.tell(remove())

    node.tell(message)
    node.tell(Recover())

    error = refusal(node, "asked")
    assert isinstance(error, NodeLocked)
    assert error.message == "n1 is being deleted."
    assert error.details == {"node": "n1", "request": None, "verb": "node.delete", "age_s": None, "requester": None}


def test_a_node_whose_request_is_running_is_not_deleted() -> None:
    node = world()
    first = node.submit(POWER_ON)
    node.grant()

    node.tell(remove())

    error = refusal(node, "deleted")
    assert isinstance(error, NodeLocked)
    assert error.details["request"] == first


def test_a_request_that_waits_is_cancelled_when_its_node_is_deleted() -> None:
    node = world()
    request = node.submit(POWER_ON)

    node.tell(remove())

    ended = node.requests[request]
    assert (ended.state, ended.ended_at, ended.applied) == (RequestState.CANCELLED, node.now, Applied.NO)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["applied"]) == ("node.deleted", "no")
    assert ended.error["details"] == {"node": "n1", "node_uuid": node.record.uuid, "requester": "ipc"}
    assert [event.type for event in node.events] == [EventType.NODE_DELETE_END]
    assert node.effects == [ReleasePermit(request), Retire("deleted", NodeName("n1"))]
    assert node.is_removed
    node.check_ended()


@pytest.mark.parametrize(
    ("steps", "applied"),
    [(0, Applied.NO), (1, Applied.UNKNOWN), (2, Applied.YES)],
    ids=["looking", "control on its way", "control acknowledged"],
)
def test_a_running_request_ends_as_failed_when_its_node_is_deleted_by_force(steps: int, applied: Applied) -> None:
    node = world(PowerState.OFF)
    request = node.submit(POWER_ON)
    node.grant()
    for _ in range(steps):
        node.advance()

    node.tell(remove(force=True))

    ended = node.requests[request]
    assert (ended.state, ended.applied, ended.progress) == (RequestState.FAILED, applied, {})
    assert [event.type for event in node.events] == [
        EventType.POWER_SET_START,
        EventType.POWER_SET_ERROR,
        EventType.NODE_DELETE_END,
    ]
    assert node.events[1].payload["error"] == ended.error
    assert node.events[1].payload["to_power"] == "power on"
    node.calls.clear()  # whoever is answered after this is no longer there
    node.check_ended()


@pytest.mark.parametrize(("verb", "applied"), [(POWER_ON, Applied.UNKNOWN), (READ_BOOT, Applied.NO)])
def test_a_request_that_was_to_be_taken_up_again_ends_as_failed_by_force(
    verb: AnyNodeRequest, applied: Applied
) -> None:
    node = world()
    request = node.submit(verb)
    node.grant()
    node.crash()
    node.tell(remove(reply_to="polite"))

    node.tell(remove(force=True))

    assert isinstance(refusal(node, "polite"), NodeLocked)
    assert (node.requests[request].state, node.requests[request].applied) == (RequestState.FAILED, applied)
    node.check_ended()


def test_a_reading_that_is_cut_short_is_announced_to_nobody() -> None:
    node = world()
    request = node.submit(READ_BOOT)
    node.grant()

    node.tell(remove(force=True))

    assert node.requests[request].applied is Applied.NO
    assert [event.type for event in node.events] == [EventType.NODE_DELETE_END]


def test_a_setting_on_its_way_may_have_been_applied() -> None:
    node = world()
    request = node.submit(SET_PXE)
    node.grant()

    node.tell(remove(force=True))

    assert node.requests[request].applied is Applied.UNKNOWN


def test_a_forced_deletion_that_could_not_be_written_leaves_the_request_to_go_on() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()
    node.writes_fail = True
    node.tell(remove(force=True))

    node.drain()

    assert node.requests[request].state is RequestState.SUCCEEDED
    node.check_ended()


def test_a_node_is_renamed_while_a_request_is_under_way_which_keeps_its_words() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()

    node.tell(amend(Amendment(name=NodeName("new"))))
    node.drain()

    assert (node.record.name, node.requests[request].node_name) == ("new", "n1")
    assert [event.node_name for event in node.events] == ["n1", "new", "new"]
    assert node.requests[request].state is RequestState.SUCCEEDED
    node.check_ended()


# Maintenance.


def maintain(*, maintenance: bool = True, reason: str | None = None) -> SetMaintenance:
    return SetMaintenance(maintenance=maintenance, reason=reason, requester="ipc", reply_to="asked")


def test_maintenance_is_set_in_one_commit_while_a_request_is_under_way() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.grant()

    node.tell(maintain(reason="fan broken"))

    assert (node.record.maintenance, node.record.maintenance_reason) == (True, "fan broken")
    assert node.effects == [AnswerNode("asked")]
    assert node.events[-1].type is EventType.MAINTENANCE_SET_END
    assert node.events[-1].payload == {
        "requester": "ipc",
        "maintenance": True,
        "reason": "fan broken",
        "previous_maintenance": False,
        "previous_reason": None,
        "previous_fault": None,
    }
    node.drain()
    assert node.requests[request].state is RequestState.SUCCEEDED
    assert node.record.maintenance


def test_a_node_of_another_revision_is_not_deleted() -> None:
    node = world(revision=4)

    node.tell(remove(revision=3))

    assert isinstance(refusal(node, "deleted"), RevisionStale)


def test_a_deletion_that_could_not_be_written_leaves_the_node_as_it_was() -> None:
    node = world()
    node.writes_fail = True
    node.tell(remove())
    node.drain()

    assert isinstance(node.replies[node.submit(POWER_ON)][0], Accept)


# Whatever happens.

VERBS = st.one_of(
    st.builds(
        NodePowerSet,
        node=st.just("n1"),
        target=st.sampled_from(PowerTarget),
        hard_fallback=st.booleans(),
        timeout_s=st.sampled_from([None, 1.0, 6.0]),
    ),
    st.sampled_from([SET_PXE, READ_BOOT]),
)
AMENDMENTS = st.sampled_from([FREE, Amendment(), Amendment(name=NodeName("new")), Amendment(driver_info=NEW_INFO)])


class AnyNode(RuleBasedStateMachine):
    """Users, weather, crashes and failing writes in any order; `World` checks each decision."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(power=st.sampled_from(PowerState), every_s=st.sampled_from([0.0, 2.0, 25.0]), force=st.booleans())
    def begin(self, power: PowerState, every_s: float, force: bool) -> None:
        self.world.machine.power = power
        self.world.settings = replace(
            SETTINGS, sync_power_state_interval_s=every_s, force_power_state_during_sync=force
        )
        self.world.tell(Recover())

    @rule(power=st.sampled_from(PowerState))
    def change_behind_its_back(self, power: PowerState) -> None:
        self.world.machine.power = power

    @rule(verb=VERBS)
    def submit(self, verb: AnyNodeRequest) -> None:
        self.world.submit(verb)

    @rule(gusts=st.lists(GUSTS, min_size=1, max_size=6))
    def change_the_weather(self, gusts: list[Gust]) -> None:
        self.world.gusts = weather(gusts)

    @rule()
    def grant(self) -> None:
        self.world.grant()

    @rule(steps=st.integers(1, 8), timers_first=st.booleans())
    def let_time_pass(self, steps: int, timers_first: bool) -> None:
        for _ in range(steps):
            self.world.advance(timers_first=timers_first)

    @rule()
    def crash(self) -> None:
        if not self.world.is_removed:
            self.world.crash()

    @rule()
    def recover(self) -> None:
        self.world.tell(Recover())

    @rule(fail=st.booleans())
    def let_writes_fail(self, fail: bool) -> None:
        self.world.writes_fail = fail

    @rule(amendment=AMENDMENTS)
    def amend(self, amendment: Amendment) -> None:
        self.world.tell(amend(amendment))

    @rule(maintenance=st.booleans(), reason=st.sampled_from([None, "fan"]))
    def set_maintenance(self, maintenance: bool, reason: str | None) -> None:
        self.world.tell(maintain(maintenance=maintenance, reason=reason))

    @precondition(lambda self: self.world.requests)
    @rule(force=st.booleans())
    def remove(self, force: bool) -> None:
        self.world.tell(remove(force=force))

    @rule(data=st.data())
    def be_told_of_the_past(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(stale_messages(self.world)))
        before = self.world.state
        decision = self.world.tell(message)
        assert (decision.state, decision.effects, decision.change) == (before, (), None)

    @invariant()
    def views_tell_what_would_be_decided(self) -> None:
        world = self.world
        view = node_view(world.state, world.now)
        for verb in (POWER_ON, SET_PXE, READ_BOOT):
            submit = Submit(request_id=request_id(999), verb=verb, requester="ipc", reply_to=None)
            refused = any(
                isinstance(effect, Refuse) for effect in decide(world.state, submit, world.now, SETTINGS).effects
            )
            assert (tag_of(verb) in view.refuses) == refused
            assert (tag_of(verb) in view.accepts) == (not refused)

    def teardown(self) -> None:
        self.world.drain()
        self.world.check_ended()
        for left in self.world.left.values():
            assert left.count(PowerControl.SOFT_OFF) <= 1


TestAnyNode = AnyNode.TestCase
TestAnyNode.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("target", PowerTarget)
def test_recovery_after_any_prefix_of_a_life_leads_to_an_end(target: PowerTarget) -> None:
    begins = PowerState.ON if target is not PowerTarget.ON else PowerState.OFF
    prefix, whole = 0, False

    while not whole:
        node = world(begins, Gust(), Gust(Fate.ANSWER_LOST), Gust(), Gust(Fate.LOST))
        request = node.submit(NodePowerSet(node="n1", target=target, hard_fallback=True))
        node.grant()
        for _ in range(prefix):
            whole = not node.advance()
        node.crash()
        node.drain()

        node.check_ended()
        assert node.requests[request].state is RequestState.SUCCEEDED
        assert node.machine.arrived.count(PowerControl.SOFT_OFF) <= 1
        prefix += 1

    assert prefix > 4


def test_an_outcome_for_nobody_changes_nothing() -> None:
    node = world()

    decision = node.tell(Heard(ticket=Ticket(1), outcome=NotDone(error=BMCUnreachable("No."), applied=Applied.NO)))

    assert (decision.effects, decision.change) == ((), None)
