"""What operations find at a BMC. Frozen records of plain values, ready for `dataclasses.asdict`; None is unknown.

str() of each is short and holds no secret: it is what traces show. Numbers are as the BMC tells them, texts without
control characters. No protocol's bytes here but those of a GUID.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import RFC_4122, UUID


class Health(StrEnum):
    """How bad a sensor's state is."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    FAILED = "failed"


class PasswordCheck(StrEnum):
    """What a BMC says of a user's password."""

    MATCHES = "matches"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceID:
    """Who made a BMC, and its versions."""

    manufacturer_id: int
    """IANA enterprise number; 0 is unspecified."""
    product_id: int
    """The manufacturer's own number."""
    device_id: int
    device_revision: int
    firmware: str
    """Such as "9.08"."""
    ipmi: str
    """Such as "2.0"; empty where it was not asked over IPMI, and the numbers above are 0."""
    has_sdr_repository: bool
    """Its sensors are described in a repository; if not, only in its own device SDRs."""
    manufacturer: str | None = None
    """By name, where the BMC says it so: Redfish."""
    model: str | None = None
    redfish: str | None = None
    """The version of Redfish that it speaks, such as "1.15.0"."""

    def __str__(self) -> str:
        if self.redfish is not None:
            return f"manufacturer {self.manufacturer}, model {self.model}, firmware {self.firmware}"
        return f"manufacturer {self.manufacturer_id}, product {self.product_id}, firmware {self.firmware}"


@dataclass(frozen=True, slots=True)
class SystemGUID:
    """A machine's GUID as the BMC sent it. BMCs differ in the order of its bytes."""

    data: bytes
    """16 bytes."""

    @property
    def uuid(self) -> UUID | None:
        """The GUID in the first order in which it is one: SMBIOS, IPMI, RFC 4122; None if it is in none.

        What is one in SMBIOS' order never is in IPMI's. RFC 4122's order, which neither asks for, is the last guess.
        """
        orders = UUID(bytes_le=self.data), UUID(bytes=self.data[::-1]), UUID(bytes=self.data)
        return next((order for order in orders if order.variant == RFC_4122 and order.version in range(1, 6)), None)

    def __str__(self) -> str:
        return str(self.uuid or self.data.hex())


@dataclass(frozen=True, slots=True, kw_only=True)
class FRUChassis:
    """The chassis, as its FRU says."""

    kind: str | None = None
    """Such as "Rack Mount Chassis"."""
    part_number: str | None = None
    serial: str | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FRUBoard:
    """The main board, as its FRU says."""

    made: str | None = None
    """When, in UTC, as "2024-02-29T12:30"."""
    manufacturer: str | None = None
    name: str | None = None
    serial: str | None = None
    part_number: str | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FRUProduct:
    """The machine as a product, as its FRU says."""

    manufacturer: str | None = None
    name: str | None = None
    part_number: str | None = None
    version: str | None = None
    serial: str | None = None
    asset_tag: str | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FRU:
    """A FRU inventory. What it does not have is None."""

    chassis: FRUChassis | None = None
    board: FRUBoard | None = None
    product: FRUProduct | None = None
    damaged: tuple[str, ...] = ()
    """Which of the three are there and fail their checksum, or end too early; they are None."""

    def __str__(self) -> str:
        there = [name for name in ("chassis", "board", "product") if getattr(self, name) is not None]
        return f"fru with {', '.join(there) or 'nothing'}" + (
            f"; {', '.join(self.damaged)} damaged" * bool(self.damaged)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorReading:
    """One sensor, now."""

    number: int
    name: str
    kind: str
    """Such as "Temperature", "Fan", "Power Supply"."""
    value: float | None
    """None for a sensor that has states only, or cannot be read now."""
    units: str
    """Such as "°C"; empty where there is no value or no unit."""
    states: tuple[str, ...]
    """What it says of itself, such as "upper critical threshold", "Present"."""
    health: Health
    """The worst of its states'; OK says nothing where is_available is False."""
    is_available: bool
    """Whether it could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensors:
    """The sensors of a BMC, in the order of their records."""

    readings: tuple[SensorReading, ...]
    left_out_count: int = 0
    """Sensors that were not asked: of other controllers than the BMC, or beyond the limits."""

    def __str__(self) -> str:
        return f"{len(self.readings)} sensors, {self.left_out_count} left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class SELInfo:
    """How full an event log is."""

    entry_count: int
    free_bytes: int | None
    """65,535 stands for that much or more; None where the BMC does not tell: Redfish."""
    has_overflowed: bool
    """Events were lost because it was full."""
    added_at: float | None
    """When the last entry came, by the BMC's clock; None if it does not know."""
    erased_at: float | None
    """When it was last cleared, by the BMC's clock; None if it does not know."""

    def __str__(self) -> str:
        return f"{self.entry_count} entries" + ("" if self.free_bytes is None else f", {self.free_bytes} bytes free")


Finding = DeviceID | SystemGUID | FRU | Sensors | SELInfo | PasswordCheck
"""What an operation gives back, besides power and boot device."""
