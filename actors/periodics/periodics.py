"""The periodic tasks of one conductor: where they are found, and the threads that they run on.

Tasks come from whoever embeds the conductor, from marked methods of drivers, and from plug-ins, under the entry points
`castiron.periodics`: each names a marked function, an object with marked methods, a class of which one is made, or a
list of those. One that cannot be loaded is told, and left out. May come in: another source. Must not: what a task does.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from random import Random
from typing import Any, Final

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.periodics.declaring import Terms, is_periodic, terms_of
from castiron.actors.periodics.roll import SpacingOf
from castiron.actors.periodics.task import Work
from castiron.actors.periodics.worker import PeriodicWorker, marked_members, name_of
from castiron.actors.published.board import Board
from castiron.actors.settings import Settings
from castiron.actors.settings.shares import COROUTINE_PERIODICS, PERIODICS, QUICK_PERIODICS

log = logging.getLogger(__name__)

GROUP: Final = "castiron.periodics"


class Periodics:
    """Runs them from `start` to `stop`. Any thread."""

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        rng: Random,
        board: Board,
        *,
        shares: Shares,
        drivers: Mapping[str, Driver],
        sources: Iterable[object] = (),
    ) -> None:
        """Take the tasks in that drivers and sources have.

        Args:
            shares: whose threads they run on.
            board: where nodes are looked up; it says which there are.
            drivers: whose marked methods that run for nodes do so for their own.
            sources: marked callables, or objects with marked methods.
        """
        self._pool = shares[PERIODICS]
        self._quick = shares[QUICK_PERIODICS]
        self._coroutines = shares.coroutines(COROUTINE_PERIODICS)
        self._disabled = frozenset(settings.disabled_periodics)
        self.worker: Final = PeriodicWorker(
            clock=clock,
            pool=self._pool,
            quick=self._quick,
            coroutines=self._coroutines,
            rng=rng,
            schedule_strategy=settings.periodic_strategy,
            look=board.node,
        )
        board.attend(self.worker.meet)
        for name, driver in drivers.items():
            for call in marked_members([driver]):
                self._add(call, name)
        for source in sources:
            if callable(source) and is_periodic(source):
                self._add(source)
            else:
                for call in marked_members([source]):
                    self._add(call)

    def take(self, work: Work, terms: Terms, spacing_of: SpacingOf) -> None:
        """Take a task of castiron's own in, unless the settings switch it off; see `PeriodicWorker.take`."""
        if work.name not in self._disabled:
            self.worker.take(work, terms, spacing_of)

    def _add(self, call: Callable[..., Any], driver: str | None = None) -> None:
        terms, name = terms_of(call), name_of(call)
        if terms is not None and name not in self._disabled:
            self.worker.take(Work(name, call), _for_driver(terms, driver))

    def start(self) -> None:
        """Begin to run them."""
        self.worker.start(allow_empty=True)

    def stop(self, timeout_s: float) -> list[str]:
        """Begin no run any more, and give those under way `timeout_s` seconds. Blocks as long. Idempotent.

        Coroutines are cancelled.

        Returns:
            The names of what still runs.
        """
        self.worker.stop()
        share_s = timeout_s / 3
        return self._coroutines.stop(share_s) + self._quick.stop(share_s) + self._pool.stop(share_s)

    def counters(self) -> dict[str, int]:
        """Return how many of those that take a worker run, wait for one, and hang."""
        return self._pool.counters()


def _for_driver(terms: Terms, driver: str | None) -> Terms:
    """Return the terms of a driver's method: those that run for nodes do so for its own, unless they say otherwise."""
    is_own = driver is not None and terms.is_per_node and terms.drivers is None
    return replace(terms, drivers=(driver,)) if is_own and driver is not None else terms


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
