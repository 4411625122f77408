"""The power machine: how a machine is driven to a power state, and how it is known to be there.

A target is reached in legs (a reboot has two); in each leg the machine is looked at, one control is sent, and the state
is read back until it is the wanted one. Every rule is a row of TRANSITIONS, from which the docs' table is made. Rules
that keep it honest:

- Nothing is sent to a machine that is already there.
- A control whose outcome is unknown is not repeated: the state is read, for long enough that an effect would show, and
  only then a decision is made anew. A soft power off, which presses a button, is never sent twice.
- Before a control is sent, the machine's place is on disk; so whoever takes over knows that it may have been sent.
- Success is what the BMC reported, never what was asked for.

Source: IPMI v2.0, 28.2 Get Chassis Status and 28.3 Chassis Control; Ironic's verbs and time-outs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, assert_never

from castiron.actors.core.turn import HOPELESS, PASSING, Ask, Failed, Limits, Next, Succeeded, Wait, longer
from castiron.actors.drivers.base import Done, GetPower, NotDone, Outcome, SetPower
from castiron.transport.errors import CastironError, DeadlineExceeded, PowerStateUnconfirmed, from_wire
from castiron.transport.vocabulary import Applied, Instant, PowerControl, PowerState, PowerTarget


class Phase(StrEnum):
    """Where a leg stands."""

    LOOK = "look"
    """Reading the state; nothing of this leg has been sent."""
    SEND = "send"
    """The control is on its way."""
    UNSURE = "unsure"
    """The control may have arrived; reading the state to find out."""
    CONFIRM = "confirm"
    """The control was acknowledged; reading the state until it is the wanted one."""


class Happening(StrEnum):
    """What can happen to a leg."""

    SAW_WANTED = "saw wanted"
    """The BMC reports the state that the leg leads to."""
    SAW_OTHER = "saw other"
    """The BMC reports the other state."""
    SETTLED = "settled"
    """The BMC reports the other state, and a control that may be repeated has had time to show an effect."""
    NO_ANSWER = "no answer"
    """The driver failed in a way that may pass; nothing was sent."""
    REFUSED = "refused"
    """The driver failed in a way that will not pass; nothing was applied."""
    ACKNOWLEDGED = "acknowledged"
    """The BMC took the control."""
    UNANSWERED = "unanswered"
    """The control was sent and nobody knows whether it arrived."""
    TIMED_OUT = "timed out"
    """The leg's time is over."""
    SOFT_TIMED_OUT = "soft timed out"
    """The leg's time is over, it was a soft power off, and cutting the power was asked for in that case."""


class Do(StrEnum):
    """What a row orders."""

    READ = "read"
    READ_LATER = "read later"
    SEND = "send"
    SEND_HARD = "send hard"
    NEXT_LEG = "next leg"
    FAIL = "fail"


TRANSITIONS: Final[Mapping[tuple[Phase, Happening], tuple[Phase, Do]]] = {
    # Nothing has been sent yet.
    (Phase.LOOK, Happening.SAW_WANTED): (Phase.LOOK, Do.NEXT_LEG),  # already there: nothing is sent
    (Phase.LOOK, Happening.SAW_OTHER): (Phase.SEND, Do.SEND),
    (Phase.LOOK, Happening.NO_ANSWER): (Phase.LOOK, Do.READ_LATER),  # it may answer before the time is over
    (Phase.LOOK, Happening.REFUSED): (Phase.LOOK, Do.FAIL),  # a wrong password does not mend itself
    (Phase.LOOK, Happening.TIMED_OUT): (Phase.LOOK, Do.FAIL),
    # The control is on its way.
    (Phase.SEND, Happening.ACKNOWLEDGED): (Phase.CONFIRM, Do.READ),
    (Phase.SEND, Happening.NO_ANSWER): (Phase.LOOK, Do.READ_LATER),  # it never left: look again, then send
    (Phase.SEND, Happening.REFUSED): (Phase.SEND, Do.FAIL),
    (Phase.SEND, Happening.UNANSWERED): (Phase.UNSURE, Do.READ),  # never repeated blindly: read, then decide
    (Phase.SEND, Happening.TIMED_OUT): (Phase.UNSURE, Do.FAIL),
    # The control may have arrived.
    (Phase.UNSURE, Happening.SAW_WANTED): (Phase.UNSURE, Do.NEXT_LEG),
    (Phase.UNSURE, Happening.SAW_OTHER): (Phase.UNSURE, Do.READ_LATER),  # it may act late
    (Phase.UNSURE, Happening.SETTLED): (Phase.SEND, Do.SEND),  # it had no effect: a new decision, a new control
    (Phase.UNSURE, Happening.NO_ANSWER): (Phase.UNSURE, Do.READ_LATER),
    (Phase.UNSURE, Happening.REFUSED): (Phase.UNSURE, Do.READ_LATER),  # cannot be read now; the end must say "unknown"
    (Phase.UNSURE, Happening.TIMED_OUT): (Phase.UNSURE, Do.FAIL),
    (Phase.UNSURE, Happening.SOFT_TIMED_OUT): (Phase.SEND, Do.SEND_HARD),
    # The BMC took the control.
    (Phase.CONFIRM, Happening.SAW_WANTED): (Phase.CONFIRM, Do.NEXT_LEG),
    (Phase.CONFIRM, Happening.SAW_OTHER): (Phase.CONFIRM, Do.READ_LATER),  # machines take their time
    (Phase.CONFIRM, Happening.NO_ANSWER): (Phase.CONFIRM, Do.READ_LATER),  # a BMC may reboot with its machine
    (Phase.CONFIRM, Happening.REFUSED): (Phase.CONFIRM, Do.READ_LATER),
    (Phase.CONFIRM, Happening.TIMED_OUT): (Phase.CONFIRM, Do.FAIL),
    (Phase.CONFIRM, Happening.SOFT_TIMED_OUT): (Phase.SEND, Do.SEND_HARD),
}
"""Every rule of a leg. A pair that is not here cannot happen; meeting one is a fault of ours."""

LEGS: Final[Mapping[PowerTarget, tuple[PowerControl, ...]]] = {
    PowerTarget.ON: (PowerControl.ON,),
    PowerTarget.OFF: (PowerControl.OFF,),
    PowerTarget.REBOOT: (PowerControl.OFF, PowerControl.ON),  # not a reset: each half can be confirmed
    PowerTarget.SOFT_OFF: (PowerControl.SOFT_OFF,),
    PowerTarget.SOFT_REBOOT: (PowerControl.SOFT_OFF, PowerControl.ON),
}
"""Which controls lead to a target, in order."""

WANTED: Final[Mapping[PowerControl, PowerState]] = {
    PowerControl.ON: PowerState.ON,
    PowerControl.OFF: PowerState.OFF,
    PowerControl.SOFT_OFF: PowerState.OFF,
}
"""The state that a control leads to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPlace:
    """How far an action has come: all that a successor must know."""

    phase: Phase = Phase.LOOK
    leg: int = 0
    forced: bool = False
    """The soft control of this leg was given up for a hard one."""
    sent: tuple[PowerControl, ...] = ()
    """Controls that left, or may have left, this conductor."""
    acknowledged: bool = False
    """A control of this action is known to have been applied."""
    unsure: bool = False
    """A control may have been applied without anybody knowing."""
    seen: PowerState | None = None
    seen_at: Instant | None = None
    until: Instant = Instant(0.0)
    """When this leg is given up."""
    settles_at: Instant = Instant(0.0)
    """From when on a control of unknown outcome counts as without effect."""
    wait_s: float = 0.0
    trouble: Mapping[str, Any] | None = None
    """The driver's latest failure in the form of the wire, None after a good answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerAction:
    """One power action. Every method is pure and returns the action as it is afterwards, and what it wants next."""

    target: PowerTarget
    hard_fallback: bool
    limits: Limits
    place: PowerPlace

    @property
    def observed(self) -> tuple[PowerState, Instant] | None:
        """What the BMC reported last during this action, and when."""
        if self.place.seen is None or self.place.seen_at is None:
            return None
        return self.place.seen, self.place.seen_at

    @property
    def until(self) -> Instant:
        """When `expired` is to be told."""
        return self.place.until

    @property
    def control(self) -> PowerControl:
        """The control of the present leg."""
        return PowerControl.OFF if self.place.forced else LEGS[self.target][self.place.leg]

    def step(self) -> str:
        """Say for people what it is doing."""
        wanted = WANTED[self.control]
        return {
            Phase.LOOK: "reading the power state",
            Phase.SEND: f"sending {self.control}",
            Phase.UNSURE: f"finding out whether {self.control} had an effect",
            Phase.CONFIRM: f"waiting for {wanted}",
        }[self.place.phase]

    def progress(self) -> Mapping[str, Any]:
        """Return the place as plain data, for the store."""
        place = self.place
        return {
            "phase": place.phase.value,
            "leg": place.leg,
            "forced": place.forced,
            "sent": [control.value for control in place.sent],
            "acknowledged": place.acknowledged,
            "unsure": place.unsure,
        }

    def begin(self, now: Instant) -> "tuple[PowerAction, Next]":
        """Start it: look at the machine."""
        place = PowerPlace(until=Instant(now + self.limits.change_s), wait_s=self.limits.poll_initial_s)
        return replace(self, place=place), Ask(GetPower())

    def resume(self, progress: Mapping[str, Any], now: Instant) -> "tuple[PowerAction, Next]":
        """Take over what a predecessor began: with fresh time, and in doubt about what it sent last."""
        looking = Phase(progress.get("phase", Phase.LOOK)) is Phase.LOOK
        place = PowerPlace(
            phase=Phase.LOOK if looking else Phase.UNSURE,
            leg=int(progress.get("leg", 0)),
            forced=bool(progress.get("forced", False)),
            sent=tuple(PowerControl(control) for control in progress.get("sent", ())),
            acknowledged=bool(progress.get("acknowledged", False)),
            unsure=bool(progress.get("unsure", False)) or not looking,
            settles_at=Instant(now + self.limits.settle_s),
            wait_s=self.limits.poll_initial_s,
        )
        resumed = replace(self, place=place)
        return resumed._with(until=resumed._until(now)), Ask(GetPower())

    def heard(self, outcome: Outcome, now: Instant) -> "tuple[PowerAction, Next]":
        """Take in the outcome of what it asked the driver for."""
        match outcome:
            case Done(value=PowerState() as seen):
                return self._with(seen=seen, seen_at=now, trouble=None)._step(self._saw(seen, now), now)
            case Done():
                return self._with(trouble=None, acknowledged=True)._step(Happening.ACKNOWLEDGED, now)
            case NotDone(error=error, applied=applied):
                happening = _trouble(error, applied, sending=self.place.phase is Phase.SEND)
                return self._with(trouble=error.to_wire())._step(happening, now)

    def woke(self, now: Instant) -> "tuple[PowerAction, Next]":
        """Go on after a wait."""
        del now
        return self, Ask(GetPower())

    def expired(self, now: Instant) -> "tuple[PowerAction, Next]":
        """Give the leg up: its time is over."""
        waiting = self.place.phase in (Phase.CONFIRM, Phase.UNSURE)
        soft = waiting and self.hard_fallback and self.control is PowerControl.SOFT_OFF
        return self._step(Happening.SOFT_TIMED_OUT if soft else Happening.TIMED_OUT, now)

    def _saw(self, seen: PowerState, now: Instant) -> Happening:
        if seen is WANTED[self.control]:
            return Happening.SAW_WANTED
        repeatable = self.control is not PowerControl.SOFT_OFF
        if self.place.phase is Phase.UNSURE and repeatable and now >= self.place.settles_at:
            return Happening.SETTLED
        return Happening.SAW_OTHER

    def _until(self, now: Instant) -> Instant:
        soft = self.control is PowerControl.SOFT_OFF and self.place.phase is not Phase.LOOK
        return Instant(now + (self.limits.soft_off_s if soft else self.limits.change_s))

    def _step(self, happening: Happening, now: Instant) -> "tuple[PowerAction, Next]":
        phase, do = TRANSITIONS[self.place.phase, happening]
        after = self._noting(happening)._with(phase=phase)
        match do:
            case Do.READ:
                settles_at = Instant(now + self.limits.settle_s)
                return after._with(wait_s=self.limits.poll_initial_s, settles_at=settles_at), Ask(GetPower())
            case Do.READ_LATER:
                wait_s = after.place.wait_s
                return after._with(wait_s=longer(wait_s, self.limits)), Wait(Instant(now + wait_s))
            case Do.SEND:
                return after._send(now)
            case Do.SEND_HARD:
                return after._with(forced=True)._send(now, fresh_time=True)
            case Do.NEXT_LEG:
                return after._next_leg(now)
            case Do.FAIL:
                return after, Failed(after._failure())
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(do)

    def _with(self, **changes: Any) -> "PowerAction":
        return replace(self, place=replace(self.place, **changes))

    def _noting(self, happening: Happening) -> "PowerAction":
        """Keep the books of what was sent and whether it was applied."""
        place = self.place
        if place.phase is Phase.SEND and happening in (Happening.NO_ANSWER, Happening.REFUSED):
            return self._with(sent=place.sent[:-1])
        if happening is Happening.UNANSWERED or (place.phase is Phase.SEND and happening is Happening.TIMED_OUT):
            return self._with(unsure=True)
        if happening is Happening.SAW_WANTED and place.unsure:
            return self._with(unsure=False, acknowledged=True)
        return self

    def _send(self, now: Instant, *, fresh_time: bool = False) -> "tuple[PowerAction, Next]":
        # A soft power off has its own, longer time, from the moment that it is first sent.
        first_soft = self.control is PowerControl.SOFT_OFF and self.control not in self.place.sent
        until = self._until(now) if fresh_time or first_soft else self.place.until
        return self._with(until=until, sent=(*self.place.sent, self.control)), Ask(
            SetPower(self.control), commit_first=True
        )

    def _next_leg(self, now: Instant) -> "tuple[PowerAction, Next]":
        if self.place.leg + 1 == len(LEGS[self.target]):
            return self, Succeeded(self._result())
        return self._with(phase=Phase.SEND, leg=self.place.leg + 1, forced=False)._send(now, fresh_time=True)

    def _result(self) -> Mapping[str, Any]:
        return {
            "power_state": self.place.seen,
            "power_state_at": self.place.seen_at,
            "sent": [control.value for control in self.place.sent],
        }

    def _applied(self) -> Applied:
        if self.place.acknowledged:
            return Applied.YES
        return Applied.UNKNOWN if self.place.unsure else Applied.NO

    def _failure(self) -> CastironError:
        applied = self._applied()
        if self.place.trouble is not None:
            error = from_wire(self.place.trouble)
            error.applied = applied
            return error
        wanted, seen = WANTED[self.control], self.place.seen
        if self.place.phase in (Phase.LOOK, Phase.SEND) or seen is None:
            return DeadlineExceeded(f"Time ran out before {self.control} could be sent.", applied=applied)
        return PowerStateUnconfirmed(
            f"The machine did not reach {wanted} in time; its BMC still reports {seen}.",
            details={"wanted": wanted.value, "power_state": seen.value},
            applied=applied,
        )


def _trouble(error: CastironError, applied: Applied, *, sending: bool) -> Happening:
    if not sending:
        return Happening.REFUSED if isinstance(error, HOPELESS) else Happening.NO_ANSWER
    if applied is not Applied.NO:
        return Happening.UNANSWERED
    return Happening.NO_ANSWER if isinstance(error, PASSING) else Happening.REFUSED
