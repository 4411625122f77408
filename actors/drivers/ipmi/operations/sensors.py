"""The readings of a BMC's sensors. pyghmi knows the records' formulas, units and states; here they get its bytes. Pure.

    what      request (network function 0x04)     answer, after the completion code
    reading   0x2D, sensor                        raw value, 0x40 scanned | 0x20 unavailable, states (0 to 2)
    factors   0x23, sensor, raw value             next value, formula (6); of sensors that are not linear only

Only sensors of the BMC itself (owner 0x20, LUN 0) are asked: those of other controllers would need a bridge, and cost
another controller's time. They are counted.

Source: IPMI v2.0, 35.5 Get Sensor Reading Factors, 35.14 Get Sensor Reading, 43.1 and 43.2, tables 42-1 to 42-3.
"""

from collections.abc import Generator
from typing import Any, Final, NamedTuple

from pyghmi.constants import Health as PyghmiHealth
from pyghmi.ipmi import sdr
from pyghmi.ipmi.private import constants

from castiron.actors.drivers.findings import Health, SensorReading, Sensors
from castiron.actors.drivers.ipmi.operations.controller import GET_DEVICE_ID, MIN_ID_BYTES, read_id
from castiron.actors.drivers.ipmi.operations.records import DEVICE, REPOSITORY, Records
from castiron.actors.drivers.ipmi.operations.texts import decoded
from castiron.actors.drivers.ipmi.sessions.codes import SENSOR
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Request, Steps, needed

MAX_SENSORS: Final = 256
"""Asked in one operation. A LUN has 255 numbers."""

_NAME_AT: Final = {1: 47, 2: 31}
"""Type of record (full, compact) → where the type and length of its name stand."""

_BMC, _LUN = 0x20, 0
_LINEAR_UP_TO: Final = 11
_READING_BYTES: Final = 4
_HEALTHS: Final = (
    (PyghmiHealth.Failed, Health.FAILED),
    (PyghmiHealth.Critical, Health.CRITICAL),
    (PyghmiHealth.Warning, Health.WARNING),
)


class _Sensor(NamedTuple):
    """A sensor as its record says."""

    name: str
    entry: Any
    """pyghmi's."""


def read_sensors() -> Steps:
    """Read the records, then each sensor."""
    device = read_id(needed(GET_DEVICE_ID, (yield GET_DEVICE_ID), length=MIN_ID_BYTES))
    records, are_all = yield from Records(REPOSITORY if device.has_sdr_repository else DEVICE).walk()
    described = [sensor for sensor in map(_described, records) if sensor is not None]
    own = [sensor for sensor in described if (sensor.entry.sensor_owner, sensor.entry.sensor_lun) == (_BMC, _LUN)]
    readings: list[SensorReading] = []
    for sensor in own[:MAX_SENSORS]:
        readings.append((yield from _read(sensor)))  # noqa: PERF401 - a generator's body is no comprehension
    return Sensors(readings=tuple(readings), left_out_count=len(described) - len(readings) + (not are_all))


def _described(record: bytes) -> _Sensor | None:
    """Return what a record says; None if it is of no sensor that can be read, or pyghmi cannot read it."""
    name_at = _NAME_AT.get(record[3])
    if name_at is None or len(record) <= name_at:
        return None
    mark = record[name_at]
    name = decoded(mark >> 6, record[name_at + 1 : name_at + 1 + (mark & 0x1F)], binary="utf-8")
    # The name is ours to read, so pyghmi gets none: for some kinds of text it raises, or never ends.
    nameless = bytearray(record[:name_at]) + b"\xc0"
    try:
        entry: Any = sdr.SDREntry(nameless, constants)
    except Exception:  # noqa: BLE001 - pyghmi raises whatever a strange record makes it raise
        return None
    return _Sensor(name or f"sensor {entry.sensor_number}", entry)


def _read(sensor: _Sensor) -> Generator[Request, Answer, SensorReading]:
    number = sensor.entry.sensor_number
    answer = yield Request(SENSOR, 0x2D, bytes([number]))
    raw = answer.data
    if answer.code or len(raw) < 2:  # noqa: PLR2004 - value and flags
        return _unavailable(sensor)
    if (sensor.entry.linearization or 0) > _LINEAR_UP_TO:
        factors = yield Request(SENSOR, 0x23, bytes([number, raw[0]]))
        if factors.code or len(factors.data) < 7:  # noqa: PLR2004 - next value and six of the formula
            return _unavailable(sensor)
        sensor.entry.decode_formula(bytearray(factors.data[1:]))
        sensor.entry.linearization = 0
    return _decoded(sensor, bytearray(raw.ljust(_READING_BYTES, b"\0")))


def _decoded(sensor: _Sensor, raw: bytearray) -> SensorReading:
    try:
        reading = sensor.entry.decode_sensor_reading(None, raw)
    except Exception:  # noqa: BLE001 - a formula may divide by zero, or leave the real numbers
        return _unavailable(sensor)
    if reading.unavailable:
        return _unavailable(sensor)
    value = None if reading.value is None else round(float(reading.value), 6)
    return SensorReading(
        number=sensor.entry.sensor_number,
        name=sensor.name,
        kind=str(reading.type),
        value=value,
        units="" if value is None else str(reading.units).strip(),
        states=tuple(str(state) for state in reading.states),
        health=next((health for bit, health in _HEALTHS if reading.health & bit), Health.OK),
        is_available=True,
    )


def _unavailable(sensor: _Sensor) -> SensorReading:
    return SensorReading(
        number=sensor.entry.sensor_number,
        name=sensor.name,
        kind=str(sensor.entry.sensor_type),
        value=None,
        units="",
        states=(),
        health=Health.OK,
        is_available=False,
    )
