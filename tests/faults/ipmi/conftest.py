"""A farm, and drivers that are short of patience and stopped after the test."""

from collections.abc import Iterator
from typing import Any

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.testing import BMCFarm
from tests.faults.ipmi.drivers import HASTY, Start
from tests.support.driver_calls import Caller


@pytest.fixture
def clock() -> Iterator[SystemClock]:
    made = SystemClock()
    yield made
    made.stop(5)


@pytest.fixture
def start(clock: SystemClock) -> Iterator[Start]:
    """Start drivers that are short of patience, and stop them after the test."""
    drivers: list[IPMIDriver] = []

    def make(**options: Any) -> Caller:
        settings: dict[str, Any] = {"timing": HASTY, **options}
        drivers.append(IPMIDriver(clock, **settings))
        return Caller(drivers[-1], clock)

    yield make
    for driver in drivers:
        driver.stop(5)
        assert not driver.is_alive()


@pytest.fixture
def caller(start: Start) -> Caller:
    return start()


@pytest.fixture
def farm() -> Iterator[BMCFarm]:
    with BMCFarm(bmcs=4) as made:
        yield made
