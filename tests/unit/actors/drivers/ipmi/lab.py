"""A laboratory for the IPMI engine: virtual time, a network without sockets, and the farm's BMCs on it."""

import random
from collections.abc import Callable
from typing import Any

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import (
    SetPower,
)
from castiron.actors.drivers.ipmi.inline import InlineIPMIDriver
from castiron.actors.drivers.ipmi.pacing.limits import Limits
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.operations import VerifyCredentials
from castiron.testing.bmc import BMC, Answers, BMCSettings, Sensor
from castiron.testing.simulation.network import SimNetwork
from castiron.transport.vocabulary import Instant, PowerControl, Seconds
from tests.support.driver_calls import Caller, Ticket

ON = SetPower(PowerControl.ON)
STEADY = Timing(jitter=0)
SILENCE_S = sum(STEADY.waits_s)
HOST = "127.0.0.1"
LOGIN = {"ipmi_address": HOST, "ipmi_username": "admin", "ipmi_password": "secret"}
Receive = Callable[[bytes, tuple[str, int], float], Answers]


class Lab:
    """A driver, a network and any number of BMCs, all in one virtual time."""

    def __init__(self, *, limits: Limits | None = None, lookup: Any = None, timing: Timing = STEADY) -> None:
        self.clock = VirtualClock(Instant(1_000_000.0))
        self.network = SimNetwork(self.clock)
        options = {"lookup": lookup} if lookup else {}
        self.driver = InlineIPMIDriver(
            self.clock, self.network, rng=random.Random(1), timing=timing, limits=limits, **options
        )
        self.network.driver = self.driver
        self.caller = Caller(self.driver, self.clock)

    def bmc(self, host: str = "127.0.0.1", **settings: Any) -> BMC:
        made = BMC(host, BMCSettings(username="admin", password="secret", **settings), random.Random(2))
        self.network.bmcs[(host, 623)] = made.receive
        return made

    def submit(self, operation: Any, host: str = "127.0.0.1", deadline_s: float = 15.0, **info: Any) -> Ticket:
        generation = info.pop("generation", 1)
        node = info.pop("node", host)
        login = {"ipmi_address": host, "ipmi_username": "admin", "ipmi_password": "secret", **info}
        return self.caller.submit(self.caller.target(login, node, generation), operation, deadline_s)

    def wait(self, seconds: float) -> None:
        self.clock.advance(Seconds(seconds))

    def ask(self, operation: Any, **more: Any) -> Any:
        ticket = self.submit(operation, **more)
        self.wait(1)
        return ticket.value()

    def counted(self, name: str) -> int:
        return self.driver.counters()[name]

    def sealed(self) -> list[bytes]:
        """The datagrams that were sent inside sessions."""
        return [datagram for _, _, datagram in self.network.sent if datagram[5] == 0xC0]


def slowly(bmc: BMC, delay_s: float) -> Receive:
    def receive(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        return [(after_s + delay_s, answer) for after_s, answer in bmc.receive(datagram, source, now)]

    return receive


def losing(bmc: BMC, since: Callable[[], bool]) -> Receive:
    """Have answers lost from some moment on; what they answer was carried out."""

    def receive(datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        answers = bmc.receive(datagram, source, now)
        return [] if since() else answers

    return receive


def many(count: int) -> list[Sensor]:
    return [Sensor(number=number, name=f"Temp {number}") for number in range(count)]


def aside(lab: Lab, password: str = "secret") -> Ticket:
    return lab.submit(VerifyCredentials({**LOGIN, "ipmi_password": password}))
