"""What somebody in the middle makes of a datagram on its way: cut, bent, repeated, held back, or another's. Pure."""

from collections.abc import Sequence
from enum import StrEnum, auto
from typing import Final, NamedTuple

from hypothesis import strategies as st

RMCP: Final = b"\x06\x00\xff\x07\x06"


class Tamper(StrEnum):
    """What is done to a datagram."""

    NOTHING = auto()
    DROP = auto()
    TWICE = auto()
    HOLD = auto()
    """It comes after the next one."""
    CUT = auto()
    GROW = auto()
    BEND = auto()
    """One bit of it is another."""
    SESSION = auto()
    """It bears another session's id."""
    SEQUENCE = auto()
    """Its sequence number is another."""
    LENGTH = auto()
    """It says that it is longer or shorter than it is."""
    KIND = auto()
    """It says that it is another kind of message."""
    STALE = auto()
    """What came earlier comes once more, and then it."""
    OTHERS = auto()
    """What another BMC said comes first."""
    NOISE = auto()
    """Noise comes first, in the shape of a message."""


class Change(NamedTuple):
    """One of these, and where or how much."""

    what: Tamper
    much: int

    def __repr__(self) -> str:
        return f"{self.what} {self.much}"


def changes(most: int) -> st.SearchStrategy[list[Change]]:
    """Draw what becomes of the first datagrams of a conversation; those after them pass."""
    one = st.builds(Change, st.sampled_from(Tamper), st.integers(0, 2**32 - 1))
    return st.lists(one, max_size=most)


class Middle:
    """Carries out changes, one for each datagram that passes."""

    def __init__(self, script: Sequence[Change], others: Sequence[bytes]) -> None:
        self._script = list(script)
        self._others = others
        self._heard: list[bytes] = []
        self._held: list[bytes] = []

    def __call__(self, datagram: bytes) -> list[bytes]:
        """Return what passes in a datagram's place."""
        change = self._script.pop(0) if self._script else Change(Tamper.NOTHING, 0)
        held, self._held = self._held, []
        self._heard.append(datagram)
        if change.what is Tamper.HOLD:
            self._held = [datagram]
            return held
        return [*self._made(change, datagram), *held]

    def _made(self, change: Change, datagram: bytes) -> list[bytes]:
        what, much = change
        match what:
            case Tamper.DROP:
                return []
            case Tamper.TWICE:
                return [datagram, datagram]
            case Tamper.STALE:
                return [self._heard[much % len(self._heard)], datagram]
            case Tamper.OTHERS if self._others:
                return [self._others[much % len(self._others)], datagram]
            case Tamper.NOISE:
                return [RMCP + much.to_bytes(4, "little") * (1 + much % 20), datagram]
            case _:
                return [bent(what, much, datagram)]


def bent(what: Tamper, much: int, datagram: bytes) -> bytes:
    """Return a datagram with something wrong in it."""
    number = much.to_bytes(4, "little")
    at = much // 8 % len(datagram)
    made = {
        Tamper.CUT: datagram[: much % len(datagram)],
        Tamper.GROW: datagram + number[:1] * (1 + much % 300),
        Tamper.BEND: _put(datagram, at, bytes([datagram[at] ^ 1 << much % 8])),
        Tamper.SESSION: _put(datagram, 6, number),
        Tamper.SEQUENCE: _put(datagram, 10, number),
        Tamper.LENGTH: _put(datagram, 14, number[:2]),
        Tamper.KIND: _put(datagram, 4, number[:2]),
    }
    return made.get(what, datagram)


def _put(datagram: bytes, at: int, new: bytes) -> bytes:
    return (datagram[:at] + new + datagram[at + len(new) :])[: len(datagram)]
