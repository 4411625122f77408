"""When a node is checked next: more often after an action, less often while its BMC is silent, as usual otherwise."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from castiron.actors.core.effects import Checked, SetTimer
from castiron.actors.core.machines.pace import FOLLOWED_S, PACES, Pace, due, pace_of
from castiron.actors.core.messages import Heard, SetMaintenance
from castiron.actors.core.state import Check, NodeState, Ticket
from castiron.actors.core.telling.explanation import Facts, explain
from castiron.actors.core.views import node_view
from castiron.actors.drivers.base import NotDone
from castiron.transport.errors import DeadlineExceeded
from castiron.transport.vocabulary import Applied, CheckPace, CheckResult, Fault, Instant, PowerState
from tests.support.node_world import World
from tests.support.store_records import plain_node
from tests.support.weather import weather
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
)

QUICK_S = CHECKED.power_check_after_action_s
RARE_S = CHECKED.power_failure_recovery_interval_s


def acted(node: World) -> float:
    """Switch the machine off; return when that ended."""
    node.submit(POWER_OFF)
    node.grant()
    while node.state.active is not None:
        node.advance()
    return node.now


def after(node: World, since: float, until: float) -> list[float]:
    """When checks began, in seconds since then."""
    return [round(at - since, 3) for at in checks(node, until)]


# After an action.


def test_after_an_action_checks_come_often_and_less_so_each_time_until_they_come_as_usual() -> None:
    node = begun()
    counted(node)
    end = acted(node)

    seen = after(node, end, end + 100)

    assert seen == [3.0, 6.0, 12.0, 24.0, 48.0, 48.0 + EVERY_S, 48.0 + 2 * EVERY_S]
    assert [event.type.split(".")[1] for event in node.events] == ["power_set", "power_set"], (
        "no event tells of a check"
    )


def test_whoever_sets_its_timer_hears_how_far_apart_checks_are_at_the_time() -> None:
    node = begun()
    assert [one.every_s for one in node.effects if isinstance(one, SetTimer)] == [EVERY_S]

    acted(node)

    assert [one.every_s for one in node.effects if isinstance(one, SetTimer)] == [QUICK_S]


def test_a_machine_that_changes_once_more_is_looked_at_often_from_then_on() -> None:
    node = begun()
    counted(node)
    end = acted(node)
    node.machine.power = ON  # somebody else was at it, or it would not stay off

    seen = after(node, end, end + 30)

    assert seen == pytest.approx([QUICK_S, *(QUICK_S + later_s for later_s in (3.0, 6.0, 12.0, 24.0))], abs=0.02)


def test_a_machine_that_never_stays_is_looked_at_often_for_a_while_only() -> None:
    node = begun()
    counted(node)
    end = acted(node)
    times: list[float] = []
    while node.now < end + FOLLOWED_S + 200:
        counted(node)
        times.append(node.now - end)
        node.machine.power = OFF if node.machine.power is ON else ON

    assert sum(at < FOLLOWED_S for at in times) > FOLLOWED_S / QUICK_S / 2
    assert sum(at > FOLLOWED_S + EVERY_S for at in times) <= 200 / EVERY_S + 1


def test_a_change_that_no_action_came_before_changes_no_pace() -> None:
    node = begun()
    node.machine.power = OFF

    assert counted(node) == [CheckResult.CORRECTED]
    assert node.state.check.pace is CheckPace.USUAL


def test_checks_come_no_more_often_where_the_settings_say_so_or_the_interval_is_as_short() -> None:
    for settings in (
        replace(CHECKED, power_check_after_action_s=0.0),
        replace(CHECKED, sync_power_state_interval_s=QUICK_S),
    ):
        node = begun(settings)
        counted(node)
        acted(node)

        assert node.state.check.pace is CheckPace.USUAL


def test_a_check_that_fails_ends_the_haste() -> None:
    node = begun()
    counted(node)
    acted(node)
    node.gusts = weather([], afterwards=SILENT)

    assert counted(node) == [CheckResult.FAILED]
    assert (node.state.check.pace, node.state.check.every_s) == (CheckPace.USUAL, EVERY_S)


def test_while_the_next_action_waits_or_is_at_it_there_are_no_checks_to_be_skipped_and_many_after_its_end() -> None:
    node = begun()
    counted(node)
    acted(node)
    assert node.state.check.pace is CheckPace.AFTER_ACTION

    node.submit(POWER_OFF)
    waits = node.state.check.pace
    node.grant()
    is_at_it = node.state.check.pace
    while node.state.active is not None:
        node.advance()

    assert (waits, is_at_it) == (CheckPace.USUAL, CheckPace.USUAL)
    assert node.state.check.pace is CheckPace.AFTER_ACTION
    (soon_s,) = after(node, node.now, node.now + QUICK_S)
    assert 0 < soon_s <= QUICK_S


# While a BMC is silent.


def test_a_silent_bmc_is_asked_ever_less_often_and_spread_and_as_usual_from_its_first_answer_on() -> None:
    node = begun(replace(CHECKED, power_state_sync_max_retries=100))
    spacings: list[float] = []
    for _ in range(8):
        fail(node, 1)
        check = node.state.check
        assert check.due_at is not None
        spacings.append(check.due_at - check.started_at)
    assert spacings == [EVERY_S, EVERY_S * 2, EVERY_S * 4, EVERY_S * 8, 300.0, 300.0, 300.0, 300.0]
    assert [one.early_s for one in node.effects if isinstance(one, SetTimer)] == [300.0 * 0.25]

    node.gusts = weather([])
    counted(node)

    assert (node.state.check.pace, node.state.check.every_s) == (CheckPace.USUAL, EVERY_S)


@pytest.mark.parametrize("failures", [3, 8])
def test_a_request_is_carried_out_at_once_and_its_answer_ends_the_silence(failures: int) -> None:
    node = begun()
    fail(node, failures)
    is_fault = node.record.fault is Fault.POWER_FAILURE
    assert is_fault == (failures > CHECKED.power_state_sync_max_retries)
    node.gusts = weather([])

    asked = node.now
    end = acted(node)

    assert end - asked < 1.0, "it did not wait for a check"
    assert node.state.check.failures == 0
    assert node.state.check.pace is CheckPace.AFTER_ACTION
    (soon_s,) = after(node, end, end + QUICK_S)
    assert 0 < soon_s <= QUICK_S
    node.advance()
    assert node.record.fault is None


def test_a_check_that_could_not_be_asked_in_time_says_nothing_about_its_bmc() -> None:
    node = begun()
    counted(node)
    for is_asked, expected in ((False, 0), (True, 1)):
        node.advance()
        call = node.state.check.call
        assert call is not None
        del node.calls[call]
        error = DeadlineExceeded("It could not be asked in time.", details={"is_asked": is_asked})
        node.tell(Heard(ticket=call, outcome=NotDone(error=error, applied=Applied.NO)))

        results = [effect.result for effect in node.effects if isinstance(effect, Checked)]
        assert results == [CheckResult.FAILED if is_asked else CheckResult.SKIPPED]
        assert node.state.check.failures == expected
        assert node.state.check.due_at == node.state.check.started_at + EVERY_S, "and the next one comes as usual"


# What is shown.


def facts(node: World) -> Facts:
    return Facts(state=node.state, now=node.now, settings=CHECKED)


def test_a_node_tells_when_its_next_check_comes_and_why_then() -> None:
    node = begun()
    counted(node)
    view = node_view(node.state, node.now)
    assert (view.power_check_pace, view.power_check_due_at) == ("usual", node.state.check.started_at + EVERY_S)
    (idle,) = explain(facts(node)).findings
    assert (idle.code, idle.text.rpartition(". ")[2]) == ("node.idle", "The next power check comes within 25 s.")

    acted(node)
    (faster,) = explain(facts(node)).findings
    assert (faster.code, faster.details["pace"], faster.details["every_s"]) == ("check.faster", "after action", QUICK_S)
    assert faster.text.endswith("The next power check comes within 3 s.")

    fail(node, 3)
    slower = {finding.code: finding for finding in explain(facts(node)).findings}["check.slower"]
    assert "because 3 in a row have failed: each 100 s" in slower.text
    fail(node, 1)
    slower = {finding.code: finding for finding in explain(facts(node)).findings}["check.slower"]
    assert (slower.details["pace"], slower.details["every_s"]) == ("fault", RARE_S)
    assert node_view(node.state, node.now).power_check_due_at == node.state.check.due_at

    node.tell(SetMaintenance(maintenance=True, reason="by hand", requester="ipc", reply_to="asked"))
    node.tell(SetMaintenance(maintenance=False, requester="ipc", reply_to="asked"))
    node.tell(SetMaintenance(maintenance=True, reason="by hand", requester="ipc", reply_to="asked"))
    view = node_view(node.state, node.now)
    assert (view.power_check_pace, view.power_check_due_at) == ("off", None)


def test_what_a_node_shows_of_its_next_check_is_what_its_timer_was_set_for() -> None:
    node = begun()
    shown = node.state
    for _ in range(6):
        node.advance()
        if node.state.check.timer is not None:
            assert node.timers[node.state.check.timer] == node.state.check.due_at
        elif node.state.check.call is not None:
            assert node.state.check.due_at == shown.check.due_at, "a check that begins is nobody else's affair"
            assert node.state.looks_like(shown)
        shown = node.state


# Whatever the node is like.


@st.composite
def states(draw: st.DrawFn) -> NodeState:
    fault = draw(st.sampled_from([None, None, *Fault]))
    record = plain_node(
        fault=fault,
        maintenance=fault is not None or draw(st.booleans()),
        power_check_interval_s=draw(st.sampled_from([None, 0.0, 1.0, 60.0, 900.0])),
    )
    return NodeState(record=record, leaving=draw(st.sampled_from([False, False, True])))


MOMENTS = st.none() | st.floats(START - 2000, START).map(Instant)


@st.composite
def standings(draw: st.DrawFn) -> Check:
    acted_at = draw(MOMENTS)
    return Check(
        is_begun=True,
        every_s=draw(st.sampled_from([0.0, EVERY_S])),
        started_at=draw(st.floats(START - 2000, START).map(Instant)),
        failures=draw(st.integers(0, 50)),
        acted_at=acted_at,
        changed_at=None if acted_at is None else Instant(draw(st.floats(acted_at, START))),
    )


@given(state=states(), check=standings(), in_maintenance=st.booleans())
def test_a_pace_is_within_its_bounds_and_the_next_check_is_never_late(
    state: NodeState, check: Check, in_maintenance: bool
) -> None:
    settings = replace(CHECKED, power_check_in_maintenance=in_maintenance)
    pace = pace_of(state, check, settings)
    own_s = state.record.power_check_interval_s
    usual_s = EVERY_S if own_s is None else own_s

    bounds = {
        CheckPace.OFF: (0.0, 0.0),
        CheckPace.USUAL: (usual_s, usual_s),
        CheckPace.AFTER_ACTION: (QUICK_S, max(usual_s, RARE_S)),
        CheckPace.SILENT: (usual_s, max(usual_s, settings.power_check_backoff_max_s)),
        CheckPace.FAULT: (RARE_S, RARE_S),
    }
    least, most = bounds[pace.kind]
    assert least <= pace.every_s <= most
    assert (pace.every_s == 0.0) == (pace.kind is CheckPace.OFF)
    if pace.every_s:
        at, early_s = due(pace, check, Instant(START))
        assert START <= at <= START + pace.every_s
        assert 0 <= early_s <= min(pace.every_s * PACES[pace.kind].jitter, at - START)
        if check.every_s:
            assert at > START, "no burst: what was missed is not made up for"


@given(state=states(), check=standings(), more=st.integers(1, 10))
def test_more_failures_never_make_checks_more_frequent(state: NodeState, check: Check, more: int) -> None:
    before = pace_of(state, check, CHECKED)
    afterwards = pace_of(state, structs.replace(check, failures=check.failures + more), CHECKED)

    assert afterwards.every_s >= before.every_s


@given(
    state=states(),
    check=standings(),
    changes=st.sampled_from([{"timer": Ticket(9)}, {"call": Ticket(9)}, {"forced": 2}]),
)
def test_what_a_pace_does_not_go_by_does_not_move_it(state: NodeState, check: Check, changes: dict[str, Any]) -> None:
    """Or a timer would be set anew with each decision about the node, and never be due."""
    assert pace_of(state, structs.replace(check, **changes), CHECKED) == pace_of(state, check, CHECKED)


@given(
    gaps=st.lists(st.tuples(st.floats(0.5, 200), st.sampled_from(PowerState), st.booleans()), min_size=1, max_size=15)
)
def test_in_any_weather_no_two_checks_are_closer_or_farther_apart_than_their_pace_allows(
    gaps: list[tuple[float, PowerState, bool]],
) -> None:
    node = begun()
    began: list[float] = []
    for after_s, power, is_silent in gaps:
        node.gusts = weather([], afterwards=SILENT) if is_silent else weather([])
        node.machine.power = power
        began += checks(node, node.now + after_s)
    spacings = [later - earlier for earlier, later in pairwise(began)]

    assert all(EVERY_S - 0.001 <= spacing <= 300.001 for spacing in spacings)


def test_every_pace_has_its_row_and_a_next_check_is_told_from_its_begin() -> None:
    assert set(PACES) == set(CheckPace)
    check = Check(every_s=EVERY_S, started_at=Instant(START - 5), changed_at=Instant(START - 1))

    assert due(Pace(CheckPace.AFTER_ACTION, 3.0), check, Instant(START)) == (START + 2.0, 0.15000000000000002)
    assert due(Pace(CheckPace.USUAL, 25.0), check, Instant(START)) == (START + 20.0, 1.25)
    assert due(Pace(CheckPace.USUAL, 25.0), structs.replace(check, every_s=0.0), Instant(START)) == (START, 0.0)
