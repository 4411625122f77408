"""The power machine, alone: its rules one by one, and then through any weather."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.actors.core.machines import power
from castiron.actors.core.machines.legs import LEGS, TRANSITIONS, WANTED, Do, Happening, Phase, Rule
from castiron.actors.core.machines.power import PowerAction, PowerPlace
from castiron.actors.core.machines.turn import Ask, Failed, Limits, Next, Succeeded, Wait
from castiron.actors.drivers.base import Done, GetPower, NotDone, Outcome, SetPower
from castiron.transport.errors import (
    BMCBusy,
    BMCCredentials,
    BMCError,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    CastironError,
    DeadlineExceeded,
    PowerStateUnconfirmed,
)
from castiron.transport.vocabulary import Applied, Instant, PowerControl, PowerState, PowerTarget
from tests.support.weather import FAIR, GUSTS, LEADS_TO, Fate, Gust, Machine, weather

LIMITS = Limits(change_s=10.0, soft_off_s=30.0, poll_initial_s=0.5, poll_max_s=2.0, settle_s=3.0)
COMMAND_TIMEOUT_S = 4.0
T0 = Instant(1000.0)
READ: Next = Ask(GetPower())
ON, OFF, SOFT_OFF = PowerControl.ON, PowerControl.OFF, PowerControl.SOFT_OFF


def action(target: PowerTarget = PowerTarget.OFF, *, hard_fallback: bool = False, **place: Any) -> PowerAction:
    return PowerAction(target=target, hard_fallback=hard_fallback, limits=LIMITS, place=PowerPlace(**place))


def standing(
    phase: Phase, target: PowerTarget = PowerTarget.OFF, *, hard_fallback: bool = False, **place: Any
) -> PowerAction:
    """An action in the midst of its first leg, as it comes there."""
    begun, _ = action(target, hard_fallback=hard_fallback).begin(T0)
    if phase is not Phase.LOOK:
        begun, _ = begun.heard(Done(value=PowerState.ON), T0)
    if phase is Phase.UNSURE:
        begun, _ = begun.heard(unanswered(), T0)
    if phase is Phase.CONFIRM:
        begun, _ = begun.heard(Done(value=None), T0)
    return replace(begun, place=replace(begun.place, **place))


def at(seconds: float) -> Instant:
    return Instant(T0 + seconds)


def sending(control: PowerControl) -> Next:
    return Ask(SetPower(control), commit_first=True)


def failing(error: type[BMCError | DeadlineExceeded] = BMCUnreachable, applied: Applied = Applied.NO) -> NotDone:
    return NotDone(error=error("It failed."), applied=applied)


def unanswered() -> NotDone:
    return failing(applied=Applied.UNKNOWN)


def error_of(following: Next) -> CastironError:
    assert isinstance(following, Failed)
    return following.error


# Each rule: how it happens, and what it orders.

SAW_ON, SAW_OFF = Done(value=PowerState.ON), Done(value=PowerState.OFF)
DONE = Done(value=None)
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


# Any weather.


@dataclass
class Drive:
    """Drives an action as a node's actor would, in virtual time, and checks what must hold on the way."""

    machine: Machine
    action: PowerAction
    gusts: Iterator[Gust]
    now: float = T0
    crashes: Iterator[bool] = field(default_factory=lambda: iter(()))
    disk: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reported: PowerState | None = None
    doubted: bool = False
    """A control was without an answer at some time."""
    began: float = T0

    def run(self) -> Succeeded | Failed:
        self.action, following = self.action.begin(Instant(self.now))
        self.disk = self.action.progress()
        for _ in range(3000):
            assert self.now <= self.began + life_s(self.action) + 1e-6, "a leg outlived its time"
            if isinstance(following, (Succeeded, Failed)):
                return following
            following = self.follow(following)
        raise AssertionError("it does not end")

    def follow(self, wish: Ask | Wait) -> Next:
        if isinstance(wish, Ask) and wish.commit_first:
            self.disk = self.action.progress()
        if next(self.crashes, False):
            return self.crash()
        if isinstance(wish, Ask):
            return self.ask(wish)
        if wish.until > self.action.until:
            return self.expire()
        self.now = wish.until
        self.action, following = self.action.woke(Instant(self.now))
        return following

    def ask(self, asked: Ask) -> Next:
        operation, gust = asked.operation, next(self.gusts)
        if isinstance(operation, SetPower):
            assert asked.commit_first, "sent before its place was on disk"
            assert self.reported is not None, "sent to a machine that was not looked at"
            assert self.reported is not LEADS_TO[operation.control], "sent to a machine that was there"
        deadline = min(self.action.until, self.now + COMMAND_TIMEOUT_S)
        outcome = self.machine.carry_out(operation, gust, self.now)
        if next(self.crashes, False):
            return self.crash()
        answered = min(deadline, self.now + (COMMAND_TIMEOUT_S if gust.fate is Fate.TOO_LATE else gust.takes_s))
        if isinstance(operation, SetPower) and isinstance(outcome, NotDone) and outcome.applied is not Applied.NO:
            self.doubted = True
        if answered >= self.action.until:
            self.doubted |= isinstance(operation, SetPower)
            return self.expire()
        self.now = answered
        self.machine.settle(self.now)
        if isinstance(outcome, Done) and isinstance(outcome.value, PowerState):
            self.reported = outcome.value
        self.action, following = self.action.heard(outcome, Instant(self.now))
        return following

    def expire(self) -> Next:
        self.now = max(self.now, self.action.until)
        self.action, following = self.action.expired(Instant(self.now))
        return following

    def crash(self) -> Next:
        self.now += 1.0
        self.began = self.now
        self.doubted = True
        fresh = replace(self.action, place=PowerPlace())
        self.action, following = fresh.resume(self.disk, Instant(self.now))
        self.disk = self.action.progress()
        return following


def life_s(driven: PowerAction) -> float:
    """The longest that an action may take without a crash: each leg, a soft power off's own time, and forcing it."""
    legs = len(LEGS[driven.target])
    return legs * LIMITS.change_s + LIMITS.soft_off_s + LIMITS.change_s


def is_part(part: list[PowerControl], whole: list[str]) -> bool:
    left = iter(whole)
    return all(control.value in left for control in part)


@settings(max_examples=300, deadline=None)
@given(
    target=st.sampled_from(PowerTarget),
    hard_fallback=st.booleans(),
    begins=st.sampled_from(PowerState),
    gusts=st.lists(GUSTS, max_size=25),
    afterwards=st.sampled_from([FAIR, Gust(Fate.LOST), Gust(Fate.TOO_LATE), Gust(effect_after_s=None)]),
    crashes=st.lists(st.sampled_from([False, False, False, True]), max_size=40),
)
def test_in_any_weather_it_ends_once_and_tells_the_truth(
    *,
    target: PowerTarget,
    hard_fallback: bool,
    begins: PowerState,
    gusts: list[Gust],
    afterwards: Gust,
    crashes: list[bool],
) -> None:
    machine = Machine(power=begins)
    drive = Drive(
        machine, action(target, hard_fallback=hard_fallback), weather(gusts, afterwards), crashes=iter(crashes)
    )

    ending = drive.run()

    sent = [control.value for control in drive.action.place.sent]
    assert is_part(machine.arrived, sent), "something arrived that is not in the books"
    assert sent.count("soft off") <= 1
    if isinstance(ending, Succeeded):
        assert drive.reported is WANTED[LEGS[target][-1]]
        assert ending.result["power_state"] is drive.reported
        assert ending.result["sent"] == sent
    else:
        certain = Applied.YES if machine.arrived else Applied.NO
        assert ending.error.applied in ({certain, Applied.UNKNOWN} if drive.doubted else {certain})
