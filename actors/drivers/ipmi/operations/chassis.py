"""The machine's power, boot device and lamp: what is said to a BMC for them, and what its answers mean. Pure.

    operation       request (network function 0x00)              answer, after the completion code
    GetPower        0x01                                         power state in bit 0, …
    SetPower        0x02, control                                -
    GetBootDevice   0x09, 5, 0, 0                                version, parameter, flags, device << 2, …
    SetBootDevice   0x08, parameter, value (five or six of them) -
    Identify        0x04, seconds, 1 to leave it lit             -

Source: IPMI v2.0, 28.2 Get Chassis Status, 28.3 Chassis Control, 28.5 Chassis Identify, 28.12 and 28.13 System Boot
Options, table 28-14; the order of the steps that set a boot device is ipmitool's.
"""

from collections.abc import Mapping
from typing import Final

from castiron.actors.drivers.base import BootSetting
from castiron.actors.drivers.ipmi.sessions.codes import CHASSIS
from castiron.actors.drivers.ipmi.sessions.exchange import GET_CHASSIS_STATUS, Nonsense, Request, Steps, Unable, needed
from castiron.transport.vocabulary import BootDevice, PowerControl, PowerState

CONTROLS: Final[Mapping[PowerControl, int]] = {PowerControl.OFF: 0, PowerControl.ON: 1, PowerControl.SOFT_OFF: 5}

DEVICES: Final[Mapping[BootDevice, int]] = {
    BootDevice.DEFAULT: 0x0,
    BootDevice.PXE: 0x1,
    BootDevice.DISK: 0x2,
    BootDevice.SAFE: 0x3,
    BootDevice.CDROM: 0x5,
    BootDevice.BIOS: 0x6,
    BootDevice.FLOPPY: 0xF,
}
_READ_DEVICES: Final[Mapping[int, BootDevice]] = {
    **{code: device for device, code in DEVICES.items()},
    0x7: BootDevice.FLOPPY,  # remotely connected
    0x8: BootDevice.CDROM,  # remotely connected
    0xB: BootDevice.DISK,  # remotely connected
}

_SET_IN_PROGRESS, _VALID_BIT_CLEARING, _INFO_ACKNOWLEDGE, _BOOT_FLAGS = 0, 3, 4, 5
_VALID, _PERSISTENT, _UEFI = 0x80, 0x40, 0x20
_IN_PROGRESS, _COMMIT, _COMPLETE = 1, 2, 0
_ANOTHER_PARTY = 0x81


def get_power() -> Steps:
    """Read the power state."""
    status = needed(GET_CHASSIS_STATUS, (yield GET_CHASSIS_STATUS), length=3)
    return PowerState.ON if status[0] & 1 else PowerState.OFF


def set_power(control: PowerControl, *, try_session: bool) -> Steps:
    """Send one power control; first a read, where it is to be seen that the session still lives."""
    if try_session:
        yield GET_CHASSIS_STATUS
    request = Request(CHASSIS, 0x02, bytes([CONTROLS[control]]), acts=True, once=True)
    needed(request, (yield request))
    return None


def get_boot_device() -> Steps:
    """Read the boot device."""
    request = Request(CHASSIS, 0x09, bytes([_BOOT_FLAGS, 0, 0]))
    answer = needed(request, (yield request), length=4)
    flags, code = answer[2], answer[3] >> 2 & 0xF
    if not flags & _VALID:
        return BootSetting(BootDevice.DEFAULT)
    device = _READ_DEVICES.get(code)
    if device is None:
        raise Nonsense(f"boots from device {code:#x}, which has no name here")
    return BootSetting(device, persistent=bool(flags & _PERSISTENT), uefi=bool(flags & _UEFI))


def set_boot_device(setting: BootSetting) -> Steps:
    """Set the boot device."""
    started = yield _boot_option(_SET_IN_PROGRESS, _IN_PROGRESS)
    # Optional in BMCs, so their refusal is no reason to stop: keep the flags for longer than the 60 s that a firmware
    # has by default, and say that the BIOS has seen none of this yet.
    yield _boot_option(_VALID_BIT_CLEARING, 0x08)
    yield _boot_option(_INFO_ACKNOWLEDGE, 0x01, 0x01)
    flags = _VALID | (_PERSISTENT if setting.persistent else 0) | (_UEFI if setting.uefi else 0)
    request = _boot_option(_BOOT_FLAGS, flags, DEVICES[setting.device] << 2, 0, 0, 0, acts=True)
    answer = yield request
    if started.code == 0:
        yield _boot_option(_SET_IN_PROGRESS, _COMMIT)
    if started.code in {0, _ANOTHER_PARTY}:
        # Also where somebody was already setting: an operation that was cut short must not lock the options for good.
        yield _boot_option(_SET_IN_PROGRESS, _COMPLETE)
    needed(request, answer)
    return None


def no_boot_mode() -> Steps:
    """Say that IPMI has no boot mode but that of each boot device; the BMC is seen to answer first."""
    yield GET_CHASSIS_STATUS
    raise Unable("has no boot mode by itself: set it with the boot device")


def identify(duration_s: int | None) -> Steps:
    """Light the lamp for so many seconds; 0 puts it out, None leaves it lit."""
    request = Request(CHASSIS, 0x04, b"\x00\x01" if duration_s is None else bytes([duration_s]), acts=True)
    needed(request, (yield request))
    return None


def _boot_option(parameter: int, *data: int, acts: bool = False) -> Request:
    return Request(CHASSIS, 0x08, bytes([parameter, *data]), acts=acts)
