"""One BMC of a running farm, as tests hold it: where it is, how to log in, what it was sent, what is wrong with it.

Everything here may be used from any thread; the farm's own thread takes the same lock for each datagram. A wait ends at
the event or at its deadline, and a deadline that passes is an error that says what was seen instead.
"""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from math import inf
from threading import Condition
from typing import Any

from castiron.testing.bmc import BMC, Answers, Control, Faults
from castiron.testing.keeping import Keeping
from castiron.transport.vocabulary import BootDevice, PowerState


class SimulatedBMC:
    """One simulated BMC, reachable over UDP.

    Attributes:
        name: its name in the farm: "bmc1", "bmc2" …
        address: its IPv4 address, within 127.0.0.0/8.
        port: its UDP port, the same for the whole farm.
    """

    def __init__(
        self, bmc: BMC, address: IPv4Address, port: int, *, changed: Condition, now: Callable[[], float]
    ) -> None:
        self.name = bmc.name
        self.address = str(address)
        self.port = port
        self._bmc = bmc
        self._chassis = bmc.device.chassis
        self._changed = changed
        self._now = now
        self._keeps = Keeping(bmc.device, changed, now)
        self._wake_at = inf  # when the farm calls `wake`; infinity if it has not been asked to

    def __repr__(self) -> str:
        return f"<SimulatedBMC {self.name} {self.address}:{self.port}>"

    @property
    def username(self) -> str:
        """The user that it was set up with."""
        return self._bmc.device.settings.username

    @property
    def password(self) -> str:
        """The user's password, now: Set User Password may have changed it."""
        with self._changed:
            user = self._bmc.device.users.find(self.username.encode())
            return self._bmc.device.settings.password if user is None else user.password.decode()

    @property
    def driver_info(self) -> dict[str, Any]:
        """What a node with this BMC has in its driver_info, with Ironic's names. A new dict each time."""
        k_g = self._bmc.device.settings.k_g
        return {
            "ipmi_address": self.address,
            "ipmi_port": self.port,
            "ipmi_username": self.username,
            "ipmi_password": self.password,
        } | ({"ipmi_k_g": f"0x{k_g.hex()}"} if k_g else {})

    @property
    def keeps(self) -> Keeping:
        """What it keeps beside its machine: inventory, sensors, event log, users. To be read and changed."""
        return self._keeps

    @property
    def power(self) -> PowerState:
        """The machine's power, now. Setting it is a hand on the power button: the BMC reports it when it is asked."""
        with self._changed:
            self.advance()
            return self._chassis.power

    @power.setter
    def power(self, state: PowerState) -> None:
        with self._changed:
            self._chassis.set_power(PowerState(state))
            self._changed.notify_all()

    @property
    def boot_device(self) -> BootDevice:
        """Where the machine boots from next."""
        with self._changed:
            return self._chassis.boot.device(self._now())

    @property
    def boot_is_persistent(self) -> bool:
        """Whether that holds for every boot, not only the next."""
        with self._changed:
            return self._chassis.boot.is_persistent(self._now())

    @property
    def boot_is_uefi(self) -> bool:
        """Whether a UEFI boot was asked for."""
        with self._changed:
            return self._chassis.boot.is_uefi(self._now())

    @property
    def controls(self) -> list[Control]:
        """The chassis controls that it received, oldest first, with the farm's time."""
        with self._changed:
            return list(self._chassis.controls)

    @property
    def control_count(self) -> int:
        """How many chassis controls it has received since the farm began; `controls` keeps the last of them."""
        with self._changed:
            return self._chassis.control_count

    @property
    def login_count(self) -> int:
        """How many logins have succeeded since the farm began."""
        with self._changed:
            return self._bmc.device.login_count

    @property
    def command_count(self) -> int:
        """How many commands were answered inside sessions since the farm began."""
        with self._changed:
            return self._bmc.device.command_count

    @property
    def session_count(self) -> int:
        """How many sessions are logged in now."""
        with self._changed:
            return len(self._bmc.device.sessions.established(self._now()))

    @property
    def soft_off_s(self) -> float | None:
        """Seconds that a soft shutdown takes; None for an operating system that does not listen. May be set."""
        with self._changed:
            return self._chassis.soft_off_s

    @soft_off_s.setter
    def soft_off_s(self, seconds: float | None) -> None:
        with self._changed:
            self._chassis.soft_off_s = seconds

    @property
    def faults(self) -> Faults:
        """What is wrong with it, from now on: what has been used up no longer shows."""
        with self._changed:
            return self._bmc.faults

    def set_faults(self, faults: Faults) -> None:
        """Replace what is wrong with it, from the next datagram on. `Faults()` heals it. Idempotent."""
        with self._changed:
            self._bmc.faults = faults

    def change_faults(self, **changes: Any) -> Faults:
        """Change some of what is wrong with it, by the names of Faults, and return all that is. Idempotent.

        Raises:
            ValueError: a number is out of its range; nothing is changed.
            TypeError: there is no such fault.
        """
        with self._changed:
            self._bmc.faults = replace(self._bmc.faults, **changes)
            return self._bmc.faults

    def cold_reset(self, silent_s: float = 0.0) -> None:
        """Restart the BMC, not the machine: it forgets its sessions, and hears and says nothing for a while.

        Args:
            silent_s: how long the restart takes. A reset during it begins it anew. One over IPMI takes `keeps.reset_s`.

        Raises:
            ValueError: it is no length of time.
        """
        if not 0 <= silent_s < inf:
            raise ValueError(f"silent_s must be seconds: {silent_s!r}")
        with self._changed:
            self._bmc.cold_reset(self._now() + silent_s)

    @property
    def is_restarting(self) -> bool:
        """Whether a cold reset still keeps it silent."""
        with self._changed:
            return self._bmc.is_restarting(self._now())

    def wait_for_power(self, state: PowerState, timeout_s: float) -> None:
        """Block until the machine's power is `state`.

        Raises:
            TimeoutError: it was not within timeout_s seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.power is PowerState(state), timeout_s):
                raise TimeoutError(f"{self.name} is in {self._chassis.power!s}, not {state!s}, after {timeout_s} s")

    def wait_for_controls(self, count: int, timeout_s: float) -> list[Control]:
        """Block until it has received `count` chassis controls in its life, and return those that it remembers.

        Raises:
            TimeoutError: it had not within timeout_s seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._chassis.control_count >= count, timeout_s):
                received = [control.action.name for control in self._chassis.controls]
                raise TimeoutError(f"{self.name} has received {received}, not {count} controls, after {timeout_s} s")
            return list(self._chassis.controls)

    def receive(self, datagram: bytes, source: tuple[str, int]) -> tuple[Answers, float | None]:
        """Take a datagram; return the answers and, if it set something going, when to call `wake`. For the farm."""
        with self._changed:
            before = self._chassis.change_count
            answers = self._bmc.receive(datagram, source, self._now())
            if self._chassis.change_count == before:
                return answers, None
            self._changed.notify_all()
            return answers, self._next_wake()

    def wake(self, at: float) -> float | None:
        """Let happen what is due at an instant that was asked for; return when to call again, if at all. For the farm.

        An instant that is no longer the next one is not asked for again, so calls do not multiply.
        """
        with self._changed:
            if at != self._wake_at:
                return None
            self._wake_at = inf
            self.advance()
            return self._next_wake()

    def advance(self) -> None:
        """Let happen what is due by now, and wake who waits for it. Idempotent."""
        with self._changed:
            before = self._chassis.change_count
            self._chassis.advance(self._now())
            if self._chassis.change_count != before:
                self._changed.notify_all()

    def _next_wake(self) -> float | None:
        """Return when to be woken, unless that or an earlier instant has been asked for."""
        due_at = self._chassis.due_at
        if due_at is None or due_at >= self._wake_at:
            return None
        self._wake_at = due_at
        return due_at
