"""The boot device's machine: one question to the BMC, asked until it is answered or the time is over.

Reading changes nothing and setting twice does no harm, so a failure that may pass is simply tried again. Rules are the
rows of TRANSITIONS.

Source: IPMI v2.0, 28.12 Set and 28.13 Get System Boot Options, parameter 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from castiron.actors.core.turn import PASSING, Ask, Failed, Limits, Next, Succeeded, Wait, longer
from castiron.actors.drivers.base import BootSetting, Done, GetBootDevice, NotDone, Outcome, SetBootDevice
from castiron.transport.errors import CastironError, DeadlineExceeded, from_wire
from castiron.transport.vocabulary import Applied, Instant, PowerState


class Happening(StrEnum):
    """What can happen to the question."""

    ANSWERED = "answered"
    NO_ANSWER = "no answer"
    """It failed in a way that may pass."""
    REFUSED = "refused"
    """It failed in a way that will not pass."""
    TIMED_OUT = "timed out"


class Do(StrEnum):
    """What a row orders."""

    SUCCEED = "succeed"
    ASK_LATER = "ask later"
    FAIL = "fail"


TRANSITIONS: Final[Mapping[Happening, Do]] = {
    Happening.ANSWERED: Do.SUCCEED,
    Happening.NO_ANSWER: Do.ASK_LATER,  # it may answer before the time is over
    Happening.REFUSED: Do.FAIL,  # a wrong password does not mend itself
    Happening.TIMED_OUT: Do.FAIL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BootAction:
    """Reading or setting a boot device. Every method is pure; see PowerAction, which has the same ones."""

    setting: BootSetting | None
    """What to set; None: read."""
    limits: Limits
    until: Instant = Instant(0.0)
    wait_s: float = 0.0
    unsure: bool = False
    """A setting may have been applied without anybody knowing."""
    trouble: Mapping[str, Any] | None = None

    @property
    def observed(self) -> tuple[PowerState, Instant] | None:
        """No power state is seen by it."""
        return None

    def step(self) -> str:
        """Say for people what it is doing."""
        return "reading the boot device" if self.setting is None else "setting the boot device"

    def progress(self) -> Mapping[str, Any]:
        """Return what a successor must know: it would just ask again."""
        return {"unsure": self.unsure or self.setting is not None}

    def begin(self, now: Instant) -> "tuple[BootAction, Next]":
        """Start it."""
        fresh = replace(self, until=Instant(now + self.limits.change_s), wait_s=self.limits.poll_initial_s)
        return fresh, fresh._ask()

    def resume(self, progress: Mapping[str, Any], now: Instant) -> "tuple[BootAction, Next]":
        """Take over what a predecessor began: ask again, with fresh time."""
        return replace(self, unsure=bool(progress.get("unsure", False))).begin(now)

    def heard(self, outcome: Outcome, now: Instant) -> "tuple[BootAction, Next]":
        """Take in the outcome of what it asked the driver for."""
        match outcome:
            case Done(value=value):
                return self, Succeeded(self._result(value if isinstance(value, BootSetting) else self.setting))
            case NotDone(error=error, applied=applied):
                unsure = self.unsure or applied is not Applied.NO
                happening = Happening.NO_ANSWER if isinstance(error, PASSING) else Happening.REFUSED
                return replace(self, unsure=unsure, trouble=error.to_wire())._step(happening, now)

    def woke(self, now: Instant) -> "tuple[BootAction, Next]":
        """Go on after a wait."""
        del now
        return self, self._ask()

    def expired(self, now: Instant) -> "tuple[BootAction, Next]":
        """Give up: the time is over."""
        return self._step(Happening.TIMED_OUT, now)

    def _ask(self) -> Ask:
        return Ask(GetBootDevice() if self.setting is None else SetBootDevice(self.setting))

    def _step(self, happening: Happening, now: Instant) -> "tuple[BootAction, Next]":
        if TRANSITIONS[happening] is Do.ASK_LATER:
            return replace(self, wait_s=longer(self.wait_s, self.limits)), Wait(Instant(now + self.wait_s))
        return self, Failed(self._failure())

    def _result(self, setting: BootSetting | None) -> Mapping[str, Any]:
        if setting is None:
            return {"boot_device": None, "persistent": False, "uefi": False}
        return {"boot_device": setting.device.value, "persistent": setting.persistent, "uefi": setting.uefi}

    def _failure(self) -> CastironError:
        applied = Applied.UNKNOWN if self.unsure and self.setting is not None else Applied.NO
        if self.trouble is None:
            return DeadlineExceeded("Time ran out before the BMC answered.", applied=applied)
        error = from_wire(self.trouble)
        error.applied = applied
        return error
