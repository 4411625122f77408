"""Which drivers a conductor has, by the name that stands in a node's `driver`."""

from collections.abc import Mapping

from castiron.actors.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.ipmi.driver import IPMIDriver
from castiron.actors.settings import Settings


def make_drivers(clock: Clock, settings: Settings) -> Mapping[str, Driver]:
    """Make one of each."""
    return {"ipmi": IPMIDriver(clock, max_logins=settings.ipmi_max_logins)}
