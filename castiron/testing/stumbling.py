"""A driver with a bug in it, on demand: to see what becomes of an actor that fails."""

from collections.abc import Callable, Mapping
from typing import Any

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.conductor import MakeDrivers
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Call, Driver, DriverInfo, Outcome, SetPower
from castiron.actors.drivers.registry import make_drivers
from castiron.actors.settings import Settings
from castiron.transport.vocabulary import NodeUUID


class StumblingDriver:
    """Another driver, which fails once for each node in `stumbles`: it raises where a power control would leave.

    The node's actor calls it, so the node's actor fails. Thread: as base.Driver.
    """

    def __init__(self, driver: Driver) -> None:
        self.name = driver.name
        self.stumbles: set[str] = set()
        """uuids of nodes; each is taken out when it has happened."""
        self._driver = driver

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """See base.Driver."""
        return self._driver.check(driver_info)

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """See base.Driver.

        Raises:
            RuntimeError: it stumbles.
        """
        if isinstance(call.operation, SetPower) and call.target.node in self.stumbles:
            self.stumbles.discard(call.target.node)
            raise RuntimeError("a bug, put here on purpose")
        self._driver.submit(call, done)

    def forget(self, node: NodeUUID) -> None:
        """See base.Driver."""
        self._driver.forget(node)

    def counters(self) -> Mapping[str, int]:
        """See base.Driver."""
        return self._driver.counters()

    def is_alive(self) -> bool:
        """See base.Driver."""
        return self._driver.is_alive()

    def stop(self, timeout_s: float) -> None:
        """See base.Driver."""
        self._driver.stop(timeout_s)


class Stumbling:
    """Makes the drivers of a conductor, each with a bug: `running_conductor(drivers=stumbling.make)`."""

    def __init__(self, make: MakeDrivers = make_drivers) -> None:
        self._make = make
        self._drivers: dict[str, StumblingDriver] = {}

    def make(self, clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
        """Make them."""
        self._drivers = {name: StumblingDriver(driver) for name, driver in self._make(clock, settings, shares).items()}
        return self._drivers

    def stumble(self, node_uuid: str, driver: str = "ipmi") -> None:
        """Have the node's actor fail at its next power control."""
        self._drivers[driver].stumbles.add(node_uuid)
