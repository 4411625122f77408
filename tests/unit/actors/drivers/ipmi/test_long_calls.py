"""Operations of many exchanges, erasures with their pauses, and restarts: what they do to other calls."""

from dataclasses import replace

from castiron.actors.drivers.base import Call, Done, GetPower, NotDone, Operation, Outcome
from castiron.actors.drivers.findings import Sensors
from castiron.actors.drivers.ipmi.operations.sel import POLL_S
from castiron.actors.drivers.operations import (
    ClearSEL,
    GetSELInfo,
    ReadFRU,
    ReadSensors,
    ResetBMC,
)
from castiron.testing.bmc import BMC, Answers, Event, Faults, Refusal
from castiron.transport.errors import BMCBusy, BMCCredentials, BMCUnreachable, DeadlineExceeded
from castiron.transport.vocabulary import Applied, Instant, PowerState
from tests.unit.actors.drivers.ipmi.lab import HOST, LOGIN, SILENCE_S, STEADY, Lab, Receive, losing, many, slowly


def patient(lab: Lab, operation: Operation) -> list[Outcome]:
    """Ask for something that nobody waits for."""
    outcomes: list[Outcome] = []
    target = lab.caller.target(LOGIN, HOST, 1)
    deadline = Instant(lab.clock.now() + 600)
    lab.driver.submit(Call(target=target, operation=operation, deadline=deadline, gives_way=True), outcomes.append)
    return outcomes


def aside_for_others(lab: Lab, operation: Operation, deadline_s: float = 600.0) -> list[Outcome]:
    """Ask for something long that steps aside."""
    outcomes: list[Outcome] = []
    deadline = Instant(lab.clock.now() + deadline_s)
    call = Call(
        target=lab.caller.target(LOGIN, HOST, 1),
        operation=operation,
        deadline=deadline,
        gives_way=True,
        steps_aside=True,
    )
    lab.driver.submit(call, outcomes.append)
    return outcomes


class TestManyExchanges:
    def test_another_bmc_is_asked_between_two_of_them(self, lab: Lab) -> None:
        slow = lab.bmc()
        slow.device.repository.sensors = many(100)
        lab.network.bmcs[HOST, 623] = slowly(slow, 0.05)
        lab.bmc("127.0.0.2")
        lab.ask(GetPower(), host="127.0.0.2")

        long = lab.submit(ReadSensors(), deadline_s=60)
        for _ in range(5):
            quick = lab.submit(GetPower(), host="127.0.0.2")
            lab.wait(0.01)
            assert quick.value() is PowerState.OFF
        assert not long.outcomes

        lab.wait(20)
        found = long.value()
        assert isinstance(found, Sensors)
        assert len(found.readings) == 100

    def test_one_that_gives_way_ends_between_two_exchanges(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.repository.sensors = many(100)
        lab.network.bmcs[HOST, 623] = slowly(bmc, 0.05)
        given_up = patient(lab, ReadSensors())
        lab.wait(2)
        assert not given_up

        wanted = lab.submit(GetPower())
        lab.wait(0.2)

        (outcome,) = given_up
        assert isinstance(outcome, NotDone)
        assert (type(outcome.error), outcome.applied) == (BMCBusy, Applied.NO)
        assert wanted.value() is PowerState.OFF
        before = bmc.device.command_count
        lab.wait(5)
        assert bmc.device.command_count == before  # nothing of it goes on

    def test_one_that_steps_aside_lets_every_other_in_and_goes_on(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.repository.sensors = many(100)
        lab.network.bmcs[HOST, 623] = slowly(bmc, 0.05)
        reading = aside_for_others(lab, ReadSensors())
        lab.wait(2)

        for _ in range(20):
            check = patient(lab, GetPower())
            wanted = lab.submit(GetPower())
            lab.wait(0.2)  # the exchange under way, and one of its own
            assert wanted.value() is PowerState.OFF
            assert len(check) == 1
            check = patient(lab, GetPower())
            lab.wait(0.2)
            assert [type(outcome) for outcome in check] == [Done]
        assert not reading
        assert lab.counted("logins") == 1

        lab.wait(30)
        (outcome,) = reading
        assert isinstance(outcome, Done)
        assert isinstance(outcome.value, Sensors)
        assert len(outcome.value.readings) == 100
        assert (lab.counted("in_flight"), lab.counted("waiting")) == (0, 0)

    def test_one_that_has_stepped_aside_begins_anew_in_a_new_session(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.repository.sensors = many(50)
        lab.network.bmcs[HOST, 623] = slowly(bmc, 0.05)
        reading = aside_for_others(lab, ReadSensors())
        lab.wait(2)
        bmc.cold_reset()
        lab.submit(GetPower(), deadline_s=60)

        lab.wait(SILENCE_S + 60)

        (outcome,) = reading
        assert isinstance(outcome, Done), outcome
        assert isinstance(outcome.value, Sensors)
        assert len(outcome.value.readings) == 50

    def test_one_that_has_stepped_aside_ends_when_its_time_is_over(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.repository.sensors = many(100)
        lab.network.bmcs[HOST, 623] = slowly(bmc, 0.05)
        reading = aside_for_others(lab, ReadSensors(), deadline_s=3.0)
        for _ in range(40):
            lab.submit(GetPower())
            lab.wait(0.1)
        (outcome,) = reading
        assert isinstance(outcome, NotDone)
        assert outcome.applied is Applied.NO
        lab.wait(20)
        assert (lab.counted("in_flight"), lab.counted("waiting")) == (0, 0)
        assert lab.ask(GetPower()) is PowerState.OFF

    def test_one_that_takes_too_long_ends_at_its_deadline_and_leaves_the_session(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.repository.sensors = many(200)
        lab.network.bmcs[HOST, 623] = slowly(bmc, 0.05)

        long = lab.submit(ReadSensors(), deadline_s=3)
        lab.wait(3.001)

        assert isinstance(long.failure().error, (BMCUnreachable, DeadlineExceeded))
        assert long.failure().applied is Applied.NO
        assert lab.ask(GetPower()) is PowerState.OFF
        assert lab.counted("logins") == 1

    def test_a_session_that_breaks_in_the_middle_is_opened_anew_and_it_begins_again(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.repository.sensors = many(100)
        lab.network.bmcs[HOST, 623] = slowly(bmc, 0.01)
        long = lab.submit(ReadSensors(), deadline_s=60)
        lab.wait(1)
        bmc.cold_reset()

        lab.wait(SILENCE_S + 10)

        found = long.value()
        assert isinstance(found, Sensors)
        assert len(found.readings) == 100
        assert lab.counted("logins") == 2

    def test_a_lost_answer_costs_one_exchange(self, lab: Lab) -> None:
        lab.bmc()
        lab.ask(GetPower())
        sealed = iter([False, False, True])
        lab.network.is_lost = lambda datagram: datagram[5] == 0xC0 and next(sealed, False)

        ticket = lab.submit(ReadFRU())
        lab.wait(2)

        assert ticket.value() is not None
        assert lab.counted("retransmitted") == 1


class TestErasure:
    def test_it_is_looked_at_every_half_second_and_not_more_often(self, lab: Lab) -> None:
        bmc = lab.bmc()
        lab.ask(GetPower())
        bmc.device.log.erase_s = 10 * POLL_S - 0.1
        before = bmc.device.command_count

        ticket = lab.submit(ClearSEL(), deadline_s=60)
        lab.wait(9.5 * POLL_S)
        assert not ticket.outcomes
        lab.wait(POLL_S)

        assert ticket.value() is None
        assert bmc.device.command_count == before + 2 + 10
        assert lab.counted("in_flight") == 0

    def test_one_without_an_end_is_unknown_at_its_deadline(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.log.erase_s = 1e6

        ticket = lab.submit(ClearSEL(), deadline_s=5.2)
        lab.wait(5.3)

        assert isinstance(ticket.failure().error, DeadlineExceeded)
        assert ticket.failure().applied is Applied.UNKNOWN
        assert lab.ask(GetPower()) is PowerState.OFF

    def test_one_whose_end_is_refused_is_unknown(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.log.erase_s = 1e6
        ticket = lab.submit(ClearSEL())
        lab.wait(POLL_S * 1.5)

        lab.network.bmcs[HOST, 623] = refusing(bmc)
        lab.wait(2)

        assert ticket.failure().applied is Applied.UNKNOWN

    def test_one_that_is_refused_was_not_applied(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.log.add(Event(1, 1, 1, b"\x59"), 0)

        ticket = lab.submit(ClearSEL(), ipmi_priv_level="USER")
        lab.wait(1)

        assert (type(ticket.failure().error), ticket.failure().applied) == (BMCCredentials, Applied.NO)
        assert len(bmc.device.log) == 1

    def test_a_keepalive_during_a_pause_does_not_disturb_it(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.log.erase_s = 40.0

        ticket = lab.submit(ClearSEL(), deadline_s=100)
        lab.wait(41)

        assert ticket.value() is None
        assert lab.counted("logins") == 1

    def test_a_look_waits_for_the_answer_to_a_keepalive(self) -> None:
        lab = Lab(timing=replace(STEADY, keepalive_s=POLL_S * 0.9))
        bmc = lab.bmc()
        bmc.device.log.erase_s = 4.0
        lab.network.bmcs[HOST, 623] = slowly(bmc, 0.3)

        ticket = lab.submit(ClearSEL(), deadline_s=100)
        lab.wait(12)

        assert ticket.value() is None
        assert lab.counted("dropped") == 0  # no answer came to a question that another one had taken the place of

    def test_a_second_copy_whose_first_was_carried_out_clears_again(self, lab: Lab) -> None:
        bmc = lab.bmc()
        lab.ask(GetSELInfo())
        lost = iter([False, True])  # the reservation's answer comes, the erasure's does not

        def receive(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
            answers = bmc.receive(datagram, source, now)
            return [] if datagram[5] == 0xC0 and next(lost, False) else answers

        lab.network.bmcs[HOST, 623] = receive
        ticket = lab.submit(ClearSEL())
        lab.wait(3)

        assert ticket.value() is None


def refusing(bmc: BMC) -> Receive:
    """Have every command refused from now on."""
    bmc.faults = Faults(refusal=Refusal(code=0xC1, count=100))
    return bmc.receive


class TestRestart:
    def test_the_session_is_given_up_and_the_next_call_logs_in(self, lab: Lab) -> None:
        bmc = lab.bmc()
        lab.ask(GetPower())

        assert lab.ask(ResetBMC()) is None
        assert lab.counted("sessions") == 0
        assert bmc.device.reset_count == 1

        assert lab.ask(GetPower()) is PowerState.OFF
        assert lab.counted("logins") == 2

    def test_nothing_is_said_to_a_bmc_that_restarts(self, lab: Lab) -> None:
        bmc = lab.bmc()
        lab.ask(ResetBMC())
        count = len(lab.network.sent)

        lab.wait(STEADY.keepalive_s * 2)

        assert len(lab.network.sent) == count
        assert bmc.device.sessions.established(lab.clock.now()) == []

    def test_calls_during_the_restart_end_and_those_after_it_succeed(self, lab: Lab) -> None:
        bmc = lab.bmc()
        bmc.device.reset_s = 60.0
        lab.ask(ResetBMC())

        during = lab.submit(GetPower())
        lab.wait(15)
        assert isinstance(during.failure().error, BMCUnreachable)

        lab.wait(45)
        assert lab.ask(GetPower()) is PowerState.OFF

    def test_one_whose_answer_is_lost_is_sent_once_and_unknown(self, lab: Lab) -> None:
        bmc = lab.bmc()
        lab.network.bmcs[HOST, 623] = losing(bmc, lambda: bmc.device.reset_count > 0)
        lab.ask(GetPower())

        ticket = lab.submit(ResetBMC())
        lab.wait(STEADY.control_wait_s + 1)

        assert (type(ticket.failure().error), ticket.failure().applied) == (BMCUnreachable, Applied.UNKNOWN)
        assert bmc.device.reset_count == 1
        assert lab.counted("sessions") == 0

    def test_an_idle_session_is_tried_first(self, lab: Lab) -> None:
        bmc = lab.bmc()
        lab.ask(GetPower())
        lab.wait(STEADY.fresh_s)
        bmc.cold_reset()

        ticket = lab.submit(ResetBMC())
        lab.wait(SILENCE_S + 1)

        assert ticket.value() is None
        assert bmc.device.reset_count == 2  # the one behind its back, and the one that was asked for

    def test_a_call_behind_it_waits_for_a_new_session(self, lab: Lab) -> None:
        lab.bmc()
        reset, after = lab.submit(ResetBMC()), lab.submit(GetPower())

        lab.wait(1)

        assert reset.value() is None
        assert after.value() is PowerState.OFF
        assert lab.counted("logins") == 2

    def test_one_that_is_refused_keeps_the_session(self, lab: Lab) -> None:
        bmc = lab.bmc()
        lab.ask(GetPower(), ipmi_priv_level="OPERATOR")

        ticket = lab.submit(ResetBMC(), ipmi_priv_level="OPERATOR")
        lab.wait(1)

        assert ticket.failure().applied is Applied.NO
        assert (lab.counted("sessions"), bmc.device.reset_count) == (1, 0)
