"""The power check, rule by rule: when a node is looked at, and how a check makes room for requests."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.core.effects import CallDriver, Checked, SetTimer
from castiron.actors.core.machines import check as checking
from castiron.actors.core.machines.pace import pace_of
from castiron.actors.core.messages import Amend, Amendment, Heard, Recover, TimerDue
from castiron.actors.core.state import Check, NodeState, Ticket
from castiron.actors.drivers.base import GetPower
from castiron.transport.vocabulary import (
    CheckResult,
    EventType,
    Fault,
    Instant,
    PowerState,
)
from tests.support.node_world import World
from tests.support.store_records import plain_node
from tests.support.weather import Gust, weather
from tests.unit.core.check.checked_node import (
    CHECKED,
    EVERY_S,
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
from tests.unit.core.node.messages import NEW_INFO, amend

# When.


def test_a_machine_is_looked_at_once_in_each_interval() -> None:
    node = begun()

    times = checks(node, START + 10 + 4 * EVERY_S)

    assert [round(later - earlier, 3) for earlier, later in pairwise(times)] == [EVERY_S] * 4


@pytest.mark.parametrize(
    ("record", "latest", "early_s"),
    [
        ({"power_state": ON}, 5.0, 5.0),
        ({"power_state": ON, "fault": Fault.POWER_FAILURE}, 10.0, 5.0),
        ({"power_state": None, "fault": Fault.POWER_FAILURE}, 10.0, 5.0),
        ({"power_state": None}, 10.0, 10.0),
    ],
)
def test_at_a_start_the_machines_that_were_reachable_come_first_and_all_are_spread(
    record: dict[str, Any], latest: float, early_s: float
) -> None:
    node = begun(maintenance="fault" in record, **record)

    (timer,) = [effect for effect in node.effects if isinstance(effect, SetTimer)]
    assert (timer.at, timer.early_s) == (START + latest, early_s)


def test_a_first_check_is_not_later_than_the_interval_and_may_be_asked_for_sooner() -> None:
    short = begun(replace(CHECKED, sync_power_state_interval_s=2.0))
    assert [(effect.at, effect.early_s) for effect in short.effects if isinstance(effect, SetTimer)] == [
        (START + 1.0, 1.0)
    ]
    new = World(record=plain_node(), settings=CHECKED)
    new.tell(Recover(check_within_s=1.0))

    assert [(effect.at, effect.early_s) for effect in new.effects if isinstance(effect, SetTimer)] == [
        (START + 1.0, 1.0)
    ]


def test_the_check_after_the_first_comes_anywhere_within_the_interval() -> None:
    node = begun()
    counted(node)

    (timer,) = [effect for effect in node.effects if isinstance(effect, SetTimer)]
    assert timer.at == node.state.check.started_at + EVERY_S
    assert timer.at - timer.early_s == node.now, (
        "what began together in the seconds after a start goes on evenly spread"
    )


def test_a_check_may_come_early_by_the_jitter_and_never_late() -> None:
    node = begun()
    counted(node)
    counted(node)

    (timer,) = [effect for effect in node.effects if isinstance(effect, SetTimer)]
    check = node.state.check
    assert (timer.at, timer.early_s) == (check.started_at + EVERY_S, EVERY_S * 0.05), "early by 5 % at the most"


@pytest.mark.parametrize(("own", "expected"), [(None, EVERY_S), (7.0, 7.0), (0.0, 0.0)])
def test_a_nodes_own_interval_goes_before_the_conductors(own: float | None, expected: float) -> None:
    assert pace_of(NodeState(record=plain_node(power_check_interval_s=own)), Check(), CHECKED).every_s == expected


def test_an_interval_of_nothing_means_no_checks() -> None:
    node = begun(replace(CHECKED, sync_power_state_interval_s=0.0))

    assert (node.timers, node.calls) == ({}, {})


def test_a_new_interval_counts_at_once() -> None:
    node = begun()
    counted(node)
    began = node.state.check

    for own, due in ((5.0, [began.started_at + 5.0]), (0.0, []), (None, [node.now])):
        amendment = Amendment(attributes={"power_check_interval_s": own})
        node.tell(Amend(amendment=amendment, requester="ipc", reply_to="asked"))
        assert list(node.timers.values()) == due


def test_a_new_interval_that_is_nearly_over_is_not_due_before_now() -> None:
    node = begun()
    counted(node)
    began = node.state.check.started_at
    node.now = Instant(began + 4.9)

    node.tell(Amend(amendment=Amendment(attributes={"power_check_interval_s": 5.0}), requester="ipc", reply_to="asked"))

    (timer,) = [effect for effect in node.effects if isinstance(effect, SetTimer)]
    assert timer.at == began + 5.0
    assert timer.early_s == pytest.approx(0.1)


def test_checks_do_not_overlap_and_a_slow_one_is_followed_by_a_whole_interval() -> None:
    node = begun(replace(CHECKED, sync_power_state_interval_s=2.0))
    node.gusts = weather([], afterwards=Gust(takes_s=3.0))

    times = checks(node, START + 30)

    assert {round(later - earlier, 3) for earlier, later in pairwise(times)} == {5.0}


@pytest.mark.parametrize("pause_s", [EVERY_S + 1, 3600.0, 7 * 86_400.0])
def test_a_late_check_runs_once_and_there_is_no_burst_after_a_pause(pause_s: float) -> None:
    node = begun()
    counted(node)
    node.now = Instant(node.now + pause_s)  # nothing ran meanwhile; the timer comes late

    times = checks(node, node.now + 3 * EVERY_S)

    assert [round(later - earlier, 3) for earlier, later in pairwise(times)] == [EVERY_S] * 3


def test_how_late_a_check_began_is_counted() -> None:
    node = begun()
    (ticket, at) = next(iter(node.timers.items()))
    node.timers.clear()
    node.now = Instant(at + 1.5)
    node.tell(TimerDue(ticket=ticket, at=at))

    node.advance()

    assert [effect.late_s for effect in node.effects if isinstance(effect, Checked)] == [1.5]


# Checks and requests.


def test_a_request_that_has_not_ended_looks_for_itself() -> None:
    node = begun()
    node.submit(POWER_OFF)

    assert counted(node) == [CheckResult.SKIPPED]
    assert node.calls == {}
    assert len(node.timers) == 1


def test_a_request_overtakes_a_check_whose_answer_counts_for_nothing() -> None:
    node = begun()
    node.gusts = weather([Gust(takes_s=3.9)])
    ticket, at = node.timers.popitem()
    node.now = at
    node.tell(TimerDue(ticket=ticket, at=at))
    ((call, (_, seen)),) = node.calls.items()
    node.submit(POWER_OFF)
    node.grant()
    assert [effect.result for effect in node.effects if isinstance(effect, Checked)] == [CheckResult.SKIPPED]
    del node.calls[call]
    node.run_until(node.now + 2)
    assert node.record.power_state is OFF
    before = node.state

    decision = node.tell(Heard(ticket=call, outcome=seen))  # it saw the machine on, long ago

    assert (decision.state, decision.effects, decision.change) == (before, (), None)
    assert len(node.timers) == 1


def test_while_a_commit_fails_checks_go_on() -> None:
    node = begun()
    node.machine.power = OFF
    node.writes_fail = True

    node.run_until(START + 3 * EVERY_S)
    assert (node.record.power_state, node.events) == (ON, [])
    node.writes_fail = False
    node.run_until(START + 5 * EVERY_S)

    assert (node.record.power_state, kinds(node)) == (OFF, [EventType.POWER_STATE_CORRECTED])


@given(
    moments=st.lists(st.tuples(st.floats(0.1, 40), st.sampled_from(PowerState), st.booleans()), min_size=1, max_size=30)
)
def test_the_record_follows_the_machine_within_an_interval_and_tells_each_change_once(
    moments: list[tuple[float, PowerState, bool]],
) -> None:
    node = begun()
    for after_s, power, is_silent in moments:
        node.machine.power = power
        node.gusts = weather([SILENT] if is_silent else [])
        node.run_until(node.now + after_s)
    node.gusts = weather([])
    node.run_until(node.now + 300 + 2 * EVERY_S)

    assert node.record.power_state is node.machine.power
    told = [event.payload for event in node.events if "from_power" in event.payload]
    assert all(payload["from_power"] != payload["power_state"] for payload in told)
    assert [payload["from_power"] for payload in told[1:]] == [payload["power_state"] for payload in told[:-1]]


def test_a_call_of_a_check_is_a_read_that_gives_way() -> None:
    node = begun()
    node.advance()

    (call,) = [effect for effect in node.effects if isinstance(effect, CallDriver)]
    assert (call.operation, call.gives_way) == (GetPower(), True)
    assert call.deadline == node.now + CHECKED.command_timeout_s


def test_a_node_whose_owner_has_not_begun_is_left_alone() -> None:
    node = World(record=plain_node(), settings=CHECKED)

    assert not checking.is_due(node.state, TimerDue(ticket=Ticket(1)))
    node.submit(POWER_OFF)

    assert [effect for effect in node.effects if isinstance(effect, SetTimer)] == []


def test_a_new_way_to_a_bmc_that_failed_is_tried_at_once() -> None:
    node = begun()
    fail(node, 12)
    assert node.record.fault is Fault.POWER_FAILURE
    node.gusts = weather([])

    node.tell(amend(Amendment(driver_info=NEW_INFO)))

    assert any(isinstance(effect, CallDriver) for effect in node.effects)
    assert counted(node) == [CheckResult.RECOVERED]
    assert node.record.fault is None


def test_a_new_way_to_a_bmc_that_answered_waits_for_the_next_check() -> None:
    node = begun()
    counted(node)
    due = list(node.timers.values())

    node.tell(amend(Amendment(driver_info=NEW_INFO)))

    assert not any(isinstance(effect, CallDriver) for effect in node.effects)
    assert list(node.timers.values()) == due
