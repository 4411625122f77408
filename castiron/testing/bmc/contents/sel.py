"""The system event log: 16-byte records, reservations, and an erasure that may take its time.

Source: IPMI v2.0, 31.2 to 31.9, table 32-1.
"""

from typing import Final, NamedTuple

from castiron.testing.bmc import codes

MAX_ENTRIES: Final = 512
"""As many as small real logs have; beyond it entries are lost, and the log says so."""
ENTRY_BYTES: Final = 16
_NEVER: Final = 0xFFFFFFFF
_LAST: Final = 0xFFFF
_SYSTEM_EVENT: Final = 0x02
_BMC: Final = 0x20
_EVM_REVISION: Final = 0x04
_SUPPORT: Final = 0x02  # reservations
_BEGIN, _LOOK = 0xAA, 0x00


class Event(NamedTuple):
    """What happened at a sensor."""

    sensor_type: int
    """As table 42-3 numbers them; 0x01 is temperature."""
    sensor_number: int
    event_type: int
    """0x01 for thresholds, 0x6F for what is particular to the sensor type."""
    data: bytes
    """1 to 3 bytes; the first has the offset in its low half."""


class EventLog:
    """The log of one BMC.

    Attributes:
        erase_s: seconds that an erasure takes.
        erase_count: how often it was erased.
    """

    __slots__ = (
        "_added_at",
        "_entries",
        "_erased_at",
        "_erasing_until",
        "_overflowed",
        "_reservation",
        "erase_count",
        "erase_s",
    )

    def __init__(self) -> None:
        self.erase_s = 0.0
        self.erase_count = 0
        self._entries: list[bytes] = []
        self._reservation = 0
        self._added_at = self._erased_at = _NEVER
        self._erasing_until = 0.0
        self._overflowed = False

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, event: Event, now: float) -> None:
        """Log an event. It ends a reservation."""
        self._reservation = 0
        if len(self._entries) >= MAX_ENTRIES:
            self._overflowed = True
            return
        self._added_at = int(now) & _NEVER
        data = event.data.ljust(3, b"\xff")[:3]
        head = (len(self._entries) + 1).to_bytes(2, "little") + bytes((_SYSTEM_EVENT,))
        who = bytes((_BMC, 0, _EVM_REVISION, event.sensor_type, event.sensor_number, event.event_type))
        self._entries.append(head + self._added_at.to_bytes(4, "little") + who + data)

    def info(self, now: float) -> bytes:
        """Answer Get SEL Info."""
        if now < self._erasing_until:
            return codes.ERASING
        free = (MAX_ENTRIES - len(self._entries)) * ENTRY_BYTES
        counts = b"\x51" + len(self._entries).to_bytes(2, "little") + free.to_bytes(2, "little")
        times = self._added_at.to_bytes(4, "little") + self._erased_at.to_bytes(4, "little")
        return codes.OK + counts + times + bytes((_SUPPORT | (0x80 if self._overflowed else 0),))

    def reserve(self, number: int) -> bytes:
        """Answer Reserve SEL with a number that was not the last one."""
        self._reservation = number
        return codes.OK + number.to_bytes(2, "little")

    def get(self, data: bytes) -> bytes:
        """Answer Get SEL Entry."""
        wanted, offset, count = int.from_bytes(data[2:4], "little"), data[4], data[5]
        if not self._entries:
            return codes.NOT_PRESENT
        index = len(self._entries) - 1 if wanted == _LAST else max(wanted, 1) - 1
        if index >= len(self._entries):
            return codes.NOT_PRESENT
        following = index + 2 if index + 1 < len(self._entries) else _LAST
        return codes.OK + following.to_bytes(2, "little") + self._entries[index][offset:][:count]

    def clear(self, data: bytes, now: float) -> bytes:
        """Answer Clear SEL: begin an erasure, or tell how it goes."""
        if int.from_bytes(data[:2], "little") != self._reservation or not self._reservation:
            return codes.RESERVATION_LOST
        if data[2:5] != b"CLR" or data[5] not in {_BEGIN, _LOOK}:
            return codes.INVALID_FIELD
        if data[5] == _BEGIN:
            self._entries.clear()
            self._erased_at, self._overflowed = int(now) & _NEVER, False
            self._erasing_until = now + self.erase_s
            self.erase_count += 1
        return codes.OK + bytes((0 if now < self._erasing_until else 1,))
