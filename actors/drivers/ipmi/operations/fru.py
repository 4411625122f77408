"""The inventory of FRU device 0: only its chassis, board and product area are fetched, in pieces. Pure.

    what     request (network function 0x0A)          answer, after the completion code
    size     0x10, device 0                           bytes (2), 1 if it is counted in words
    piece    0x11, device 0, offset (2), count        count, that many bytes (or words)

The head, 8 bytes, says where each area begins, the second byte of an area how long it is; both count in 8 bytes. So an
inventory whose other areas are kilobytes costs no more than another one.

Source: IPMI v2.0, 34.1 Get FRU Inventory Area Info, 34.2 Read FRU Data; FRU Information Storage 1.0, 8 and 9.
"""

from collections.abc import Generator
from typing import Any, Final

from castiron.actors.drivers.findings import FRU
from castiron.actors.drivers.ipmi.operations.areas import AREAS, is_sound, read_area
from castiron.actors.drivers.ipmi.sessions.codes import STORAGE, TOO_MUCH
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Nonsense, Request, Steps, needed

PIECE_BYTES: Final = 64
"""Asked for at once: with what surrounds it still one message on nearly all BMCs; if not, half of it, and so on."""

LEAST_PIECE_BYTES: Final = 8
"""Every BMC can send that: the specification's own records are read so."""

_DEVICE: Final = 0
_UNIT: Final = 8
_BLANK: Final = (0x00, 0xFF)


class _Inventory:
    """The FRU device while it is read."""

    def __init__(self, size: int, *, in_words: bool) -> None:
        self.size = size
        self._word = 2 if in_words else 1
        self._piece = PIECE_BYTES

    def read(self, start: int, count: int) -> Generator[Request, Answer, bytes]:
        """Return `count` bytes from a start that is a multiple of 8; fewer at the inventory's end."""
        end = min(start + count, self.size)
        data = b""
        while start + len(data) < end:
            got = yield from self._read_piece(start + len(data), min(self._piece, end - start - len(data)))
            if not got:
                break
            data += got
        return data[:count]

    def _read_piece(self, start: int, count: int) -> Generator[Request, Answer, bytes]:
        while True:
            where = (start // self._word).to_bytes(2, "little")
            request = Request(STORAGE, 0x11, bytes([_DEVICE]) + where + bytes([-(-count // self._word)]))
            answer = yield request
            if answer.code not in TOO_MUCH or self._piece <= LEAST_PIECE_BYTES:
                break
            self._piece //= 2
            count = min(count, self._piece)
        data = needed(request, answer, length=1)
        got = data[1 : 1 + data[0] * self._word]
        if len(got) < data[0] * self._word:
            raise Nonsense("sent less of its inventory than it said")
        return got[: len(got) // self._word * self._word]


def read_fru() -> Steps:
    """Read the inventory."""
    request = Request(STORAGE, 0x10, bytes([_DEVICE]))
    data = needed(request, (yield request), length=3)
    inventory = _Inventory(int.from_bytes(data[:2], "little"), in_words=bool(data[2] & 1))
    head = yield from inventory.read(0, _UNIT)
    if not head or (all(byte == head[0] for byte in head) and head[0] in _BLANK):
        return FRU()
    if len(head) < _UNIT or not is_sound(head) or head[0] & 0x0F != 1:
        raise Nonsense("has an inventory that does not begin as one")
    found: dict[str, Any] = {}
    damaged: list[str] = []
    for name, place in AREAS.items():
        if head[place]:
            area = yield from _fetch(inventory, head[place] * _UNIT)
            found[name] = read_area(name, area)
            damaged += [name] * (found[name] is None)
    return FRU(**found, damaged=tuple(damaged))


def _fetch(inventory: _Inventory, start: int) -> Generator[Request, Answer, bytes]:
    """Return an area, as much of it as there is."""
    area = yield from inventory.read(start, PIECE_BYTES)
    length = area[1] * _UNIT if len(area) > 1 else 0
    if length > len(area):
        area += yield from inventory.read(start + len(area), length - len(area))
    return area[:length]
