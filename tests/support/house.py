"""A front door with a small conductor in memory behind it, both in this process; commands reach it like any other."""

import time

from castiron.transport.frontdoor import FrontDoor
from castiron.transport.session import DEFAULT_LIMITS
from tests.support.memory_conductor import MemoryConductor


class House:
    """A front door and what stands behind it, both in this process."""

    def __init__(self, endpoint: str, conductor: MemoryConductor | None = None) -> None:
        self.conductor = conductor or MemoryConductor()
        self.door = FrontDoor(endpoint, self.conductor, now=time.monotonic, limits=DEFAULT_LIMITS)
        self.door.start()
        self.endpoint = self.door.endpoint

    def close(self) -> None:
        assert self.door.stop(5.0)
        self.conductor.stop()
