"""Which drivers there are: ours by name, other people's by the entry points "castiron.drivers".

A driver is made at its first use by `Registry`; a conductor makes all of them at its start. A plug-in that does not
load is one line in the log and an unknown driver; the others go on.
"""

import difflib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.methods.driver import MethodDriver, Places
from castiron.actors.settings import Settings
from castiron.actors.settings.shares import COROUTINE_CALLS, DRIVERS, LOOK_UPS, REDFISH
from castiron.transport.errors import ArgumentInvalid

if TYPE_CHECKING:
    from castiron.actors.drivers.ipmi.pacing.limits import Limits

GROUP: Final = "castiron.drivers"
"""The entry point group. An entry's name is the driver's; its object takes a Clock and returns a Driver."""

Factory = Callable[[Clock], Driver]

_log = logging.getLogger(__name__)


def make_fake(clock: Clock) -> Driver:
    """Make the `fake` driver."""
    from castiron.actors.drivers.fake import FakeDriver  # noqa: PLC0415 - loaded at first use

    return FakeDriver(clock)


def make_ipmi(clock: Clock, *, limits: "Limits | None" = None, look_ups: Bulkhead | None = None) -> Driver:
    """Make the `ipmi` driver; its own defaults of how much at once, and threads of its own, if not given."""
    from castiron.actors.drivers.ipmi import IPMIDriver  # noqa: PLC0415 - loaded at first use: pyghmi costs 60 ms

    return IPMIDriver(clock, limits=limits, look_ups=look_ups)


def ipmi_limits(settings: Settings) -> "Limits":
    """Return how much may be asked of IPMI BMCs at once, as the settings have it."""
    from castiron.actors.drivers.ipmi.pacing.limits import Limits  # noqa: PLC0415 - loaded at first use, as above

    return Limits(
        logins=settings.ipmi_max_logins,
        logins_per_s=settings.ipmi_max_logins_per_s,
        datagrams_per_s=settings.ipmi_max_datagrams_per_s,
        datagrams_per_bmc_per_s=settings.ipmi_max_datagrams_per_bmc_per_s,
        calls_per_bmc=settings.ipmi_max_calls_per_bmc,
    )


def make_redfish(clock: Clock, *, pool: Bulkhead | None = None) -> Driver:
    """Make the `redfish` driver; with threads of its own, if not given."""
    from castiron.actors.drivers.redfish import RedfishDriver  # noqa: PLC0415 - loaded at first use, as above

    return RedfishDriver(clock, pool=pool)


BUILT_IN: Final[Mapping[str, Factory]] = {"fake": make_fake, "ipmi": make_ipmi, "redfish": make_redfish}


def installed() -> Iterable[EntryPoint]:
    """Return the entry points of the installed packages."""
    return entry_points().select(group=GROUP)


class Registry:
    """The drivers of one conductor. Any thread.

    Args:
        clock: handed to each driver.
        factories: replaces or adds to the built-in ones, as for other limits or for a simulation.
        plugins: finds the entry points; those of the installed packages if not given.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        factories: Mapping[str, Factory] | None = None,
        plugins: Callable[[], Iterable[EntryPoint]] | None = None,
    ) -> None:
        self._clock = clock
        self._factories = {**BUILT_IN, **(factories or {})}
        self._plugins = plugins or installed
        self._found: dict[str, EntryPoint] | None = None
        self._broken: set[str] = set()
        self._drivers: dict[str, Driver] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Return the names of all drivers, sorted; a plug-in is not loaded for that."""
        with self._lock:
            return self._names()

    def get(self, name: str) -> Driver:
        """Return the driver, made now if this is its first use.

        Raises:
            ArgumentInvalid: there is none, or its plug-in does not load; details: path, nearest.
        """
        with self._lock:
            driver = self._drivers.get(name) or self._make(name)
            if driver is None:
                raise self._unknown(name)
            self._drivers[name] = driver
            return driver

    def made(self) -> Mapping[str, Driver]:
        """Return the drivers that are in use, by name."""
        with self._lock:
            return dict(self._drivers)

    def stop(self, timeout_s: float) -> None:
        """Stop every driver that is in use, within timeout_s seconds in all. Blocks; idempotent."""
        until = self._clock.now() + timeout_s
        stopping = [
            threading.Thread(target=driver.stop, args=(timeout_s,), name=f"castiron-stop-{name}", daemon=True)
            for name, driver in self.made().items()
        ]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join(max(0.0, until - self._clock.now()))

    def _make(self, name: str) -> Driver | None:
        if name in self._broken:
            return None
        factory = self._factories.get(name)
        try:
            if factory is None:
                plugin = self._plugin_entries().get(name)
                factory = plugin.load() if plugin else None
            return factory(self._clock) if factory else None
        except Exception as error:  # noqa: BLE001 - whatever somebody else's code raises
            self._broken.add(name)
            _log.error("The driver %s cannot be used: %s: %s", name, type(error).__name__, error)
            return None

    def _plugin_entries(self) -> dict[str, EntryPoint]:
        if self._found is None:
            self._found = {entry.name: entry for entry in self._plugins()}
        return self._found

    def _names(self) -> list[str]:
        return sorted({*self._factories, *self._plugin_entries()} - self._broken)

    def _unknown(self, name: str) -> ArgumentInvalid:
        names = self._names()
        nearest = difflib.get_close_matches(name, names, n=1)
        broken = " It is installed and does not load; the log says why." if name in self._broken else ""
        details = {"path": "$.driver"} | ({"nearest": nearest[0]} if nearest else {})
        return ArgumentInvalid(f"There is no driver {name!r}.{broken} There are {', '.join(names)}.", details=details)


def make_drivers(clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
    """Make every driver of a conductor; a plug-in that does not load is left out, and logged."""
    factories: dict[str, Factory] = {
        "ipmi": lambda clock: make_ipmi(clock, limits=ipmi_limits(settings), look_ups=shares[LOOK_UPS]),
        "redfish": partial(make_redfish, pool=shares[REDFISH]),
    }
    registry = Registry(clock, factories=factories)
    drivers: dict[str, Driver] = {}
    for name in registry.names():
        with suppress(ArgumentInvalid):
            drivers[name] = _placed(registry.get(name), shares)
    return drivers


def _placed(driver: Driver, shares: Shares) -> Driver:
    """Have a driver's methods carried out in the conductor's shares, if it is written as methods."""
    if isinstance(driver, MethodDriver):
        driver.use(places_in(shares))
    return driver


def places_in(shares: Shares) -> Places:
    """Return where drivers' methods are carried out in a conductor."""
    return Places(shares[DRIVERS], shares.coroutines(COROUTINE_CALLS))
