"""How the store stays small: ended requests and old events are removed in the background, in small steps.

Each step is one short piece of work on the archive's thread; between two steps others get their turn. How many rows a
step removes follows from how long the ones before it took, since whoever commits waits for it. A disk that does not let
us, being full, is tried again after a pause.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from castiron.actors.dispatch.clock import Clock, Timer
from castiron.actors.published.archive import Asking, Library
from castiron.actors.settings import Settings
from castiron.store.errors import StoreUnwritable
from castiron.store.outage import Outage
from castiron.store.store import Pruned
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.vocabulary import Instant

AIM_S: Final = 0.003
"""A step that takes longer is followed by a smaller one: commits wait for it, and are to wait 10 ms at the most."""

STEP: Final = 25
"""Rows of the first step: 1 ms at the median on a machine with time for it."""

MOST: Final = 50
"""Rows of a step at the most: 2 ms of our own work, and 2,000 rows a second with the pauses between."""

FEW: Final = 5
"""Where a step took long though it computed little, it waited for the disk or for other processes; one of fewer rows
than this would have waited as long."""

PAUSE_S: Final = 60.0
"""Between two rounds that found nothing left to remove, unless told otherwise."""

SHORT_PAUSE_S: Final = 0.025
"""Between two steps of one round."""


class Reading(NamedTuple):
    """A look at two clocks, in seconds."""

    wall_s: float
    cpu_s: float
    """What this thread has computed."""


def read_clocks() -> Reading:
    """Return the time, and what the calling thread has computed."""
    return Reading(time.perf_counter(), time.thread_time())


class Stride:
    """How many rows the next step takes. One thread.

    Attributes:
        rows: of the next step, 1 to MOST.
    """

    def __init__(self) -> None:
        self.rows = STEP

    def note(self, began: Reading, ended: Reading) -> None:
        """Learn from a step that took all its rows: shrink where it was long, grow by a quarter where it was short."""
        wall_s, cpu_s = ended.wall_s - began.wall_s, ended.cpu_s - began.cpu_s
        if cpu_s > AIM_S:
            self.rows = max(1, int(self.rows * AIM_S / cpu_s))
        elif wall_s > AIM_S:
            self.rows = min(self.rows, max(FEW, self.rows // 2))
        else:
            self.rows = min(MOST, self.rows + self.rows // 4 + 1)


class _Step(NamedTuple):
    rows: int
    is_full: bool
    """It took as many as it might: there may be more."""


class Shelf(Protocol):
    """What of the store can be pruned."""

    def prune_requests(self, before: Instant, limit: int) -> Pruned:
        """Remove requests that ended before, and their keys; return how many, and which keys."""
        ...

    def prune_events(self, before: Instant, *, keep_count: int, history_count: int, limit: int) -> int:
        """Take events out of the ring that are older, or too many; return how many."""
        ...

    def fold_log(self) -> None:
        """Copy what was written back into the file, while others commit."""
        ...


class Pruning:
    """Orders a step, and after it the next.

    Args:
        forgotten: told the idempotency keys that went with the requests.
        pause_s: between two rounds that found nothing left to remove.
        read_clocks: on the archive's thread; a simulation's stand still.
    """

    def __init__(
        self,
        shelf: Shelf,
        archive: Asking,
        clock: Clock,
        settings: Settings,
        forgotten: Callable[[Iterable[str]], None],
        *,
        pause_s: float = PAUSE_S,
        read_clocks: Callable[[], Reading] = read_clocks,
    ) -> None:
        self._shelf = shelf
        self._forgotten = forgotten
        self._archive = archive
        self._clock = clock
        self._settings = settings
        self._pause_s = pause_s
        self._read_clocks = read_clocks
        self._requests, self._events = Stride(), Stride()
        self._timer: Timer | None = None
        self._stopped = False
        self._outage = Outage(
            "what is too old cannot be removed from the store (%s); it stays until it can",
            "what is too old is removed from the store again; %d attempts had failed",
        )

    def start(self) -> None:
        """Begin after the first pause."""
        self._order(self._pause_s)

    def stop(self) -> None:
        """Order nothing more. Idempotent."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _order(self, pause_s: float) -> None:
        if not self._stopped:
            self._timer = self._clock.call_at(Instant(self._clock.now() + pause_s), self._due)

    def _due(self) -> None:
        try:
            self._archive.ask(self._step)
        except ConductorOverloaded:
            self._order(self._pause_s)  # users go first

    def _step(self, library: Library) -> None:
        del library
        try:
            is_more = self._prune()
        except StoreUnwritable as error:  # what was removed so far stays removed
            self._outage.failed(error)
            return self._order(self._pause_s)
        except Exception:
            self._order(self._pause_s)
            raise
        return self._order(SHORT_PAUSE_S if is_more else self._pause_s)

    def _prune(self) -> bool:
        """Remove the next rows; return whether there are more of them."""
        shelf, now, settings = self._shelf, self._clock.now(), self._settings

        def requests(limit: int) -> int:
            pruned = shelf.prune_requests(Instant(now - settings.request_retention_s), limit)
            self._forgotten(pruned.keys)
            return pruned.requests

        def events(limit: int) -> int:
            return shelf.prune_events(
                Instant(now - settings.event_retention_s),
                keep_count=settings.event_retention_count,
                history_count=settings.node_history_max_entries,
                limit=limit,
            )

        steps = (self._paced(self._requests, requests), self._paced(self._events, events))
        if any(step.rows for step in steps):
            shelf.fold_log()
            self._outage.worked()
        return any(step.is_full for step in steps)

    def _paced(self, stride: Stride, remove: Callable[[int], int]) -> _Step:
        began, limit = self._read_clocks(), stride.rows
        rows = remove(limit)
        is_full = rows == limit
        if is_full:
            stride.note(began, self._read_clocks())
        return _Step(rows, is_full)


def start_pruning(pruning: Pruning) -> Callable[[], None]:
    """Have it begin; return what ends it."""
    pruning.start()
    return pruning.stop
