"""One conductor's threads that may block, shared out among bulkheads as the settings say. Any thread.

May come in: how the shares are opened, told and stopped. Must not: which there are, which is the settings'.
"""

from typing import Final

from castiron.actors.bulkheads.bulkhead import Bulkhead, Standing
from castiron.actors.bulkheads.threads import Home, Threads
from castiron.actors.dispatch.clock import Clock
from castiron.actors.settings import Settings
from castiron.actors.settings.shares import SHARES, spare


class Shares:
    """The bulkheads of one conductor, by the names of their shares. No thread is made before there is work.

    Args:
        home: where their work is carried out; None: on threads of their own.
    """

    def __init__(self, settings: Settings, clock: Clock, *, home: Home | None = None) -> None:
        self.spare: Final = spare(settings)
        """Threads of each share beside its places."""
        sizes = {
            share.name: (share.places(settings), share.long_places(settings)) for share in SHARES if share.has_threads
        }
        self.threads: Final = Threads(sum(sum(size) + self.spare for size in sizes.values()))
        self._bulkheads = {
            name: Bulkhead(name, limit, clock, long_limit=long_limit, spare=self.spare, home=home or self.threads)
            for name, (limit, long_limit) in sizes.items()
        }

    def __getitem__(self, name: str) -> Bulkhead:
        """Return a share's bulkhead.

        Raises:
            KeyError: it has no threads.
        """
        return self._bulkheads[name]

    def standings(self) -> dict[str, Standing]:
        """Return how each is."""
        return {name: bulkhead.standing() for name, bulkhead in self._bulkheads.items()}

    def stop(self) -> None:
        """Begin nothing any more; what runs is whoever's who asked for it. Idempotent."""
        for bulkhead in self._bulkheads.values():
            bulkhead.stop(0.0)
