"""The machine behind a BMC: its power, what it boots from, and every chassis control that it was sent.

What takes time in a machine (an operating system that shuts down, the pause of a power cycle) is one pending change
with the instant at which it is due; whoever holds the clock calls `advance`.
"""

from collections import deque
from typing import Final, NamedTuple

from castiron.testing.bmc import codes
from castiron.testing.bmc.boot import BootOptions
from castiron.testing.bmc.codes import ChassisAction
from castiron.transport.vocabulary import PowerState

CONTROLS_KEPT: Final = 1000
"""Chassis controls remembered of each machine; the oldest go. No test sends one machine more, and 1,000 BMCs that are
driven for days must not grow."""
SOFT_OFF_S: Final = 0.2
"""How long the operating system takes to shut down, unless set: long enough to be seen on, short enough for a test."""
CYCLE_OFF_S: Final = 0.2
"""How long a power cycle keeps the power off. Real ones take a second or more; tests would wait for it."""
IDENTIFY_S: Final = 15
"""How long Chassis Identify lasts if it does not say (IPMI v2.0, 28.5)."""


class Control(NamedTuple):
    """A chassis control as the machine received it."""

    at: float
    """When, by the clock of whoever drives the BMC."""
    action: ChassisAction
    """What was asked."""
    is_accepted: bool
    """Whether the BMC said yes: it refuses to reset what is off."""


class Chassis:
    """One machine.

    Attributes:
        power: as Get Chassis Status tells it.
        boot: its boot options.
        controls: what it was sent, oldest first, the last CONTROLS_KEPT of it.
        control_count: how many it was sent since the beginning.
        change_count: rises with each control and each change of power, so that a waiter knows when to look.
        soft_off_s: seconds from a soft shutdown to power off; None for an operating system that does not listen.
        due_at: when the next change happens by itself; None if nothing is pending.
    """

    __slots__ = (
        "_identify_ends_at",
        "_pending",
        "boot",
        "change_count",
        "control_count",
        "controls",
        "due_at",
        "power",
        "soft_off_s",
    )

    def __init__(self) -> None:
        self.power = PowerState.OFF
        self.boot = BootOptions()
        self.controls: deque[Control] = deque(maxlen=CONTROLS_KEPT)
        self.control_count = 0
        self.change_count = 0
        self.soft_off_s: float | None = SOFT_OFF_S
        self.due_at: float | None = None
        self._pending = PowerState.OFF
        self._identify_ends_at = 0.0

    def advance(self, now: float) -> None:
        """Let happen what is due by now. Idempotent."""
        if self.due_at is not None and self.due_at <= now:
            self.set_power(self._pending)

    def set_power(self, state: PowerState) -> None:
        """Switch, as a hand on the power button does: nobody is told, and what was pending is not."""
        self.due_at = None
        if state is self.power:
            return
        self.power = state
        self.change_count += 1
        if state is PowerState.ON:
            self.boot.use()

    def control(self, action: ChassisAction, now: float) -> bytes:
        """Carry out a chassis control and return its completion code."""
        is_on = self.power is PowerState.ON
        accepted = is_on or action not in {ChassisAction.POWER_CYCLE, ChassisAction.HARD_RESET}
        self.controls.append(Control(now, action, accepted))
        self.control_count += 1
        self.change_count += 1
        self.boot.see_control()
        if accepted:
            self._carry_out(action, now, is_on=is_on)
        return codes.OK if accepted else codes.STATE_FORBIDS

    def identify(self, interval_s: float, now: float) -> None:
        """Light the machine's lamp for this long; 0 puts it out, infinity leaves it lit."""
        self._identify_ends_at = now + interval_s

    def status(self, now: float) -> bytes:
        """Answer Get Chassis Status: completion code and three bytes (28.2)."""
        lamp = 0x50 if now < self._identify_ends_at else 0x40
        return b"\x00%c\x00%c" % (0x21 if self.power is PowerState.ON else 0x20, lamp)

    def _carry_out(self, action: ChassisAction, now: float, *, is_on: bool) -> None:
        match action:
            case ChassisAction.POWER_DOWN:
                self.set_power(PowerState.OFF)
            case ChassisAction.POWER_UP if not is_on:  # one that is on, and may be shutting down, is not impressed
                self.set_power(PowerState.ON)
            case ChassisAction.POWER_CYCLE:
                self.set_power(PowerState.OFF)
                self._pending, self.due_at = PowerState.ON, now + CYCLE_OFF_S
            case ChassisAction.HARD_RESET:
                self.due_at = None
                self.boot.use()
            case ChassisAction.SOFT_SHUTDOWN if is_on and self.soft_off_s is not None:
                self._pending, self.due_at = PowerState.OFF, now + self.soft_off_s
            case _:
                pass
