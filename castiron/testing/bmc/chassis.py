"""The machine behind a BMC: its power, what it boots from, and every chassis control that it was sent.

What takes time in a machine (an operating system that shuts down, the pause of a power cycle) is one pending change
with the instant at which it is due; so are controls that a slow BMC carries out late. Whoever holds the clock calls
`advance`.
"""

from bisect import insort
from collections import deque
from math import inf
from operator import itemgetter
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
MAX_LATE: Final = 16
"""Controls that a BMC has said yes to and not yet carried out; with more it is busy. No console sends one so many."""
IDENTIFY_S: Final = 15
"""How long Chassis Identify lasts if it does not say (IPMI v2.0, 28.5)."""

_NEED_POWER: Final = frozenset({ChassisAction.POWER_CYCLE, ChassisAction.HARD_RESET})


class Control(NamedTuple):
    """A chassis control as the machine received it."""

    at: float
    """When, by the clock of whoever drives the BMC."""
    action: ChassisAction
    """What was asked."""
    is_accepted: bool
    """Whether the BMC said yes: it refuses to reset what is off. Saying yes is not yet doing it; see Faults."""


class Chassis:
    """One machine.

    Attributes:
        power: as Get Chassis Status tells it.
        boot: its boot options.
        controls: what it was sent, oldest first, the last CONTROLS_KEPT of it.
        control_count: how many it was sent since the beginning.
        change_count: rises with each control and each change of power, so that a waiter knows when to look.
        soft_off_s: seconds from a soft shutdown to power off; None for an operating system that does not listen.
    """

    __slots__ = (
        "_identify_ends_at",
        "_late",
        "_pending",
        "_pending_at",
        "boot",
        "change_count",
        "control_count",
        "controls",
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
        self._pending = PowerState.OFF
        self._pending_at: float | None = None
        self._late: list[tuple[float, ChassisAction]] = []  # the earliest first
        self._identify_ends_at = 0.0

    @property
    def due_at(self) -> float | None:
        """When the next change happens by itself; None if nothing is pending."""
        if not self._late:
            return self._pending_at
        late_at = self._late[0][0]
        return late_at if self._pending_at is None else min(late_at, self._pending_at)

    def advance(self, now: float) -> None:
        """Let happen what is due by now. Idempotent."""
        if self._pending_at is None and not self._late:
            return  # nearly always
        while (at := self.due_at) is not None and at <= now:
            if at == self._pending_at:
                self.set_power(self._pending)
            else:
                self._carry_out(self._late.pop(0)[1], at)

    def set_power(self, state: PowerState) -> None:
        """Switch, as a hand on the power button does: nobody is told, and what was pending in the machine is not."""
        self._pending_at = None
        if state is self.power:
            return
        self.power = state
        self.change_count += 1
        if state is PowerState.ON:
            self.boot.use()

    def control(self, action: ChassisAction, now: float, acts_at: float = -inf) -> bytes:
        """Take a chassis control, carry it out now, later or (at infinity) never, and return its completion code."""
        code = self._judge(action)
        self.controls.append(Control(now, action, code == codes.OK))
        self.control_count += 1
        self.change_count += 1
        self.boot.see_control()
        if code != codes.OK:
            return code
        if acts_at <= now:
            self._carry_out(action, now)
        elif acts_at < inf:
            insort(self._late, (acts_at, action), key=itemgetter(0))
        return code

    def identify(self, interval_s: float, now: float) -> None:
        """Light the machine's lamp for this long; 0 puts it out, infinity leaves it lit."""
        self._identify_ends_at = now + interval_s

    def is_lit(self, now: float) -> bool:
        """Return whether the lamp is lit."""
        return now < self._identify_ends_at

    def status(self, now: float, *, is_lie: bool = False) -> bytes:
        """Answer Get Chassis Status: completion code and three bytes (28.2). A lie tells the opposite power state."""
        lamp = 0x50 if self.is_lit(now) else 0x40
        is_on = (self.power is PowerState.ON) is not is_lie
        return b"\x00%c\x00%c" % (0x21 if is_on else 0x20, lamp)

    def _judge(self, action: ChassisAction) -> bytes:
        if len(self._late) >= MAX_LATE:
            return codes.BUSY
        return codes.OK if self.power is PowerState.ON or action not in _NEED_POWER else codes.STATE_FORBIDS

    def _carry_out(self, action: ChassisAction, now: float) -> None:
        is_on = self.power is PowerState.ON
        match action:
            case _ if not is_on and action in _NEED_POWER:
                pass  # judged while it was on, and too late now
            case ChassisAction.POWER_DOWN:
                self.set_power(PowerState.OFF)
            case ChassisAction.POWER_UP if not is_on:  # one that is on, and may be shutting down, is not impressed
                self.set_power(PowerState.ON)
            case ChassisAction.POWER_CYCLE:
                self.set_power(PowerState.OFF)
                self._pending, self._pending_at = PowerState.ON, now + CYCLE_OFF_S
            case ChassisAction.HARD_RESET:
                self._pending_at = None
                self.boot.use()
            case ChassisAction.SOFT_SHUTDOWN if is_on and self.soft_off_s is not None:
                self._pending, self._pending_at = PowerState.OFF, now + self.soft_off_s
            case _:
                pass
