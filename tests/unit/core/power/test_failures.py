"""What the power machine says when it fails, and how it goes on after a crash."""

import pytest

from castiron.actors.core.machines.legs import Phase
from castiron.actors.core.machines.turn import Succeeded, Wait
from castiron.transport.errors import (
    BMCCredentials,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    DeadlineExceeded,
    PowerStateUnconfirmed,
)
from castiron.transport.vocabulary import Applied, PowerState, PowerTarget
from tests.unit.core.power.actions import (
    LIMITS,
    OFF,
    ON,
    READ,
    SAW_OFF,
    SAW_ON,
    T0,
    action,
    at,
    error_of,
    failing,
    sending,
    standing,
)

# Failures: what they say.


def test_a_bmc_that_never_answered_is_named_as_the_driver_named_it() -> None:
    looking, _ = standing(Phase.LOOK).heard(failing(BMCUnreachable), T0)

    error = error_of(looking.expired(at(10))[1])

    assert isinstance(error, BMCUnreachable)
    assert error.applied is Applied.NO


def test_a_time_out_before_the_first_answer_says_that_nothing_was_sent() -> None:
    error = error_of(standing(Phase.LOOK).expired(at(10))[1])

    assert isinstance(error, DeadlineExceeded)
    assert error.message == "Time ran out before off could be sent. Look at the BMC, or allow more time."
    assert error.details == {"deadline_at": at(10)}
    assert error.applied is Applied.NO


@pytest.mark.parametrize(
    ("phase", "target", "applied", "advice"),
    [
        (Phase.SEND, PowerTarget.OFF, Applied.UNKNOWN, "Whether off arrived is not known: read the power state"),
        (Phase.UNSURE, PowerTarget.OFF, Applied.UNKNOWN, "Whether off arrived is not known: read the power state"),
        (Phase.CONFIRM, PowerTarget.OFF, Applied.YES, "Look at the machine, or allow more time."),
        (Phase.CONFIRM, PowerTarget.SOFT_OFF, Applied.YES, "The operating system is slow, or ignores the power button"),
    ],
)
def test_a_state_that_was_not_reached_is_told_with_what_is_known_and_what_to_do(
    phase: Phase, target: PowerTarget, applied: Applied, advice: str
) -> None:
    error = error_of(standing(phase, target, trouble=None).expired(at(30))[1])

    assert isinstance(error, PowerStateUnconfirmed)
    assert error.message.startswith(f"power off was not seen in time; the BMC last reported power on. {advice}")
    assert error.details == {"wanted": "power off", "power_state": PowerState.ON}
    assert error.applied is applied


def test_a_resumed_action_that_saw_nothing_says_so() -> None:
    resumed, _ = action().resume(standing(Phase.SEND).progress(), T0)

    error = error_of(resumed.expired(at(10))[1])

    assert "the BMC last reported nothing" in error.message
    assert error.applied is Applied.UNKNOWN


def test_a_refused_control_was_not_applied() -> None:
    _, following = standing(Phase.SEND).heard(failing(BMCFault), T0)

    assert error_of(following).applied is Applied.NO


def test_a_refused_second_half_tells_that_the_first_was_applied() -> None:
    half_way, _ = standing(Phase.CONFIRM, PowerTarget.REBOOT).heard(SAW_OFF, T0)

    _, following = half_way.heard(failing(BMCUnsupported), T0)

    assert error_of(following).applied is Applied.YES


def test_a_control_whose_effect_was_seen_was_applied_though_nobody_acknowledged_it() -> None:
    half_way, _ = standing(Phase.UNSURE, PowerTarget.REBOOT).heard(SAW_OFF, T0)

    _, following = half_way.heard(failing(BMCUnsupported), T0)

    assert error_of(following).applied is Applied.YES


def test_a_failure_that_has_passed_is_not_the_cause_of_a_later_one() -> None:
    silent, _ = standing(Phase.CONFIRM).heard(failing(), at(1))
    back, _ = silent.heard(SAW_ON, at(2))

    error = error_of(back.expired(at(10))[1])

    assert isinstance(error, PowerStateUnconfirmed)


def test_a_refusal_after_a_control_of_unknown_outcome_leaves_it_unknown() -> None:
    repeated, _ = standing(Phase.UNSURE).heard(SAW_ON, at(LIMITS.settle_s))

    _, following = repeated.heard(failing(BMCFault), at(4))

    assert error_of(following).applied is Applied.UNKNOWN


# Resuming.


def test_what_had_not_begun_to_send_looks_again() -> None:
    resumed, following = action().resume(standing(Phase.LOOK).progress(), at(100))

    assert following == READ
    assert resumed.place.phase is Phase.LOOK
    assert resumed.until == at(100 + LIMITS.change_s)
    assert not resumed.place.unsure


@pytest.mark.parametrize("phase", [Phase.SEND, Phase.UNSURE, Phase.CONFIRM])
def test_what_may_have_been_sent_is_looked_for_with_fresh_time(phase: Phase) -> None:
    resumed, following = action().resume(standing(phase).progress(), at(100))

    assert following == READ
    assert resumed.place.phase is Phase.UNSURE
    assert resumed.place.sent == (OFF,)
    assert resumed.place.unsure
    assert resumed.until == at(100 + LIMITS.change_s)
    assert isinstance(resumed.heard(SAW_ON, at(101))[1], Wait)
    assert resumed.heard(SAW_ON, at(100 + LIMITS.settle_s))[1] == sending(OFF)


def test_a_resumed_soft_off_has_its_own_time_and_is_not_repeated() -> None:
    resumed, _ = action(PowerTarget.SOFT_OFF).resume(standing(Phase.SEND, PowerTarget.SOFT_OFF).progress(), at(100))

    assert resumed.until == at(100 + LIMITS.soft_off_s)
    assert isinstance(resumed.heard(SAW_ON, at(120))[1], Wait)


def test_a_decision_to_cut_the_power_survives() -> None:
    forced, _ = standing(Phase.CONFIRM, PowerTarget.SOFT_OFF, hard_fallback=True).expired(at(30))

    resumed, _ = action(PowerTarget.SOFT_OFF, hard_fallback=True).resume(forced.progress(), at(100))

    assert resumed.until == at(100 + LIMITS.change_s)
    assert resumed.heard(SAW_ON, at(101))[1] == sending(OFF)


def test_a_reboot_whose_second_control_is_in_doubt_goes_on_with_the_second_half() -> None:
    half_way, _ = standing(Phase.CONFIRM, PowerTarget.REBOOT).heard(SAW_OFF, T0)

    resumed, _ = action(PowerTarget.REBOOT).resume(half_way.progress(), at(100))

    assert isinstance(resumed.heard(SAW_ON, at(100))[1], Succeeded)
    assert resumed.heard(SAW_OFF, at(100 + LIMITS.settle_s))[1] == sending(ON)


@pytest.mark.parametrize(("phase", "applied"), [(Phase.CONFIRM, Applied.YES), (Phase.UNSURE, Applied.UNKNOWN)])
def test_what_was_applied_before_a_crash_is_known_after_it(phase: Phase, applied: Applied) -> None:
    forced, _ = standing(phase, PowerTarget.SOFT_OFF, hard_fallback=True).expired(at(30))
    resumed, _ = action(PowerTarget.SOFT_OFF, hard_fallback=True).resume(forced.progress(), at(100))

    _, following = resumed.heard(failing(BMCCredentials), at(101))

    assert error_of(following).applied is applied


def test_an_empty_place_is_a_beginning() -> None:
    resumed, following = action().resume({}, T0)

    assert (resumed, following) == action().begin(T0)
