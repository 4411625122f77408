"""Each judge of a simulation is content with what is right, and finds what is wrong in a log made by hand."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from castiron.testing import INVARIANTS, Evidence, Verdict, judge
from castiron.testing.simulation.evidence import Failure, Span
from castiron.transport.errors import ConductorOverloaded, NodeLocked
from castiron.transport.vocabulary import (
    EventType,
    Fault,
    Instant,
    NodeSeq,
    PowerState,
    RequestID,
    RequestState,
)
from tests.support.store_records import node_uuid
from tests.unit.testing.evidence import (
    BEGAN,
    HEALED,
    HOUR,
    NODE,
    PRESSED,
    SILENT,
    add,
    by_hand,
    event,
    good,
    log,
    question,
    request,
)
from tests.unit.testing.moves_gone_wrong import MOVE_BREAKS


def two_at_once(evidence: Evidence) -> None:
    log(evidence, event(EventType.POWER_SET_START, BEGAN + 100.5, "another"))


def two_ends(evidence: Evidence) -> None:
    log(evidence, event(EventType.POWER_SET_ERROR, BEGAN + 102.0, request(1).id))


def no_end(evidence: Evidence) -> None:
    log(evidence, without=EventType.POWER_SET_END)


def events_of_nobody(evidence: Evidence) -> None:
    log(evidence, event(EventType.BOOT_DEVICE_SET_END, BEGAN + 500.0, "nobody's"))


def forgotten(evidence: Evidence) -> None:
    evidence.questions.append(question(3, accepted_id="22222222-0000-4000-8000-000000000099"))


def never_ended(evidence: Evidence) -> None:
    add(evidence, request(2, verb="node.boot_device.get", arguments={}, state=RequestState.RUNNING, ended_at=None))


def left_with_a_target(evidence: Evidence) -> None:
    evidence.nodes = [replace(evidence.nodes[0], target_power_state=PowerState.ON)]


def twice_the_same_key(evidence: Evidence) -> None:
    add(evidence, request(2, key="once"), request(3, key="once"))


def refused_and_stored(evidence: Evidence) -> None:
    add(evidence, request(2, id=RequestID("refused")))
    evidence.questions[1].error = NodeLocked("Busy.")


def refused_and_told(evidence: Evidence) -> None:
    log(evidence, event(EventType.NODE_UPDATE_END, BEGAN + 50.0, requester="user-2"))


def a_late_check(evidence: Evidence) -> None:
    evidence.lateness[0.2] += 1


def a_late_timeout(evidence: Evidence) -> None:
    late = Instant(BEGAN + 200.0 + 61.0)
    add(evidence, request(2, state=RequestState.FAILED, ended_at=late, error={"code": "bmc.unreachable"}))


def no_successor(evidence: Evidence) -> None:
    evidence.failures.append(Failure(BEGAN + HOUR, NODE, is_replaced=False))


def a_neighbour_went(evidence: Evidence) -> None:
    evidence.failures.append(Failure(BEGAN + HOUR, NODE, is_replaced=True, neighbours_replaced=(node_uuid(2),)))


def left_maintenance_told(evidence: Evidence) -> None:
    log(evidence, event(EventType.NODE_UPDATE_END, BEGAN + 8.1 * HOUR, maintenance=False))


def left_maintenance_quietly(evidence: Evidence) -> None:
    log(evidence, without=EventType.MAINTENANCE_SET_END)
    log(evidence, by_hand(BEGAN + 8 * HOUR, maintenance=True))


def left_before_it_was_asked_for(evidence: Evidence) -> None:
    log(evidence, without=EventType.MAINTENANCE_SET_END)
    unset = by_hand(BEGAN + 8.2 * HOUR, maintenance=False, previous_maintenance=False)
    log(evidence, by_hand(BEGAN + 8 * HOUR, maintenance=True), unset)


def left_by_nobody(evidence: Evidence) -> None:
    log(evidence, by_hand(BEGAN + 8.1 * HOUR, maintenance=False, requester=None))


def a_fault_in_maintenance(evidence: Evidence) -> None:
    log(evidence, event(EventType.NODE_FAULT_SET, BEGAN + 8.1 * HOUR, fault=Fault.POWER_FAILURE.value))


def recovered_in_maintenance(evidence: Evidence) -> None:
    log(evidence, event(EventType.NODE_FAULT_CLEARED, BEGAN + 8.1 * HOUR, fault=Fault.POWER_FAILURE.value))


def outlived_its_node(evidence: Evidence) -> None:
    log(evidence, event(EventType.NODE_DELETE_END, BEGAN + 150.0, requester="user-8"))
    add(evidence, request(1, ended_at=Instant(BEGAN + 160.0)))


def cut_short_without_a_word(evidence: Evidence) -> None:
    log(evidence, event(EventType.NODE_DELETE_END, BEGAN + 101.0, requester="user-8"))
    add(evidence, request(1, state=RequestState.FAILED, error={"code": "bmc.unreachable"}))


def cancelled_though_it_had_begun(evidence: Evidence) -> None:
    log(evidence, event(EventType.NODE_DELETE_END, BEGAN + 101.0, requester="user-8"))
    add(evidence, request(1, state=RequestState.CANCELLED, error={"code": "node.removed"}))


def a_gap(evidence: Evidence) -> None:
    evidence.events = [one for one in evidence.events if one.seq != 2]
    evidence.published = list(evidence.events)


def unpublished(evidence: Evidence) -> None:
    evidence.published.pop(2)


def a_wrong_count(evidence: Evidence) -> None:
    evidence.nodes = [replace(evidence.nodes[0], node_seq=NodeSeq(99))]


def busy_for_ever(evidence: Evidence) -> None:
    evidence.questions[1].error = ConductorOverloaded("Busy.", details={"limit": 5, "what": "fleet"})


def busy_for_no_reason(evidence: Evidence) -> None:
    evidence.questions[1].error = ConductorOverloaded("Busy.", retry_after_s=1.0)


def ran_too_long(evidence: Evidence) -> None:
    add(evidence, request(2, ended_at=Instant(BEGAN + 300.0)))


def never_answered(evidence: Evidence) -> None:
    evidence.questions[0].told_count = 0


def answered_twice(evidence: Evidence) -> None:
    evidence.questions[0].told_count = 2


def never_on(evidence: Evidence) -> None:
    evidence.machines[0].powers[1:2] = []


def unnoticed(evidence: Evidence) -> None:
    log(evidence, without=EventType.POWER_STATE_CORRECTED)


def noticed_twice(evidence: Evidence) -> None:
    log(evidence, event(EventType.POWER_STATE_CORRECTED, PRESSED + 400.0, power_state="power off"))


def noticed_late(evidence: Evidence) -> None:
    late = event(EventType.POWER_STATE_CORRECTED, PRESSED + 602.0, power_state="power off")
    log(evidence, late, without=EventType.POWER_STATE_CORRECTED)


def noticed_wrongly(evidence: Evidence) -> None:
    wrong = event(EventType.POWER_STATE_CORRECTED, PRESSED + 300.0, power_state="power on")
    log(evidence, wrong, without=EventType.POWER_STATE_CORRECTED)


def no_fault(evidence: Evidence) -> None:
    log(evidence, without=EventType.NODE_FAULT_SET)


def never_taken_back(evidence: Evidence) -> None:
    log(evidence, without=EventType.NODE_FAULT_CLEARED)


def not_asked_for_long(evidence: Evidence) -> None:
    evidence.machines[0].asked.extend((PRESSED + 2_000.0, PRESSED + 4_000.0))


def asked_too_often_while_silent(evidence: Evidence) -> None:
    evidence.machines[0].asked.extend(SILENT + 1.0 + number for number in range(3_600))


def a_wrong_record(evidence: Evidence) -> None:
    evidence.nodes = [replace(evidence.nodes[0], power_state=PowerState.ON)]


def a_fault_for_nothing(evidence: Evidence) -> None:
    evidence.nodes = [replace(evidence.nodes[0], fault=Fault.POWER_FAILURE)]


def a_permit_is_left(evidence: Evidence) -> None:
    evidence.left_over["permits"] = 1


def gave_up(evidence: Evidence) -> None:
    evidence.conductor_failures.append("the supervisor failed")


BREAKS: list[tuple[str, Callable[[Evidence], None]]] = [
    ("I1", two_at_once),
    ("I2", two_ends),
    ("I2", no_end),
    ("I2", events_of_nobody),
    ("I3", forgotten),
    ("I3", never_ended),
    ("I3", left_with_a_target),
    ("I4", twice_the_same_key),
    ("I5", refused_and_stored),
    ("I5", refused_and_told),
    ("I6", a_late_check),
    ("I7", a_late_timeout),
    ("I8", no_successor),
    ("I8", a_neighbour_went),
    ("I9", left_maintenance_told),
    ("I9", left_maintenance_quietly),
    ("I9", left_before_it_was_asked_for),
    ("I9", left_by_nobody),
    ("I9", a_fault_in_maintenance),
    ("I9", recovered_in_maintenance),
    ("I10", a_gap),
    ("I10", unpublished),
    ("I10", a_wrong_count),
    ("I11", busy_for_ever),
    ("I11", busy_for_no_reason),
    ("I12", ran_too_long),
    ("deleted", outlived_its_node),
    ("deleted", cut_short_without_a_word),
    ("deleted", cancelled_though_it_had_begun),
    ("answers", never_answered),
    ("answers", answered_twice),
    ("truth", never_on),
    ("noticed", unnoticed),
    ("noticed", noticed_twice),
    ("noticed", noticed_late),
    ("noticed", noticed_wrongly),
    ("faults", no_fault),
    ("recovery", never_taken_back),
    ("paced", not_asked_for_long),
    ("paced", asked_too_often_while_silent),
    ("records", a_wrong_record),
    ("records", a_fault_for_nothing),
    ("rest", a_permit_is_left),
    ("rest", gave_up),
    *MOVE_BREAKS,
]


def verdicts(evidence: Evidence) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in judge(evidence)}


def test_what_is_right_is_held_and_each_judge_had_something_to_judge() -> None:
    found = verdicts(good())

    assert {name: verdict.violations for name, verdict in found.items() if not verdict.held} == {}
    assert {name for name, verdict in found.items() if not verdict.judged_count} <= {"I4", "I7", "deleted"}


@pytest.mark.parametrize(("name", "spoil"), BREAKS, ids=[f"{name}-{spoil.__name__}" for name, spoil in BREAKS])
def test_a_judge_finds_what_is_wrong(name: str, spoil: Callable[[Evidence], None]) -> None:
    evidence = good()

    spoil(evidence)

    verdict = verdicts(evidence)[name]
    assert not verdict.held
    assert verdict.violation_count >= len(verdict.violations) >= 1


def test_there_is_a_broken_log_for_each_judge() -> None:
    assert {name for name, _ in BREAKS} == set(INVARIANTS)


def test_what_runs_over_its_time_while_there_is_no_conductor_is_not_judged() -> None:
    evidence = good()
    ran_too_long(evidence)

    evidence.outages.append(Span("no conductor", BEGAN + 250.0, BEGAN + 290.0))

    assert verdicts(evidence)["I12"].held


def test_what_a_user_did_not_hear_of_a_killed_conductor_is_not_judged() -> None:
    evidence = good()
    never_answered(evidence)

    evidence.questions[0].is_lost = True

    assert verdicts(evidence)["answers"].held


def test_a_success_that_was_lied_about_is_not_judged() -> None:
    evidence = good()
    never_on(evidence)

    evidence.machines[0].lies.append(BEGAN + 100.5)

    assert verdicts(evidence)["truth"].held


def test_what_nobody_looks_at_in_maintenance_is_not_judged() -> None:
    evidence = good()
    log(evidence, by_hand(BEGAN + 9.5 * HOUR, maintenance=True))
    evidence.nodes = [replace(one, maintenance=True, power_state=PowerState.ON) for one in evidence.nodes]

    found = verdicts(evidence)

    assert found["records"].held
    assert found["I9"].held


@pytest.mark.parametrize("to_maintenance", [True, False])
def test_a_node_that_a_hand_took_out_of_its_fault_need_not_recover(to_maintenance: bool) -> None:
    evidence = good()
    log(evidence, without=EventType.NODE_FAULT_CLEARED)
    hand = by_hand(HEALED - 100.0, maintenance=to_maintenance, previous_fault=Fault.POWER_FAILURE.value)
    back = by_hand(HEALED - 50.0, maintenance=False)

    log(evidence, hand, back)

    assert verdicts(evidence)["recovery"].held


def test_a_change_in_maintenance_is_noticed_by_nobody() -> None:
    evidence = good()
    log(evidence, without=EventType.POWER_STATE_CORRECTED)

    log(evidence, by_hand(PRESSED - 10.0, maintenance=True), by_hand(PRESSED + 1000.0, maintenance=False))

    assert verdicts(evidence)["noticed"].held


def test_a_button_that_is_pressed_twice_in_one_instant_is_noticed_by_nobody() -> None:
    evidence = good()
    log(evidence, without=EventType.POWER_STATE_CORRECTED)

    evidence.machines[0].press(PRESSED)

    assert verdicts(evidence)["noticed"].held
