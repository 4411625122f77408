"""Logins: how many at a time, what they survive, which cipher suite, and who is refused."""

from typing import Any

import pytest

from castiron.actors.drivers.base import GetPower
from castiron.actors.drivers.ipmi.pacing.limits import Limits
from castiron.testing.bmc import Answers
from castiron.transport.errors import BMCBusy, BMCCredentials, BMCUnreachable, BMCUnsupported
from castiron.transport.vocabulary import PowerState
from tests.unit.actors.drivers.ipmi.lab import ON, SILENCE_S, STEADY, Lab, slowly


def test_a_silent_bmc_holds_no_place_and_a_busy_one_waits_for_its_own() -> None:
    lab = Lab(limits=Limits(logins=1))
    lab.bmc("127.0.0.2")
    dead = [lab.submit(GetPower(), f"127.0.1.{index}") for index in range(1, 20)]
    alive = lab.submit(GetPower(), "127.0.0.2")

    lab.wait(0.1)

    assert alive.value() is PowerState.OFF
    assert not any(ticket.outcomes for ticket in dead)


def test_logins_beyond_the_limit_wait_their_turn_and_all_come_to_it() -> None:
    lab = Lab(limits=Limits(logins=2))
    hosts = [f"127.0.0.{index}" for index in range(1, 11)]
    most = 0
    for host in hosts:
        lab.bmc(host)
    tickets = [lab.submit(GetPower(), host) for host in hosts]

    def opening() -> int:
        asked = {to for _, to, datagram in lab.network.sent if datagram[5] == 0x10}
        return len(asked) - lab.counted("logins")

    while lab.counted("logins") < len(hosts) and lab.clock.step():
        most = max(most, opening())
    lab.wait(0.1)

    assert most == 2
    assert all(ticket.value() is PowerState.OFF for ticket in tickets)


def test_a_bmc_that_falls_silent_in_its_login_gives_its_place_back() -> None:
    lab = Lab(limits=Limits(logins=1))
    lab.bmc("127.0.0.1")
    lab.bmc("127.0.0.2")
    stuck = lab.submit(GetPower(), "127.0.0.1")
    lab.network.is_lost = lambda datagram: datagram[5] == 0x12
    lab.wait(0.1)
    lab.network.is_lost = lambda _: False
    lab.network.bmcs.pop(("127.0.0.1", 623))
    waiting = lab.submit(GetPower(), "127.0.0.2")

    lab.wait(sum(STEADY.login_waits_s))

    assert isinstance(stuck.failure().error, BMCUnreachable)
    assert waiting.value() is PowerState.OFF
    assert lab.counted("logins_failed") == 1


@pytest.mark.parametrize("kind", [0x10, 0x12, 0x14], ids=["open session", "RAKP 1", "RAKP 3"])
def test_a_login_survives_the_loss_of_any_of_its_steps(lab: Lab, kind: int) -> None:
    lab.bmc()
    lost: list[bytes] = []

    def lose_first(datagram: bytes) -> bool:
        if datagram[5] == kind and not lost:
            lost.append(datagram)
            return True
        return False

    lab.network.is_lost = lose_first
    ticket = lab.submit(GetPower())
    lab.wait(2)

    assert ticket.value() is PowerState.OFF
    assert len(lost) == 1
    assert lab.counted("retransmitted") == 1


def test_a_login_whose_answers_come_late_goes_on_with_them(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.network.bmcs["127.0.0.1", 623] = slowly(bmc, 1.5)

    ticket = lab.submit(GetPower())
    lab.wait(6 * 1.5 + 0.1)

    assert ticket.value() is PowerState.OFF
    assert lab.counted("logins") == 1
    assert lab.counted("logins_failed") == 0


def test_of_two_logins_that_are_answered_at_last_only_one_goes_on(lab: Lab) -> None:
    bmc, late = lab.bmc(), [1.5]

    def receive(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        after_s = late.pop() if datagram[5] == 0x10 and late else 0.0
        return [(at_s + after_s, answer) for at_s, answer in bmc.receive(datagram, source, now)]

    lab.network.bmcs["127.0.0.1", 623] = receive
    ticket = lab.submit(GetPower())
    lab.wait(3)

    assert ticket.value() is PowerState.OFF
    assert sum(datagram[5] == 0x10 for _, _, datagram in lab.network.sent) == 2
    assert sum(datagram[5] == 0x12 for _, _, datagram in lab.network.sent) == 1
    assert lab.counted("logins") == lab.counted("sessions") == 1


def test_a_late_refusal_of_a_login_that_was_given_up_ends_nothing(lab: Lab) -> None:
    bmc, heard = lab.bmc(), list[bytes]()

    def receive(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        if datagram[5] != 0x10:
            return [(at_s + 0.5, answer) for at_s, answer in bmc.receive(datagram, source, now)]
        heard.append(datagram)
        answers = bmc.receive(datagram, source, now)
        if len(heard) > 1:
            return [(0.5, answer) for _, answer in answers]
        full = bytearray(answers[0][1])
        full[17] = 0x01  # insufficient resources to create a session
        return [(1.2, bytes(full))]

    lab.network.bmcs["127.0.0.1", 623] = receive
    ticket = lab.submit(GetPower())
    lab.wait(5)

    assert ticket.value() is PowerState.OFF
    assert lab.counted("logins_failed") == 0


@pytest.mark.parametrize(("offered", "logins_sent"), [((3,), 2), ((17,), 1), ((3, 17), 1)], ids=str)
def test_suite_17_is_tried_first_then_3_and_the_one_that_worked_is_remembered(
    lab: Lab, offered: tuple[int, ...], logins_sent: int
) -> None:
    bmc = lab.bmc(cipher_suites=offered)
    lab.ask(GetPower())
    assert sum(datagram[5] == 0x10 for _, _, datagram in lab.network.sent) == logins_sent

    bmc.cold_reset()
    ticket = lab.submit(GetPower())
    lab.wait(SILENCE_S + 1)

    assert ticket.value() is PowerState.OFF
    assert sum(datagram[5] == 0x10 for _, _, datagram in lab.network.sent) == logins_sent + 1


def test_a_bmc_that_agrees_to_another_suite_than_the_one_proposed_is_asked_for_that_one(lab: Lab) -> None:
    bmc = lab.bmc(cipher_suites=(3,))

    def receive(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        if datagram[5] == 0x10:  # whatever is proposed, this BMC hears SHA-1
            heard = bytearray(datagram)
            heard[28] = heard[36] = 1
            datagram = bytes(heard)
        return bmc.receive(datagram, source, now)

    lab.network.bmcs["127.0.0.1", 623] = receive

    assert lab.ask(GetPower()) is PowerState.OFF
    assert sum(datagram[5] == 0x10 for _, _, datagram in lab.network.sent) == 2


def test_a_named_cipher_suite_is_not_traded_for_another(lab: Lab) -> None:
    lab.bmc(cipher_suites=(3,))

    ticket = lab.submit(GetPower(), ipmi_cipher_suite=17)
    lab.wait(1)

    assert isinstance(ticket.failure().error, BMCCredentials)


@pytest.mark.parametrize("wrong", [{"ipmi_password": "no"}, {"ipmi_username": "no"}, {"ipmi_k_g": "no"}], ids=str)
def test_wrong_credentials_are_told_apart_from_silence(lab: Lab, wrong: dict[str, Any]) -> None:
    lab.bmc()

    ticket = lab.submit(ON, **wrong)
    lab.wait(1)

    assert isinstance(ticket.failure().error, BMCCredentials)
    assert ticket.failure().error.details["rmcp_status"] in {0x0D, 0x0F}


@pytest.mark.parametrize("key", ["0x" + "4b" * 20, "4b" * 20, "K" * 20], ids=["0x", "hexadecimal", "text"])
def test_a_bmc_with_a_key_is_logged_into_with_it(lab: Lab, key: str) -> None:
    lab.bmc(k_g=b"K" * 20)

    assert lab.ask(GetPower(), ipmi_k_g=key) is PowerState.OFF


def test_a_bmc_without_a_free_slot_is_busy(lab: Lab) -> None:
    lab.bmc(session_slots=1)
    other = Lab()
    other.network.bmcs = lab.network.bmcs
    lab.ask(GetPower())

    ticket = other.submit(GetPower())
    other.wait(1)

    assert isinstance(ticket.failure().error, BMCBusy)
    assert ticket.failure().error.details["rmcp_status"] == 0x01


def ipmi_v1(datagram: bytes, _source: tuple[str, int], _now: float) -> Answers:
    """Answer Get Channel Authentication Capabilities as a BMC of the IPMI v1.5 age."""
    if datagram[4] != 0:
        return []
    request = datagram[14:-1]
    body = bytes([request[3], 7 << 2, 0, 0x20, request[4], 0x38, 0, 1, 0x04, 0x04, 0, 0, 0, 0, 0, 0])
    return [(0.0, datagram[:13] + bytes([len(body)]) + body)]


def test_a_bmc_without_ipmi_v2_is_unsupported(lab: Lab) -> None:
    lab.network.bmcs["127.0.0.1", 623] = ipmi_v1

    ticket = lab.submit(GetPower())
    lab.wait(1)

    assert isinstance(ticket.failure().error, BMCUnsupported)
