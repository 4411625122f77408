"""What can be wrong with a BMC or the way to it, as a value that can be changed while the BMC runs.

A fault is a field with a harmless default, and a question that the BMC asks at the right moment; so a new fault is one
field and one question, and whatever was written before keeps its meaning. Randomness is the caller's.

What is used up (a lie, a refusal) is used up by a new value: so the value always says what is wrong from now on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf, log
from random import Random
from types import MappingProxyType
from typing import Final, Self

from castiron.testing.bmc.codes import NetFn

MAX_FLOOD: Final = 1_000
"""Datagrams of garbage for each one heard: about what the receive buffer of a console has room for, and 10 ms of the
farm's time."""

_WHOLE_PERCENT: Final = 100.0
_P99_DEVIATIONS: Final = 2.3263
"""So many standard deviations above the mean lies the 99th percentile of a normal distribution."""


class CommandKind(StrEnum):
    """Which commands a refusal meets."""

    ANY = "any"
    """Every command inside a session."""
    PROBE = "probe"
    """Get Channel Authentication Capabilities, with which consoles begin."""
    LOGIN = "login"
    """Set Session Privilege Level, the last step of a login."""
    STATUS = "status"
    """Get Chassis Status."""
    CONTROL = "control"
    """Chassis Control."""
    BOOT = "boot"
    """Get and Set System Boot Options."""


_COMMANDS: Final[Mapping[CommandKind, frozenset[tuple[int, int]]]] = MappingProxyType(
    {
        CommandKind.PROBE: frozenset({(NetFn.APP, 0x38)}),
        CommandKind.LOGIN: frozenset({(NetFn.APP, 0x3B)}),
        CommandKind.STATUS: frozenset({(NetFn.CHASSIS, 0x01)}),
        CommandKind.CONTROL: frozenset({(NetFn.CHASSIS, 0x02)}),
        CommandKind.BOOT: frozenset({(NetFn.CHASSIS, 0x08), (NetFn.CHASSIS, 0x09)}),
    }
)


class Forgery(StrEnum):
    """What is wrong with an answer that should not be believed.

    Inside a session, all but `integrity` and `truncated` are sealed with its keys: only a console that looks closely
    drops them.
    """

    SESSION = "session"
    """It carries another session's id."""
    SEQUENCE = "sequence"
    """Its session sequence number is far outside the window; of a login step, the message tag."""
    REQUEST = "request"
    """It answers another request than the one that was asked."""
    INTEGRITY = "integrity"
    """Its last byte, part of what proves it genuine, is wrong."""
    TRUNCATED = "truncated"
    """It ends somewhere."""
    LATE = "late"
    """It is genuine, and comes minutes after the question."""


@dataclass(frozen=True, slots=True)
class LongTail:
    """Delays that are mostly short and now and then very long, as those of busy firmware: log-normal.

    Raises:
        ValueError: not 0 < median_s <= p99_s.
    """

    median_s: float
    """Half of the delays are shorter."""
    p99_s: float
    """One in a hundred is longer."""

    def __post_init__(self) -> None:
        """Refuse what is no distribution."""
        if not 0 < self.median_s <= self.p99_s < inf:
            raise ValueError(f"a long tail must be a median above 0 and a 99th percentile not below it: {self}")

    def draw_s(self, rng: Random) -> float:
        """Return a delay."""
        return rng.lognormvariate(log(self.median_s), log(self.p99_s / self.median_s) / _P99_DEVIATIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A completion code in place of what was asked: nothing of a refused command is carried out.

    Raises:
        ValueError: a number is out of its range.
    """

    code: int = 0xC0
    """From 0x01 to 0xff; 0xc0 is "node busy"."""
    count: int = 1
    """So many commands meet it."""
    kind: CommandKind = CommandKind.ANY
    """Only these commands meet it, and count."""

    def __post_init__(self) -> None:
        """Refuse what fits into no answer."""
        if not 0 < self.code <= 0xFF:  # noqa: PLR2004 - a byte
            raise ValueError(f"code must be within 0x01 and 0xff: {self.code:#04x}")
        if self.count < 1:
            raise ValueError(f"count must be at least 1: {self.count}")

    def meets(self, netfn: int, command: int, *, in_session: bool) -> bool:
        """Return whether a command is of the kind."""
        return in_session if self.kind is CommandKind.ANY else (netfn, command) in _COMMANDS[self.kind]

    def used(self) -> "Refusal | None":
        """Return what is left of it after one more command."""
        return replace(self, count=self.count - 1) if self.count > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults of one BMC. `Faults()` is a healthy one.

    Raises:
        ValueError: a number is out of its range.
    """

    silent: bool = False
    """Hears nothing and says nothing: no command is carried out. Its sessions run out meanwhile."""
    slow_s: float | tuple[float, float] | LongTail = 0.0
    """Answers this many seconds late, or late by a time drawn evenly between two, or with a long tail; commands take
    effect at once."""
    loss_percent: float = 0.0
    """Of the datagrams, so many are lost, each way: a lost request is not carried out, a lost answer's request is."""
    duplicate_percent: float = 0.0
    """Of the datagrams, so many arrive twice, each way."""
    reorder_percent: float = 0.0
    """Of the datagrams, so many wait until the next one of the same console has overtaken them, each way. A request may
    so be carried out long after its console has given it up."""
    wrong_password: bool = False
    """Its password is not the one that consoles are told. Sessions that are open stay open."""
    table_full: bool = False
    """Has no slot for another session. Sessions that are open stay open."""
    ignores_logins: bool = False
    """Says that it is there to whoever asks, and nothing of a login. Sessions that are open stay open."""
    ignores_power: bool = False
    """Says yes to chassis controls, and does nothing."""
    late_power_s: float = 0.0
    """Says yes to chassis controls, and acts this many seconds later."""
    wrong_power_count: int = 0
    """The next so many times that it is asked for the power state, it tells the opposite."""
    refusal: Refusal | None = None
    """Answers the next commands with a completion code instead of doing them."""
    flood_count: int = 0
    """Sends so many datagrams of garbage for each one that it hears, before the answer."""
    forgeries: tuple[Forgery, ...] = ()
    """Instead of what it should answer it sends one of these, drawn evenly."""
    forge_percent: float = _WHOLE_PERCENT
    """Of the answers, so many are forged, if there are forgeries."""

    is_smooth: bool = field(init=False, repr=False, compare=False)
    """Nothing is wrong with the way: each datagram that comes in is heard, and its one answer leaves at once."""

    def __post_init__(self) -> None:
        """Refuse what no network and no BMC does."""
        if not isinstance(self.slow_s, LongTail):
            low, high = _bounds_s(self.slow_s)
            if not 0 <= low <= high < inf:
                raise ValueError(f"slow_s must be seconds, or (least, most): {self.slow_s!r}")
        for name in ("loss_percent", "duplicate_percent", "reorder_percent", "forge_percent"):
            if not 0 <= getattr(self, name) <= _WHOLE_PERCENT:
                raise ValueError(f"{name} must be within 0 and 100: {getattr(self, name)!r}")
        if not 0 <= self.late_power_s < inf:
            raise ValueError(f"late_power_s must be seconds: {self.late_power_s!r}")
        if self.wrong_power_count < 0:
            raise ValueError(f"wrong_power_count must be 0 or more: {self.wrong_power_count!r}")
        if not 0 <= self.flood_count <= MAX_FLOOD:
            raise ValueError(f"flood_count must be within 0 and {MAX_FLOOD}: {self.flood_count!r}")
        disturbances = (self.slow_s, self.loss_percent, self.duplicate_percent, self.reorder_percent)
        is_rough = self.silent or any(disturbances) or self.flood_count or self.forgeries
        object.__setattr__(self, "is_smooth", not is_rough)  # asked for each datagram, so it is known beforehand

    def loses(self, rng: Random) -> bool:
        """Return whether the datagram at hand is lost. Draws only if there is a loss."""
        return _happens(self.loss_percent, rng)

    def duplicates(self, rng: Random) -> bool:
        """Return whether the datagram at hand arrives twice. Draws only if some do."""
        return _happens(self.duplicate_percent, rng)

    def reorders(self, rng: Random) -> bool:
        """Return whether the datagram at hand is overtaken by the next one. Draws only if some are."""
        return _happens(self.reorder_percent, rng)

    def delay_s(self, rng: Random) -> float:
        """Return how late the answer at hand is. Draws only if it can be late."""
        if isinstance(self.slow_s, LongTail):
            return self.slow_s.draw_s(rng)
        low, high = _bounds_s(self.slow_s)
        return low if low == high else rng.uniform(low, high)

    def forgery(self, rng: Random) -> Forgery | None:
        """Return what is sent instead of the answer at hand; None for the answer itself. Draws only if it forges."""
        if not self.forgeries or not _happens(self.forge_percent, rng):
            return None
        return rng.choice(self.forgeries)

    def acts_at(self, now: float) -> float:
        """Return when a chassis control that arrives now is carried out; infinity for never."""
        return inf if self.ignores_power else now + self.late_power_s

    def without_a_lie(self) -> Self:
        """Return what is left after one wrong power state."""
        return replace(self, wrong_power_count=self.wrong_power_count - 1)

    def without_a_refusal(self) -> Self:
        """Return what is left after one refused command."""
        return replace(self, refusal=self.refusal and self.refusal.used())


def _happens(percent: float, rng: Random) -> bool:
    return percent > 0 and rng.random() * _WHOLE_PERCENT < percent


def _bounds_s(slow_s: float | tuple[float, float]) -> tuple[float, float]:
    return slow_s if isinstance(slow_s, tuple) else (slow_s, slow_s)
