"""A front door with a small conductor in memory behind it, both in this process; commands reach it like any other."""

import time

from castiron.transport.doors.frontdoor import FrontDoor
from tests.support.memory_conductor import MemoryConductor


class House:
    """A front door and what stands behind it, both in this process."""

    def __init__(self, endpoint: str, conductor: MemoryConductor | None = None) -> None:
        self.conductor = conductor or MemoryConductor()
        self.door = FrontDoor(endpoint, self.conductor, now=time.monotonic, publisher=self.conductor.events.publisher)
        self.door.start()
        self.conductor.events_endpoint = self.door.events_endpoint
        self.endpoint = self.door.endpoint

    def close(self) -> None:
        assert self.door.stop(5.0)
        self.conductor.stop()
