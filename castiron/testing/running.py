"""A conductor for the length of a `with`, for tests and for trying things out."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from castiron.actors.conductor import Conductor, MakeDrivers
from castiron.actors.drivers.registry import make_drivers
from castiron.actors.settings import Settings


@contextmanager
def running_conductor(
    *,
    store: Path | None = None,
    endpoint: str | None = None,
    settings: Settings | None = None,
    drivers: MakeDrivers = make_drivers,
) -> Generator[Conductor]:
    """Run a conductor of its own: real threads, real sockets, a real store.

    Args:
        store: a SQLite file that outlives the conductor; None: in memory.
        endpoint: where to listen; None: a socket in a temporary folder that only this user can enter.
        settings: None: all at their defaults.
        drivers: makes the drivers.

    Raises:
        StoreUnusable, SecretsUnreadable, EndpointRefused: as Conductor.start.
    """
    with tempfile.TemporaryDirectory(prefix="castiron-") as folder:
        where = endpoint or f"ipc://{folder}/conductor.ipc"
        with Conductor(store=store, endpoint=where, settings=settings, drivers=drivers) as conductor:
            yield conductor
