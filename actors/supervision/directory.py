"""Which actor owns which node, and which generation of it is the one that counts.

A node's actor may be replaced while it hangs. Each owner has a generation; what an older one still wants to write, to
show, or to send to a BMC, is refused by it. Any thread may look up; O(1).
"""

import threading
from dataclasses import dataclass
from typing import Any

from pykka import ActorRef

from castiron.transport.vocabulary import NodeUUID


@dataclass(frozen=True, slots=True)
class Owner:
    """A node's present actor."""

    ref: ActorRef[Any] | None
    """None while it is being replaced, or after it was put aside."""
    generation: int


class Directory:
    """Node → owner."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[NodeUUID, Owner] = {}
        self._generations = 0

    def __len__(self) -> int:
        return len(self._owners)

    def next_generation(self, uuid: NodeUUID) -> int:
        """Give out a new generation, and make it the one that counts for the node. Nobody owns it until `enter`."""
        with self._lock:
            return self._renew(uuid)

    def enter(self, uuid: NodeUUID, generation: int, ref: ActorRef[Any]) -> None:
        """Make `ref` the node's owner, if its generation still counts: it may have failed already."""
        with self._lock:
            if self._owners.get(uuid) == Owner(None, generation):
                self._owners[uuid] = Owner(ref, generation)

    def leave(self, uuid: NodeUUID, generation: int) -> None:
        """Forget the node, if this generation still counts. Idempotent."""
        with self._lock:
            if self.counts(uuid, generation):
                del self._owners[uuid]

    def vacate(self, uuid: NodeUUID, generation: int) -> bool:
        """Take the node from an owner that failed or hangs, which counts no more from now on.

        Returns:
            Whether it was still the one that counted.
        """
        with self._lock:
            counted = self.counts(uuid, generation)
            if counted:
                self._renew(uuid)
            return counted

    def owner(self, uuid: NodeUUID) -> Owner | None:
        """Return the node's owner, None if there is no such node."""
        return self._owners.get(uuid)

    def counts(self, uuid: NodeUUID, generation: int) -> bool:
        """Return whether the generation is the one that counts."""
        owner = self._owners.get(uuid)
        return owner is not None and owner.generation == generation

    def owners(self) -> list[tuple[NodeUUID, Owner]]:
        """Return all of them, in the order in which they came."""
        with self._lock:
            return list(self._owners.items())

    def _renew(self, uuid: NodeUUID) -> int:
        self._generations += 1
        self._owners[uuid] = Owner(None, self._generations)
        return self._generations
