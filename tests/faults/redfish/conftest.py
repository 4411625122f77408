"""A driver, and BMCs that it has a hard time with."""

from collections.abc import Iterator

import pytest

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.redfish import RedfishDriver
from tests.support.driver_calls import Caller
from tests.support.redfish_bmc import RedfishBMC, running_redfish_bmc


@pytest.fixture(scope="module")
def clock() -> Iterator[SystemClock]:
    made = SystemClock()
    yield made
    made.stop(5)


@pytest.fixture
def driver(clock: SystemClock) -> Iterator[RedfishDriver]:
    made = RedfishDriver(clock, pool=Bulkhead("redfish", 2, clock, long_limit=2))
    yield made
    made.stop(2)


@pytest.fixture
def caller(driver: RedfishDriver, clock: SystemClock) -> Caller:
    return Caller(driver, clock)


@pytest.fixture
def bmc() -> Iterator[RedfishBMC]:
    with running_redfish_bmc() as made:
        yield made
