"""Waiting, for a time or for somebody's answer: machines that ask nothing of a driver. Pure.

A successor goes on waiting for the time that is left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from castiron.actors.core.machines.turn import Failed, Listen, Next, StepNext, Succeeded, Wait
from castiron.actors.drivers.base import Outcome
from castiron.store.records.copying import replace
from castiron.transport.errors import StepTimeout
from castiron.transport.vocabulary import Applied, Instant, PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseAction:
    """Waiting for a time."""

    pause_s: float
    until: Instant = Instant(0.0)

    @property
    def observed(self) -> tuple[PowerState, Instant] | None:
        """Nothing is seen."""
        return None

    def step(self) -> str:
        """Say for people what it is doing."""
        return "waiting"

    def progress(self) -> Mapping[str, Any]:
        """Return until when."""
        return {"until": self.until}

    def begin(self, now: Instant) -> "tuple[PauseAction, Next]":
        """Start it."""
        until = Instant(now + self.pause_s)
        return replace(self, until=until), Wait(until)

    def resume(self, progress: Mapping[str, Any], now: Instant) -> "tuple[PauseAction, Next]":
        """Go on waiting for the time that is left."""
        until = Instant(progress.get("until", now))
        return replace(self, until=until), Wait(until) if until > now else Succeeded({})

    def heard(self, outcome: Outcome, now: Instant) -> "tuple[PauseAction, Next]":
        """Nothing was asked."""
        del outcome
        return self, Wait(max(self.until, now))

    def woke(self, now: Instant) -> "tuple[PauseAction, Next]":
        """It is over."""
        del now
        return self, Succeeded({})

    def expired(self, now: Instant) -> "tuple[PauseAction, Next]":
        """It is over: its end is what its time is for."""
        return self.woke(now)

    def applied(self) -> Applied:
        """Nothing was sent."""
        return Applied.NO


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackAction:
    """Waiting for whoever works on the machine to say how it went."""

    timeout_s: float
    until: Instant = Instant(0.0)
    heard_at: Instant | None = None
    """When it last gave a sign of life."""

    @property
    def observed(self) -> tuple[PowerState, Instant] | None:
        """Nothing is seen."""
        return None

    def step(self) -> str:
        """Say for people what it is doing."""
        return "waiting for a call back"

    def progress(self) -> Mapping[str, Any]:
        """Return until when, and when it was heard of."""
        return {"until": self.until, "heard_at": self.heard_at}

    def begin(self, now: Instant) -> "tuple[CallBackAction, StepNext]":
        """Start it."""
        until = Instant(now + self.timeout_s)
        return replace(self, until=until), Listen(until)

    def resume(self, progress: Mapping[str, Any], now: Instant) -> "tuple[CallBackAction, StepNext]":
        """Go on waiting for the time that is left; one that is over now ends at once."""
        until = Instant(progress.get("until", now))
        resumed = replace(self, until=until, heard_at=progress.get("heard_at"))
        return (resumed, Listen(until)) if until > now else resumed.expired(now)

    def alive(self, now: Instant) -> "tuple[CallBackAction, StepNext]":
        """Take in a sign of life: the time begins anew."""
        until = Instant(now + self.timeout_s)
        return replace(self, until=until, heard_at=now), Listen(until)

    def heard(self, outcome: Outcome, now: Instant) -> "tuple[CallBackAction, StepNext]":
        """Nothing was asked."""
        del outcome, now
        return self, Listen(self.until)

    def woke(self, now: Instant) -> "tuple[CallBackAction, StepNext]":
        """Nothing wakes it but an answer."""
        del now
        return self, Listen(self.until)

    def expired(self, now: Instant) -> "tuple[CallBackAction, StepNext]":
        """Give up: nobody has called."""
        del now
        last = "Nobody has called" if self.heard_at is None else "Whoever called has fallen silent"
        return self, Failed(
            StepTimeout(
                f"{last} within {self.timeout_s:.0f} s. Look at what runs on the machine, or allow more time.",
                details={"deadline_at": self.until},
                applied=Applied.UNKNOWN,
            )
        )

    def applied(self) -> Applied:
        """Whoever was to call may have done a part of it."""
        return Applied.UNKNOWN
