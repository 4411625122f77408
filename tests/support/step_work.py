"""Steps that a worker would carry out, and all that can become of them: what lists of steps are driven against."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat

from castiron.actors.core.effects import CallWorker
from castiron.actors.core.provision.catalogue import BUILT_IN, Known, catalogue_of
from castiron.actors.drivers.base import Done, NotDone, Outcome
from castiron.actors.drivers.work import Deferred
from castiron.transport.errors import StepFailed, StepTimeout
from castiron.transport.vocabulary import Applied

BLIND = Known(interface="test", step="blind", description="Nobody knows whether it was done.", is_blocking=True)
TWICE = Known(interface="test", step="twice", description="Does no harm twice.", is_blocking=True, idempotent=True)
SEEN = Known(interface="test", step="seen", description="Can be seen to be done.", is_blocking=True, has_verify=True)
BACK = Known(
    interface="test", step="back", description="Can be taken back.", is_blocking=True, has_revert=True, idempotent=True
)
STUBBORN = Known(
    interface="test",
    step="stubborn",
    description="Runs to an end.",
    is_blocking=True,
    abortable=False,
    has_revert=True,
)
OWN_STEPS = (BLIND, TWICE, SEEN, BACK, STUBBORN)
CATALOGUE = catalogue_of(BUILT_IN, OWN_STEPS)


class Luck(StrEnum):
    """What becomes of one call of a worker."""

    WELL = "well"
    FAILS = "fails"
    DEFERRED = "deferred"
    HANGS = "hangs"
    """It is left behind at its deadline; it may have been done."""


@dataclass
class Bench:
    """A worker's bench: what was done on it, in order."""

    luck: Iterator[Luck] = field(default_factory=lambda: repeat(Luck.WELL))
    done: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(what, name of the step), for each call that had an effect."""

    def carry_out(self, call: CallWorker) -> tuple[bool, Outcome]:
        """Do what luck lets through; return whether it is told at the deadline only, and what is told."""
        luck = next(self.luck)
        if call.work.what == "verify":
            return False, Done(value=("execute", call.name) in self.done)
        if luck is Luck.FAILS:
            return False, NotDone(error=StepFailed("It did not work."), applied=Applied.UNKNOWN)
        self.done.append((call.work.what, call.name))
        if luck is Luck.HANGS:
            return True, NotDone(error=StepTimeout("It was left behind."), applied=Applied.UNKNOWN)
        if luck is Luck.DEFERRED and call.work.what == "execute":
            return False, Done(value=Deferred(20.0))
        return False, Done(value={"did": call.name})
