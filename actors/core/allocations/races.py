"""Who waits for the outcome of others' claims: a node that is being asked for somebody may yet be left over.

A claim has a ticket of its class. Whoever finds all nodes being asked waits for the claims that had begun by then, and
for none that began later; so the wait ends, and each outcome wakes those only whose wait is over. Pure but for what it
keeps.
"""

from collections import deque
from dataclasses import dataclass, field

from castiron.transport.vocabulary import AllocationUUID


@dataclass(eq=False, slots=True)
class _Race:
    begun: int = 0
    running: dict[int, None] = field(default_factory=dict[int, None])
    """Tickets of claims without an outcome, the oldest first."""
    watching: deque[tuple[int, AllocationUUID]] = field(default_factory=deque[tuple[int, AllocationUUID]])
    """Who waits, and the latest claim that had begun by then."""


class Races:
    """The claims of all classes."""

    def __init__(self) -> None:
        self._races: dict[str, _Race] = {}

    def begin(self, resource_class: str) -> int:
        """Return the ticket of a claim that begins."""
        race = self._races.setdefault(resource_class, _Race())
        race.begun += 1
        race.running[race.begun] = None
        return race.begun

    def watch(self, resource_class: str, uuid: AllocationUUID) -> None:
        """Wait for the outcome of all claims that have begun by now."""
        race = self._races.setdefault(resource_class, _Race())
        race.watching.append((race.begun, uuid))

    def end(self, resource_class: str, ticket: int) -> list[AllocationUUID]:
        """Note a claim's outcome, and return those who need not wait any more, in the order in which they came."""
        race = self._races[resource_class]
        race.running.pop(ticket, None)
        oldest = next(iter(race.running), race.begun + 1)
        free: list[AllocationUUID] = []
        while race.watching and race.watching[0][0] < oldest:
            free.append(race.watching.popleft()[1])
        if not race.running and not race.watching:
            del self._races[resource_class]
        return free
