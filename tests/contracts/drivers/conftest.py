"""A world for each driver and each kind of BMC that says how to be healthy, silent, or wrong there."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.testing import BMCFarm
from tests.support.driver_calls import Caller
from tests.support.driver_worlds import (
    WORLDS,
    WRITTEN,
    FakeWorld,
    FarmWorld,
    Info,
    IPMISimWorld,
    RedfishWorld,
    SushyWorld,
    World,
    WrittenWorld,
)
from tests.support.ipmi_sim import IPMISim, running_ipmi_sim
from tests.support.redfish_bmc import running_redfish_bmc
from tests.support.sushy import SushyEmulator, running_sushy


@pytest.fixture(scope="module")
def clock() -> Iterator[SystemClock]:
    made = SystemClock()
    yield made
    made.stop(5)


@pytest.fixture(scope="module")
def ipmi_sim() -> Iterator[IPMISim]:
    with running_ipmi_sim() as bmc:
        yield bmc


@pytest.fixture
def silent() -> Iterator[Info]:
    """A BMC that hears everything and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield {"ipmi_address": "127.0.0.1", "ipmi_port": deaf.getsockname()[1]}


@pytest.fixture(scope="module")
def sushy() -> Iterator[SushyEmulator]:
    with running_sushy() as bmc:
        yield bmc


@pytest.fixture
def silent_tcp() -> Iterator[Info]:
    """A BMC that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as deaf:
        yield {"redfish_address": f"127.0.0.1:{deaf.getsockname()[1]}"}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, clock: SystemClock, silent: Info, silent_tcp: Info) -> Iterator[World]:
    with ExitStack() as stack:
        made: World
        if request.param == "fake":
            made = FakeWorld(clock)
        elif request.param == "farm":
            made = FarmWorld(clock, stack.enter_context(BMCFarm(bmcs=1)), silent)
        elif request.param == "redfish":
            made = RedfishWorld(clock, stack.enter_context(running_redfish_bmc()), silent_tcp)
        elif request.param in WRITTEN:
            bmc = stack.enter_context(running_redfish_bmc())
            made = WrittenWorld(clock, bmc, silent_tcp, WRITTEN[request.param])
        elif request.param == "sushy":
            made = SushyWorld(clock, request.getfixturevalue("sushy"), silent_tcp)
        else:
            made = IPMISimWorld(clock, request.getfixturevalue("ipmi_sim"), silent)
        stack.callback(made.driver.stop, 5)
        yield made


@pytest.fixture
def caller(world: World, clock: SystemClock) -> Caller:
    return Caller(world.driver, clock)
