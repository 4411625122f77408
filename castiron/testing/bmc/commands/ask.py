"""A request that a BMC is willing to answer, and the row of the table that says so."""

from collections.abc import Callable
from typing import NamedTuple

from castiron.testing.bmc.codes import Privilege
from castiron.testing.bmc.device import Device
from castiron.testing.bmc.wire.session import Session


class Ask(NamedTuple):
    """A request that its row has let through."""

    device: Device
    """The BMC that is asked."""
    session: Session
    """Who asks; outside any session, the one without privilege."""
    data: bytes
    """As many bytes as the row allows."""
    now: float
    """When."""


class Command(NamedTuple):
    """One row: who answers, whom, and how much data a request has."""

    handler: Callable[[Ask], bytes]
    privilege: Privilege
    least_bytes: int = 0
    most_bytes: int = 0


def new_reservation(ask: Ask) -> int:
    """Return a number for a reservation, not 0."""
    return ask.device.rng.randrange(1, 0x10000)
