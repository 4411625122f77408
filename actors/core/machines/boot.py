"""The boot device's machine: one question to the BMC, asked until it is answered or the time is over.

Reading changes nothing and setting twice does no harm, so a failure that may pass is simply tried again. Rules are the
rows of TRANSITIONS.

Source: IPMI v2.0, 28.12 Set and 28.13 Get System Boot Options, parameter 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, assert_never

from castiron.actors.core.machines.turn import PASSING, Ask, Failed, Limits, Next, Succeeded, Wait, longer
from castiron.actors.drivers.base import BootSetting, Done, GetBootDevice, NotDone, Outcome, SetBootDevice
from castiron.store.records.copying import replace
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
"""Every rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootAction:
    """Reading or setting a boot device. Every method is pure; see PowerAction, which has the same ones."""

    setting: BootSetting | None
    """What to set; None: read."""
    limits: Limits
    until: Instant = Instant(0.0)
    wait_s: float = 0.0
    asking: bool = False
    """The question is with the driver."""
    answer: BootSetting | None = None
    """What the BMC said, None if it said nothing yet, or only that the setting was taken."""
    unsure: bool = False
    """A setting may have been applied without anybody knowing."""
    trouble: Mapping[str, Any] | None = None
    """The driver's latest failure in the form of the wire."""

    @property
    def observed(self) -> tuple[PowerState, Instant] | None:
        """No power state is seen by it."""
        return None

    def step(self) -> str:
        """Say for people what it is doing."""
        return "reading the boot device" if self.setting is None else "setting the boot device"

    def progress(self) -> Mapping[str, Any]:
        """Return what a successor must know: that the setting may have been applied."""
        return {"unsure": self._may_be_set()}

    def begin(self, now: Instant) -> "tuple[BootAction, Next]":
        """Start it."""
        fresh = replace(self, until=Instant(now + self.limits.change_s), wait_s=self.limits.poll_initial_s)
        return fresh._ask()

    def resume(self, progress: Mapping[str, Any], now: Instant) -> "tuple[BootAction, Next]":
        """Take over what a predecessor began: ask again, with fresh time."""
        return replace(self, unsure=bool(progress.get("unsure", False))).begin(now)

    def heard(self, outcome: Outcome, now: Instant) -> "tuple[BootAction, Next]":
        """Take in the outcome of what it asked the driver for."""
        heard = replace(self, asking=False)
        match outcome:
            case Done(value=value):
                answer = value if isinstance(value, BootSetting) else None
                return replace(heard, answer=answer)._step(Happening.ANSWERED, now)
            case NotDone(error=error, applied=applied):
                unsure = self.unsure or applied is not Applied.NO
                happening = Happening.NO_ANSWER if isinstance(error, PASSING) else Happening.REFUSED
                return replace(heard, unsure=unsure, trouble=error.to_wire())._step(happening, now)
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(outcome)

    def woke(self, now: Instant) -> "tuple[BootAction, Next]":
        """Go on after a wait."""
        del now
        return self._ask()

    def expired(self, now: Instant) -> "tuple[BootAction, Next]":
        """Give up: the time is over."""
        return self._step(Happening.TIMED_OUT, now)

    def _ask(self) -> "tuple[BootAction, Next]":
        question = GetBootDevice() if self.setting is None else SetBootDevice(self.setting)
        return replace(self, asking=True), Ask(question)

    def _step(self, happening: Happening, now: Instant) -> "tuple[BootAction, Next]":
        match TRANSITIONS[happening]:
            case Do.SUCCEED:
                return self, Succeeded(self._result())
            case Do.ASK_LATER:
                return replace(self, wait_s=longer(self.wait_s, self.limits)), Wait(Instant(now + self.wait_s))
            case Do.FAIL:
                return self, Failed(self._failure())
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(TRANSITIONS[happening])

    def _result(self) -> Mapping[str, Any]:
        setting = self.answer or self.setting
        if setting is None:  # as Ironic says it, where the BMC gave none
            return {"boot_device": None, "persistent": None, "uefi": None}
        return {"boot_device": setting.device.value, "persistent": setting.persistent, "uefi": setting.uefi}

    def applied(self) -> Applied:
        """Return what is known of what was sent; a setting on its way may have arrived."""
        return Applied.UNKNOWN if self._may_be_set() else Applied.NO

    def _may_be_set(self) -> bool:
        return self.setting is not None and (self.unsure or self.asking)

    def _failure(self) -> CastironError:
        applied = self.applied()
        if self.trouble is None:
            return DeadlineExceeded(
                "The BMC did not answer in time. Look at the BMC, or allow more time.",
                details={"deadline_at": self.until},
                applied=applied,
            )
        error = from_wire(self.trouble)
        error.applied = applied
        return error
