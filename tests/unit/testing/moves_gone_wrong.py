"""Logs of moves in which one thing is wrong each: what the judges of moves must find."""

from dataclasses import replace

from castiron.testing import Evidence
from castiron.transport.events import EventView
from castiron.transport.vocabulary import EventType, Instant, PowerState, ProvisionState
from tests.unit.testing.evidence import BEGAN, HOUR, event, log, move, moved, stepped


def before_its_start(evidence: Evidence) -> None:
    evidence.requests[move(5).id] = move(5, started_at=Instant(BEGAN + 2 * HOUR + 1.0))


def after_its_end(evidence: Evidence) -> None:
    log(evidence, moved(EventType.PROVISION_SET_SUCCESS, 6.0, "provide", ("manageable", "cleaning"), "available"))


def by_one_that_never_started(evidence: Evidence) -> None:
    log(evidence, event(EventType.STEP_START, BEGAN + 2.1 * HOUR, move(6).id, name="look"))


def an_end_too_many(evidence: Evidence) -> None:
    log(evidence, moved(EventType.PROVISION_SET_ERROR, 6.0, "fail", ("verifying", "enroll")))


def a_second_start(evidence: Evidence) -> None:
    log(evidence, moved(EventType.PROVISION_SET_START, 1.0, "manage", ("enroll", "verifying"), "manageable"))


def no_end_at_all(evidence: Evidence) -> None:
    log(evidence, without=EventType.PROVISION_SET_END)


def back_to_where_it_was(evidence: Evidence) -> None:
    """As the reference does where no worker is free."""
    rolled_back = moved(EventType.PROVISION_SET_ERROR, 5.0, "manage", ("verifying", "enroll"))
    log(evidence, rolled_back, without=EventType.PROVISION_SET_END)


def out_of_another_state(evidence: Evidence) -> None:
    log(evidence, moved(EventType.PROVISION_SET_SUCCESS, 9.0, "provide", ("available", "deploying"), "active"))


def a_step_within_itself(evidence: Evidence) -> None:
    log(evidence, stepped(EventType.STEP_START, 1.0))


def an_end_of_no_step(evidence: Evidence) -> None:
    log(evidence, stepped(EventType.STEP_ERROR, 1.0, name="other", error={"code": "step.failed"}))


def a_step_without_end(evidence: Evidence) -> None:
    log(evidence, without=EventType.STEP_END)


def a_step_too_long(evidence: Evidence) -> None:
    evidence.step_timeouts_s = {("management", "check_bmc"): 4.0}


def begun_untold(evidence: Evidence) -> None:
    evidence.blind_starts = {("n1", "look"): 2}


def begun_again_after_its_conductor_ended(evidence: Evidence) -> None:
    interrupted = stepped(EventType.STEP_ERROR, 1.0, error={"code": "step.interrupted"})
    log(evidence, interrupted, stepped(EventType.STEP_START, 2.0))


def in_another_state_than_told(evidence: Evidence) -> None:
    evidence.nodes = [replace(evidence.nodes[0], provision_state=ProvisionState.ENROLL)]


def with_another_target_than_told(evidence: Evidence) -> None:
    evidence.nodes = [replace(evidence.nodes[0], target_provision_state=ProvisionState.ACTIVE)]


def with_another_power_than_told(evidence: Evidence) -> None:
    log(evidence, _seen(EventType.POWER_STATE_CORRECTED, PowerState.ON))


def _seen(kind: EventType, state: PowerState) -> EventView:
    return event(kind, BEGAN + 8.5 * HOUR, power_state=state.value)


MOVE_BREAKS = (
    ("R3-1", before_its_start),
    ("R3-1", after_its_end),
    ("R3-2", by_one_that_never_started),
    ("R3-3", an_end_too_many),
    ("R3-3", a_second_start),
    ("R3-3", no_end_at_all),
    ("R3-4", back_to_where_it_was),
    ("R3-4", out_of_another_state),
    ("steps", a_step_within_itself),
    ("steps", an_end_of_no_step),
    ("steps", a_step_without_end),
    ("bounded", a_step_too_long),
    ("once", begun_untold),
    ("once", begun_again_after_its_conductor_ended),
    ("log", in_another_state_than_told),
    ("log", with_another_target_than_told),
    ("log", with_another_power_than_told),
)
"""(invariant, what is wrong)."""
