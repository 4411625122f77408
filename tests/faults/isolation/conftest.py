"""500 BMCs over real UDP, a conductor that is patient with silence, and what its healthy nodes are held to.

Judged by counts and by order, never by wall time: how often each machine was looked at, and what had ended, by the time
something else had happened. A machine that does other things slows all of it down alike. Whatever is wrong stays wrong
for as long as a test looks: silence is borne for a minute, so nothing ends by itself meanwhile.
"""

import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.fake import FakeDriver
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.redfish import RedfishDriver
from castiron.actors.drivers.registry import ipmi_limits
from castiron.actors.settings import Settings, settings_from
from castiron.actors.settings.shares import LOOK_UPS
from castiron.testing import BMCFarm, Faults, running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.blocking.requests import Request
from castiron.transport.verbs import NodeCreate
from castiron.transport.verbs.verb import Verb
from castiron.transport.vocabulary import PowerState
from tests.support.deadline import until
from tests.support.receiver import Receiver, key_file, receiving
from tests.support.step_plugin import installed

BMCS = 500
ILL_EVERY, ILL = 10, (3, 6, 9)
"""Of each ten these: 30 %, spread among the others."""
NEWCOMERS = 20
"""BMCs that are there, and have no node at first."""
INTERVAL_S = 0.6
PATIENT = Timing(waits_s=(0.25, *(1.0,) * 60), control_wait_s=60.0)
"""A minute of silence before anything is given up."""
PLACES = 8
"""To call Redfish BMCs, for steps and for webhooks; and four times as many to log in, for 500 BMCs."""
LONG_S = 60.0
"""No judgement: the time after which a wait has failed."""


def is_ill(number: int) -> bool:
    """Return whether a BMC is one of those that something happens to."""
    return number % ILL_EVERY in ILL


def patient_drivers(clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
    """Make drivers with few places, and patience."""
    return {
        "fake": FakeDriver(clock),
        "ipmi": IPMIDriver(clock, limits=ipmi_limits(settings), timing=PATIENT, look_ups=shares[LOOK_UPS]),
        "redfish": RedfishDriver(clock, pool=Bulkhead("redfish_calls", PLACES, clock, long_limit=PLACES)),
    }


@dataclass
class Ward:
    """A conductor with 350 healthy nodes and 150 to which things happen."""

    client: Client
    farm: BMCFarm
    receiver: Receiver
    hanging: Receiver
    """Takes webhooks, and answers none of them."""
    turns: "count[int]"
    """Which healthy node a user turns to next."""

    @property
    def healthy(self) -> list[int]:
        """The BMCs that nothing happens to, by number."""
        return [number for number in range(BMCS) if not is_ill(number)]

    @property
    def ill(self) -> list[int]:
        """The others."""
        return [number for number in range(BMCS) if is_ill(number)]

    @contextmanager
    def trouble(self, faults: Faults) -> Generator[None]:
        """Let the ill ones be so for the length of a `with`; then all is healed, and looked at again."""
        for number in self.ill:
            self.farm[number].set_faults(faults)
        yield
        for number in self.ill:
            self.farm[number].set_faults(Faults())

    def send(self, verbs: Sequence[Verb]) -> None:
        """Have all of these carried out."""
        answers = [answer for _, answer in self.client.send_many(verbs)]
        assert [answer for answer in answers if isinstance(answer, Exception)] == []

    @property
    def open_requests(self) -> int:
        """How many requests have not ended."""
        return self.client.status().requests.open

    def sessions(self) -> int:
        """How many sessions are open with BMCs of the farm."""
        sessions: int = self.client.status().drivers["ipmi"]["sessions"]
        return sessions

    def creations(self, numbers: Iterable[int]) -> list[NodeCreate]:
        """Return what makes nodes with these BMCs."""
        return [NodeCreate(name=f"n{number}", driver_info=self.farm[number].driver_info) for number in numbers]

    def power(self, number: int, **terms: Any) -> Request:
        """Have a user ask for the other power state of a machine."""
        is_on = self.farm[number].power is PowerState.ON
        return self.client.nodes.power(f"n{number}", "power off" if is_on else "power on", **terms)

    def goes_on(self, rounds: int = 2) -> None:
        """See that each healthy node is checked so many times, none much more often than another, and can be used."""
        bmcs = [self.farm[number] for number in self.healthy]
        begun = [bmc.command_count for bmc in bmcs]

        def done() -> list[int]:
            return [bmc.command_count - before for bmc, before in zip(bmcs, begun, strict=True)]

        until(lambda: min(done()) >= rounds, timeout_s=LONG_S)
        counts = done()
        assert max(counts) - min(counts) <= 2, f"some were checked {min(counts)} times, others {max(counts)} times"
        request = self.power(self.healthy[next(self.turns)])
        assert request.wait(timeout_s=LONG_S).state == "succeeded"


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Generator[Ward]:
    """Start everything once; each test leaves the healthy ones as they were."""
    folder: Path = tmp_path_factory.mktemp("isolation")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(sys, "path", [str(installed(folder)), *sys.path])
        farm = stack.enter_context(BMCFarm(bmcs=BMCS + NEWCOMERS, seed=1))
        receiver = stack.enter_context(receiving())
        hanging = stack.enter_context(receiving())
        hanging.stall.clear()
        stack.callback(hanging.stall.set)
        settings = settings_from(
            {
                "sync_power_state_interval_s": INTERVAL_S,
                "power_check_start_spread_s": INTERVAL_S,
                "command_timeout_s": LONG_S,
                "power_state_change_timeout_s": 2 * LONG_S,
                "ipmi_max_logins": 4 * PLACES,
                "max_workers": PLACES,
                "step_timeout_s": LONG_S,
                "webhook_allowed_prefixes": (receiver.url, hanging.url),
                "webhook_key_file": str(key_file(folder)),
                "webhook_timeout_s": LONG_S,
                "webhook_max_in_flight": PLACES,
                "webhook_max_in_flight_per_destination": PLACES // 2,
            }
        )
        conductor = stack.enter_context(running_conductor(settings=settings, drivers=patient_drivers))
        client = stack.enter_context(conductor.client(timeout_s=30))
        made = Ward(client, farm, receiver, hanging, count())
        made.send(made.creations(range(BMCS)))
        until(lambda: made.sessions() == BMCS, timeout_s=LONG_S)
        yield made
