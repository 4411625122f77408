"""What a BMC gives piece by piece: its inventory and its sensors' records, with a limit on the bytes of an answer.

Source: IPMI v2.0, 33.9 to 33.12, 34.1, 34.2.
"""

from collections.abc import Sequence
from typing import Final

from castiron.testing.bmc import codes
from castiron.testing.bmc.contents.inventory import MAX_BYTES, build_fru, default_fru
from castiron.testing.bmc.contents.sensors import DEFAULT_SENSORS, Sensor

_LAST: Final = 0xFFFF
_WHOLE: Final = 0xFF


class Repository:
    """FRU device 0 and the sensor data records of one BMC.

    Attributes:
        max_bytes: of an inventory or a record, in one answer; asked for more, it refuses with 0xCA.
    """

    __slots__ = ("_fru", "_name", "_reservation", "_sensors", "max_bytes")

    def __init__(self, name: str) -> None:
        self.max_bytes = _WHOLE
        self._name = name
        self._fru: bytes | None = None
        self._sensors: Sequence[Sensor] = DEFAULT_SENSORS
        self._reservation = 0

    @property
    def fru(self) -> bytes:
        """The inventory, as it is kept."""
        return build_fru(default_fru(self._name)) if self._fru is None else self._fru

    @fru.setter
    def fru(self, data: bytes) -> None:
        if len(data) > MAX_BYTES:
            raise ValueError(f"an inventory has at most {MAX_BYTES} bytes: {len(data)}")
        self._fru = data

    @property
    def sensors(self) -> Sequence[Sensor]:
        """The sensors, in the order of their records."""
        return self._sensors

    @sensors.setter
    def sensors(self, sensors: Sequence[Sensor]) -> None:
        self._sensors = tuple(sensors)
        self._reservation = 0

    def sensor(self, number: int) -> Sensor | None:
        """Return the sensor with this number."""
        return next((sensor for sensor in self._sensors if sensor.number == number), None)

    def fru_info(self) -> bytes:
        """Answer Get FRU Inventory Area Info."""
        return codes.OK + len(self.fru).to_bytes(2, "little") + b"\0"

    def read_fru(self, offset: int, count: int) -> bytes:
        """Answer Read FRU Data."""
        if count > self.max_bytes:
            return codes.TOO_MUCH
        piece = self.fru[offset:][:count]
        return codes.OK + bytes((len(piece),)) + piece if piece else codes.OUT_OF_RANGE

    def info(self) -> bytes:
        """Answer Get SDR Repository Info: reservations, and nobody changes it."""
        count = len(self._sensors).to_bytes(2, "little")
        return codes.OK + b"\x51" + count + b"\xff\xff" + bytes(8) + b"\x02"

    def reserve(self, number: int) -> bytes:
        """Answer Reserve SDR Repository with a number that was not the last one."""
        self._reservation = number
        return codes.OK + number.to_bytes(2, "little")

    def lose_reservation(self) -> None:
        """End the reservation, as a record that is added does."""
        self._reservation = 0

    def read(self, data: bytes) -> bytes:
        """Answer Get SDR. A part of a record needs the reservation."""
        wanted, offset, count = int.from_bytes(data[2:4], "little"), data[4], data[5]
        if offset and int.from_bytes(data[:2], "little") != self._reservation:
            return codes.RESERVATION_LOST
        index = len(self._sensors) - 1 if wanted == _LAST else wanted
        if index >= len(self._sensors):
            return codes.NOT_PRESENT
        record = self._sensors[index].record(index)
        piece = record[offset:] if count == _WHOLE else record[offset:][:count]
        if len(piece) > self.max_bytes:
            return codes.TOO_MUCH
        following = index + 1 if index + 1 < len(self._sensors) else _LAST
        return codes.OK + following.to_bytes(2, "little") + piece
