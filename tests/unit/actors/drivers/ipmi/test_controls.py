"""What changes a machine is sent once, and the driver says what became of it."""

import pytest

from castiron.actors.drivers.base import BootSetting, GetBootDevice, GetPower, SetBootDevice
from castiron.testing.bmc import BMC, Answers, Device, controller
from castiron.testing.bmc.commands import execute
from castiron.testing.bmc.wire.rmcp import Message
from castiron.testing.bmc.wire.session import Session
from castiron.transport.errors import BMCUnreachable, BMCUnsupported
from castiron.transport.vocabulary import Applied, BootDevice, PowerState
from tests.unit.actors.drivers.ipmi.lab import ON, SILENCE_S, STEADY, Lab


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
