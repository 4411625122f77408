"""Which calls come from an owner that a node has no more. Every driver refuses those. Pure; not thread-safe."""

from typing import Final

from castiron.actors.drivers.base import Target
from castiron.transport.errors import BMCFault
from castiron.transport.vocabulary import NodeUUID

MAX_NODES: Final = 262_144
"""Nodes whose newest generation is remembered, also after they were forgotten; beyond, the oldest go. Many times what
one conductor holds, in 30 MB at the most."""


class Generations:
    """The newest generation seen of each node."""

    def __init__(self, limit: int = MAX_NODES) -> None:
        self._limit = limit
        self._newest: dict[NodeUUID, int] = {}

    def admit(self, target: Target) -> bool:
        """Return whether the target's generation is the newest of its node so far, and remember it."""
        newest = self._newest.get(target.node)
        if newest == target.generation:
            return True
        if newest is not None and newest > target.generation:
            return False
        # Taken out and put in, so that those which changed longest ago stand first.
        self._newest.pop(target.node, None)
        self._newest[target.node] = target.generation
        if len(self._newest) > self._limit:
            del self._newest[next(iter(self._newest))]
        return True


def superseded(target: Target) -> BMCFault:
    """Return the error of a call that was not admitted, or that waited while a newer one was."""
    return BMCFault("The node has a newer owner or driver_info.", details={"node": target.node})
