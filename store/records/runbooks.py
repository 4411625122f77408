"""A stored list of steps, and what can become of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from castiron.store.records.maps import empty
from castiron.transport.vocabulary import Instant, Revision, RunbookUUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookRecord:
    """A stored list of steps as it is on disk."""

    uuid: RunbookUUID
    name: str
    description: str | None = None
    traits: tuple[str, ...] = ()
    """A node needs one of them; empty: the name itself. Sorted, no two the same."""
    steps: tuple[Mapping[str, Any], ...] = ()
    """As the wire has them, in the order in which they are done; without the arguments that are secrets."""
    secrets: Mapping[str, Mapping[str, Any]] = field(default_factory=empty, repr=False)
    """Place of a step, as text → its arguments that are secrets; encrypted at rest as a whole. Kept out of repr."""
    extra: Mapping[str, Any] = field(default_factory=empty)
    created_at: Instant
    updated_at: Instant
    revision: Revision = Revision(1)
    """Counts committed changes of this record; a write must carry the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookPut:
    """A runbook that is new, if its revision is 1, or replaces the one of the revision before."""

    record: RunbookRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookRemove:
    """A runbook to forget: removed only if the row still has this `record.revision`."""

    record: RunbookRecord
