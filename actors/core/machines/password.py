"""A BMC's password is changed, together with the stored one: at every moment the one that works is on disk. Pure.

The new password is on disk, beside the stored one, before the BMC is told of it. Then it is set, and tried with a login
of its own; one that lets in takes the stored one's place. Which of the two holds may have to be found out: after an
answer that did not come, and by a successor. Then the new one is tried first, then the stored one; as seldom as can be,
since a BMC that is told wrong passwords may lock its user out. To take it back is to change it to the former one.

May come in: what else may hold. Must not: how a record is written (`lanes`), what a driver sends. The methods are those
of PowerAction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from castiron.actors.core.machines.turn import PASSING, Ask, Draw, Failed, Limits, StepNext, Succeeded, Wait, longer
from castiron.actors.drivers.base import GetPower, NotDone, Operation, Outcome
from castiron.actors.drivers.operations import (
    CREDENTIALS,
    NO_CREDENTIALS,
    SHORT_PASSWORD_BYTES,
    Credentials,
    SetUserPassword,
    VerifyCredentials,
    is_password,
)
from castiron.actors.drivers.work import Secret
from castiron.store.records import NodeRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import (
    BMCCredentials,
    BMCUnsupported,
    CastironError,
    DeadlineExceeded,
    StepFailed,
    from_wire,
)
from castiron.transport.vocabulary import Applied, Instant, PowerState

CANDIDATE: Final = "candidate"
"""Key of `other_passwords`: the BMC was told of it, or is about to be; it may hold."""
FORMER: Final = "former"
"""The same: it held, and does not any more; kept until nothing of the list can be taken back any more."""
REFUSED: Final = "refused"
"""The same, true: neither lets in. Nobody tries them again without being asked: that may lock the user out."""


MAX_SETS: Final = 3
"""How often it is set while no answer comes: each costs a login that is refused, of which many BMCs bear five."""


class Phase(StrEnum):
    """What it is doing."""

    DRAW = "drawing a password"
    SET = "setting the new password"
    OTHER = "trying the new password"
    STORED = "trying the stored password"
    RENEW = "logging in with the new password"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordAction:
    """Changing it, or taking the change back. Every method is pure."""

    keys: Credentials
    """Where driver_info has user and password."""
    info: Mapping[str, Any] = field(repr=False)
    """driver_info, with the password that is stored."""
    kept: Mapping[str, Any] = field(repr=False)
    """The record's `other_passwords`, as they are to be."""
    wanted: str | None = field(repr=False)
    """What is to hold in the end; None: it is drawn."""
    limits: Limits
    is_revert: bool = False
    phase: Phase = Phase.DRAW
    until: Instant = Instant(0.0)
    wait_s: float = 0.0
    asking: bool = False
    may_hold: bool = False
    """The candidate was sent, or may have been."""
    is_told: bool = False
    """The BMC has acknowledged the candidate."""
    set_count: int = 0
    cut_from: str | None = field(default=None, repr=False)
    """The candidate is what a BMC may have kept of this one, which did not let in."""
    trouble: Mapping[str, Any] | None = None

    @property
    def observed(self) -> tuple[PowerState, Instant] | None:
        """Nothing is seen of the power."""
        return None

    @property
    def stored(self) -> str:
        """The password that driver_info has."""
        return str(self.info.get(self.keys.password, ""))

    @property
    def other(self) -> str | None:
        """The one beside it."""
        other: str | None = self.kept.get(CANDIDATE, self.kept.get(FORMER))
        return other

    def step(self) -> str:
        """Say for people what it is doing."""
        return self.phase.value

    def progress(self) -> Mapping[str, Any]:
        """Return what a successor must know: which of the two is wanted."""
        if self.wanted is None or self.wanted not in (self.other, self.stored):
            return {}
        return {"wanted": "other" if self.wanted == self.other else "stored"}

    def begin(self, now: Instant) -> "tuple[PasswordAction, StepNext]":
        """Start it: what a step before it left in doubt is cleared up first."""
        fresh = self._fresh(now)
        if not self.keys.password:
            message = "The node's driver knows of no password. Change it at the BMC."
            return fresh, Failed(BMCUnsupported(message, applied=Applied.NO))
        if self.is_revert and REFUSED in self.kept:
            return fresh, Failed(_refused())
        if self.is_revert and not self.kept:
            return fresh, Succeeded({})
        if self.wanted is None:
            return replace(fresh, phase=Phase.DRAW, asking=True), Draw()
        if CANDIDATE in self.kept:
            return fresh._look(Phase.OTHER)
        return fresh._look(Phase.STORED) if self.wanted == self.stored else fresh._set(self.wanted)

    def resume(self, progress: Mapping[str, Any], now: Instant) -> "tuple[PasswordAction, StepNext]":
        """Take over what a predecessor began: see which of the two holds."""
        other = self.other
        if other is None or "wanted" not in progress:
            return self.begin(now)
        wanted = other if progress["wanted"] == "other" else self.stored
        resumed = replace(self._fresh(now), wanted=wanted, may_hold=CANDIDATE in self.kept)
        return resumed._look(Phase.OTHER if resumed.may_hold else Phase.STORED)

    def heard(self, outcome: Outcome, now: Instant) -> "tuple[PasswordAction, StepNext]":
        """Take in the outcome."""
        heard = replace(self, asking=False)
        if self.phase is Phase.RENEW:  # whatever came of it: the old session is given up, and the password is known
            return (heard._dropped() if self.is_revert else heard), Succeeded({})
        if isinstance(outcome, NotDone):
            return heard._failed(outcome, now)
        if self.phase is Phase.DRAW:
            assert isinstance(outcome.value, Secret)  # noqa: S101 - the shell answers a draw with nothing else
            return replace(heard, wanted=outcome.value.text).begin(now)
        if self.phase is Phase.SET:
            return replace(heard, may_hold=True, is_told=True)._look(Phase.OTHER)
        return heard._found(now)

    def woke(self, now: Instant) -> "tuple[PasswordAction, StepNext]":
        """Go on after a wait."""
        del now
        if self.phase is Phase.SET and self.wanted is not None:
            return self._set(self.wanted)
        return self._look(self.phase)

    def expired(self, now: Instant) -> "tuple[PasswordAction, StepNext]":
        """Give up: the time is over."""
        del now
        if self.phase is Phase.SET and not self.asking and not self.may_hold:
            return self._dropped(), Failed(self._failure())
        return self, Failed(self._failure())

    def applied(self) -> Applied:
        """Return what is known of what was sent."""
        if FORMER in self.kept:
            return Applied.YES
        return Applied.UNKNOWN if self.may_hold or (self.asking and self.phase is Phase.SET) else Applied.NO

    def _fresh(self, now: Instant) -> "PasswordAction":
        until = Instant(now + self.limits.change_s)
        return replace(self, until=until, wait_s=self.limits.poll_initial_s)

    def _set(self, wanted: str) -> "tuple[PasswordAction, StepNext]":
        """Have it on disk, then tell the BMC; it is logged in to with the stored one."""
        if not is_password(wanted):
            message = "There is no password to go back to that a BMC can keep. The one that holds is stored."
            return self, Failed(StepFailed(message, applied=self.applied()))
        count = self.set_count + 1
        told = replace(self, phase=Phase.SET, asking=True, is_told=False, kept={CANDIDATE: wanted}, set_count=count)
        user = str(self.info.get(self.keys.user, ""))
        return told, Ask(SetUserPassword(user=user, password=wanted), commit_first=True)

    def _look(self, phase: Phase) -> "tuple[PasswordAction, StepNext]":
        looking = replace(self, phase=phase, asking=True)
        password = self.other if phase is Phase.OTHER else self.stored
        operation: Operation = VerifyCredentials({**self.info, self.keys.password: password})
        return looking, Ask(operation)

    def _found(self, now: Instant) -> "tuple[PasswordAction, StepNext]":
        """Go on from a password that lets in."""
        found = self._swapped() if self.phase is Phase.OTHER else self
        if found.phase is Phase.STORED and CANDIDATE in found.kept:
            if found.is_told:
                return found._dropped(), Failed(_not_kept())
            if found.may_hold and found.wanted == found.other:
                return found._again(now)
            found = found._dropped()
        if self.cut_from is not None and not self.is_revert:
            return found, Failed(_cut_short())
        if found.wanted is None or found.wanted == found.stored:
            return replace(found, phase=Phase.RENEW, asking=True), Ask(GetPower())
        return found._set(found.wanted)

    def _swapped(self) -> "PasswordAction":
        """Have the candidate stored: it lets in."""
        former, info = self.stored, {**self.info, self.keys.password: self.other}
        return replace(self, info=info, kept={FORMER: former}, may_hold=False, is_told=False)

    def _again(self, now: Instant) -> "tuple[PasswordAction, StepNext]":
        """Set it once more: the BMC has not said that it did, and did not."""
        if self.set_count >= MAX_SETS:
            return self._dropped(), Failed(self._failure())
        return replace(self, phase=Phase.SET, may_hold=False)._later(now)

    def _failed(self, outcome: NotDone, now: Instant) -> "tuple[PasswordAction, StepNext]":
        error, applied = outcome.error, outcome.applied
        failed = replace(self, trouble=error.to_wire())
        if self.phase is Phase.SET:
            if applied is not Applied.NO or self.may_hold:
                return replace(failed, may_hold=True)._look(Phase.OTHER)
            return failed._later(now) if isinstance(error, PASSING) else (failed._dropped(), Failed(failed._failure()))
        if isinstance(error, BMCCredentials):
            is_last = self.phase is Phase.STORED or self.cut_from is not None
            return failed._let_in_by_neither() if is_last else failed._look(Phase.STORED)
        return failed._later(now) if isinstance(error, PASSING) else (failed, Failed(failed._failure()))

    def _let_in_by_neither(self) -> "tuple[PasswordAction, StepNext]":
        """Try what a BMC may have kept of a long one; then keep both, and say so."""
        other = self.other
        if other is None:
            return self, Failed(_refused())
        if self.cut_from is None and len(other.encode()) > SHORT_PASSWORD_BYTES and CANDIDATE in self.kept:
            short = other.encode()[:SHORT_PASSWORD_BYTES].decode(errors="ignore")
            return replace(self, cut_from=other, kept={CANDIDATE: short})._look(Phase.OTHER)
        kept = {CANDIDATE: self.cut_from or other, REFUSED: True}
        return replace(self, kept=kept, may_hold=True), Failed(_refused())

    def _dropped(self) -> "PasswordAction":
        """Keep the stored one alone: it is known to hold."""
        return replace(self, kept={}, may_hold=False)

    def _later(self, now: Instant) -> "tuple[PasswordAction, StepNext]":
        return replace(self, wait_s=longer(self.wait_s, self.limits)), Wait(Instant(now + self.wait_s))

    def _failure(self) -> CastironError:
        if self.trouble is None:
            message = f"It was not done in time: {self.phase}. Look at the BMC, or allow more time."
            return DeadlineExceeded(message, details={"deadline_at": self.until}, applied=self.applied())
        error = from_wire(self.trouble)
        error.applied = self.applied()
        return error


def is_told_anew(record: NodeRecord, changes: Mapping[str, Any]) -> bool:
    """Return whether a change of the record says what the password is: nobody need find out which of two holds."""
    key = CREDENTIALS.get(record.driver, NO_CREDENTIALS).password
    is_other = key in changes.get("driver_info", {}) and changes["driver_info"][key] != record.driver_info.get(key)
    return "driver" in changes or is_other


def _refused() -> StepFailed:
    return StepFailed(
        "Neither the new password nor the stored one lets in. Both are kept; tell castiron the one that does with "
        "`castiron node set`, or ask for the change again once the BMC lets its user in.",
        applied=Applied.UNKNOWN,
    )


def _not_kept() -> StepFailed:
    message = "The BMC acknowledged the new password, and does not let in with it. The stored one still holds."
    return StepFailed(message, applied=Applied.NO)


def _cut_short() -> StepFailed:
    return StepFailed(
        f"The BMC kept only {SHORT_PASSWORD_BYTES} bytes of the new password, which are stored. Choose a shorter one.",
        applied=Applied.YES,
    )
