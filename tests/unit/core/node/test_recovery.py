"""What is of the past, and how a node takes up what was under way."""

from castiron.actors.core.effects import AcquirePermit, ReleasePermit
from castiron.actors.core.messages import PermitGranted, Recover
from castiron.actors.core.requests.obstacles import aside
from castiron.actors.drivers.base import Done
from castiron.transport.errors import NodeLocked
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import EventType, Fault, PowerControl, PowerState, PowerTarget, RequestState
from tests.support.node_settings import SETTINGS
from tests.support.node_world import World
from tests.support.store_records import plain_node, request_id
from tests.support.weather import FAIR, Fate, Gust
from tests.unit.core.node.messages import DEAD, FREE, POWER_ON, SET_PXE, amend, refusal, stale_messages, types, world

# What is of the past.


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

    assert node.effects == [AcquirePermit(request, "node.power.set", requester="ipc")]
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
    assert node.requests[request].overdue_at == node.now + SETTINGS.power_state_change_timeout_s
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
    assert isinstance(refusal(node, node.submit(SET_PXE)), NodeLocked)
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
    record = plain_node(maintenance=True, maintenance_reason=reason, fault=Fault.ACTOR_FAILURE, last_error=reason)
    node = World(record=record)
    assert aside(node.record) is not None

    node.tell(Recover())

    assert (node.record.maintenance, node.record.maintenance_reason, node.record.fault) == (False, None, None)
    assert [event.type for event in node.events] == [EventType.NODE_FAULT_CLEARED]
    assert node.events[0].payload == {"fault": "actor failure", "power_state": None}
