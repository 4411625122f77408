"""How the store stays small: ended requests and old events are removed in the background, in small steps.

Each step is one short piece of work on the archive's thread; between two steps others get their turn. A disk that does
not let us, being full, is tried again after a pause.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from castiron.actors.dispatch.clock import Clock, Timer
from castiron.actors.published.archive import Asking, Library
from castiron.actors.settings import Settings
from castiron.store.errors import StoreUnwritable
from castiron.store.outage import Outage
from castiron.store.store import Pruned
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.vocabulary import Instant

STEP: Final = 25
"""Rows removed in one transaction, which commits wait for: 5 ms at the median on a machine that had three times as much
to do as it had cores, where 200 took 17."""

PAUSE_S: Final = 60.0
"""Between two rounds that found nothing left to remove, unless told otherwise."""

SHORT_PAUSE_S: Final = 0.025
"""Between two steps of one round."""


class Shelf(Protocol):
    """What of the store can be pruned."""

    def prune_requests(self, before: Instant, limit: int) -> Pruned:
        """Remove requests that ended before, and their keys; return how many, and which keys."""
        ...

    def prune_events(self, before: Instant, *, keep_count: int, history_count: int, limit: int) -> int:
        """Take events out of the ring that are older, or too many; return how many."""
        ...


class Pruning:
    """Orders a step, and after it the next.

    Args:
        forgotten: told the idempotency keys that went with the requests.
        pause_s: between two rounds that found nothing left to remove.
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
    ) -> None:
        self._shelf = shelf
        self._forgotten = forgotten
        self._archive = archive
        self._clock = clock
        self._settings = settings
        self._pause_s = pause_s
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
            now, settings = self._clock.now(), self._settings
            pruned = self._shelf.prune_requests(Instant(now - settings.request_retention_s), STEP)
            self._forgotten(pruned.keys)
            events = self._shelf.prune_events(
                Instant(now - settings.event_retention_s),
                keep_count=settings.event_retention_count,
                history_count=settings.node_history_max_entries,
                limit=STEP,
            )
        except StoreUnwritable as error:  # what was removed so far stays removed
            self._outage.failed(error)
            return self._order(self._pause_s)
        except Exception:
            self._order(self._pause_s)
            raise
        if pruned.requests or events:
            self._outage.worked()
        return self._order(SHORT_PAUSE_S if STEP in (pruned.requests, events) else self._pause_s)
