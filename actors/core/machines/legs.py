"""The rules by which a machine is driven to a power state: which controls lead there, and what follows from what.

Words and tables only; `power` follows them, and the table of docs/power.md is made from them. May come in: a rule, with
its reason. Must not: what it takes to follow one.

    LOOK ──saw other──> SEND ──acknowledged──> CONFIRM ──saw wanted──> next leg, or done
                         │                        ^
                         └──unanswered──> UNSURE ─┴─settled──> SEND

Source: IPMI v2.0, 28.2 Get Chassis Status and 28.3 Chassis Control; Ironic's power targets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from castiron.transport.vocabulary import PowerControl, PowerState, PowerTarget


class Phase(StrEnum):
    """Where a leg stands."""

    LOOK = "look"
    """Reading the state; no control of this leg is on its way."""
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
    """The driver failed in a way that may pass; nothing was applied."""
    REFUSED = "refused"
    """The driver failed in a way that will not pass; nothing was applied."""
    ACKNOWLEDGED = "acknowledged"
    """The BMC took the control."""
    UNANSWERED = "unanswered"
    """The control was sent and nobody knows whether it arrived."""
    TIMED_OUT = "timed out"
    """The leg's time is over."""
    SOFT_TIMED_OUT = "soft timed out"
    """The time of a soft power off is over, and cutting the power was asked for in that case."""


class Do(StrEnum):
    """What a rule orders."""

    READ = "read"
    """Read the state at once."""
    READ_LATER = "read later"
    """Read the state after a wait, which doubles each time."""
    SEND = "send"
    """Send the leg's control, once the place is on disk."""
    FORCE = "force"
    """Give the soft control up for a hard one; look first, for it may have worked at last."""
    NEXT_LEG = "next leg"
    """Send the next leg's control; after the last leg, succeed."""
    FAIL = "fail"
    """End with an error that says whether anything was applied."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows: where the leg stands afterwards, what is done, and why."""

    phase: Phase
    do: Do
    why: str


TRANSITIONS: Final[Mapping[tuple[Phase, Happening], Rule]] = {
    # No control of this leg is on its way.
    (Phase.LOOK, Happening.SAW_WANTED): Rule(Phase.LOOK, Do.NEXT_LEG, "already there: nothing is sent"),
    (Phase.LOOK, Happening.SAW_OTHER): Rule(Phase.SEND, Do.SEND, "the state is known, and not the wanted one"),
    (Phase.LOOK, Happening.NO_ANSWER): Rule(Phase.LOOK, Do.READ_LATER, "it may answer before the time is over"),
    (Phase.LOOK, Happening.REFUSED): Rule(Phase.LOOK, Do.FAIL, "a wrong password does not mend itself"),
    (Phase.LOOK, Happening.TIMED_OUT): Rule(Phase.LOOK, Do.FAIL, "a machine that cannot be seen is not touched"),
    # The control is on its way.
    (Phase.SEND, Happening.ACKNOWLEDGED): Rule(Phase.CONFIRM, Do.READ, "success is what is seen, not what is promised"),
    (Phase.SEND, Happening.NO_ANSWER): Rule(Phase.LOOK, Do.READ_LATER, "it was not applied: look again, then send"),
    (Phase.SEND, Happening.REFUSED): Rule(Phase.SEND, Do.FAIL, "the BMC will not do it"),
    (Phase.SEND, Happening.UNANSWERED): Rule(Phase.UNSURE, Do.READ, "never repeated blindly: read, then decide"),
    (Phase.SEND, Happening.TIMED_OUT): Rule(Phase.UNSURE, Do.FAIL, "it may have arrived, and there is no time to see"),
    (Phase.SEND, Happening.SOFT_TIMED_OUT): Rule(Phase.LOOK, Do.FORCE, "the user asked for it"),
    # The control may have arrived.
    (Phase.UNSURE, Happening.SAW_WANTED): Rule(Phase.UNSURE, Do.NEXT_LEG, "it had arrived"),
    (Phase.UNSURE, Happening.SAW_OTHER): Rule(Phase.UNSURE, Do.READ_LATER, "it may act late"),
    (Phase.UNSURE, Happening.SETTLED): Rule(Phase.SEND, Do.SEND, "it had no effect: a new decision, a new control"),
    (Phase.UNSURE, Happening.NO_ANSWER): Rule(Phase.UNSURE, Do.READ_LATER, "it may answer before the time is over"),
    (Phase.UNSURE, Happening.REFUSED): Rule(Phase.UNSURE, Do.READ_LATER, "failing now would leave it unknown"),
    (Phase.UNSURE, Happening.TIMED_OUT): Rule(Phase.UNSURE, Do.FAIL, "nobody knows; the error says so"),
    (Phase.UNSURE, Happening.SOFT_TIMED_OUT): Rule(Phase.LOOK, Do.FORCE, "the user asked for it"),
    # The BMC took the control.
    (Phase.CONFIRM, Happening.SAW_WANTED): Rule(Phase.CONFIRM, Do.NEXT_LEG, "seen to be done"),
    (Phase.CONFIRM, Happening.SAW_OTHER): Rule(Phase.CONFIRM, Do.READ_LATER, "machines take their time"),
    (Phase.CONFIRM, Happening.NO_ANSWER): Rule(Phase.CONFIRM, Do.READ_LATER, "a BMC may reboot with its machine"),
    (Phase.CONFIRM, Happening.REFUSED): Rule(Phase.CONFIRM, Do.READ_LATER, "the control was taken; it may yet be seen"),
    (Phase.CONFIRM, Happening.TIMED_OUT): Rule(Phase.CONFIRM, Do.FAIL, "taken, and not seen to be done"),
    (Phase.CONFIRM, Happening.SOFT_TIMED_OUT): Rule(Phase.LOOK, Do.FORCE, "the user asked for it"),
}
"""Every rule of a leg. A pair that is not here cannot happen; meeting one is a fault of ours."""

LEGS: Final[Mapping[PowerTarget, tuple[PowerControl, ...]]] = {
    PowerTarget.ON: (PowerControl.ON,),
    PowerTarget.OFF: (PowerControl.OFF,),
    PowerTarget.REBOOT: (PowerControl.OFF, PowerControl.ON),  # not a reset: each half can be confirmed
    PowerTarget.SOFT_OFF: (PowerControl.SOFT_OFF,),
    PowerTarget.SOFT_REBOOT: (PowerControl.SOFT_OFF, PowerControl.ON),
}
"""Which controls lead to a target, in order. Neighbours lead to opposite states: only the first leg need look."""

WANTED: Final[Mapping[PowerControl, PowerState]] = {
    PowerControl.ON: PowerState.ON,
    PowerControl.OFF: PowerState.OFF,
    PowerControl.SOFT_OFF: PowerState.OFF,
}
"""The state that a control leads to."""
