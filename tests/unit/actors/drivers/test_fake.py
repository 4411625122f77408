"""The fake driver in virtual time."""

import random
from typing import Any

import pytest

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import BootSetting, GetBootDevice, GetPower, SetBootDevice, SetPower
from castiron.actors.drivers.fake import FakeDriver
from castiron.actors.drivers.fake_script import FakeFault
from castiron.actors.drivers.findings import FRU, FRUProduct, PasswordCheck, Sensors
from castiron.actors.drivers.operations import (
    CheckUserPassword,
    ClearSEL,
    Identify,
    ReadFRU,
    ReadSensors,
    ResetBMC,
    SetUserPassword,
    VerifyCredentials,
)
from castiron.transport.errors import (
    ArgumentInvalid,
    BMCBusy,
    BMCCredentials,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    DeadlineExceeded,
)
from castiron.transport.vocabulary import Applied, BootDevice, NodeUUID, PowerControl, PowerState, Seconds
from tests.support.driver_calls import Caller, Ticket

ON = SetPower(PowerControl.ON)
NODE = NodeUUID("node")


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.driver = FakeDriver(self.clock, rng=random.Random(1))
        self.caller = Caller(self.driver, self.clock)

    def submit(self, operation: Any, deadline_s: float = 10.0, **info: Any) -> Ticket:
        return self.caller.submit(self.caller.target(info), operation, deadline_s)

    def wait(self, seconds: float = 0.0) -> None:
        self.clock.advance(Seconds(seconds))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_answer_takes_its_latency(bench: Bench) -> None:
    ticket = bench.submit(GetPower(), fake_latency_s="1.5")

    bench.wait(1.49)
    assert not ticket.outcomes
    bench.wait(0.02)
    assert ticket.value() is PowerState.OFF


def test_latencies_lie_between_their_bounds_and_nearer_the_first(bench: Bench) -> None:
    ends: list[float] = []
    for _ in range(200):
        begun = bench.clock.now()
        ticket = bench.submit(GetPower(), fake_latency_s="1,3")
        while not ticket.outcomes and bench.clock.step():
            pass
        ends.append(bench.clock.now() - begun)

    assert 1 <= min(ends) <= max(ends) <= 3
    assert sum(end < 2 for end in ends) > 120


def test_a_machine_may_act_late(bench: Bench) -> None:
    assert_done = bench.submit(ON, fake_power_delay_s=5)
    bench.wait(4.9)
    assert assert_done.value() is None
    before = bench.submit(GetPower(), fake_power_delay_s=5)
    bench.wait()
    assert before.value() is PowerState.OFF

    bench.wait(0.2)

    assert bench.driver.bmc(NODE).power is PowerState.ON


@pytest.mark.parametrize(
    ("fault", "error"),
    [("credentials", BMCCredentials), ("busy", BMCBusy), ("unsupported", BMCUnsupported), ("broken", BMCFault)],
)
def test_a_fault_that_is_an_answer_applies_nothing(bench: Bench, fault: str, error: type[Exception]) -> None:
    ticket = bench.submit(ON, fake_fault=fault)
    bench.wait()

    assert isinstance(ticket.failure().error, error)
    assert ticket.failure().applied is Applied.NO
    assert not bench.driver.bmc(NODE).controls


def test_a_fault_may_pass_after_so_many_calls(bench: Bench) -> None:
    tickets = [bench.submit(GetPower(), fake_fault="busy", fake_fault_count=2) for _ in range(4)]
    bench.wait()

    assert [isinstance(ticket.outcome().error, BMCBusy) for ticket in tickets[:2]] == [True, True]  # type: ignore[union-attr]  # they failed
    assert [ticket.value() for ticket in tickets[2:]] == [PowerState.OFF] * 2


def test_a_deaf_machine_acknowledges_and_stays_as_it_is(bench: Bench) -> None:
    ticket = bench.submit(ON, fake_fault="deaf")
    bench.wait()

    assert ticket.value() is None
    assert bench.driver.bmc(NODE).power is PowerState.OFF
    assert list(bench.driver.bmc(NODE).controls) == [PowerControl.ON]


def test_a_lost_answer_is_an_unknown_outcome_of_something_done_once(bench: Bench) -> None:
    ticket = bench.submit(ON, fake_fault="lost answer")
    bench.wait(10)

    assert isinstance(ticket.failure().error, BMCUnreachable)
    assert ticket.failure().applied is Applied.UNKNOWN
    assert bench.driver.bmc(NODE).power is PowerState.ON
    assert len(bench.driver.bmc(NODE).controls) == 1


def test_a_call_behind_one_that_hangs_ends_by_its_own_deadline(bench: Bench) -> None:
    hanging = bench.submit(GetPower(), 10, fake_fault="unreachable")
    behind = bench.submit(ON, 2, fake_fault="unreachable")
    bench.wait(2)

    assert isinstance(behind.failure().error, DeadlineExceeded)
    assert not hanging.outcomes


def test_tests_script_a_machine_directly(bench: Bench) -> None:
    bmc = bench.driver.bmc(NODE)
    bmc.power = PowerState.ON
    bmc.script.fault, bmc.script.fault_count = FakeFault.BUSY, 1
    tickets = [bench.submit(GetPower()) for _ in range(2)]
    bench.wait()

    assert isinstance(tickets[0].failure().error, BMCBusy)
    assert tickets[1].value() is PowerState.ON


def test_a_boot_device_is_kept(bench: Bench) -> None:
    setting = BootSetting(BootDevice.PXE, persistent=True, uefi=True)
    bench.submit(SetBootDevice(setting))
    ticket = bench.submit(GetBootDevice())
    bench.wait()

    assert ticket.value() == setting


@pytest.mark.parametrize(
    "info",
    [{"fake_latency_s": "3,1"}, {"fake_latency_s": "x"}, {"fake_fault": "sad"}, {"fake_fault_count": 0}, {"fake": 1}],
    ids=str,
)
def test_wrong_driver_info_is_refused(bench: Bench, info: dict[str, Any]) -> None:
    with pytest.raises(ArgumentInvalid):
        bench.driver.check(info)


def test_stopping_tells_even_what_the_clock_never_will(bench: Bench) -> None:
    ticket = bench.submit(ON, fake_latency_s="5")

    bench.driver.stop(1)

    assert ticket.failure().applied is Applied.NO
    bench.wait(20)
    assert len(ticket.outcomes) == 1


def test_a_test_says_what_is_found(bench: Bench) -> None:
    bmc = bench.driver.bmc(NODE)
    bmc.fru, bmc.sensors = FRU(product=FRUProduct(serial="42")), Sensors(readings=(), left_out_count=3)

    fru, sensors = bench.submit(ReadFRU()), bench.submit(ReadSensors())
    bench.wait()

    assert (fru.value(), sensors.value()) == (bmc.fru, bmc.sensors)


def test_a_restart_is_silent_for_as_long_as_it_takes(bench: Bench) -> None:
    reset = bench.submit(ResetBMC(), fake_reset_s=60)
    bench.wait()
    during = bench.submit(GetPower(), fake_reset_s=60)
    bench.wait(60)
    after = bench.submit(GetPower(), fake_reset_s=60)
    bench.wait()

    assert reset.value() is None
    assert isinstance(during.failure().error, BMCUnreachable)
    assert after.value() is PowerState.OFF
    assert bench.driver.bmc(NODE).reset_count == 1


@pytest.mark.parametrize(
    "operation",
    [Identify(5), ResetBMC(), ClearSEL(), SetUserPassword("admin", "another")],
    ids=lambda operation: type(operation).__name__,
)
def test_what_was_done_and_not_answered_is_unknown(bench: Bench, operation: Any) -> None:
    ticket = bench.submit(operation, fake_fault="lost answer", fake_username="admin", fake_password="word")
    bench.wait(10)

    assert ticket.failure().applied is Applied.UNKNOWN


@pytest.mark.parametrize(
    "operation",
    [Identify(5), ResetBMC(), SetUserPassword("admin", "another")],
    ids=lambda operation: type(operation).__name__,
)
def test_a_deaf_machine_says_yes_and_changes_nothing(bench: Bench, operation: Any) -> None:
    ticket = bench.submit(operation, fake_fault="deaf", fake_username="admin", fake_password="word")
    bench.wait()

    assert ticket.value() is None
    bmc = bench.driver.bmc(NODE)
    assert (bmc.identified_s, bmc.reset_count, bmc.users) == (0, 0, {"admin": "word"})


def test_the_first_password_that_is_told_is_the_one_that_is_wanted(bench: Bench) -> None:
    def ask(operation: Any, password: str) -> Ticket:
        ticket = bench.submit(operation, fake_username="admin", fake_password=password)
        bench.wait()
        return ticket

    assert ask(GetPower(), "first").value() is PowerState.OFF
    assert isinstance(ask(GetPower(), "other").failure().error, BMCCredentials)
    assert ask(SetUserPassword("admin", "other"), "first").value() is None
    assert ask(GetPower(), "other").value() is PowerState.OFF
    assert ask(CheckUserPassword("admin", "first"), "other").value() is PasswordCheck.DIFFERS
    wrong = VerifyCredentials({"fake_username": "admin", "fake_password": "first"})
    assert isinstance(ask(wrong, "other").failure().error, BMCCredentials)
    assert "first" not in repr(bench.driver.bmc(NODE))


def test_the_password_is_a_secret_of_the_driver_info(bench: Bench) -> None:
    assert bench.driver.check({"fake_password": "word"}).secret_keys == {"fake_password"}
