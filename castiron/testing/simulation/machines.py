"""The machines of a simulation with their BMCs, and the truth about them: which power state each had, and since when.

They outlive every conductor. What is wrong with a BMC is its `faults`; a hand on the power button is `press`. Nothing
of a conductor comes in here.
"""

from array import array
from collections.abc import Iterable
from random import Random
from typing import Any, Final, NamedTuple

from castiron.testing.ailments import node_name
from castiron.testing.bmc import BMC, Answers, BMCSettings, Faults, Privilege
from castiron.testing.bmc.commands import execute
from castiron.testing.bmc.wire.rmcp import Message
from castiron.testing.bmc.wire.session import Session
from castiron.testing.simulation.network import SOURCE
from castiron.transport.vocabulary import PowerState

PORT: Final = 623
PER_BLOCK: Final = 250
"""Machines in one block of addresses, 127.1.B.1 to 127.1.B.250."""

ADDRESS: Final = "direct_address"
"""What a node with a direct driver has in its driver_info."""


class Power(NamedTuple):
    """A machine's power state from an instant on."""

    at: float
    state: PowerState
    by_hand: bool
    """Somebody pressed the button: nobody was asked to."""


class Machine:
    """One machine and its BMC. One thread: the clock's.

    Attributes:
        name: what its node is called at first.
        driver: by which its node reaches it.
        bmc: its BMC.
        powers: its power states, the oldest first; each holds until the next begins.
        lies: when its BMC told a wrong power state.
        asked: when something reached its BMC, or would have, were it not silent.
    """

    def __init__(self, number: int, driver: str, rng: Random) -> None:
        self.name = node_name(number)
        self.driver = driver
        self.bmc = BMC(self.name, BMCSettings(), rng)
        self.host = f"127.1.{number // PER_BLOCK}.{number % PER_BLOCK + 1}"
        self.powers = [Power(0.0, PowerState.OFF, by_hand=False)]
        self.lies: list[float] = []
        self.asked = array("d")
        self._session = Session.outside(SOURCE, 0.0)
        self._session.privilege = Privilege.ADMINISTRATOR

    @property
    def bmc_address(self) -> str:
        """Where it is, in the spelling of a node's bmc_address."""
        return f"{self.host}:{PORT}"

    @property
    def driver_info(self) -> dict[str, Any]:
        """What its node has in driver_info. A new dict each time."""
        if self.driver == "direct":
            return {ADDRESS: self.bmc_address}
        settings = self.bmc.device.settings
        return {
            "ipmi_address": self.host,
            "ipmi_port": PORT,
            "ipmi_username": settings.username,
            "ipmi_password": settings.password,
            "ipmi_session": "on_demand",  # or each would be kept alive every 24 s of a week
        }

    def power(self, now: float) -> PowerState:
        """Return the machine's power state, as it is."""
        self._settle(now)
        return self.bmc.device.chassis.power

    def press(self, now: float) -> PowerState:
        """Press the power button; return what came of it. Nobody is told."""
        state = PowerState.OFF if self.power(now) is PowerState.ON else PowerState.ON
        self.bmc.device.chassis.set_power(state)
        self.powers.append(Power(now, state, by_hand=True))
        return state

    def receive(self, datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        """Take a datagram; see BMC.receive."""
        self.asked.append(now)
        self._settle(now)
        lies_left = self.bmc.faults.wrong_power_count
        answers = self.bmc.receive(datagram, source, now)
        self._note(now, lies_left)
        return answers

    def ask(self, netfn: int, command: int, data: bytes, now: float) -> tuple[float, bytes] | None:
        """Take a command as if in a session, with the same faults; what a datagram costs is left out.

        Returns:
            After how many seconds the answer comes, and the answer; None: none comes.
        """
        self.asked.append(now)
        self._settle(now)
        device = self.bmc.device
        faults, rng = device.faults, device.rng
        if faults.silent or self.bmc.is_restarting(now) or faults.loses(rng):
            return None
        message = Message(netfn, command, data, b"\0\0", 0)
        answer = execute(device, self._session, message, now)
        if faults.duplicates(rng):
            answer = execute(device, self._session, message, now)
        self._note(now, faults.wrong_power_count)
        return None if faults.loses(rng) else (faults.delay_s(rng), answer)

    def was(self, state: PowerState, since: float, until: float) -> bool:
        """Return whether it had a power state at any time of a span."""
        return any(power.state is state for power in self.spans(since, until))

    def spans(self, since: float, until: float) -> Iterable[Power]:
        """Return its power states within a span, the oldest first."""
        ends = [power.at for power in self.powers[1:]] + [until + 1.0]
        return [power for power, end in zip(self.powers, ends, strict=True) if power.at <= until and end >= since]

    def heal(self) -> None:
        """Have nothing wrong with the BMC any more."""
        self.bmc.faults = Faults()

    def _settle(self, now: float) -> None:
        """Let each change that is due happen at its own instant."""
        chassis = self.bmc.device.chassis
        while (due_at := chassis.due_at) is not None and due_at <= now:
            chassis.advance(due_at)
            self._note_power(due_at)

    def _note(self, now: float, lies_left: int) -> None:
        if self.bmc.faults.wrong_power_count < lies_left:
            self.lies.append(now)
        self._note_power(now)

    def _note_power(self, at: float) -> None:
        state = self.bmc.device.chassis.power
        if state is not self.powers[-1].state:
            self.powers.append(Power(at, state, by_hand=False))
