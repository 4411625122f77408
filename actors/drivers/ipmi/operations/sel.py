"""The system event log: how full it is, and its erasure. Pure.

    what        request (network function 0x0A)             answer, after the completion code
    info        0x40                                        version, entries (2), free (2), added (4), erased (4), …
    reserve     0x42                                        reservation (2)
    clear       0x47, reservation (2), 43 4C 52 "CLR", AA   progress: 0 at work, 1 complete
    progress    0x47, reservation (2), 43 4C 52 "CLR", 00   the same

A reservation is lost (0xC5) whenever an entry comes or another party reserves; then it is made anew. A BMC without
reservations refuses to make one, and takes 0.

Source: IPMI v2.0, 31.2 Get SEL Info, 31.4 Reserve SEL, 31.9 Clear SEL.
"""

from collections.abc import Generator
from typing import Final

from castiron.actors.drivers.findings import SELInfo
from castiron.actors.drivers.ipmi.sessions.codes import INVALID_COMMAND, RESERVATION_LOST, STORAGE
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Nonsense, Refused, Request, Steps, needed

MAX_TRIES: Final = 4
"""Times that an erasure is begun. Each one lost means that somebody used the log within a millisecond or two."""

POLL_S: Final = 0.5
"""Between two looks at an erasure: flash takes some seconds."""

MAX_POLLS: Final = 240
"""Two minutes of them; an erasure takes seconds. The call's deadline is nearly always earlier."""

_INFO_BYTES: Final = 14
_START, _LOOK = 0xAA, 0x00
_NEVER: Final = 0xFFFFFFFF
_OVERFLOWED: Final = 0x80


def get_info() -> Steps:
    """Read how full the log is."""
    request = Request(STORAGE, 0x40)
    data = needed(request, (yield request), length=_INFO_BYTES)
    return SELInfo(
        entry_count=int.from_bytes(data[1:3], "little"),
        free_bytes=int.from_bytes(data[3:5], "little"),
        added_at=_instant(data[5:9]),
        erased_at=_instant(data[9:13]),
        has_overflowed=bool(data[13] & _OVERFLOWED),
    )


def clear() -> Steps:
    """Erase the log, and see that it is done."""
    reservation, progress = yield from _begin()
    for _ in range(MAX_POLLS):
        if progress[0] & 0x0F:
            return None
        request = _erase(reservation, _LOOK)
        answer = yield request
        if answer.code == RESERVATION_LOST:
            reservation = yield from _reserve()
        else:
            progress = needed(request, answer, length=1)
    raise Nonsense("did not come to an end with the erasure of its event log")


def _begin() -> Generator[Request, Answer, tuple[bytes, bytes]]:
    """Begin the erasure; return the reservation, and how it goes."""
    tries = 0
    while True:
        tries += 1
        reservation = yield from _reserve()
        request = _erase(reservation, _START)
        answer = yield request
        if answer.code != RESERVATION_LOST:
            return reservation, needed(request, answer, length=1)
        if tries == MAX_TRIES:
            # An erasure that was carried out, and whose answer was lost, ends the reservation of its second copy, too.
            raise Refused(request, answer.code, is_in_doubt=True)


def _reserve() -> Generator[Request, Answer, bytes]:
    request = Request(STORAGE, 0x42)
    answer = yield request
    if answer.code == INVALID_COMMAND:
        return b"\x00\x00"
    return needed(request, answer, length=2)[:2]


def _erase(reservation: bytes, step: int) -> Request:
    begins = step == _START
    return Request(STORAGE, 0x47, reservation + b"CLR" + bytes([step]), acts=begins, after_s=0 if begins else POLL_S)


def _instant(timestamp: bytes) -> float | None:
    seconds = int.from_bytes(timestamp, "little")
    return None if seconds == _NEVER else float(seconds)
