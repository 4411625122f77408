"""A conductor for the length of a `with`, for tests and for trying things out."""

import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.conductor import Conductor, MakeDrivers
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.registry import ipmi_limits, make_drivers, make_fake, make_redfish
from castiron.actors.settings import Settings
from castiron.actors.settings.shares import LOOK_UPS, REDFISH

IMPATIENT_WAITS_S: Final = (0.3, 0.3, 0.4)
"""How long each transmission is given."""


def impatient_drivers(clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
    """Make the drivers of a conductor that bears a BMC's silence for a second, not six: on loopback nothing gets lost.

    Over HTTPS nothing gets lost anywhere: there silence is borne for `command_timeout_s`, as ever. For
    `running_conductor(drivers=impatient_drivers)`.
    """
    timing = Timing(waits_s=IMPATIENT_WAITS_S)
    return {
        "fake": make_fake(clock),
        "ipmi": IPMIDriver(clock, limits=ipmi_limits(settings), timing=timing, look_ups=shares[LOOK_UPS]),
        "redfish": make_redfish(clock, pool=shares[REDFISH]),
    }


@contextmanager
def running_conductor(
    *,
    store: Path | None = None,
    endpoint: str | None = None,
    settings: Settings | None = None,
    drivers: MakeDrivers = make_drivers,
    periodics: Iterable[object] = (),
) -> Generator[Conductor]:
    """Run a conductor of its own: real threads, real sockets, a real store.

    Args:
        store: a SQLite file that outlives the conductor; None: in memory.
        endpoint: where to listen; None: a socket in a temporary folder that only this user can enter.
        settings: None: all at their defaults.
        drivers: makes the drivers.
        periodics: what it does again and again, beside what plug-ins bring; see Conductor.

    Raises:
        StoreUnusable, SecretsUnreadable, EndpointRefused: as Conductor.start.
    """
    with tempfile.TemporaryDirectory(prefix="castiron-") as folder:
        where = endpoint or f"ipc://{folder}/conductor.ipc"
        with Conductor(
            store=store, endpoint=where, settings=settings, drivers=drivers, periodics=periodics
        ) as conductor:
            yield conductor
