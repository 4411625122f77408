"""The periodic tasks of one conductor: where they are found, and the threads that they run on.

Tasks come from whoever embeds the conductor, from marked methods of drivers, and from plug-ins, under the entry points
`castiron.periodics`: each names a marked function, an object with marked methods, a class of which one is made, or a
list of those. One that cannot be loaded is told, and left out. May come in: another source. Must not: what a task does.
"""

import logging
from collections.abc import Iterable
from importlib.metadata import entry_points
from random import Random
from typing import Any, Final

from castiron.actors.dispatch.bulkhead import Bulkhead
from castiron.actors.dispatch.clock import Clock
from castiron.actors.periodics.declaring import is_periodic
from castiron.actors.periodics.worker import PeriodicWorker, marked_members, name_of
from castiron.actors.settings import Settings

log = logging.getLogger(__name__)

GROUP: Final = "castiron.periodics"


class Periodics:
    """Runs them from `start` to `stop`. Any thread."""

    def __init__(self, clock: Clock, settings: Settings, rng: Random, sources: Iterable[object] = ()) -> None:
        """Take the tasks in that sources have: marked callables, or objects with marked methods."""
        self._pool = Bulkhead(
            "periodic", settings.periodic_max_workers, clock, long_limit=settings.periodic_max_long_runs
        )
        self._quick = Bulkhead("quick-periodic", 1, clock)
        self.worker: Final = PeriodicWorker(
            clock=clock,
            pool=self._pool,
            quick=self._quick,
            rng=rng,
            schedule_strategy=settings.periodic_strategy,
        )
        disabled = frozenset(settings.disabled_periodics)
        for source in sources:
            for call in [source] if is_periodic(source) else marked_members([source]):
                if name_of(call) not in disabled:  # type: ignore[arg-type]  # a marked one is callable
                    self.worker.add(call)  # type: ignore[arg-type]  # see above

    def start(self) -> None:
        """Begin to run them."""
        self.worker.start(allow_empty=True)

    def stop(self, timeout_s: float) -> list[str]:
        """Begin no run any more, and give those under way `timeout_s` seconds. Blocks as long. Idempotent.

        Returns:
            The names of threads that still run.
        """
        self.worker.stop()
        return self._quick.stop(timeout_s / 2) + self._pool.stop(timeout_s / 2)

    def counters(self) -> dict[str, int]:
        """Return how many of those that take a worker run, wait for one, and hang."""
        return self._pool.counters()


def plugged_in() -> list[Any]:
    """Return what plug-ins bring: marked callables, and objects with marked methods."""
    found: list[Any] = []
    for entry in entry_points(group=GROUP):
        try:
            loaded: Any = entry.load()
            several: list[Any] = loaded if isinstance(loaded, list) else [loaded]  # pyright: ignore[reportUnknownVariableType] - a stranger's
            found += [_made(one) for one in several]
        except Exception:
            log.exception("the periodic tasks of %s (%s) cannot be loaded; they are left out", entry.name, entry.value)
    return found


def _made(one: Any) -> Any:
    return one() if isinstance(one, type) else one
