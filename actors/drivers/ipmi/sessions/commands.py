"""What is said to a BMC for each operation, and what its answers mean.

An operation is a generator: it yields requests, is sent their answers, and returns its value. It knows nothing of
sessions, time or repetition. Pure.

Source: IPMI v2.0, 28.2 Get Chassis Status, 28.3 Chassis Control, 28.12 and 28.13 System Boot Options, table 28-14;
the order of the steps that set a boot device is ipmitool's.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, assert_never

from castiron.actors.drivers.base import (
    BootSetting,
    GetBootDevice,
    GetPower,
    Operation,
    SetBootDevice,
    SetPower,
    Value,
)
from castiron.actors.drivers.ipmi.sessions.codes import CHASSIS
from castiron.transport.vocabulary import BootDevice, PowerControl, PowerState


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a BMC."""

    netfn: int
    command: int
    data: bytes = b""
    acts: bool = False
    """It changes the machine: sent and not answered, its outcome is unknown."""
    once: bool = False
    """It must leave this machine at most once: a BMC executes a retransmission, which has a new sequence number."""


class Answer(NamedTuple):
    """A BMC's answer to a request."""

    code: int
    """Completion code, 0 for success."""
    data: bytes
    """What follows the completion code."""


class Refused(Exception):
    """The BMC refused a request that its operation needs."""

    def __init__(self, request: Request, code: int) -> None:
        super().__init__(request, code)
        self.request = request
        self.code = code


class Nonsense(Exception):
    """The BMC's answer cannot be read. The text ends a sentence that begins with the BMC's address."""


Steps = Generator[Request, Answer, Value]

GET_CHASSIS_STATUS: Final = Request(CHASSIS, 0x01)
"""One datagram each way; also the keepalive."""

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


def steps(operation: Operation, *, try_session: bool = False) -> Steps:
    """Return the requests of an operation.

    Args:
        operation: what to do.
        try_session: before a chassis control, read first, to see that the session still lives.
    """
    match operation:
        case GetPower():
            return _get_power()
        case SetPower(control):
            return _set_power(control, try_session=try_session)
        case GetBootDevice():
            return _get_boot_device()
        case SetBootDevice(setting):
            return _set_boot_device(setting)
        case _:
            assert_never(operation)


def _get_power() -> Steps:
    status = _needed(GET_CHASSIS_STATUS, (yield GET_CHASSIS_STATUS), length=3)
    return PowerState.ON if status[0] & 1 else PowerState.OFF


def _set_power(control: PowerControl, *, try_session: bool) -> Steps:
    if try_session:
        yield GET_CHASSIS_STATUS
    request = Request(CHASSIS, 0x02, bytes([CONTROLS[control]]), acts=True, once=True)
    _needed(request, (yield request))
    return None


def _get_boot_device() -> Steps:
    request = Request(CHASSIS, 0x09, bytes([_BOOT_FLAGS, 0, 0]))
    answer = _needed(request, (yield request), length=4)
    flags, code = answer[2], answer[3] >> 2 & 0xF
    if not flags & _VALID:
        return BootSetting(BootDevice.DEFAULT)
    device = _READ_DEVICES.get(code)
    if device is None:
        raise Nonsense(f"boots from device {code:#x}, which has no name here")
    return BootSetting(device, persistent=bool(flags & _PERSISTENT), uefi=bool(flags & _UEFI))


def _set_boot_device(setting: BootSetting) -> Steps:
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
    _needed(request, answer)
    return None


def _boot_option(parameter: int, *data: int, acts: bool = False) -> Request:
    return Request(CHASSIS, 0x08, bytes([parameter, *data]), acts=acts)


def _needed(request: Request, answer: Answer, *, length: int = 0) -> bytes:
    if answer.code:
        raise Refused(request, answer.code)
    if len(answer.data) < length:
        raise Nonsense(f"answered command {request.netfn:#04x} {request.command:#04x} too briefly")
    return answer.data
