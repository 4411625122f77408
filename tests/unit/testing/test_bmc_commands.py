"""What the BMC and its machine do when they are asked."""

import pytest

from castiron.testing.bmc import ChassisAction
from castiron.testing.bmc.boot import FLAGS_VALID_S
from castiron.testing.bmc.chassis import CONTROLS_KEPT, CYCLE_OFF_S, SOFT_OFF_S
from castiron.transport.vocabulary import BootDevice, PowerState
from tests.support.bmc_bench import Bench
from tests.support.console import Console, ipmi_message, plus, response_body, sessionless

ON, OFF = b"\x00\x21\x00\x40", b"\x00\x20\x00\x40"
DOWN, UP, CYCLE, RESET, NMI, SOFT = (bytes((action,)) for action in ChassisAction)
GET_FLAGS = b"\x05\x00\x00"
PXE_ONCE = b"\x05\x80\x04\x00\x00\x00"
PXE_ALWAYS_UEFI = b"\x05\xe0\x04\x00\x00\x00"
KEEP = b"\x03\x08"


@pytest.fixture
def console(bench: Bench) -> Console:
    console = Console(bench.exchange)
    console.login()
    return console


def power(console: Console) -> bytes:
    return console.command(0, 1)


def control(console: Console, action: bytes) -> bytes:
    return console.command(0, 2, action)


def test_power_goes_up_and_down_and_every_control_is_remembered(bench: Bench, console: Console) -> None:
    assert power(console) == OFF
    assert control(console, UP) == b"\x00"
    assert power(console) == ON
    bench.now += 1
    assert control(console, DOWN) == b"\x00"
    assert power(console) == OFF

    controls = list(bench.bmc.device.chassis.controls)
    assert controls == [(1000.0, ChassisAction.POWER_UP, True), (1001.0, ChassisAction.POWER_DOWN, True)]


def test_a_soft_shutdown_takes_effect_after_its_delay(bench: Bench, console: Console) -> None:
    control(console, UP)

    assert control(console, SOFT) == b"\x00"

    assert power(console) == ON
    bench.now += SOFT_OFF_S * 0.9
    assert power(console) == ON
    bench.now += SOFT_OFF_S * 0.2
    assert power(console) == OFF


def test_an_operating_system_that_does_not_listen_stays_on(bench: Bench, console: Console) -> None:
    bench.bmc.device.chassis.soft_off_s = None
    control(console, UP)

    assert control(console, SOFT) == b"\x00"
    bench.now += 50

    assert power(console) == ON


def test_power_up_does_not_stop_a_shutdown_that_has_begun(bench: Bench, console: Console) -> None:
    control(console, UP)
    control(console, SOFT)

    control(console, UP)

    bench.now += SOFT_OFF_S
    assert power(console) == OFF


def test_a_power_cycle_goes_off_and_comes_back(bench: Bench, console: Console) -> None:
    control(console, UP)

    assert control(console, CYCLE) == b"\x00"

    assert power(console) == OFF
    bench.now += CYCLE_OFF_S
    assert power(console) == ON


def test_power_down_during_a_cycle_is_the_last_word(bench: Bench, console: Console) -> None:
    control(console, UP)
    control(console, CYCLE)

    control(console, DOWN)
    bench.now += CYCLE_OFF_S

    assert power(console) == OFF


@pytest.mark.parametrize("action", [CYCLE, RESET])
def test_what_is_off_is_not_reset(bench: Bench, console: Console, action: bytes) -> None:
    assert control(console, action) == b"\xd5"

    assert bench.bmc.device.chassis.controls[0].is_accepted is False
    assert power(console) == OFF


def test_a_reset_and_a_diagnostic_interrupt_leave_the_power_on(console: Console) -> None:
    control(console, UP)

    assert control(console, RESET) == b"\x00"
    assert control(console, NMI) == b"\x00"
    assert power(console) == ON


def test_an_action_that_does_not_exist_is_refused(bench: Bench, console: Console) -> None:
    assert control(console, b"\x06") == b"\xcc"
    assert bench.bmc.device.chassis.control_count == 0


def test_only_the_last_controls_are_kept_and_all_are_counted(bench: Bench) -> None:
    chassis = bench.bmc.device.chassis

    for at in range(CONTROLS_KEPT + 5):
        chassis.control(ChassisAction.POWER_UP, at)

    assert len(chassis.controls) == CONTROLS_KEPT
    assert chassis.control_count == CONTROLS_KEPT + 5
    assert chassis.controls[0].at == 5


def test_the_lamp_goes_out_by_itself(bench: Bench, console: Console) -> None:
    assert console.command(0, 4) == b"\x00"
    assert power(console)[3] == 0x50
    bench.now += 15
    assert power(console)[3] == 0x40

    console.command(0, 4, b"\x00\x01")
    bench.now += 59
    assert power(console)[3] == 0x50
    console.command(0, 4, b"\x00")
    assert power(console)[3] == 0x40


def test_a_boot_device_is_set_read_and_used_up_by_the_next_boot(bench: Bench, console: Console) -> None:
    boot = bench.bmc.device.chassis.boot

    assert console.command(0, 8, PXE_ONCE) == b"\x00"

    assert console.command(0, 9, GET_FLAGS) == b"\x00\x01\x05\x80\x04\x00\x00\x00"
    assert (boot.device(bench.now), boot.is_persistent(bench.now)) == (BootDevice.PXE, False)
    control(console, UP)
    assert boot.device(bench.now) is BootDevice.DEFAULT


def test_a_persistent_boot_device_survives_boots(bench: Bench, console: Console) -> None:
    boot = bench.bmc.device.chassis.boot
    console.command(0, 8, KEEP)
    console.command(0, 8, PXE_ALWAYS_UEFI)

    control(console, UP)
    control(console, RESET)
    control(console, CYCLE)
    bench.now += FLAGS_VALID_S * 0.9

    assert boot.device(bench.now) is BootDevice.PXE
    assert boot.is_persistent(bench.now)
    assert boot.is_uefi(bench.now)


def test_boot_flags_run_out_unless_a_control_follows_or_parameter_3_keeps_them(bench: Bench, console: Console) -> None:
    boot = bench.bmc.device.chassis.boot
    console.command(0, 8, PXE_ALWAYS_UEFI)
    assert boot.device(bench.now + FLAGS_VALID_S - 0.1) is BootDevice.PXE
    assert boot.device(bench.now + FLAGS_VALID_S) is BootDevice.DEFAULT

    console.command(0, 8, PXE_ALWAYS_UEFI)
    control(console, NMI)
    assert boot.device(bench.now + FLAGS_VALID_S) is BootDevice.PXE

    console.command(0, 8, KEEP)
    console.command(0, 8, PXE_ALWAYS_UEFI)
    assert boot.device(bench.now + FLAGS_VALID_S) is BootDevice.PXE


@pytest.mark.parametrize(
    ("selector", "device"),
    [
        (0, BootDevice.DEFAULT),
        (1, BootDevice.PXE),
        (2, BootDevice.DISK),
        (3, BootDevice.SAFE),
        (5, BootDevice.CDROM),
        (6, BootDevice.BIOS),
        (15, BootDevice.FLOPPY),
    ],
)
def test_boot_devices_have_the_selectors_of_the_specification(
    bench: Bench, console: Console, selector: int, device: BootDevice
) -> None:
    assert console.command(0, 8, bytes((5, 0x80, selector << 2, 0, 0, 0))) == b"\x00"
    assert bench.bmc.device.chassis.boot.device(bench.now) is device


def test_boot_parameters_are_refused_with_the_code_of_the_reason(console: Console) -> None:
    assert console.command(0, 8, b"\x07\x00") == b"\x80"
    assert console.command(0, 9, b"\x07\x00\x00") == b"\x80"
    assert console.command(0, 8, b"\x05\x80\x04") == b"\xc7"
    assert console.command(0, 8, bytes((5, 0x80, 4 << 2, 0, 0, 0))) == b"\xc9"


def test_a_change_in_progress_is_announced_once(console: Console) -> None:
    assert console.command(0, 8, b"\x00\x01") == b"\x00"
    assert console.command(0, 8, b"\x00\x01") == b"\x81"
    assert console.command(0, 9, b"\x00\x00\x00") == b"\x00\x01\x00\x01"
    assert console.command(0, 8, b"\x00\x00") == b"\x00"
    assert console.command(0, 8, b"\x00\x01") == b"\x00"


def test_the_acknowledge_parameter_changes_the_bits_of_its_mask(console: Console) -> None:
    console.command(0, 8, b"\x04\x01\x01")
    console.command(0, 8, b"\x04\x02\x02")
    assert console.command(0, 9, b"\x04\x00\x00") == b"\x00\x01\x04\x00\x03"


def test_a_parameter_can_be_marked_invalid_without_a_value(console: Console) -> None:
    console.command(0, 8, PXE_ONCE)

    assert console.command(0, 8, b"\x85") == b"\x00"
    assert console.command(0, 9, GET_FLAGS)[:4] == b"\x00\x01\x85\x80"
    assert console.command(0, 8, b"\x05") == b"\x00"
    assert console.command(0, 9, GET_FLAGS)[:4] == b"\x00\x01\x05\x80"


def test_a_hand_on_the_button_ends_what_was_pending(bench: Bench, console: Console) -> None:
    chassis = bench.bmc.device.chassis
    control(console, UP)
    control(console, SOFT)

    chassis.set_power(PowerState.OFF)
    chassis.set_power(PowerState.ON)
    bench.now += 10

    assert power(console) == ON
    assert chassis.control_count == 2


@pytest.mark.parametrize(
    ("netfn", "command", "data", "needs"),
    [
        (0, 1, b"", 2),
        (0, 2, UP, 3),
        (0, 4, b"", 3),
        (0, 8, PXE_ONCE, 3),
        (0, 9, GET_FLAGS, 3),
        (6, 1, b"", 2),
        (6, 2, b"", 4),
        (6, 0x3D, b"\x00", 2),
    ],
)
def test_each_command_needs_its_level(bench: Bench, netfn: int, command: int, data: bytes, needs: int) -> None:
    console = Console(bench.exchange)
    console.login(privilege=needs - 1)
    assert console.command(netfn, command, data) == b"\xd4"

    console.command(6, 0x3B, bytes((needs,)))
    assert console.command(netfn, command, data)[0] == 0


def test_a_new_session_has_the_level_of_a_user(bench: Bench) -> None:
    console = Console(bench.exchange)
    console.login(privilege=None)

    assert console.command(6, 0x3B, b"\x00") == b"\x00\x02"
    assert console.command(6, 0x3B, b"\x05") == b"\x80"


def test_what_the_bmc_does_not_know_is_an_invalid_command(console: Console) -> None:
    assert console.command(6, 0x99) == b"\xc1"
    assert console.command(0x2C, 0, b"\x00") == b"\xc1"


@pytest.mark.parametrize(
    ("netfn", "command", "data"), [(0, 1, b"x"), (0, 2, b""), (0, 9, b"\x05"), (6, 0x3C, b"123"), (6, 0x38, b"\x8e")]
)
def test_too_much_or_too_little_data_is_a_wrong_length(console: Console, netfn: int, command: int, data: bytes) -> None:
    assert console.command(netfn, command, data) == b"\xc7"


def test_outside_a_session_only_the_way_into_one_is_answered(bench: Bench) -> None:
    def ask(netfn: int, command: int, data: bytes = b"") -> bytes:
        old = bench.exchange(sessionless(netfn, command, data))
        new = bench.exchange(plus(0, ipmi_message(netfn, command, data)))
        assert old is not None
        assert new is not None
        assert old[14:] == new[16:]
        return response_body(old[14:])

    assert ask(6, 0x37) == b"\x00" + bench.bmc.device.guid
    assert ask(6, 0x54, b"\x0e\x00\x80") == bytes.fromhex("00 01 c003014181 c011034481")
    assert ask(6, 0x54, b"\x0e\x00\x81") == bytes.fromhex("00 01")
    assert ask(6, 0x54, b"\x0e\x00\x00") == b"\xcc"
    assert ask(6, 0x38, b"\x8e\x04")[0] == 0
    assert ask(0, 1) == b"\xd4"
    assert ask(0, 2, UP) == b"\xd4"
    assert ask(6, 0x3C, bytes(4)) == b"\xd4"
    assert ask(6, 0x99) == b"\xc1"
