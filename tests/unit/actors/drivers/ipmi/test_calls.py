"""Calls that wait: behind others, for a slow BMC, or for nobody."""

from castiron.actors.drivers.base import Call, GetPower, NotDone, Outcome
from castiron.testing.bmc import Answers
from castiron.transport.errors import BMCBusy, BMCUnreachable, DeadlineExceeded
from castiron.transport.vocabulary import Applied, Instant, PowerState
from tests.unit.actors.drivers.ipmi.lab import ON, SILENCE_S, Lab


def check(lab: Lab, host: str = "127.0.0.1") -> list[Outcome]:
    """A read that nobody waits for."""
    outcomes: list[Outcome] = []
    login = {"ipmi_address": host, "ipmi_username": "admin", "ipmi_password": "secret"}
    call = Call(
        target=lab.caller.target(login, host, 1),
        operation=GetPower(),
        deadline=Instant(lab.clock.now() + 15.0),
        gives_way=True,
    )
    lab.driver.submit(call, outcomes.append)
    return outcomes


def test_a_call_that_nobody_waits_for_ends_when_another_comes_and_its_exchange_goes_on(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.ask(GetPower())
    lab.wait(10)
    commands = bmc.device.command_count

    def slowly(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        return [(after_s + 0.5, answer) for after_s, answer in bmc.receive(datagram, source, now)]

    lab.network.bmcs["127.0.0.1", 623] = slowly
    given_up = check(lab)
    lab.wait(0.1)

    wanted = lab.submit(GetPower())
    lab.wait(0)
    (outcome,) = given_up
    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.error, BMCBusy)
    lab.wait(2.5)

    assert wanted.value() is PowerState.OFF
    assert bmc.device.command_count == commands + 2
    assert lab.counted("logins") == 1


def test_calls_that_nobody_waits_for_do_not_overtake_each_other_and_hold_nobody_up(lab: Lab) -> None:
    first, second = check(lab), check(lab)
    lab.wait(1.5)
    assert (first, second) == ([], [])

    wanted = lab.submit(GetPower())
    lab.wait(0)

    assert len(first) == len(second) == 1
    lab.wait(SILENCE_S)
    assert isinstance(wanted.failure().error, BMCUnreachable)
    assert lab.counted("waiting") == lab.counted("in_flight") == 0


def test_calls_wait_for_the_interval_between_commands(lab: Lab) -> None:
    lab.bmc()
    begun = lab.clock.now()
    tickets = [lab.submit(GetPower(), min_command_interval_s=2) for _ in range(3)]

    ends: list[float] = []
    while len(ends) < 3 and lab.clock.step():
        ends = ends or []
        while len(lab.caller.ended) > len(ends):
            ends.append(lab.clock.now() - begun)

    assert all(ticket.value() is PowerState.OFF for ticket in tickets)
    assert ends[1] - ends[0] >= 2
    assert ends[2] - ends[1] >= 2


def test_a_call_that_waits_behind_others_for_too_long_was_never_sent(lab: Lab) -> None:
    lab.bmc()
    first = lab.submit(GetPower(), min_command_interval_s=10)
    lab.wait(0.1)
    second = lab.submit(ON, min_command_interval_s=10, deadline_s=1)
    third = lab.submit(ON, min_command_interval_s=10, deadline_s=1)
    lab.wait(1.1)

    assert first.value() is PowerState.OFF
    assert isinstance(second.failure().error, DeadlineExceeded)
    assert isinstance(third.failure().error, DeadlineExceeded)
    assert second.failure().applied is third.failure().applied is Applied.NO


def test_more_calls_than_may_wait_are_refused_at_once(lab: Lab) -> None:
    tickets = [lab.submit(GetPower()) for _ in range(40)]

    lab.wait(0)

    refused = [ticket for ticket in tickets if ticket.outcomes]
    assert len(refused) == 8
    assert all(isinstance(ticket.failure().error, BMCBusy) for ticket in refused)


def test_a_slow_bmc_keeps_its_session_when_a_call_gives_up(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.ask(GetPower())

    def slow(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        return [(delay_s + 0.8, answer) for delay_s, answer in bmc.receive(datagram, source, now)]

    lab.network.bmcs["127.0.0.1", 623] = slow
    hasty = lab.submit(GetPower(), deadline_s=0.5)
    patient = lab.submit(GetPower(), deadline_s=5)
    lab.wait(2)

    assert isinstance(hasty.failure().error, BMCUnreachable)
    assert patient.value() is PowerState.OFF
    assert lab.counted("logins") == 1
