"""What is on disk of allocations, for everybody to read without asking an actor; and who waits for what becomes of one.

Whoever commits shows: the writer what concerns no node, a node's actor what was committed with the node, at the moment
when the node is shown. Any thread; never blocks. Records only: what they mean is `core.allocations`' matter.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from castiron.store.records import AllocationRecord, AllocationRemove, AllocationWrite
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.vocabulary import AllocationState, AllocationUUID

Told = Callable[[], None]
"""Called when an allocation has become active, has failed, or is gone; must not block."""

RETRY_AFTER_S = 1.0


class Register:
    """All allocations of one conductor. Looking up is O(1) and takes no lock."""

    def __init__(self, *, max_waiters: int) -> None:
        self._lock = threading.Lock()
        self._records: dict[AllocationUUID, AllocationRecord] = {}
        self._names: dict[str, AllocationUUID] = {}
        self._waiters: dict[AllocationUUID, dict[int, Told]] = {}
        self._waiting = 0
        self._tickets = 0
        self._max_waiters = max_waiters

    def __len__(self) -> int:
        return len(self._records)

    def load(self, records: Iterable[AllocationRecord]) -> None:
        """Show what the store holds, the oldest first; once."""
        for record in records:
            self._put(record)

    def show(self, writes: Iterable[AllocationWrite]) -> None:
        """Show what has become of allocations. What is older than what is shown changes nothing."""
        with self._lock:
            for write in writes:
                if isinstance(write, AllocationRemove):
                    self._remove(write.uuid)
                elif self._is_news(write.record):
                    self._put(write.record)

    def get(self, name_or_uuid: str) -> AllocationRecord | None:
        """Return an allocation by uuid or name, None if there is none."""
        uuid = self._names.get(name_or_uuid, AllocationUUID(name_or_uuid))
        return self._records.get(uuid)

    def all(self) -> list[AllocationRecord]:
        """Return all of them, the oldest first. O(all)."""
        with self._lock:
            return list(self._records.values())

    def counts(self) -> dict[str, int]:
        """Return how many there are in each state. O(all)."""
        states = Counter(record.state for record in self.all())
        return {state.value: states[state] for state in AllocationState}

    def wait(self, uuid: AllocationUUID, tell: Told) -> Callable[[], bool]:
        """Have it told once that something has become of an allocation; see `tell`.

        Returns:
            A function that withdraws the wish; it returns whether nothing had been told yet. Idempotent, any thread.

        Raises:
            ConductorOverloaded: as many wait as may.
        """
        with self._lock:
            if self._waiting >= self._max_waiters:
                raise ConductorOverloaded(
                    f"{self._waiting} clients wait for allocations, which is the limit. Poll with allocation.show.",
                    details={"limit": self._max_waiters, "what": "waiters"},
                    retry_after_s=RETRY_AFTER_S,
                )
            self._tickets += 1
            ticket = self._tickets
            self._waiters.setdefault(uuid, {})[ticket] = tell
            self._waiting += 1

        def withdraw() -> bool:
            with self._lock:
                waiters = self._waiters.get(uuid, {})
                if waiters.pop(ticket, None) is None:
                    return False
                if not waiters:
                    del self._waiters[uuid]
                self._waiting -= 1
                return True

        return withdraw

    def tell(self, uuid: AllocationUUID) -> None:
        """Tell whoever waits that something has become of an allocation."""
        with self._lock:
            told = list(self._waiters.pop(uuid, {}).values())
            self._waiting -= len(told)
        for one in told:
            one()

    def waiting(self) -> int:
        """Return how many clients wait."""
        return self._waiting

    def _is_news(self, record: AllocationRecord) -> bool:
        shown = self._records.get(record.uuid)
        return shown is None or shown.revision < record.revision

    def _put(self, record: AllocationRecord) -> None:
        shown = self._records.get(record.uuid)
        if shown is not None and shown.name is not None and shown.name != record.name:
            self._names.pop(shown.name, None)
        self._records[record.uuid] = record
        if record.name is not None:
            self._names[record.name] = record.uuid

    def _remove(self, uuid: AllocationUUID) -> None:
        gone = self._records.pop(uuid, None)
        if gone is not None and gone.name is not None:
            self._names.pop(gone.name, None)
