"""One conductor's threads that may block, and its loop, shared out among bulkheads as the settings say. Any thread.

May come in: how the shares are opened, told and stopped. Must not: which there are, which is the settings'.
"""

from functools import partial
from typing import Final

from castiron.actors.bulkheads.bulkhead import Bulkhead, Standing
from castiron.actors.bulkheads.executor import InBulkhead
from castiron.actors.bulkheads.threads import Home, Threads
from castiron.actors.coroutines.coroutines import Coroutines, Loop
from castiron.actors.coroutines.loops import Loops
from castiron.actors.dispatch.clock import Clock
from castiron.actors.settings import Settings
from castiron.actors.settings.shares import COROUTINES, DRIVERS, SHARES, spare


class Shares:
    """The bulkheads of one conductor, by the names of their shares. No thread is made before there is work.

    Args:
        home: where work is carried out that may block; None: on threads of their own.
        loop: where coroutines are; None: on a loop of their own, in a thread.
    """

    def __init__(self, settings: Settings, clock: Clock, *, home: Home | None = None, loop: Loop | None = None) -> None:
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
        in_share = partial(InBulkhead, self._bulkheads[DRIVERS])
        self.loops: Final = Loops(slow_turn_s=settings.slow_turn_s, hung_turn_s=settings.hung_turn_s, executor=in_share)
        self._coroutines = {
            share.name: Coroutines(share.name, share.places(settings), clock, loop or self.loops)
            for share in COROUTINES
        }

    def __getitem__(self, name: str) -> Bulkhead:
        """Return a share's bulkhead.

        Raises:
            KeyError: it has no threads.
        """
        return self._bulkheads[name]

    def coroutines(self, name: str) -> Coroutines:
        """Return the bulkhead of a share of coroutines.

        Raises:
            KeyError: it is none of theirs.
        """
        return self._coroutines[name]

    def standings(self) -> dict[str, Standing]:
        """Return how each is that has threads."""
        return {name: bulkhead.standing() for name, bulkhead in self._bulkheads.items()}

    def of_coroutines(self) -> dict[str, Standing]:
        """Return how each is that has coroutines."""
        return {name: bulkhead.standing() for name, bulkhead in self._coroutines.items()}

    def stop(self, timeout_s: float = 0.0) -> None:
        """Begin nothing any more, and end the loop with all that is on it. Blocks up to timeout_s seconds. Idempotent.

        What runs in threads is whoever's who asked for it.
        """
        for bulkhead in (*self._bulkheads.values(), *self._coroutines.values()):
            bulkhead.stop(0.0)
        self.loops.stop(timeout_s)
