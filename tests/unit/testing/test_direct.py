"""The driver without packets keeps the contract of drivers: one outcome a call, in order, and controls leave once."""

from random import Random

import pytest

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import (
    BootSetting,
    Call,
    Done,
    GetBootDevice,
    GetPower,
    NotDone,
    Operation,
    Outcome,
    SetBootDevice,
    SetPower,
    Target,
)
from castiron.testing import Faults, Refusal
from castiron.testing.simulation.direct import DirectDriver
from castiron.testing.simulation.machines import Machine
from castiron.transport.errors import (
    ArgumentInvalid,
    BMCBusy,
    BMCCredentials,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    DeadlineExceeded,
)
from castiron.transport.vocabulary import Applied, BootDevice, Instant, NodeUUID, PowerControl, PowerState, Seconds

NODE = NodeUUID("node")
ON = SetPower(PowerControl.ON)


class Desk:
    """A driver with one machine, and what it was told."""

    def __init__(self) -> None:
        self.clock = VirtualClock(Instant(100.0))
        self.machine = Machine(0, "direct", Random(1))
        self.driver = DirectDriver(self.clock, {self.machine.bmc_address: self.machine})
        self.told: list[Outcome] = []

    def submit(
        self, operation: Operation, *, patience_s: float = 15.0, generation: int = 1, gives_way: bool = False
    ) -> None:
        target = Target(node=NODE, generation=generation, info=self.machine.driver_info)
        deadline = Instant(self.clock.now() + patience_s)
        call = Call(target=target, operation=operation, deadline=deadline, gives_way=gives_way)
        self.driver.submit(call, self.told.append)

    def ask(self, operation: Operation, *, patience_s: float = 15.0) -> Outcome:
        self.submit(operation, patience_s=patience_s)
        self.clock.advance(Seconds(patience_s))
        return self.told[-1]

    @property
    def controls(self) -> int:
        return self.machine.bmc.device.chassis.control_count


@pytest.fixture
def desk() -> Desk:
    return Desk()


def error_of(outcome: Outcome) -> tuple[type[Exception], Applied]:
    assert isinstance(outcome, NotDone)
    return type(outcome.error), outcome.applied


def test_it_does_what_the_real_commands_do(desk: Desk) -> None:
    setting = BootSetting(BootDevice.PXE, persistent=True)

    assert desk.ask(GetPower()) == Done(value=PowerState.OFF)
    assert desk.ask(ON) == Done(value=None)
    assert desk.ask(GetPower()) == Done(value=PowerState.ON)
    assert desk.ask(SetBootDevice(setting)) == Done(value=None)
    assert desk.ask(GetBootDevice()) == Done(value=setting)
    assert desk.driver.counters() == {"submitted": 5, "in_flight": 0}


def test_a_silent_bmc_is_asked_three_times_and_given_up(desk: Desk) -> None:
    desk.machine.bmc.faults = Faults(silent=True)

    assert error_of(desk.ask(GetPower())) == (BMCUnreachable, Applied.NO)
    assert error_of(desk.ask(ON)) == (BMCUnreachable, Applied.UNKNOWN)


def test_a_lost_read_is_repeated_and_a_lost_control_is_not(desk: Desk) -> None:
    outcomes: list[Outcome] = []
    for _ in range(40):
        desk.machine.bmc.faults = Faults(loss_percent=50.0)
        before = desk.controls
        outcomes.append(desk.ask(ON))
        assert desk.controls - before <= 1
        desk.machine.bmc.faults = Faults()

    assert {type(outcome) for outcome in outcomes} == {Done, NotDone}


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (Faults(wrong_password=True), BMCCredentials),
        (Faults(table_full=True), BMCBusy),
        (Faults(refusal=Refusal(code=0xC1, kind="control")), BMCUnsupported),  # type: ignore[arg-type]  # by its word
    ],
)
def test_a_refusal_is_certain_not_to_have_been_applied(desk: Desk, faults: Faults, error: type[Exception]) -> None:
    desk.machine.bmc.faults = faults

    assert error_of(desk.ask(ON)) == (error, Applied.NO)
    assert desk.machine.power(desk.clock.now()) is PowerState.OFF


def test_calls_are_carried_out_in_order_and_each_has_its_own_deadline(desk: Desk) -> None:
    desk.machine.bmc.faults = Faults(slow_s=2.0)
    desk.submit(ON)
    desk.submit(GetPower(), patience_s=1.0)
    desk.submit(GetPower())
    desk.clock.advance(Seconds(20.0))

    first, *rest = desk.told
    assert error_of(first) == (DeadlineExceeded, Applied.NO)
    assert rest == [Done(value=None), Done(value=PowerState.ON)]


def test_who_gives_way_ends_when_another_call_comes(desk: Desk) -> None:
    desk.machine.bmc.faults = Faults(slow_s=3.0)
    desk.submit(GetPower(), gives_way=True)
    desk.submit(ON)
    desk.clock.advance(Seconds(15.0))

    assert error_of(desk.told[0]) == (BMCBusy, Applied.NO)
    assert desk.told[1:] == [Done(value=None)]


def test_an_older_generation_is_refused(desk: Desk) -> None:
    desk.submit(GetPower(), generation=2)
    desk.submit(ON, generation=1)
    desk.clock.advance(Seconds(15.0))

    assert [error_of(outcome) for outcome in desk.told if isinstance(outcome, NotDone)] == [(BMCFault, Applied.NO)]
    assert desk.controls == 0


def test_what_is_forgotten_ends_and_nothing_more_is_sent(desk: Desk) -> None:
    desk.machine.bmc.faults = Faults(slow_s=3.0)
    desk.submit(GetPower())
    desk.submit(ON)

    desk.driver.forget(NODE)
    desk.driver.stop(0.0)
    desk.clock.advance(Seconds(15.0))

    assert [error_of(outcome)[0] for outcome in desk.told] == [BMCUnreachable, BMCUnreachable]
    assert desk.controls == 0


def test_driver_info_is_checked(desk: Desk) -> None:
    assert desk.driver.check(desk.machine.driver_info).bmc_address == desk.machine.bmc_address
    with pytest.raises(ArgumentInvalid):
        desk.driver.check({})


def test_a_machine_remembers_its_power_states_and_who_changed_them(desk: Desk) -> None:
    desk.machine.bmc.faults = Faults(late_power_s=5.0)
    desk.ask(ON)
    desk.machine.press(200.0)

    assert [(power.at, power.state, power.by_hand) for power in desk.machine.powers[1:]] == [
        (105.0, PowerState.ON, False),
        (200.0, PowerState.OFF, True),
    ]
    assert desk.machine.was(PowerState.ON, 150.0, 160.0)
    assert not desk.machine.was(PowerState.OFF, 150.0, 160.0)
    assert not desk.machine.was(PowerState.ON, 201.0, 300.0)
