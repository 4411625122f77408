"""What is asked of inventory, sensors and event log. Source: IPMI v2.0, chapters 31, 33, 34 and 35."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from castiron.testing.bmc import codes
from castiron.testing.bmc.codes import NetFn, Privilege
from castiron.testing.bmc.commands.ask import Ask, Command, new_reservation

_ONLY_DEVICE: Final = 0


def _get_fru_info(ask: Ask) -> bytes:
    return ask.device.repository.fru_info() if ask.data[0] == _ONLY_DEVICE else codes.NOT_PRESENT


def _read_fru(ask: Ask) -> bytes:
    if ask.data[0] != _ONLY_DEVICE:
        return codes.NOT_PRESENT
    return ask.device.repository.read_fru(int.from_bytes(ask.data[1:3], "little"), ask.data[3])


def _get_repository_info(ask: Ask) -> bytes:
    return ask.device.repository.info()


def _reserve_repository(ask: Ask) -> bytes:
    return ask.device.repository.reserve(new_reservation(ask))


def _get_record(ask: Ask) -> bytes:
    return ask.device.repository.read(ask.data)


def _get_log_info(ask: Ask) -> bytes:
    return ask.device.log.info(ask.now)


def _reserve_log(ask: Ask) -> bytes:
    return ask.device.log.reserve(new_reservation(ask))


def _get_log_entry(ask: Ask) -> bytes:
    return ask.device.log.get(ask.data)


def _clear_log(ask: Ask) -> bytes:
    return ask.device.log.clear(ask.data, ask.now)


def _get_log_time(ask: Ask) -> bytes:
    return codes.OK + (int(ask.now) & 0xFFFFFFFF).to_bytes(4, "little")


def _get_reading(ask: Ask) -> bytes:
    sensor = ask.device.repository.sensor(ask.data[0])
    return codes.NOT_PRESENT if sensor is None else sensor.reading()


def _get_thresholds(ask: Ask) -> bytes:
    sensor = ask.device.repository.sensor(ask.data[0])
    return codes.NOT_PRESENT if sensor is None or sensor.unit is None else sensor.thresholds()


STORAGE: Final[Mapping[tuple[int, int], Command]] = MappingProxyType(
    {
        (NetFn.STORAGE, 0x10): Command(_get_fru_info, Privilege.USER, 1, 1),
        (NetFn.STORAGE, 0x11): Command(_read_fru, Privilege.USER, 4, 4),
        (NetFn.STORAGE, 0x20): Command(_get_repository_info, Privilege.USER),
        (NetFn.STORAGE, 0x22): Command(_reserve_repository, Privilege.USER),
        (NetFn.STORAGE, 0x23): Command(_get_record, Privilege.USER, 6, 6),
        (NetFn.STORAGE, 0x40): Command(_get_log_info, Privilege.USER),
        (NetFn.STORAGE, 0x42): Command(_reserve_log, Privilege.USER),
        (NetFn.STORAGE, 0x43): Command(_get_log_entry, Privilege.USER, 6, 6),
        (NetFn.STORAGE, 0x47): Command(_clear_log, Privilege.OPERATOR, 6, 6),
        (NetFn.STORAGE, 0x48): Command(_get_log_time, Privilege.USER),
        (NetFn.SENSOR, 0x27): Command(_get_thresholds, Privilege.USER, 1, 1),
        (NetFn.SENSOR, 0x2D): Command(_get_reading, Privilege.USER, 1, 1),
    }
)
"""(network function, command) -> its row."""
