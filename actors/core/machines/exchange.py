"""One thing that is asked of a driver until it is done or the time is over: the machine of most steps.

What may be repeated without harm is tried again after a failure that may pass; what may not is asked once, and an
outcome that nobody knows is told as that. Pure; the methods are those of PowerAction.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from castiron.actors.core.machines.turn import PASSING, Ask, Failed, Limits, Next, Succeeded, Wait, longer
from castiron.actors.drivers.base import BootSetting, Done, NotDone, Operation, Outcome, Value
from castiron.actors.drivers.findings import PasswordCheck, SystemGUID
from castiron.actors.drivers.work import Deferred, Secret
from castiron.store.records.copying import replace
from castiron.transport.errors import BMCUnsupported, CastironError, DeadlineExceeded, from_wire
from castiron.transport.vocabulary import Applied, BootMode, Instant, PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeAction:
    """Asking for something. Every method is pure."""

    operation: Operation
    what: str
    """What it is doing, for people."""
    limits: Limits
    is_repeatable: bool = True
    is_optional: bool = False
    """A BMC that does not have it is none the worse: nothing was found."""
    wanted: Value = None
    """The value that must be seen; None: any."""
    until: Instant = Instant(0.0)
    wait_s: float = 0.0
    asking: bool = False
    unsure: bool = False
    value: Value = None
    seen_at: Instant | None = None
    trouble: Mapping[str, Any] | None = None
    """The driver's latest failure in the form of the wire."""

    @property
    def observed(self) -> tuple[PowerState, Instant] | None:
        """The power state that it has read, and when."""
        if self.seen_at is None or not isinstance(self.value, PowerState):
            return None
        return self.value, self.seen_at

    def step(self) -> str:
        """Say for people what it is doing."""
        return self.what

    def progress(self) -> Mapping[str, Any]:
        """Return what a successor must know: whether it may have been done."""
        return {"asked": self.asking or self.unsure}

    def begin(self, now: Instant) -> "tuple[ExchangeAction, Next]":
        """Start it."""
        fresh = replace(self, until=Instant(now + self.limits.change_s), wait_s=self.limits.poll_initial_s)
        return fresh._ask()

    def resume(self, progress: Mapping[str, Any], now: Instant) -> "tuple[ExchangeAction, Next]":
        """Take over what a predecessor began: ask again, unless that may do harm."""
        unsure = bool(progress.get("asked", True))
        resumed, following = replace(self, unsure=unsure).begin(now)
        if self.is_repeatable or not unsure:
            return resumed, following
        idle = replace(resumed, asking=False)
        return idle, Failed(idle._failure())

    def heard(self, outcome: Outcome, now: Instant) -> "tuple[ExchangeAction, Next]":
        """Take in the outcome."""
        heard = replace(self, asking=False)
        match outcome:
            case Done(value=value):
                heard = replace(heard, value=value, seen_at=now, trouble=None)
                if self.wanted is None or value == self.wanted:
                    return heard, Succeeded(told(value))
                return heard._later(now)
            case NotDone(error=error, applied=applied):
                unsure = self.unsure or applied is not Applied.NO
                heard = replace(heard, unsure=unsure, trouble=error.to_wire())
                if self.is_optional and isinstance(error, BMCUnsupported):
                    return heard, Succeeded({"supported": False})
                may_repeat = self.is_repeatable or applied is Applied.NO
                if isinstance(error, PASSING) and may_repeat:
                    return heard._later(now)
                return heard, Failed(heard._failure())

    def woke(self, now: Instant) -> "tuple[ExchangeAction, Next]":
        """Go on after a wait."""
        del now
        return self._ask()

    def expired(self, now: Instant) -> "tuple[ExchangeAction, Next]":
        """Give up: the time is over."""
        del now
        return self, Failed(self._failure())

    def applied(self) -> Applied:
        """Return what is known of what was sent."""
        return Applied.UNKNOWN if self.unsure or self.asking else Applied.NO

    def _ask(self) -> "tuple[ExchangeAction, Next]":
        return replace(self, asking=True), Ask(self.operation, commit_first=not self.is_repeatable)

    def _later(self, now: Instant) -> "tuple[ExchangeAction, Next]":
        return replace(self, wait_s=longer(self.wait_s, self.limits)), Wait(Instant(now + self.wait_s))

    def _failure(self) -> CastironError:
        if self.trouble is not None:
            error = from_wire(self.trouble)
            error.applied = self.applied()
            return error
        seen = "" if self.wanted is None else f" {self.wanted} was wanted, {self.value or 'nothing'} was seen."
        return DeadlineExceeded(
            f"It was not done in time: {self.what}.{seen} Look at the BMC, or allow more time.",
            details={"deadline_at": self.until},
            applied=self.applied(),
        )


def told(value: Value) -> Mapping[str, Any]:
    """Return what was read as the result of a request or step."""
    match value:
        case None:
            result: dict[str, Any] = {}
        case PowerState():
            result = {"power_state": value.value}
        case BootSetting(device=device, persistent=persistent, uefi=uefi):
            result = {"boot_device": device.value, "persistent": persistent, "uefi": uefi}
        case BootMode():
            result = {"boot_mode": value.value}
        case SystemGUID():
            result = {"system_guid": str(value)}
        case Secret():
            result = {}  # it is told nobody
        case PasswordCheck() | Deferred() | bool():
            result = {"value": str(value)}
        case Mapping():
            result = dict(value)
        case _:
            result = asdict(value)
    return result
