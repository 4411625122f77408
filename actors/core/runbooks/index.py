"""All runbooks at one moment: found by name and by uuid. Frozen: a change makes another index.

There are a thousand at the most and people change them, so a copy costs less than a lock would.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from castiron.store.records import RunbookPut, RunbookRecord, RunbookRemove
from castiron.transport.vocabulary import RunbookUUID

RunbookChange = RunbookPut | RunbookRemove


@dataclass(frozen=True, slots=True)
class RunbookIndex:
    """What there is. Looking up is O(1), a change is O(all)."""

    by_uuid: Mapping[RunbookUUID, RunbookRecord] = field(default_factory=dict[RunbookUUID, RunbookRecord])
    by_name: Mapping[str, RunbookRecord] = field(default_factory=dict[str, RunbookRecord])

    @classmethod
    def of(cls, records: Iterable[RunbookRecord]) -> Self:
        """Return the index of some runbooks."""
        by_uuid = {record.uuid: record for record in records}
        return cls(by_uuid, {record.name: record for record in by_uuid.values()})

    def find(self, name_or_uuid: str) -> RunbookRecord | None:
        """Return a runbook by name or uuid, None if there is none."""
        return self.by_name.get(name_or_uuid) or self.by_uuid.get(RunbookUUID(name_or_uuid))

    def after(self, change: RunbookChange) -> "RunbookIndex":
        """Return what there is after a change."""
        kept = {uuid: record for uuid, record in self.by_uuid.items() if uuid != change.record.uuid}
        if isinstance(change, RunbookPut):
            kept[change.record.uuid] = change.record
        return RunbookIndex.of(kept.values())

    def sorted(self, after: str | None = None) -> list[RunbookRecord]:
        """Return all, sorted by name; those behind the name `after`, which need not exist."""
        return [self.by_name[name] for name in sorted(self.by_name) if after is None or name > after]
