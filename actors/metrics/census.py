"""How many nodes are in which state, kept as they change: whoever asks is answered without a look at any node.

Told of each node whose record is another one than before, in the order of the changes. Must not come in: which nodes.
"""

from collections import Counter

from castiron.store.records import NodeRecord
from castiron.transport.vocabulary import PowerState, ProvisionState

UNKNOWN = "unknown"
"""The power state of a machine that nobody has seen, as people read it."""


class Census:
    """One thread at a time moves nodes; any may read.

    Attributes:
        total: nodes that there are.
        maintenance: those of them that are in maintenance.
    """

    def __init__(self) -> None:
        self.total = 0
        self.maintenance = 0
        self._power: Counter[str] = Counter()
        self._provision: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._changes: Counter[tuple[ProvisionState, ProvisionState]] = Counter()

    def move(self, before: NodeRecord | None, after: NodeRecord | None) -> None:
        """Take note of a change; None: there was no such node, or is none any more."""
        if before is after:
            return
        if before is not None:
            self._count(before, -1)
        if after is not None:
            self._count(after, 1)
        if before is not None and after is not None and before.provision_state is not after.provision_state:
            self._changes[before.provision_state, after.provision_state] += 1

    def by_power(self) -> dict[str, int]:
        """Return how many nodes have which power state, each of them named, and "unknown"."""
        return {word: self._power[word] for word in (*(state.value for state in PowerState), UNKNOWN)}

    def by_provision(self) -> dict[str, int]:
        """Return how many nodes are in which provision state, in the order of the states; empty ones are left out."""
        return {state.value: count for state in ProvisionState if (count := self._provision[state.value])}

    def by_fault(self) -> dict[str, int]:
        """Return how many nodes have which fault; those that no node has are left out."""
        return {fault: count for fault, count in dict(self._faults).items() if count}

    def changes(self) -> dict[tuple[ProvisionState, ProvisionState], int]:
        """Return how often a node has moved from which provision state to which, since the start."""
        return dict(self._changes)

    def _count(self, record: NodeRecord, one: int) -> None:
        self.total += one
        self.maintenance += one * record.maintenance
        self._power[UNKNOWN if record.power_state is None else record.power_state.value] += one
        self._provision[record.provision_state.value] += one
        if record.fault is not None:
            self._faults[record.fault.value] += one
