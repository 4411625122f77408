"""A world for each driver and each kind of BMC that says how to be healthy, silent, or wrong there."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.testing import BMCFarm
from tests.support.driver_calls import Caller
from tests.support.driver_worlds import FakeWorld, FarmWorld, Info, IPMISimWorld, World
from tests.support.ipmi_sim import IPMISim, running_ipmi_sim


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


WORLDS = ["fake", pytest.param("ipmi_sim", marks=pytest.mark.simulators), "farm"]


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, clock: SystemClock, silent: Info) -> Iterator[World]:
    with ExitStack() as stack:
        made: World
        if request.param == "fake":
            made = FakeWorld(clock)
        elif request.param == "farm":
            made = FarmWorld(clock, stack.enter_context(BMCFarm(bmcs=1)), silent)
        else:
            made = IPMISimWorld(clock, request.getfixturevalue("ipmi_sim"), silent)
        stack.callback(made.driver.stop, 5)
        yield made


@pytest.fixture
def caller(world: World, clock: SystemClock) -> Caller:
    return Caller(world.driver, clock)
