"""Who waits for a node, in the order in which they came: a line for each resource class.

Not for several threads at once; pure but for what it keeps.
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass

from castiron.store.records import AllocationRecord
from castiron.transport.vocabulary import AllocationUUID, Instant


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Somebody's place in a line."""

    since: Instant
    uuid: AllocationUUID


class Lines:
    """All lines."""

    def __init__(self) -> None:
        self._lines: dict[str, list[Place]] = {}
        self._classes: dict[AllocationUUID, str] = {}

    def __len__(self) -> int:
        return len(self._classes)

    def join(self, record: AllocationRecord) -> None:
        """Stand in line, where one belongs by the time of one's coming. Idempotent."""
        if record.uuid not in self._classes:
            self._classes[record.uuid] = record.resource_class
            insort(self._lines.setdefault(record.resource_class, []), _place(record))

    def leave(self, record: AllocationRecord) -> bool:
        """Stand in line no more; return whether nobody else does. Idempotent."""
        line = self._lines.get(record.resource_class, [])
        if self._classes.pop(record.uuid, None) is not None:
            del line[bisect_left(line, _place(record))]
            if not line:
                del self._lines[record.resource_class]
        return not line

    def first(self, resource_class: str, suits: Callable[[AllocationUUID], bool]) -> AllocationUUID | None:
        """Return who has waited longest of those whom something suits; None: it suits nobody."""
        return next((place.uuid for place in self._lines.get(resource_class, ()) if suits(place.uuid)), None)

    def of(self, resource_class: str) -> list[AllocationUUID]:
        """Return all who wait for a node of a class, in order."""
        return [place.uuid for place in self._lines.get(resource_class, ())]


def _place(record: AllocationRecord) -> Place:
    return Place(record.created_at, record.uuid)
