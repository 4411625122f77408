"""The engine in virtual time, against the farm's BMCs without their sockets: every instant and datagram is exact."""

import random
import socket
from collections.abc import Callable
from typing import Any

import pytest

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import (
    BootSetting,
    Call,
    GetBootDevice,
    GetPower,
    NotDone,
    Outcome,
    SetBootDevice,
    SetPower,
    Target,
)
from castiron.actors.drivers.ipmi.inline import InlineIPMIDriver
from castiron.actors.drivers.ipmi.sessions.link import Link
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.ipmi.wire.address import Address
from castiron.testing.bmc import BMC, Answers, BMCSettings, Device, controller
from castiron.testing.bmc.commands import execute
from castiron.testing.bmc.wire.rmcp import Message
from castiron.testing.bmc.wire.session import Session
from castiron.transport.errors import (
    BMCBusy,
    BMCCredentials,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    DeadlineExceeded,
)
from castiron.transport.vocabulary import Applied, BootDevice, Instant, NodeUUID, PowerControl, PowerState, Seconds
from tests.support.driver_calls import Caller, Ticket
from tests.support.sim_network import SimNetwork

ON = SetPower(PowerControl.ON)
STEADY = Timing(jitter=0)
SILENCE_S = sum(STEADY.waits_s)


class Lab:
    """A driver, a network and any number of BMCs, all in one virtual time."""

    def __init__(self, *, max_logins: int = 256, lookup: Any = None) -> None:
        self.clock = VirtualClock(Instant(1_000_000.0))
        self.network = SimNetwork(self.clock)
        options = {"lookup": lookup} if lookup else {}
        self.driver = InlineIPMIDriver(
            self.clock, self.network, rng=random.Random(1), timing=STEADY, max_logins=max_logins, **options
        )
        self.network.driver = self.driver
        self.caller = Caller(self.driver, self.clock)

    def bmc(self, host: str = "127.0.0.1", **settings: Any) -> BMC:
        made = BMC(host, BMCSettings(username="admin", password="secret", **settings), random.Random(2))
        self.network.bmcs[(host, 623)] = made.receive
        return made

    def submit(self, operation: Any, host: str = "127.0.0.1", deadline_s: float = 15.0, **info: Any) -> Ticket:
        generation = info.pop("generation", 1)
        node = info.pop("node", host)
        login = {"ipmi_address": host, "ipmi_username": "admin", "ipmi_password": "secret", **info}
        return self.caller.submit(self.caller.target(login, node, generation), operation, deadline_s)

    def wait(self, seconds: float) -> None:
        self.clock.advance(Seconds(seconds))

    def ask(self, operation: Any, **more: Any) -> Any:
        ticket = self.submit(operation, **more)
        self.wait(1)
        return ticket.value()

    def counted(self, name: str) -> int:
        return self.driver.counters()[name]

    def sealed(self) -> list[bytes]:
        """The datagrams that were sent inside sessions."""
        return [datagram for _, _, datagram in self.network.sent if datagram[5] == 0xC0]


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_check_in_an_open_session_is_one_datagram_each_way(lab: Lab) -> None:
    lab.bmc()
    lab.ask(GetPower())
    sent, received = lab.counted("sent"), lab.counted("received")

    assert lab.ask(GetPower()) is PowerState.OFF

    assert (lab.counted("sent"), lab.counted("received")) == (sent + 1, received + 1)
    assert lab.counted("logins") == lab.counted("sessions") == 1


def test_nobody_there_is_asked_three_times_and_told_unreachable(lab: Lab) -> None:
    begun = lab.clock.now()
    ticket = lab.submit(ON)

    lab.wait(SILENCE_S - 0.01)
    assert not ticket.outcomes
    lab.wait(0.02)

    failure = ticket.failure()
    assert isinstance(failure.error, BMCUnreachable)
    assert failure.applied is Applied.NO
    assert failure.error.details == {"node": "127.0.0.1", "address": "127.0.0.1:623"}
    assert [round(at - begun, 3) for at, _, _ in lab.network.sent] == [0, 1, 3]


def test_a_silent_bmc_holds_no_place_and_a_busy_one_waits_for_its_own() -> None:
    lab = Lab(max_logins=1)
    lab.bmc("127.0.0.2")
    dead = [lab.submit(GetPower(), f"127.0.1.{index}") for index in range(1, 20)]
    alive = lab.submit(GetPower(), "127.0.0.2")

    lab.wait(0.1)

    assert alive.value() is PowerState.OFF
    assert not any(ticket.outcomes for ticket in dead)


def test_logins_beyond_the_limit_wait_their_turn_and_all_come_to_it() -> None:
    lab = Lab(max_logins=2)
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
    lab = Lab(max_logins=1)
    lab.bmc("127.0.0.1")
    lab.bmc("127.0.0.2")
    stuck = lab.submit(GetPower(), "127.0.0.1")
    lab.network.is_lost = lambda datagram: datagram[5] == 0x12
    lab.wait(0.1)
    lab.network.is_lost = lambda _: False
    lab.network.bmcs.pop(("127.0.0.1", 623))
    waiting = lab.submit(GetPower(), "127.0.0.2")

    lab.wait(SILENCE_S)

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


def test_a_read_is_sent_again_with_the_same_request_number_and_a_new_sequence_number(lab: Lab) -> None:
    lab.bmc()
    lab.ask(GetPower())
    answering = lab.network.bmcs.pop(("127.0.0.1", 623))
    ticket = lab.submit(GetPower())
    lab.wait(0.5)
    lab.network.bmcs["127.0.0.1", 623] = answering
    lab.wait(1)

    assert ticket.value() is PowerState.OFF
    first, second = lab.sealed()[-2:]
    assert int.from_bytes(second[10:14], "little") == int.from_bytes(first[10:14], "little") + 1
    assert lab.counted("logins") == 1


def test_a_read_in_a_forgotten_session_succeeds_once_through_a_fresh_login(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.ask(GetPower())
    bmc.cold_reset()

    ticket = lab.submit(GetPower())
    lab.wait(SILENCE_S + 1)

    assert ticket.value() is PowerState.OFF
    assert lab.counted("logins") == 2
    assert len(ticket.outcomes) == 1


def test_a_read_is_repeated_only_once(lab: Lab) -> None:
    lab.bmc()
    since_login: list[bytes] = []

    def hears_logins_only(datagram: bytes) -> bool:
        if datagram[5] != 0xC0:
            since_login.clear()
            return False
        since_login.append(datagram)
        return len(since_login) > 1  # the first sealed one sets the privilege level

    lab.network.is_lost = hears_logins_only
    ticket = lab.submit(GetPower(), deadline_s=100)
    lab.wait(60)

    assert isinstance(ticket.failure().error, BMCUnreachable)
    assert ticket.failure().applied is Applied.NO
    assert lab.counted("logins") == 2


class Controls:
    """Watches what a BMC is told, and may keep its answers back."""

    def __init__(self, bmc: BMC) -> None:
        self.bmc = bmc
        self.loses_answers = False

    def receive(self, datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        before = self.count
        answers = self.bmc.receive(datagram, source, now)
        return [] if self.loses_answers and self.count > before else answers

    @property
    def count(self) -> int:
        return self.bmc.device.chassis.control_count


def test_a_control_whose_answer_is_lost_is_sent_once_and_its_outcome_unknown(lab: Lab) -> None:
    controls = Controls(lab.bmc())
    lab.network.bmcs["127.0.0.1", 623] = controls.receive
    lab.ask(GetPower())
    sealed = len(lab.sealed())
    controls.loses_answers = True

    ticket = lab.submit(ON)
    lab.wait(STEADY.control_wait_s + 0.1)

    assert ticket.failure().applied is Applied.UNKNOWN
    assert isinstance(ticket.failure().error, BMCUnreachable)
    assert controls.count == 1
    assert len(lab.sealed()) == sealed + 2  # the control, and one Close Session for what may still be open
    assert lab.ask(GetPower()) is PowerState.ON


def test_a_control_that_is_lost_is_not_sent_again_either(lab: Lab) -> None:
    controls = Controls(lab.bmc())
    lab.network.bmcs["127.0.0.1", 623] = controls.receive
    lab.ask(GetPower())
    lab.network.is_lost = lambda datagram: datagram[5] == 0xC0

    ticket = lab.submit(ON)
    lab.wait(30)

    assert ticket.failure().applied is Applied.UNKNOWN
    assert controls.count == 0
    assert len(ticket.outcomes) == 1


def test_a_control_ends_at_its_deadline_if_that_is_earlier(lab: Lab) -> None:
    controls = Controls(lab.bmc())
    lab.network.bmcs["127.0.0.1", 623] = controls.receive
    lab.ask(GetPower())
    controls.loses_answers = True

    ticket = lab.submit(ON, deadline_s=0.5)
    lab.wait(0.51)

    assert ticket.failure().applied is Applied.UNKNOWN


def test_an_idle_session_is_tried_before_a_control_goes_into_it(lab: Lab) -> None:
    controls = Controls(lab.bmc())
    lab.network.bmcs["127.0.0.1", 623] = controls.receive
    lab.ask(GetPower())
    lab.wait(STEADY.fresh_s)
    controls.bmc.cold_reset()

    ticket = lab.submit(ON)
    lab.wait(SILENCE_S + 1)

    assert ticket.value() is None
    assert controls.count == 1
    assert lab.counted("logins") == 2


def test_a_control_that_was_not_sent_was_not_applied(lab: Lab) -> None:
    lab.bmc()
    lab.ask(GetPower())
    lab.network.has_route = False

    ticket = lab.submit(ON)
    lab.wait(1)

    assert ticket.failure().applied is Applied.NO
    assert isinstance(ticket.failure().error, BMCUnreachable)


def test_a_boot_device_that_was_sent_and_never_answered_is_unknown(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.ask(GetPower())
    seen: list[bytes] = []

    def receive(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        seen.append(datagram)
        answers = bmc.receive(datagram, source, now)
        return answers if len(seen) <= 3 else []  # set in progress, valid bit clearing, acknowledge

    lab.network.bmcs["127.0.0.1", 623] = receive
    ticket = lab.submit(SetBootDevice(BootSetting(BootDevice.PXE)))
    lab.wait(20)

    assert ticket.failure().applied is Applied.UNKNOWN


def test_a_boot_device_refused_after_its_first_answer_was_lost_stays_unknown(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    bmc = lab.bmc()
    flags_seen: list[bytes] = []

    def refuse_second(device: Device, session: Session, message: Message, now: float) -> bytes:
        if (message.netfn, message.command, message.data[:1]) == (0, 8, b"\x05"):
            flags_seen.append(message.data)
            if bmc.device.login_count > 1:
                return b"\xcc"
        return execute(device, session, message, now)

    def receive(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        answers = bmc.receive(datagram, source, now)
        is_lost = flags_seen and datagram[5] == 0xC0 and bmc.device.login_count == 1
        return [] if is_lost else answers

    monkeypatch.setattr(controller, "execute", refuse_second)
    lab.network.bmcs["127.0.0.1", 623] = receive
    ticket = lab.submit(SetBootDevice(BootSetting(BootDevice.PXE)))
    lab.wait(15)

    assert isinstance(ticket.failure().error, BMCUnsupported)
    assert ticket.failure().applied is Applied.UNKNOWN
    assert len(flags_seen) == len(STEADY.waits_s) + 1


@pytest.mark.parametrize(
    "setting",
    [
        BootSetting(device, persistent=persistent, uefi=uefi)
        for device in BootDevice
        if device is not BootDevice.DEFAULT
        for persistent in (False, True)
        for uefi in (False, True)
    ],
    ids=str,
)
def test_every_boot_setting_reads_back(lab: Lab, setting: BootSetting) -> None:
    lab.bmc()

    lab.ask(SetBootDevice(setting))

    assert lab.ask(GetBootDevice()) == setting


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


def test_an_idle_session_is_kept_alive_for_as_long_as_nothing_is_asked(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.ask(GetPower())
    commands = bmc.device.command_count

    lab.wait(600)

    assert bmc.device.command_count == commands + 20  # 601 s at one in 30 s
    assert lab.ask(GetPower()) is PowerState.OFF
    assert lab.counted("logins") == 1


def test_a_session_that_dies_while_idle_costs_nobody_anything_until_the_next_call(lab: Lab) -> None:
    bmc = lab.bmc()
    lab.ask(GetPower())
    bmc.cold_reset()

    lab.wait(STEADY.keepalive_s + SILENCE_S)

    assert lab.counted("sessions") == 0
    assert lab.ask(GetPower()) is PowerState.OFF
    assert lab.counted("logins") == 2


def test_a_session_on_demand_is_closed_when_nothing_waits(lab: Lab) -> None:
    bmc = lab.bmc(session_slots=1)
    tickets = [lab.submit(GetPower(), ipmi_session="on_demand") for _ in range(3)]
    lab.wait(1)

    assert [ticket.value() for ticket in tickets] == [PowerState.OFF] * 3
    assert bmc.device.login_count == 1
    assert bmc.device.sessions.established(lab.clock.now()) == []

    lab.ask(GetPower(), ipmi_session="on_demand")
    assert bmc.device.login_count == 2


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


def test_newer_driver_info_replaces_the_session_and_ends_what_waited(lab: Lab) -> None:
    old, new = lab.bmc("127.0.0.1"), lab.bmc("127.0.0.2")
    lab.ask(GetPower(), node="n")
    lab.network.is_lost = lambda _: True
    under_way = lab.submit(GetPower(), node="n")
    waiting = lab.submit(ON, node="n")
    lab.wait(0.1)
    lab.network.is_lost = lambda _: False

    moved = lab.submit(GetPower(), "127.0.0.2", node="n", generation=2)
    lab.wait(0.1)

    assert isinstance(under_way.failure().error, BMCFault)
    assert isinstance(waiting.failure().error, BMCFault)
    assert moved.value() is PowerState.OFF
    assert len(new.device.sessions.established(lab.clock.now())) == 1
    assert old.device.sessions.established(lab.clock.now()) == []


def test_a_new_owner_with_the_same_driver_info_keeps_the_session(lab: Lab) -> None:
    lab.bmc()
    lab.ask(GetPower(), generation=1)

    assert lab.ask(GetPower(), generation=2) is PowerState.OFF

    assert lab.counted("logins") == 1


def test_stopping_logs_out_of_every_bmc(lab: Lab) -> None:
    bmcs = [lab.bmc(f"127.0.0.{index}") for index in range(1, 6)]
    for index in range(1, 6):
        lab.submit(GetPower(), f"127.0.0.{index}")
    lab.wait(1)

    lab.driver.stop(1)
    lab.wait(1)

    assert [bmc.device.sessions.established(lab.clock.now()) for bmc in bmcs] == [[]] * 5
    assert lab.counted("sessions") == 0


def test_a_logout_that_is_not_answered_is_sent_twice_and_given_up(lab: Lab) -> None:
    lab.bmc()
    lab.ask(GetPower())
    sealed = len(lab.sealed())
    lab.network.bmcs.clear()

    lab.driver.forget(NodeUUID("127.0.0.1"))
    lab.wait(sum(STEADY.close_waits_s) + 0.1)

    assert len(lab.sealed()) == sealed + 2
    lab.wait(STEADY.keepalive_s)
    assert lab.clock.next_at() is None


def test_a_name_that_resolves_is_asked_for_once_and_used() -> None:
    asked: list[str] = []

    def lookup(host: str, port: int) -> list[Address]:
        asked.append(host)
        return [Address(socket.AF_INET, ("127.0.0.7", port))]

    named = Lab(lookup=lookup)
    named.bmc("127.0.0.7")

    assert [named.ask(GetPower(), host="bmc.example") for _ in range(3)] == [PowerState.OFF] * 3
    assert asked == ["bmc.example"]
    assert named.counted("resolved") == 1


def test_a_name_is_looked_up_again_when_nobody_answers_at_its_address() -> None:
    places = ["127.0.0.8", "127.0.0.7"]

    def lookup(_: str, port: int) -> list[Address]:
        return [Address(socket.AF_INET, (places.pop(0), port))]

    lab = Lab(lookup=lookup)
    lab.bmc("127.0.0.7")
    first = lab.submit(GetPower(), "bmc.example")
    lab.wait(SILENCE_S + 0.1)

    assert isinstance(first.failure().error, BMCUnreachable)
    assert lab.ask(GetPower(), host="bmc.example") is PowerState.OFF


def test_a_name_that_does_not_resolve_costs_its_node_only(lab: Lab) -> None:
    lab.bmc()
    unknown, known = lab.submit(GetPower(), "nobody.example"), lab.submit(GetPower())
    lab.wait(1)

    assert isinstance(unknown.failure().error, BMCUnreachable)
    assert known.value() is PowerState.OFF


def test_a_second_address_of_a_name_is_tried_when_the_first_is_silent() -> None:
    def lookup(_: str, port: int) -> list[Address]:
        return [Address(socket.AF_INET, (f"127.0.0.{last}", port)) for last in (8, 7)]

    lab = Lab(lookup=lookup)
    lab.bmc("127.0.0.7")

    ticket = lab.submit(GetPower(), "bmc.example")
    lab.wait(2)

    assert ticket.value() is PowerState.OFF


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


def test_a_receiver_that_raises_harms_nobody_else(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.bmc()

    def refuse(_: Outcome) -> None:
        raise RuntimeError("a receiver's bug")

    target = lab.caller.target({"ipmi_address": "127.0.0.1", "ipmi_username": "admin", "ipmi_password": "secret"}, "n")
    lab.driver.submit(Call(target=target, operation=GetPower(), deadline=Instant(lab.clock.now() + 5)), refuse)
    after = lab.caller.submit(target, GetPower())
    lab.wait(1)

    assert after.value() is PowerState.OFF
    assert "a receiver's bug" in caplog.text
    assert "secret" not in caplog.text


def test_driver_info_that_was_never_checked_is_an_outcome_and_not_an_exception(lab: Lab) -> None:
    tickets: list[Outcome] = []
    target = Target(node=NodeUUID("n"), generation=1, info={"ipmi_address": "127.0.0.1", "ipmi_port": "secret"})

    lab.driver.submit(Call(target=target, operation=ON, deadline=Instant(lab.clock.now() + 5)), tickets.append)
    lab.wait(0)

    assert isinstance(tickets[0], NotDone)
    assert isinstance(tickets[0].error, BMCFault)
    assert tickets[0].applied is Applied.NO
    assert "secret" not in str(tickets[0].error)


def test_an_answer_that_cannot_be_read_is_a_fault_of_the_bmc(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.bmc()
    lab.ask(GetPower())

    def be_brief(_device: Device, _session: Session, _message: Message, _now: float) -> bytes:
        return b"\x00\x01"

    monkeypatch.setattr(controller, "execute", be_brief)

    ticket = lab.submit(GetPower())
    lab.wait(1)

    assert isinstance(ticket.failure().error, BMCFault)
    assert lab.counted("logins") == 1


def test_a_fault_of_ours_at_one_bmc_ends_its_calls_and_no_others(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lab.bmc("127.0.0.1")
    lab.bmc("127.0.0.2")
    granted: Callable[[Link], None] = Link.granted

    def fail_once(link: Link) -> None:
        monkeypatch.setattr(Link, "granted", granted)
        raise RuntimeError("a bug")

    monkeypatch.setattr(Link, "granted", fail_once)
    first, second = lab.submit(GetPower(), "127.0.0.1"), lab.submit(GetPower(), "127.0.0.2")
    lab.wait(1)

    assert isinstance(first.failure().error, BMCFault)
    assert second.value() is PowerState.OFF
    assert "a bug" in caplog.text
    assert lab.ask(GetPower()) is PowerState.OFF


def test_the_same_seed_sends_the_same_requests_at_the_same_instants() -> None:
    def story() -> list[tuple[float, Any, int]]:
        lab = Lab()
        for index in range(1, 6):
            lab.bmc(f"127.0.0.{index}")
        for turn in range(3):
            for index in range(1, 8):
                lab.submit(GetPower() if turn else ON, f"127.0.0.{index}")
            lab.wait(30)
        return [(at, to, len(datagram)) for at, to, datagram in lab.network.sent]

    assert story() == story()
