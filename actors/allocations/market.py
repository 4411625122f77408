"""The nodes that can be had, for whoever publishes nodes, and for the one who draws from them.

`core.allocations.offers` behind a lock. Any thread; never blocks. Nobody is told of a node that can be had but where
somebody waits for one of its class.
"""

import threading
from collections.abc import Callable, Container

from castiron.actors.core.allocations.fitness import Wish
from castiron.actors.core.allocations.offers import Choose, Count, Offers
from castiron.actors.core.state import NodeState
from castiron.transport.vocabulary import NodeUUID


class Market:
    """All nodes of one conductor that have a resource class."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offers = Offers()
        self._wanted: set[str] = set()
        self._tell: Callable[[NodeUUID], None] | None = None

    def call(self, tell: Callable[[NodeUUID], None]) -> None:
        """Have `tell`, which must not block, be told of each node that can be had, and is waited for."""
        self._tell = tell

    def show(self, state: NodeState) -> bool:
        """Note how a node stands; return whether somebody is to be told, by `announce`."""
        with self._lock:
            return self._offers.show(state) and state.record.resource_class in self._wanted

    def drop(self, uuid: NodeUUID) -> None:
        """Forget a node. Idempotent."""
        with self._lock:
            self._offers.drop(uuid)

    def announce(self, uuid: NodeUUID) -> None:
        """Tell whoever waits that a node can be had."""
        if self._tell is not None:
            self._tell(uuid)

    def draw(
        self, wish: Wish, choose: Choose, tried: Container[NodeUUID], preferred: NodeUUID | None
    ) -> NodeUUID | Count:
        """Take a node that can be had, and keep it from others until `release`.

        Args:
            choose: draws one of several.
            tried: not these.
            preferred: this one, if it can be had.

        Returns:
            Where there is none, how many there are and why; whoever waits for such a node is told of it from now on,
            until `unwant`. There is no moment between the look and that.
        """
        with self._lock:
            if preferred is not None and preferred not in tried and self._offers.is_for(preferred, wish):
                self._offers.reserve(preferred)
                return preferred
            found = self._offers.draw(wish, choose, tried)
            if found is not None:
                return found
            self._wanted.add(wish.resource_class)
            return self._offers.count(wish)

    def unwant(self, resource_class: str) -> None:
        """Tell nobody of nodes of a class any more. Idempotent."""
        with self._lock:
            self._wanted.discard(resource_class)

    def release(self, uuid: NodeUUID) -> bool:
        """Let a node be drawn again, if it can be had; return whether it can."""
        with self._lock:
            return self._offers.release(uuid)

    def reserve_only(self, uuids: Container[NodeUUID]) -> None:
        """Keep these nodes from being drawn until `release`, and no others. O(all nodes). Idempotent."""
        with self._lock:
            self._offers.reserve_only(uuids)

    def is_for(self, uuid: NodeUUID, wish: Wish) -> bool:
        """Return whether a node can be had for a wish, now."""
        with self._lock:
            return self._offers.is_for(uuid, wish)

    def class_of(self, uuid: NodeUUID) -> str | None:
        """Return a node's resource class; None: it has none, or there is no such node."""
        with self._lock:
            return self._offers.class_of(uuid)

    def count(self, wish: Wish) -> Count:
        """Count the nodes for a wish."""
        with self._lock:
            return self._offers.count(wish)

    def figures(self) -> tuple[int, int]:
        """Return how many nodes were drawn so far, and how many were looked at for that, one by one."""
        with self._lock:
            return self._offers.drawn, self._offers.probed
