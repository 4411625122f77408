"""Sensors with their records (SDRs): full records for those with a value, compact ones for those with states only.

A value is kept raw, one byte: value = raw * scale * 10 ** exponent. What a threshold says follows from the value.

Source: IPMI v2.0, 35.14 Get Sensor Reading, 35.9 Get Sensor Thresholds, 43.1 and 43.2, tables 42-1, 42-3, 43-15.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

from castiron.testing.bmc import codes

TEMPERATURE, VOLTAGE, FAN, POWER_SUPPLY, OTHER = 0x01, 0x02, 0x04, 0x08, 0x0B
"""Sensor types (table 42-3)."""
CELSIUS, VOLTS, WATTS, RPM = 1, 4, 6, 18
"""Units (table 43-15)."""
MAX_NAME_BYTES: Final = 16
MAX_SCALE: Final = 511
"""Ten bits with a sign."""
EXPONENTS: Final = (-8, 7)
"""Four bits with a sign."""

_BMC: Final = 0x20
_THRESHOLD, _PARTICULAR = 0x01, 0x6F
_SCANNED, _UNAVAILABLE = 0x40, 0x20
_TOP: Final = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """One sensor of a simulated BMC.

    Raises:
        ValueError: a number that its record has no room for.
    """

    number: int
    name: str
    kind: int = TEMPERATURE
    """Its sensor type."""
    unit: int | None = CELSIUS
    """Of its value; None for a sensor that has states only."""
    raw: int = 0
    """Its value before the formula."""
    scale: int = 1
    """Up to 511."""
    exponent: int = 0
    """Of ten, from -8 to 7, by which the value is multiplied."""
    upper_critical: int | None = None
    """Raw; from here on it is critical."""
    lower_critical: int | None = None
    """Raw; from here down it is critical."""
    states: int = 0
    """One bit each, of a sensor that has states only."""
    is_available: bool = True

    def __post_init__(self) -> None:
        """Refuse what no record says."""
        if not 0 < len(self.name.encode()) <= MAX_NAME_BYTES:
            raise ValueError(f"a sensor's name has 1 to {MAX_NAME_BYTES} bytes: {self.name!r}")
        for value, low, high in (
            (self.number, 0, _TOP - 1),
            (self.raw, 0, _TOP),
            (self.scale, 0, MAX_SCALE),
            (self.exponent, *EXPONENTS),
        ):
            if not low <= value <= high:
                raise ValueError(f"number, raw, scale or exponent is out of range: {self}")

    def reads(self, *, raw: int | None = None, states: int | None = None, is_available: bool = True) -> Self:
        """Return the sensor with another reading."""
        return replace(
            self,
            raw=self.raw if raw is None else raw,
            states=self.states if states is None else states,
            is_available=is_available,
        )

    def record(self, number: int) -> bytes:
        """Return its record under an id."""
        body = self._compact() if self.unit is None else self._full()
        name = self.name.encode("latin-1")
        body += bytes((0xC0 | len(name),)) + name
        return number.to_bytes(2, "little") + bytes((0x51, 2 if self.unit is None else 1, len(body))) + body

    def reading(self) -> bytes:
        """Answer Get Sensor Reading."""
        flags = 0x80 | _SCANNED | (0 if self.is_available else _UNAVAILABLE)
        if self.unit is None:
            return codes.OK + bytes((0, flags, self.states & 0xFF, 0x80 | self.states >> 8))
        return codes.OK + bytes((self.raw, flags, 0xC0 | self._crossed()))

    def thresholds(self) -> bytes:
        """Answer Get Sensor Thresholds: which can be read, then the six, lower ones first."""
        readable = (0x02 if self.lower_critical is not None else 0) | (0x10 if self.upper_critical is not None else 0)
        return codes.OK + bytes((readable, 0, self.lower_critical or 0, 0, 0, self.upper_critical or 0, 0))

    def _crossed(self) -> int:
        is_low = self.lower_critical is not None and self.raw <= self.lower_critical
        is_high = self.upper_critical is not None and self.raw >= self.upper_critical
        return (0x02 if is_low else 0) | (0x10 if is_high else 0)

    def _full(self) -> bytes:
        readable = self.thresholds()[1]
        formula = bytes((self.scale & 0xFF, self.scale >> 8 << 6, 0, 0, 0, (self.exponent & 0x0F) << 4))
        return b"".join(
            (
                bytes((_BMC, 0, self.number, 7, 1, 0x7F, 0x44, self.kind, _THRESHOLD)),
                bytes((0, 0, 0, 0, readable, 0)),  # no events; which thresholds can be read
                bytes((0, self.unit or 0, 0, 0)),  # unsigned; unit; no second one; linear
                formula,
                bytes((0, 0, 0, 0, _TOP, 0)),  # no nominal reading; the range
                self._raw_thresholds(),
                bytes((0, 0, 0, 0, 0)),  # hysteresis, reserved, OEM
            )
        )

    def _raw_thresholds(self) -> bytes:
        return bytes((0, self.upper_critical or 0, 0, 0, self.lower_critical or 0, 0))

    def _compact(self) -> bytes:
        head = bytes((_BMC, 0, self.number, 10, 1, 0x67, 0x40, self.kind, _PARTICULAR))
        masks = b"\xff\x7f\xff\x7f\xff\x7f"
        return head + masks + bytes((0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))


DEFAULT_SENSORS: Final = (
    Sensor(number=1, name="Inlet Temp", raw=23, upper_critical=45, lower_critical=2),
    Sensor(number=2, name="Fan 1", kind=FAN, unit=RPM, raw=60, scale=100, lower_critical=10),
    Sensor(number=3, name="Board Power", kind=OTHER, unit=WATTS, raw=105, scale=2),
    Sensor(number=4, name="PSU 1", kind=POWER_SUPPLY, unit=None, states=0x01),
)
"""What a simulated machine has unless told otherwise."""
