"""The frozen records that go into the store and come out of it, and the changes that it commits.

They are the store's whole language: actors make them, the writer persists them, repositories read them back equal.
Plain data without I/O.
"""

from castiron.store.records.allocations import (
    AllocationInsert,
    AllocationRecord,
    AllocationRemove,
    AllocationUpdate,
    AllocationWrite,
)
from castiron.store.records.changes import (
    ALL,
    CallbackRecord,
    CallbackSettled,
    CallbackTried,
    Change,
    Commit,
    EventDraft,
    EventRecord,
    KeyRecord,
    NodeAlarm,
    NodeInsert,
    NodeLock,
    NodeRecord,
    NodeRemove,
    NodeUpdate,
    RequestRecord,
    TraceEntry,
    Wanted,
)
from castiron.store.records.maps import EMPTY, Fragment, fragment, whole_of
from castiron.store.records.runbooks import RunbookPut, RunbookRecord, RunbookRemove

__all__ = [
    "ALL",
    "EMPTY",
    "AllocationInsert",
    "AllocationRecord",
    "AllocationRemove",
    "AllocationUpdate",
    "AllocationWrite",
    "CallbackRecord",
    "CallbackSettled",
    "CallbackTried",
    "Change",
    "Commit",
    "EventDraft",
    "EventRecord",
    "Fragment",
    "KeyRecord",
    "NodeAlarm",
    "NodeInsert",
    "NodeLock",
    "NodeRecord",
    "NodeRemove",
    "NodeUpdate",
    "RequestRecord",
    "RunbookPut",
    "RunbookRecord",
    "RunbookRemove",
    "TraceEntry",
    "Wanted",
    "fragment",
    "whole_of",
]
