"""Operations as requests and answers, without a BMC."""

import pytest

from castiron.actors.drivers.base import BootSetting, GetBootDevice, GetPower, Operation, SetBootDevice, SetPower, Value
from castiron.actors.drivers.ipmi.operations.table import steps
from castiron.actors.drivers.ipmi.sessions.codes import (
    ADVICE,
    CIPHER_STATUSES,
    COMMAND_CODES,
    COMPLETION_CODES,
    RMCP_STATUSES,
    completion_error,
    login_error,
)
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Nonsense, Refused, Request
from castiron.transport.errors import BMCBusy, BMCCredentials, BMCError, BMCFault, BMCUnsupported
from castiron.transport.vocabulary import BootDevice, PowerControl, PowerState

DONE = Answer(0, b"")
WHERE = {"node": "n", "address": "192.0.2.7:623"}


def converse(operation: Operation, *answers: Answer, try_session: bool = False) -> tuple[list[Request], Value]:
    """Answer an operation's requests; return them, and its value."""
    requests: list[Request] = []
    talk = steps(operation, try_session=try_session)
    try:
        requests.append(next(talk))
        for answer in answers:
            requests.append(talk.send(answer))  # noqa: PERF401 - within a generator, the end would be a RuntimeError
    except StopIteration as end:
        value: Value = end.value
        return requests, value
    raise AssertionError(f"still asking: {requests[-1]}")


@pytest.mark.parametrize(("state", "power"), [(0x21, PowerState.ON), (0x20, PowerState.OFF), (0xFF, PowerState.ON)])
def test_power_is_the_lowest_bit_of_the_chassis_status(state: int, power: PowerState) -> None:
    assert converse(GetPower(), Answer(0, bytes([state, 0, 0]))) == ([Request(0, 1)], power)


@pytest.mark.parametrize(("control", "code"), [(PowerControl.OFF, 0), (PowerControl.ON, 1), (PowerControl.SOFT_OFF, 5)])
def test_a_control_acts_and_goes_once(control: PowerControl, code: int) -> None:
    requests, value = converse(SetPower(control), DONE)

    assert requests == [Request(0, 2, bytes([code]), acts=True, once=True)]
    assert value is None


def test_a_control_into_an_idle_session_is_preceded_by_a_read_whose_answer_does_not_matter() -> None:
    requests, _ = converse(SetPower(PowerControl.ON), Answer(0xC1, b""), DONE, try_session=True)

    assert requests[0] == Request(0, 1)
    assert requests[1].once


def test_setting_a_boot_device_says_what_ipmitool_says() -> None:
    requests, _ = converse(SetBootDevice(BootSetting(BootDevice.PXE, persistent=True, uefi=True)), *[DONE] * 6)

    assert [request.data.hex() for request in requests] == ["0001", "0308", "040101", "05e004000000", "0002", "0000"]
    assert [request.acts for request in requests] == [False, False, False, True, False, False]
    assert not any(request.once for request in requests)


def test_what_a_bmc_does_not_know_of_setting_in_progress_is_left_out() -> None:
    unknown = Answer(0x80, b"")

    requests, value = converse(SetBootDevice(BootSetting(BootDevice.DISK)), unknown, unknown, unknown, DONE)

    assert [request.data[0] for request in requests] == [0, 3, 4, 5]
    assert value is None


def test_a_setting_that_somebody_left_in_progress_is_completed() -> None:
    requests, _ = converse(SetBootDevice(BootSetting(BootDevice.DISK)), Answer(0x81, b""), *[DONE] * 4)

    assert requests[-1].data == b"\x00\x00"


def test_refused_boot_flags_are_a_refusal_and_leave_nothing_in_progress() -> None:
    talk = steps(SetBootDevice(BootSetting(BootDevice.DISK)))
    next(talk)
    for answer in (DONE, DONE, DONE, Answer(0xCC, b""), DONE):
        request = talk.send(answer)

    assert request.data == b"\x00\x00"
    with pytest.raises(Refused) as raised:
        talk.send(DONE)
    assert raised.value.code == 0xCC


@pytest.mark.parametrize(
    ("flags", "setting"),
    [
        ("8004", BootSetting(BootDevice.PXE)),
        ("e008", BootSetting(BootDevice.DISK, persistent=True, uefi=True)),
        ("a014", BootSetting(BootDevice.CDROM, uefi=True)),
        ("c018", BootSetting(BootDevice.BIOS, persistent=True)),
        ("800c", BootSetting(BootDevice.SAFE)),
        ("803c", BootSetting(BootDevice.FLOPPY)),
        ("8020", BootSetting(BootDevice.CDROM)),
        ("8000", BootSetting(BootDevice.DEFAULT)),
        ("6004", BootSetting(BootDevice.DEFAULT)),  # not valid: says nothing
    ],
)
def test_boot_flags_are_read(flags: str, setting: BootSetting) -> None:
    data = bytes.fromhex("0105" + flags + "000000")

    assert converse(GetBootDevice(), Answer(0, data)) == ([Request(0, 9, b"\x05\x00\x00")], setting)


@pytest.mark.parametrize(
    ("operation", "data"),
    [(GetPower(), "01"), (GetPower(), ""), (GetBootDevice(), "010580"), (GetBootDevice(), "010580100000")],
)
def test_an_answer_that_makes_no_sense_is_told(operation: Operation, data: str) -> None:
    with pytest.raises(Nonsense):
        converse(operation, Answer(0, bytes.fromhex(data)))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        *((code, BMCBusy) for code in (0xC0, 0xC3, 0xC4, 0xC5, 0xCE, 0xD2)),
        *((code, BMCUnsupported) for code in (0xC1, 0xC7, 0xC8, 0xC9, 0xCA, 0xCB, 0xCC, 0xD5, 0xD6)),
        (0xD4, BMCCredentials),
        *((code, BMCFault) for code in (0x01, 0x7E, 0x80, 0xC2, 0xC6, 0xD3, 0xFF)),
    ],
)
def test_each_completion_code_is_its_error(code: int, error: type[BMCError]) -> None:
    made = completion_error(0, 1, code, where=WHERE)

    assert type(made) is error
    assert made.details == {**WHERE, "completion_code": code}


@pytest.mark.parametrize(
    ("netfn", "command", "code", "error"),
    [
        (6, 0x3B, 0x80, BMCCredentials),
        (6, 0x3B, 0x81, BMCCredentials),
        (0, 0x08, 0x80, BMCUnsupported),
        (0, 0x08, 0x81, BMCBusy),
        (0, 0x08, 0x82, BMCUnsupported),
        (0, 0x02, 0x80, BMCFault),
    ],
)
def test_a_code_of_one_command_means_nothing_to_another(
    netfn: int, command: int, code: int, error: type[BMCError]
) -> None:
    assert type(completion_error(netfn, command, code, where=WHERE)) is error


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0x01, BMCBusy),
        (0x0B, BMCBusy),
        *((status, BMCCredentials) for status in (4, 5, 6, 7, 9, 0xA, 0xC, 0xD, 0xE, 0xF, 0x10, 0x11, 0x12)),
        *((status, BMCFault) for status in (2, 3, 8, 0x13, 0xFF)),
    ],
)
def test_each_rmcp_status_is_its_error(status: int, error: type[BMCError]) -> None:
    made = login_error(status, where=WHERE)

    assert type(made) is error
    assert made.details == {**WHERE, "rmcp_status": status}


def test_every_error_in_the_tables_says_what_to_do() -> None:
    meanings = [*COMPLETION_CODES.values(), *COMMAND_CODES.values(), *RMCP_STATUSES.values()]

    assert all(meaning.error in ADVICE for meaning in meanings)
    assert RMCP_STATUSES.keys() >= CIPHER_STATUSES
