"""The power machine, rule by rule: the table, and what it amounts to."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from castiron.actors.core.machines import power
from castiron.actors.core.machines.legs import LEGS, TRANSITIONS, WANTED, Do, Happening, Phase, Rule
from castiron.actors.core.machines.power import PowerAction
from castiron.actors.core.machines.turn import Ask, Failed, Next, Succeeded, Wait
from castiron.actors.drivers.base import GetPower, Outcome, SetPower
from castiron.transport.errors import (
    BMCBusy,
    BMCCredentials,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    DeadlineExceeded,
    PowerStateUnconfirmed,
)
from castiron.transport.vocabulary import Applied, PowerState, PowerTarget
from tests.support.weather import Machine, weather
from tests.unit.core.power.actions import (
    DONE,
    LIMITS,
    OFF,
    ON,
    READ,
    SAW_OFF,
    SAW_ON,
    T0,
    Drive,
    action,
    at,
    error_of,
    failing,
    sending,
    standing,
    unanswered,
)

# Each rule: how it happens, and what it orders.


HOW: dict[Happening, Outcome | None] = {
    Happening.SAW_WANTED: SAW_OFF,
    Happening.SAW_OTHER: SAW_ON,
    Happening.SETTLED: SAW_ON,
    Happening.NO_ANSWER: failing(),
    Happening.REFUSED: failing(BMCCredentials),
    Happening.ACKNOWLEDGED: DONE,
    Happening.UNANSWERED: unanswered(),
    Happening.TIMED_OUT: None,
    Happening.SOFT_TIMED_OUT: None,
}


def ordered(do: Do, after: PowerAction, following: Next) -> bool:
    match do:
        case Do.READ:
            return following == READ
        case Do.READ_LATER:
            return isinstance(following, Wait)
        case Do.SEND:
            return following == sending(after.control)
        case Do.FORCE:
            return after.control is OFF and following == Ask(GetPower(), commit_first=True)
        case Do.NEXT_LEG:
            return isinstance(following, Succeeded)
        case Do.FAIL:
            return isinstance(following, Failed)


@pytest.mark.parametrize(("pair", "rule"), TRANSITIONS.items(), ids=[" + ".join(pair) for pair in TRANSITIONS])
def test_every_rule_does_what_its_row_says(pair: tuple[Phase, Happening], rule: Rule) -> None:
    phase, happening = pair
    soft = happening is Happening.SOFT_TIMED_OUT
    before = standing(phase, PowerTarget.SOFT_OFF if soft else PowerTarget.OFF, hard_fallback=soft)
    now = at(LIMITS.settle_s if happening is Happening.SETTLED else 0.1)
    outcome = HOW[happening]

    after, following = before.expired(now) if outcome is None else before.heard(outcome, now)

    assert after.place.phase is rule.phase
    assert ordered(rule.do, after, following)


class Spy(dict[tuple[Phase, Happening], Rule]):
    """The table, noting which rows are asked for."""

    def __init__(self, rows: Mapping[tuple[Phase, Happening], Rule]) -> None:
        super().__init__(rows)
        self.met: set[tuple[Phase, Happening]] = set()

    def __getitem__(self, pair: tuple[Phase, Happening]) -> Rule:
        self.met.add(pair)
        return super().__getitem__(pair)


FAILURES = (BMCUnreachable, BMCCredentials, BMCUnsupported, BMCBusy, BMCFault, DeadlineExceeded)
READ_OUTCOMES: tuple[Outcome, ...] = (SAW_ON, SAW_OFF, *(failing(error) for error in FAILURES))
SEND_OUTCOMES: tuple[Outcome, ...] = (
    DONE,
    *(failing(error, applied) for error in FAILURES for applied in (Applied.NO, Applied.UNKNOWN)),
)


def onward(before: PowerAction, following: Next) -> Iterator[tuple[PowerAction, Next]]:
    """Everything that can come of an action that waits: any outcome, soon or late, a time-out, a crash."""
    match following:
        case Ask(operation=operation):
            outcomes = SEND_OUTCOMES if isinstance(operation, SetPower) else READ_OUTCOMES
            for outcome in outcomes:
                yield before.heard(outcome, T0)
                yield before.heard(outcome, at(LIMITS.settle_s))
        case Wait():
            yield before.woke(T0)
        case _:
            return
    yield before.expired(T0)
    yield before.resume(before.progress(), T0)


def test_only_the_pairs_of_the_table_can_be_met(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(TRANSITIONS)
    monkeypatch.setattr(power, "TRANSITIONS", spy)
    ahead = [action(target, hard_fallback=hard).begin(T0) for target in PowerTarget for hard in (False, True)]
    known: set[Any] = set()

    while ahead:
        after, following = ahead.pop()
        place = after.place
        books = (place.acknowledged, place.unsure, place.trouble is None)
        key = (after.target, after.hard_fallback, place.phase, place.leg, place.forced, frozenset(place.sent), books)
        if (key, type(following)) not in known:
            known.add((key, type(following)))
            ahead.extend(onward(after, following))

    assert spy.met == set(TRANSITIONS)
    assert len(known) > 200


# What the rules amount to.


@pytest.mark.parametrize("target", PowerTarget)
def test_a_target_leads_through_its_controls_to_their_states(target: PowerTarget) -> None:
    first = LEGS[target][0]
    machine = Machine(power=PowerState.ON if WANTED[first] is PowerState.OFF else PowerState.OFF)

    drive = Drive(machine, action(target), weather([]))
    ending = drive.run()

    assert isinstance(ending, Succeeded)
    assert tuple(machine.arrived) == LEGS[target]
    assert ending.result["power_state"] is WANTED[LEGS[target][-1]]
    assert ending.result["sent"] == [control.value for control in LEGS[target]]


@pytest.mark.parametrize(
    ("target", "power"),
    [
        (PowerTarget.ON, PowerState.ON),
        (PowerTarget.OFF, PowerState.OFF),
        (PowerTarget.SOFT_OFF, PowerState.OFF),
    ],
)
def test_nothing_is_sent_to_a_machine_that_is_already_there(target: PowerTarget, power: PowerState) -> None:
    machine = Machine(power=power)

    ending = Drive(machine, action(target), weather([])).run()

    assert isinstance(ending, Succeeded)
    assert machine.arrived == []
    assert ending.result == {"power_state": power, "power_state_at": ending.result["power_state_at"], "sent": []}


@pytest.mark.parametrize("target", [PowerTarget.REBOOT, PowerTarget.SOFT_REBOOT])
def test_a_reboot_of_a_machine_that_is_off_powers_it_on(target: PowerTarget) -> None:
    machine = Machine(power=PowerState.OFF)

    Drive(machine, action(target), weather([])).run()

    assert machine.arrived == [ON]


def test_it_says_for_people_what_it_is_doing() -> None:
    steps = [standing(phase).step() for phase in Phase]

    assert steps == [
        "reading the power state",
        "sending off",
        "finding out whether off had an effect",
        "waiting for power off",
    ]


def test_nothing_was_observed_before_the_first_answer() -> None:
    begun, _ = action().begin(T0)

    assert begun.observed is None
    assert begun.heard(SAW_ON, at(1))[0].observed == (PowerState.ON, at(1))


def test_waits_double_up_to_their_limit_and_start_short_after_a_control() -> None:
    looking, following = standing(Phase.LOOK), READ
    waits: list[float] = []
    for _ in range(5):
        looking, following = looking.heard(failing(), T0)
        assert isinstance(following, Wait)
        waits.append(following.until - T0)
    sent, _ = looking.heard(SAW_ON, T0)
    confirming, _ = sent.heard(DONE, T0)

    _, following = confirming.heard(SAW_ON, T0)

    assert waits == [0.5, 1.0, 2.0, 2.0, 2.0]
    assert following == Wait(at(0.5))


def test_a_control_of_unknown_outcome_is_repeated_only_after_it_had_time_to_show() -> None:
    unsure = standing(Phase.UNSURE)

    _, before = unsure.heard(SAW_ON, at(LIMITS.settle_s - 0.001))
    _, then = unsure.heard(SAW_ON, at(LIMITS.settle_s))

    assert isinstance(before, Wait)
    assert then == sending(OFF)


def test_a_soft_off_of_unknown_outcome_is_never_repeated() -> None:
    unsure = standing(Phase.UNSURE, PowerTarget.SOFT_OFF)

    _, following = unsure.heard(SAW_ON, at(LIMITS.soft_off_s - 0.1))

    assert isinstance(following, Wait)


def test_each_half_of_a_reboot_has_the_whole_time() -> None:
    confirming = standing(Phase.CONFIRM, PowerTarget.REBOOT)
    assert confirming.until == at(LIMITS.change_s)

    half_way, following = confirming.heard(SAW_OFF, at(9))

    assert following == sending(ON)
    assert half_way.until == at(9 + LIMITS.change_s)


def test_a_soft_off_has_its_own_time_from_its_sending() -> None:
    begun, _ = action(PowerTarget.SOFT_OFF).begin(T0)
    assert begun.until == at(LIMITS.change_s)

    sent, _ = begun.heard(SAW_ON, at(7))

    assert sent.until == at(7 + LIMITS.soft_off_s)


def test_a_soft_off_that_never_gets_out_does_not_get_more_time_with_each_try() -> None:
    trying, _ = action(PowerTarget.SOFT_OFF).begin(T0)

    for second in range(9):
        trying, _ = trying.heard(SAW_ON, at(second))
        trying, _ = trying.heard(failing(BMCBusy), at(second))

        assert trying.until == at(LIMITS.change_s)
        assert trying.place.sent == ()


def test_power_is_cut_after_a_soft_off_only_if_that_was_asked_for() -> None:
    patient = standing(Phase.CONFIRM, PowerTarget.SOFT_OFF)
    forcing = standing(Phase.CONFIRM, PowerTarget.SOFT_OFF, hard_fallback=True)

    _, given_up = patient.expired(at(30))
    forced, following = forcing.expired(at(30))

    assert error_of(given_up).applied is Applied.YES
    assert following == Ask(GetPower(), commit_first=True)
    assert forced.until == at(30 + LIMITS.change_s)
    assert forced.heard(SAW_ON, at(31))[1] == sending(OFF)


def test_power_is_not_cut_if_the_soft_off_worked_at_the_last_moment() -> None:
    forced, _ = standing(Phase.CONFIRM, PowerTarget.SOFT_OFF, hard_fallback=True).expired(at(30))

    _, following = forced.heard(SAW_OFF, at(30.1))

    assert isinstance(following, Succeeded)
    assert following.result["sent"] == ["soft off"]


def test_a_hard_off_that_runs_out_of_time_is_not_forced_again() -> None:
    forced, _ = standing(Phase.UNSURE, PowerTarget.SOFT_OFF, hard_fallback=True).expired(at(30))
    sent, _ = forced.heard(SAW_ON, at(31))
    confirming, _ = sent.heard(DONE, at(31))

    _, following = confirming.expired(at(41))

    assert isinstance(error_of(following), PowerStateUnconfirmed)


@pytest.mark.parametrize("phase", [Phase.LOOK, Phase.UNSURE, Phase.CONFIRM])
def test_an_answer_that_comes_after_the_time_is_heard_and_leads_to_no_control(phase: Phase) -> None:
    late = at(LIMITS.change_s)

    _, wanted = standing(phase).heard(SAW_OFF, late)
    _, other = standing(phase).heard(SAW_ON, late)

    assert isinstance(wanted, Succeeded)
    assert isinstance(other, Failed)
