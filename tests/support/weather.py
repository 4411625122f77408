"""A machine with its BMC, and all that can happen on the way to it: what the core's decisions are driven against.

The machine keeps the truth (what was applied, what it reported), so that tests can hold a decision's claims against it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from hypothesis import strategies as st

from castiron.actors.drivers.base import (
    BootSetting,
    Done,
    GetBootDevice,
    GetPower,
    NotDone,
    Operation,
    Outcome,
    SetBootDevice,
    SetPower,
)
from castiron.actors.drivers.operations import SetUserPassword, VerifyCredentials
from castiron.transport.errors import (
    BMCBusy,
    BMCCredentials,
    BMCError,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    DeadlineExceeded,
)
from castiron.transport.vocabulary import Applied, BootDevice, PowerControl, PowerState

LEADS_TO = {
    PowerControl.ON: PowerState.ON,
    PowerControl.OFF: PowerState.OFF,
    PowerControl.SOFT_OFF: PowerState.OFF,
}


class Fate(StrEnum):
    """What becomes of one operation on its way."""

    CARRIED_OUT = "carried out"
    ANSWER_LOST = "answer lost"
    LOST = "lost"
    NOT_SENT = "not sent"
    BUSY = "busy"
    FAULT = "fault"
    CREDENTIALS = "credentials"
    UNSUPPORTED = "unsupported"
    TOO_LATE = "too late"
    """No answer until the call's deadline; what was asked for is carried out all the same."""
    NEVER = "never"
    """As too late, and the driver breaks its promise: it says nothing at all."""


REFUSALS: dict[Fate, type[BMCError]] = {
    Fate.NOT_SENT: BMCUnreachable,
    Fate.BUSY: BMCBusy,
    Fate.FAULT: BMCFault,
    Fate.CREDENTIALS: BMCCredentials,
    Fate.UNSUPPORTED: BMCUnsupported,
}


class Gust(NamedTuple):
    """The weather for one operation."""

    fate: Fate = Fate.CARRIED_OUT
    takes_s: float = 0.01
    """From the question to the answer."""
    effect_after_s: float | None = 0.05
    """From a control's arrival to the new state; None: never."""


GUSTS = st.builds(
    Gust,
    fate=st.one_of(st.just(Fate.CARRIED_OUT), st.sampled_from([fate for fate in Fate if fate is not Fate.NEVER])),
    takes_s=st.sampled_from([0.01, 0.4, 2.9]),
    effect_after_s=st.sampled_from([0.0, 0.05, 1.5, 4.0, 15.0, None]),
)
"""Any weather."""

FAIR = Gust()


def weather(gusts: Sequence[Gust], afterwards: Gust = FAIR) -> Iterator[Gust]:
    """The given gusts, then the same one for ever."""
    yield from gusts
    while True:
        yield afterwards


@dataclass
class Machine:
    """A machine and its BMC."""

    power: PowerState = PowerState.OFF
    boot: BootSetting = field(default_factory=lambda: BootSetting(BootDevice.DISK))
    arrived: list[PowerControl] = field(default_factory=list[PowerControl])
    """Power controls that it took, in order."""
    boot_set_count: int = 0
    password: str | None = None
    """What lets in; None: anything does."""
    kept_bytes: int = 20
    """Of a password that it is told."""
    is_deaf: bool = False
    """It acknowledges a new one, and goes on with the old."""
    refused_logins: int = 0
    _changes: list[tuple[float, PowerState]] = field(default_factory=list[tuple[float, PowerState]])

    def settle(self, now: float) -> None:
        """Let what is due have its effect."""
        due = sorted((change for change in self._changes if change[0] <= now), key=lambda change: change[0])
        self._changes = [change for change in self._changes if change[0] > now]
        for _, power in due:
            self.power = power

    def carry_out(
        self, operation: Operation, gust: Gust, now: float, info: Mapping[str, Any] = MappingProxyType({})
    ) -> Outcome:
        """Do what the weather lets through; return what the driver would say, `takes_s` later.

        Args:
            info: what the node is logged in to with; sessions that are open stay open.
        """
        refusal = REFUSALS.get(gust.fate) or (BMCCredentials if self._refuses(operation, info) else None)
        if refusal is not None:
            return NotDone(error=refusal(f"{gust.fate}."), applied=Applied.NO)
        if gust.fate is Fate.LOST:
            return _unanswered(operation, BMCUnreachable("No answer."))
        value = self._apply(operation, gust, now)
        if gust.fate is Fate.ANSWER_LOST:
            return _unanswered(operation, BMCUnreachable("No answer."))
        if gust.fate in (Fate.TOO_LATE, Fate.NEVER):
            return _unanswered(operation, DeadlineExceeded("No answer in time."))
        return Done(value=value)

    def _apply(self, operation: Operation, gust: Gust, now: float) -> PowerState | BootSetting | None:
        match operation:
            case GetPower():
                self.settle(now + gust.takes_s)
                return self.power
            case SetPower(control=control):
                self.arrived.append(control)
                if gust.effect_after_s is not None:
                    self._changes.append((now + gust.effect_after_s, LEADS_TO[control]))
                return None
            case GetBootDevice():
                return self.boot
            case SetBootDevice(setting=setting):
                self.boot_set_count += 1
                self.boot = setting
                return None
            case SetUserPassword(password=password):
                self.password = self.password if self.is_deaf else password[: self.kept_bytes]
                return None
            case VerifyCredentials():
                return None
            case _:
                raise TypeError(f"this machine has no {operation!r}")

    def _refuses(self, operation: Operation, info: Mapping[str, Any]) -> bool:
        """Return whether it lets nobody in for an operation."""
        if self.password is None or not isinstance(operation, SetUserPassword | VerifyCredentials):
            return False
        told = operation.info if isinstance(operation, VerifyCredentials) else info
        is_refused = bool(told.get("ipmi_password") != self.password)
        self.refused_logins += is_refused
        return is_refused


def _unanswered(operation: Operation, error: BMCUnreachable | DeadlineExceeded) -> NotDone:
    changes = isinstance(operation, (SetPower, SetBootDevice, SetUserPassword))
    return NotDone(error=error, applied=Applied.UNKNOWN if changes else Applied.NO)
