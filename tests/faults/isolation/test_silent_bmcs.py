"""500 BMCs over real UDP, 30 % of them silent: the healthy ones are checked as if the others were not there.

Judged by counts and their order, never by wall time: how often each machine was looked at by the time something else
had happened. A machine that does other things slows all of it down alike.
"""

from collections.abc import Generator, Mapping

import pytest

from castiron import Conductor
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.registry import ipmi_limits
from castiron.actors.settings import Settings
from castiron.actors.settings.shares import LOOK_UPS
from castiron.testing import BMCFarm, Faults, SimulatedBMC, running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.replies import StatusView
from castiron.transport.verbs import NodeCreate
from castiron.transport.vocabulary import Fault
from tests.support.deadline import until

BMCS = 500
SILENT_EVERY = 10, (3, 6, 9)
"""Of each ten these: 30 %, spread among the others."""
INTERVAL_S = 0.6
SETTINGS = Settings(
    sync_power_state_interval_s=INTERVAL_S,
    power_check_start_spread_s=INTERVAL_S,
    power_state_sync_max_retries=1,
    power_check_backoff_max_s=INTERVAL_S,
    # Three places to log in for 150 silent BMCs: were one of them to hold a place, it would do so for seconds.
    ipmi_max_logins=3,
)
TIMING = Timing(waits_s=(0.5, 1.0, 1.5))
"""Each silent BMC costs its own node 3 s a check, and is asked twice before it is a fault."""
LONG_S = 45.0
"""No judgement: the time after which a wait has failed."""


@pytest.fixture
def farm() -> Generator[BMCFarm]:
    with BMCFarm(bmcs=BMCS, seed=1) as running:
        for number, bmc in enumerate(running):
            if is_silent(number):
                bmc.set_faults(Faults(silent=True))
        yield running


@pytest.fixture
def conductor(farm: BMCFarm) -> Generator[Conductor]:
    with running_conductor(settings=SETTINGS, drivers=make_drivers) as running:
        yield running


def make_drivers(clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
    return {"ipmi": IPMIDriver(clock, limits=ipmi_limits(settings), timing=TIMING, look_ups=shares[LOOK_UPS])}


def is_silent(number: int) -> bool:
    period, which = SILENT_EVERY
    return number % period in which


def unanswered(status: StatusView) -> int:
    return status.checks.failed + status.checks.faulted


def rounds(bmcs: list[SimulatedBMC], begun: list[int]) -> list[int]:
    """How often each has been asked since: in an open session a check is one command, and there is no other."""
    return [bmc.command_count - before for bmc, before in zip(bmcs, begun, strict=True)]


@pytest.mark.timeout(150)
def test_silent_bmcs_cost_their_own_nodes_and_nobody_else(farm: BMCFarm, conductor: Conductor) -> None:
    healthy = [bmc for number, bmc in enumerate(farm) if not is_silent(number)]
    silent = {f"n{number}" for number in range(BMCS) if is_silent(number)}
    with conductor.client(timeout_s=30) as client:
        create_all(client, farm)

        # Each healthy BMC is logged in to, through three places, while 150 silent ones are being waited for.
        until(lambda: client.status().drivers["ipmi"]["sessions"] == len(healthy), timeout_s=LONG_S)
        until(lambda: all(bmc.command_count >= 2 for bmc in healthy), timeout_s=LONG_S)
        begun = [bmc.command_count for bmc in healthy]
        failed_before = unanswered(client.status())

        # Each silent node has failed one more check: four intervals, in which each healthy one has had its rounds.
        until(
            lambda: unanswered(client.status()) >= failed_before + len(silent),
            timeout_s=LONG_S,
        )
        done = rounds(healthy, begun)
        assert min(done) >= 2, f"while 150 checks failed, one healthy node was checked {min(done)} times only"
        assert max(done) - min(done) <= 2, f"some were checked {min(done)} times, others {max(done)} times"

        # The silent ones become faults, all of them and nobody else.
        until(lambda: client.status().nodes["fault"] == len(silent), timeout_s=LONG_S)
        views = client.nodes.list()
        assert {view.name for view in views if view.fault is Fault.POWER_FAILURE} == silent
        assert {view.name for view in views if view.maintenance} == silent
        assert all(view.power_check_failures == 0 for view in views if view.name not in silent)

        # And then the healthy ones go on, round after round, none of them far from the others.
        begun = [bmc.command_count for bmc in healthy]
        until(lambda: min(rounds(healthy, begun)) >= 3, timeout_s=LONG_S)
        done = rounds(healthy, begun)
        assert max(done) - min(done) <= 2, f"some were checked {min(done)} times, others {max(done)} times"

        status = client.status()
        assert status.drivers["ipmi"]["sessions"] == len(healthy)
        assert status.drivers["ipmi"]["logins"] == len(healthy), "nobody's session was lost"
        assert status.checks.recovered == 0


def create_all(client: Client, farm: BMCFarm) -> None:
    verbs = [NodeCreate(name=f"n{number}", driver_info=bmc.driver_info) for number, bmc in enumerate(farm)]
    answers = [answer for _, answer in client.send_many(verbs)]
    failures = [answer for answer in answers if isinstance(answer, Exception)]
    assert failures == []
