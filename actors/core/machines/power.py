"""The power machine: how a machine is driven to a power state, and how it is known to be there.

A target is reached in legs (a reboot has two); in each leg the machine is looked at, one control is sent, and the state
is read back until it is the wanted one. The rules are the rows of `legs.TRANSITIONS`; what is here follows them. They
keep it honest:

- Nothing is sent to a machine that is already there.
- A control whose outcome is unknown is not repeated: the state is read, for long enough that an effect would show, and
  only then a decision is made anew. A soft power off, which presses a button, is never sent twice.
- Before a control is sent, the machine's place is on disk; so whoever takes over knows that it may have been sent.
- Success is what the BMC reported, never what was asked for.
- Every wait ends: a leg has its time, and nothing that happens within it but a soft power off's one sending extends it.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from msgspec import Struct
from msgspec.structs import replace

from castiron.actors.core.machines.legs import LEGS, TRANSITIONS, WANTED, Do, Happening, Phase
from castiron.actors.core.machines.turn import HOPELESS, PASSING, Ask, Failed, Limits, Next, Succeeded, Wait, longer
from castiron.actors.drivers.base import Done, GetPower, NotDone, Outcome, SetPower
from castiron.transport.errors import CastironError, DeadlineExceeded, PowerStateUnconfirmed, from_wire
from castiron.transport.vocabulary import Applied, Instant, PowerControl, PowerState, PowerTarget


class PowerPlace(Struct, gc=False, frozen=True, kw_only=True):
    """How far an action has come. What a successor must know of it is in `PowerAction.progress`."""

    phase: Phase = Phase.LOOK
    leg: int = 0
    forced: bool = False
    """The soft control of this leg was given up for a hard one."""
    sent: tuple[PowerControl, ...] = ()
    """Controls that left, or may have left, this conductor; not those that were certainly not applied."""
    acknowledged: bool = False
    """A control of this action is known to have been applied."""
    unsure: bool = False
    """A control may have been applied without anybody knowing."""
    seen: PowerState | None = None
    """What the BMC reported last during this action."""
    seen_at: Instant | None = None
    send_by: Instant = Instant(0.0)
    """Until when this leg's control must have been taken."""
    until: Instant = Instant(0.0)
    """When this leg is given up: `send_by`, or later while a soft power off has its own time."""
    settles_at: Instant = Instant(0.0)
    """From when on a control of unknown outcome counts as without effect."""
    wait_s: float = 0.0
    """How long the next wait takes."""
    trouble: Mapping[str, Any] | None = None
    """The driver's latest failure in the form of the wire, None after a good answer."""


class PowerAction(Struct, gc=False, frozen=True, kw_only=True):
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
        match self.place.phase:
            case Phase.LOOK:
                return "reading the power state"
            case Phase.SEND:
                return f"sending {self.control}"
            case Phase.UNSURE:
                return f"finding out whether {self.control} had an effect"
            case Phase.CONFIRM:
                return f"waiting for {WANTED[self.control]}"
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(self.place.phase)

    def progress(self) -> Mapping[str, Any]:
        """Return what a successor must know, as plain data for the store."""
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
        return replace(self, place=PowerPlace())._look(now), Ask(GetPower())

    def resume(self, progress: Mapping[str, Any], now: Instant) -> "tuple[PowerAction, Next]":
        """Take over what a predecessor began: with fresh time, and in doubt about what it sent last."""
        looking = Phase(progress.get("phase", Phase.LOOK)) is Phase.LOOK
        place = PowerPlace(
            leg=int(progress.get("leg", 0)),
            forced=bool(progress.get("forced", False)),
            sent=tuple(PowerControl(control) for control in progress.get("sent", ())),
            acknowledged=bool(progress.get("acknowledged", False)),
            unsure=bool(progress.get("unsure", False)) or not looking,
        )
        resumed = replace(self, place=place)._look(now)
        if not looking:
            resumed = resumed._with(phase=Phase.UNSURE, until=resumed._sent_until(now))
        return resumed, Ask(GetPower())

    def heard(self, outcome: Outcome, now: Instant) -> "tuple[PowerAction, Next]":
        """Take in the outcome of what it asked the driver for."""
        match outcome:
            case Done(value=PowerState() as seen):
                return self._with(seen=seen, seen_at=now, trouble=None)._step(self._saw(seen, now), now)
            case Done():
                return self._with(trouble=None)._step(Happening.ACKNOWLEDGED, now)
            case NotDone(error=error, applied=applied):
                happening = _trouble(error, applied, sending=self.place.phase is Phase.SEND)
                return self._with(trouble=error.to_wire())._step(happening, now)
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(outcome)

    def woke(self, now: Instant) -> "tuple[PowerAction, Next]":
        """Go on after a wait."""
        del now
        return self, Ask(GetPower())

    def expired(self, now: Instant) -> "tuple[PowerAction, Next]":
        """Give the leg up: its time is over."""
        return self._step(self._time_over(), now)

    def _time_over(self) -> Happening:
        soft = self.control is PowerControl.SOFT_OFF and self.place.phase is not Phase.LOOK
        return Happening.SOFT_TIMED_OUT if soft and self.hard_fallback else Happening.TIMED_OUT

    def _saw(self, seen: PowerState, now: Instant) -> Happening:
        if seen is WANTED[self.control]:
            return Happening.SAW_WANTED
        if now >= self.place.until:
            return self._time_over()  # the answer came too late for another control
        repeatable = self.control is not PowerControl.SOFT_OFF
        if self.place.phase is Phase.UNSURE and repeatable and now >= self.place.settles_at:
            return Happening.SETTLED
        return Happening.SAW_OTHER

    def _step(self, happening: Happening, now: Instant) -> "tuple[PowerAction, Next]":
        rule = TRANSITIONS[self.place.phase, happening]
        after = self._noting(happening)._with(phase=rule.phase)
        match rule.do:
            case Do.READ:
                return after._patiently(now), Ask(GetPower())
            case Do.READ_LATER:
                wait_s = after.place.wait_s
                return after._with(wait_s=longer(wait_s, self.limits)), Wait(Instant(now + wait_s))
            case Do.SEND:
                return after._send(now)
            case Do.FORCE:
                # On disk, or a successor would give the soft power off its whole time again.
                return after._with(forced=True)._look(now), Ask(GetPower(), commit_first=True)
            case Do.NEXT_LEG:
                return after._next_leg(now)
            case Do.FAIL:
                return after, Failed(after._failure())
            case _:  # pragma: no cover - the type checkers prove that there is no other
                assert_never(rule.do)

    def _with(self, **changes: Any) -> "PowerAction":
        return replace(self, place=replace(self.place, **changes))

    def _noting(self, happening: Happening) -> "PowerAction":
        """Keep the books of what was sent and whether it was applied."""
        place = self.place
        match happening:
            case Happening.ACKNOWLEDGED:
                return self._with(acknowledged=True)
            case Happening.NO_ANSWER | Happening.REFUSED if place.phase is Phase.SEND:
                return self._with(sent=place.sent[:-1], until=place.send_by)
            case Happening.UNANSWERED:
                return self._with(unsure=True)
            case Happening.TIMED_OUT | Happening.SOFT_TIMED_OUT if place.phase is Phase.SEND:
                return self._with(unsure=True)
            case Happening.SAW_WANTED if place.unsure:
                return self._with(unsure=False, acknowledged=True)
            case _:
                return self

    def _look(self, now: Instant) -> "PowerAction":
        """Begin a leg, or begin it anew: with its whole time."""
        until = Instant(now + self.limits.change_s)
        return self._with(send_by=until, until=until)._patiently(now)

    def _patiently(self, now: Instant) -> "PowerAction":
        """Begin to read the state: waits start short, and a control of unknown outcome is given time."""
        return self._with(wait_s=self.limits.poll_initial_s, settles_at=Instant(now + self.limits.settle_s))

    def _sent_until(self, now: Instant) -> Instant:
        """Return when the leg is given up if its control is sent now: a soft power off has its own, longer time."""
        soft = self.control is PowerControl.SOFT_OFF
        return Instant(now + self.limits.soft_off_s) if soft else self.place.until

    def _send(self, now: Instant) -> "tuple[PowerAction, Next]":
        sending = self._with(until=self._sent_until(now), sent=(*self.place.sent, self.control))
        return sending, Ask(SetPower(self.control), commit_first=True)

    def _next_leg(self, now: Instant) -> "tuple[PowerAction, Next]":
        if self.place.leg + 1 == len(LEGS[self.target]):
            return self, Succeeded(self._result())
        return self._with(phase=Phase.SEND, leg=self.place.leg + 1, forced=False)._look(now)._send(now)

    def _result(self) -> Mapping[str, Any]:
        return {
            "power_state": self.place.seen,
            "power_state_at": self.place.seen_at,
            "sent": [control.value for control in self.place.sent],
        }

    def applied(self) -> Applied:
        """Return what is known of what was sent; a control on its way may have arrived."""
        if self._booked() is Applied.NO and self.place.phase is Phase.SEND:
            return Applied.UNKNOWN
        return self._booked()

    def _booked(self) -> Applied:
        if self.place.acknowledged:
            return Applied.YES
        return Applied.UNKNOWN if self.place.unsure else Applied.NO

    def _failure(self) -> CastironError:
        place, applied = self.place, self._booked()
        if place.trouble is not None:
            error = from_wire(place.trouble)
            error.applied = applied
            return error
        if place.phase is Phase.LOOK:
            return DeadlineExceeded(
                f"Time ran out before {self.control} could be sent. Look at the BMC, or allow more time.",
                details={"deadline_at": place.until},
                applied=applied,
            )
        wanted = WANTED[self.control]
        return PowerStateUnconfirmed(
            f"{wanted} was not seen in time; the BMC last reported {place.seen or 'nothing'}. {self._advice()}",
            details={"wanted": wanted.value, "power_state": place.seen},
            applied=applied,
        )

    def _advice(self) -> str:
        if self.place.phase is Phase.UNSURE:
            return f"Whether {self.control} arrived is not known: read the power state before you ask again."
        if self.control is PowerControl.SOFT_OFF:
            return "The operating system is slow, or ignores the power button: allow more time, or ask for power off."
        return "Look at the machine, or allow more time."


def _trouble(error: CastironError, applied: Applied, *, sending: bool) -> Happening:
    if not sending:
        return Happening.REFUSED if isinstance(error, HOPELESS) else Happening.NO_ANSWER
    if applied is not Applied.NO:
        return Happening.UNANSWERED
    return Happening.NO_ANSWER if isinstance(error, PASSING) else Happening.REFUSED
