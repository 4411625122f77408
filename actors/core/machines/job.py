"""A step that a worker carries out: one call, whose end the worker tells. Pure.

The worker's outcome says whether the step is done, or that somebody else will say so (`StepDeferred`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from castiron.actors.core.machines.turn import Delegate, Failed, Listen, StepNext, Succeeded, Wait
from castiron.actors.core.provision.steps import Step
from castiron.actors.drivers.base import Done, NotDone, Outcome
from castiron.actors.drivers.work import Deferred, RunStep
from castiron.store.records.copying import replace
from castiron.transport.errors import StepTimeout
from castiron.transport.vocabulary import Applied, Instant, PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAction:
    """One call of a worker."""

    job: Step
    what: str
    """"execute", "revert", or "verify": whether it was done; if not, it is executed."""
    until: Instant = Instant(0.0)
    asking: bool = False
    is_deferred: bool = False
    silence_s: float | None = None
    """How long whoever it was left to may be silent; None: as long as the step may take."""

    @property
    def observed(self) -> tuple[PowerState, Instant] | None:
        """Nothing is seen of the power."""
        return None

    def step(self) -> str:
        """Say for people what it is doing."""
        return f"{self.what} {self.job.name}"

    def progress(self) -> Mapping[str, Any]:
        """Return what a successor must know: for whom it waits goes on, and does not notice."""
        waits = {"until": self.until, "silence_s": self.silence_s} if self.is_deferred else {}
        return {"what": self.what, **waits}

    def begin(self, now: Instant) -> "tuple[JobAction, StepNext]":
        """Start it."""
        until = Instant(now + self.job.timeout_s)
        call = RunStep(interface=self.job.interface, step=self.job.step, args=self.job.args, what=self.what)
        return replace(self, until=until, asking=True), Delegate(call)

    def resume(self, progress: Mapping[str, Any], now: Instant) -> "tuple[JobAction, StepNext]":
        """Go on waiting for the time that is left to whoever was to tell the end of it; one that is over ends now."""
        until = Instant(progress.get("until", now + self.job.timeout_s))
        resumed = replace(self, until=until, is_deferred=True, silence_s=progress.get("silence_s"))
        return (resumed, Listen(until)) if until > now else resumed.expired(now)

    def alive(self, now: Instant) -> "tuple[JobAction, StepNext]":
        """Take in a sign of life of whoever carries it on: the time begins anew."""
        until = Instant(now + (self.silence_s or self.job.timeout_s))
        return replace(self, until=until), Listen(until)

    def heard(self, outcome: Outcome, now: Instant) -> "tuple[JobAction, StepNext]":
        """Take in what the worker says."""
        heard = replace(self, asking=False)
        match outcome:
            case Done(value=Deferred(timeout_s=timeout_s)):
                until = Instant(now + (timeout_s or self.job.timeout_s))
                return replace(heard, until=until, is_deferred=True, silence_s=timeout_s), Listen(until)
            case Done(value=False) if self.what == "verify":
                return replace(heard, what="execute").begin(now)
            case Done(value=value):
                result = dict(value) if isinstance(value, Mapping) else {}
                return heard, Succeeded(result)
            case NotDone(error=error, applied=applied):
                error.applied = applied
                return heard, Failed(error)

    def woke(self, now: Instant) -> "tuple[JobAction, StepNext]":
        """Nothing wakes it."""
        del now
        return self, Wait(self.until)

    def expired(self, now: Instant) -> "tuple[JobAction, StepNext]":
        """Give up: the time is over."""
        del now
        message = f"{self.job.name} had not ended by its time. Look at the machine, or allow more time."
        details = {"deadline_at": self.until}
        return self, Failed(StepTimeout(message, details=details, applied=self.applied()))

    def applied(self) -> Applied:
        """Return what is known of it: a worker that has not answered may have done it."""
        return Applied.UNKNOWN if self.asking or self.is_deferred else Applied.NO
