"""The boot device's machine, alone."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.actors.core.machines.boot import TRANSITIONS, BootAction, Do, Happening
from castiron.actors.core.machines.turn import Ask, Failed, Limits, Next, Succeeded, Wait
from castiron.actors.drivers.base import BootSetting, Done, GetBootDevice, NotDone, Outcome, SetBootDevice
from castiron.transport.errors import (
    BMCBusy,
    BMCCredentials,
    BMCError,
    BMCFault,
    BMCUnreachable,
    CastironError,
    DeadlineExceeded,
)
from castiron.transport.vocabulary import Applied, BootDevice, Instant
from tests.support.weather import FAIR, GUSTS, Fate, Gust, Machine, weather

LIMITS = Limits(change_s=10.0, soft_off_s=30.0, poll_initial_s=0.5, poll_max_s=2.0, settle_s=3.0)
T0 = Instant(1000.0)
PXE = BootSetting(BootDevice.PXE, persistent=True, uefi=True)
READING = BootAction(setting=None, limits=LIMITS)
SETTING = BootAction(setting=PXE, limits=LIMITS)


def at(seconds: float) -> Instant:
    return Instant(T0 + seconds)


def failing(error: type[BMCError | DeadlineExceeded] = BMCUnreachable, applied: Applied = Applied.NO) -> NotDone:
    return NotDone(error=error("It failed."), applied=applied)


def error_of(following: Next) -> CastironError:
    assert isinstance(following, Failed)
    return following.error


HOW: dict[Happening, Outcome | None] = {
    Happening.ANSWERED: Done(value=None),
    Happening.NO_ANSWER: failing(BMCBusy),
    Happening.REFUSED: failing(BMCCredentials),
    Happening.TIMED_OUT: None,
}
ORDERED = {Do.SUCCEED: Succeeded, Do.ASK_LATER: Wait, Do.FAIL: Failed}


@pytest.mark.parametrize(("happening", "do"), TRANSITIONS.items())
def test_every_rule_does_what_its_row_says(happening: Happening, do: Do) -> None:
    begun, _ = SETTING.begin(T0)
    outcome = HOW[happening]

    _, following = begun.expired(at(10)) if outcome is None else begun.heard(outcome, at(1))

    assert isinstance(following, ORDERED[do])


def test_there_is_a_rule_for_everything_that_can_happen() -> None:
    assert set(TRANSITIONS) == set(Happening)


def test_it_asks_the_driver_what_it_was_made_for() -> None:
    assert READING.begin(T0)[1] == Ask(GetBootDevice())
    assert SETTING.begin(T0)[1] == Ask(SetBootDevice(PXE))
    assert SETTING.woke(T0)[1] == Ask(SetBootDevice(PXE))


@pytest.mark.parametrize(
    ("action", "value", "result"),
    [
        (READING, PXE, {"boot_device": "pxe", "persistent": True, "uefi": True}),
        (READING, None, {"boot_device": None, "persistent": None, "uefi": None}),
        (SETTING, None, {"boot_device": "pxe", "persistent": True, "uefi": True}),
    ],
)
def test_its_result_is_what_was_read_or_set(
    action: BootAction, value: BootSetting | None, result: dict[str, object]
) -> None:
    begun, _ = action.begin(T0)

    assert begun.heard(Done(value=value), at(1))[1] == Succeeded(result)


def test_it_sees_no_power_state_and_says_for_people_what_it_does() -> None:
    assert READING.observed is None
    assert (READING.step(), SETTING.step()) == ("reading the boot device", "setting the boot device")


def test_waits_double_up_to_their_limit() -> None:
    asking, waits = READING.begin(T0)[0], list[float]()
    for _ in range(4):
        asking, following = asking.heard(failing(), T0)
        assert isinstance(following, Wait)
        waits.append(following.until - T0)

    assert waits == [0.5, 1.0, 2.0, 2.0]


def test_a_time_out_before_any_answer_says_what_to_do() -> None:
    error = error_of(READING.begin(T0)[0].expired(at(10))[1])

    assert isinstance(error, DeadlineExceeded)
    assert error.message == "The BMC did not answer in time. Look at the BMC, or allow more time."
    assert error.details == {"deadline_at": at(10)}


def test_a_time_out_after_failures_tells_the_latest() -> None:
    waiting, _ = READING.begin(T0)[0].heard(failing(BMCBusy), at(1))

    assert isinstance(error_of(waiting.expired(at(10))[1]), BMCBusy)


@pytest.mark.parametrize(
    ("action", "outcomes", "applied"),
    [
        (SETTING, [], Applied.UNKNOWN),  # it is on its way
        (SETTING, [failing()], Applied.NO),
        (SETTING, [failing(applied=Applied.UNKNOWN)], Applied.UNKNOWN),
        (SETTING, [failing(applied=Applied.UNKNOWN), failing(BMCFault)], Applied.UNKNOWN),
        (SETTING, [failing(BMCFault)], Applied.NO),
        (READING, [], Applied.NO),
        (READING, [failing()], Applied.NO),
    ],
)
def test_a_failure_says_whether_the_setting_was_applied(
    action: BootAction, outcomes: Sequence[Outcome], applied: Applied
) -> None:
    asking, following = action.begin(T0)
    for outcome in outcomes:
        asking, following = asking.heard(outcome, at(1))

    ending = following if isinstance(following, Failed) else asking.expired(at(10))[1]

    assert error_of(ending).applied is applied


def test_a_successor_asks_again_with_fresh_time_and_knows_that_it_may_have_been_set() -> None:
    resumed, following = SETTING.resume(SETTING.begin(T0)[0].progress(), at(100))

    assert following == Ask(SetBootDevice(PXE))
    assert resumed.until == at(110)
    assert error_of(resumed.heard(failing(BMCFault), at(101))[1]).applied is Applied.UNKNOWN


def test_a_successor_of_a_reading_has_nothing_to_know() -> None:
    assert READING.begin(T0)[0].progress() == {"unsure": False}
    assert READING.resume({}, T0) == READING.begin(T0)


@settings(max_examples=200, deadline=None)
@given(
    action=st.sampled_from([READING, SETTING]),
    gusts=st.lists(GUSTS, max_size=20),
    afterwards=st.sampled_from([FAIR, Gust(Fate.LOST), Gust(Fate.BUSY)]),
    crashes=st.lists(st.booleans(), max_size=10),
)
def test_in_any_weather_it_ends_once_and_tells_the_truth(
    action: BootAction, gusts: list[Gust], afterwards: Gust, crashes: list[bool]
) -> None:
    machine, sky, accidents = Machine(), weather(gusts, afterwards), iter(crashes)
    now, (driven, following) = T0, action.begin(T0)
    disk, doubted = driven.progress(), False

    while not isinstance(following, (Succeeded, Failed)):
        if next(accidents, False):
            doubted = True
            driven, following = action.resume(disk, now)
            disk = driven.progress()
        elif isinstance(following, Wait):
            now = min(following.until, driven.until)
            driven, following = driven.woke(now) if now < driven.until else driven.expired(now)
        else:
            gust = next(sky)
            outcome = machine.carry_out(following.operation, gust, now)
            now = Instant(now + gust.takes_s)
            doubted |= now >= driven.until or (isinstance(outcome, NotDone) and outcome.applied is not Applied.NO)
            driven, following = driven.heard(outcome, now) if now < driven.until else driven.expired(now)

    if isinstance(following, Failed):
        certain = Applied.YES if machine.boot_set_count else Applied.NO
        assert following.error.applied in ({Applied.UNKNOWN, Applied.NO} if doubted else {certain})
        if machine.boot_set_count:
            assert following.error.applied is Applied.UNKNOWN
    elif action.setting is not None:
        assert machine.boot == PXE
