"""The walk through a BMC's sensor data records: the repository, or the device's own where there is none. Pure.

    what      repository, network function 0x0A      device, 0x04                           answer
    reserve   0x22                                   0x22                                   reservation (2)
    read      0x23, reservation (2), record (2),     0x21, reservation (2), record (2),     next record (2),
              offset, count                          offset, count                          that many bytes

A record is asked for whole (count 0xFF); a BMC that cannot send so much is asked for its head, 5 bytes, then the rest
in pieces, from then on. A reservation that is lost (0xC5) is made anew, and the record begun again.

Source: IPMI v2.0, 33.11 and 33.12, 35.3 and 35.4; chapter 43 for the head: id (2), version, type, bytes that follow.
"""

from collections.abc import Generator
from typing import Final, NamedTuple

from castiron.actors.drivers.ipmi.sessions.codes import INVALID_COMMAND, RESERVATION_LOST, SENSOR, STORAGE, TOO_MUCH
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Nonsense, Refused, Request, needed

MAX_RECORDS: Final = 1_000
"""Large servers have some 300."""

MAX_RESERVATIONS: Final = 16
"""In one walk. Other parties' changes and reservations end ours; who does so more often wants to be alone."""

PIECE_BYTES: Final = 32
"""Beside the head; half of it, and so on, where that is refused."""

LEAST_PIECE_BYTES: Final = 8
HEAD_BYTES: Final = 5
_WHOLE: Final = 0xFF
_LAST: Final = 0xFFFF


class Kept(NamedTuple):
    """Where records are kept: a network function and the command that reads."""

    netfn: int
    read: int


REPOSITORY: Final = Kept(STORAGE, 0x23)
DEVICE: Final = Kept(SENSOR, 0x21)


class Records:
    """One walk."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._reservation = b"\x00\x00"
        self._reservations = 0
        self._piece: int | None = None

    def walk(self) -> Generator[Request, Answer, tuple[list[bytes], bool]]:
        """Return the records, each from its id to its end, and whether these are all."""
        yield from self._reserve()
        records: list[bytes] = []
        seen: set[int] = set()
        following = 0
        while following != _LAST and len(records) < MAX_RECORDS:
            if following in seen:
                raise Nonsense("has sensor records that lead in a circle")
            seen.add(following)
            following, record = yield from self._record(following)
            records.append(record)
        return records, following == _LAST

    def _record(self, number: int) -> Generator[Request, Answer, tuple[int, bytes]]:
        while True:
            try:
                return (yield from self._read(number))
            except Refused as refused:
                if refused.code != RESERVATION_LOST or self._reservations >= MAX_RESERVATIONS:
                    raise
            yield from self._reserve()

    def _read(self, number: int) -> Generator[Request, Answer, tuple[int, bytes]]:
        if self._piece is None:
            request = self._request(number, 0, _WHOLE)
            answer = yield request
            if answer.code not in TOO_MUCH:
                following, record = _parted(request, answer, HEAD_BYTES)
                if len(record) >= HEAD_BYTES + record[4]:
                    return following, record[: HEAD_BYTES + record[4]]
            self._piece = PIECE_BYTES
        request = self._request(number, 0, HEAD_BYTES)
        following, record = _parted(request, (yield request), HEAD_BYTES)
        length = HEAD_BYTES + record[4]
        while len(record) < length:
            record += yield from self._read_piece(number, len(record), length - len(record))
        return following, record

    def _read_piece(self, number: int, offset: int, left: int) -> Generator[Request, Answer, bytes]:
        while True:
            piece = self._piece or PIECE_BYTES
            request = self._request(number, offset, min(left, piece))
            answer = yield request
            if answer.code not in TOO_MUCH or piece <= LEAST_PIECE_BYTES:
                return _parted(request, answer, 1)[1][:left]
            self._piece = piece // 2

    def _reserve(self) -> Generator[Request, Answer, None]:
        self._reservations += 1
        request = Request(self._kept.netfn, 0x22)
        answer = yield request
        if answer.code == INVALID_COMMAND:  # reservations are optional
            return
        self._reservation = needed(request, answer, length=2)[:2]

    def _request(self, number: int, offset: int, count: int) -> Request:
        data = self._reservation + number.to_bytes(2, "little") + bytes([offset, count])
        return Request(self._kept.netfn, self._kept.read, data)


def _parted(request: Request, answer: Answer, least: int) -> tuple[int, bytes]:
    """Return the next record's id, and the bytes, of which there must be some."""
    data = needed(request, answer, length=2 + least)
    return int.from_bytes(data[:2], "little"), data[2:]
