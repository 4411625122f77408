"""Maintenance by hand: what putting a node into it changes, and what taking it out.

    maintenance  fault   the node is
    no           nil     in use
    yes          nil     in maintenance by hand: only a hand ends it
    yes          set     in maintenance because of a fault: the conductor may end it, once the fault is gone

So whoever sets maintenance forgets the fault, and recovery, which looks for a fault, leaves the node alone; and whoever
ends maintenance says that the node is well. Pure. Faults themselves are set elsewhere.

Source: Ironic, PUT and DELETE nodes/{id}/maintenance.
"""

from collections.abc import Mapping
from typing import Any

from castiron.actors.core.messages import SetMaintenance
from castiron.store.records import NodeRecord


def changes(record: NodeRecord, message: SetMaintenance) -> Mapping[str, Any]:
    """Return which fields of the record become other ones, and what they become; nothing where all is so already."""
    wanted = {
        "maintenance": message.maintenance,
        "maintenance_reason": _reason(record, message),
        "fault": None,
    }
    return {name: value for name, value in wanted.items() if value != getattr(record, name)}


def told(before: NodeRecord, after: NodeRecord, requester: str) -> Mapping[str, Any]:
    """Return what the event of a change tells."""
    return {
        "requester": requester,
        "maintenance": after.maintenance,
        "reason": after.maintenance_reason,
        "previous_maintenance": before.maintenance,
        "previous_reason": before.maintenance_reason,
        "previous_fault": None if before.fault is None else before.fault.value,
    }


def _reason(record: NodeRecord, message: SetMaintenance) -> str | None:
    """Return the reason afterwards. One that nobody repeats stays, unless the conductor gave it, for a fault."""
    if not message.maintenance:
        return None
    is_by_hand = record.maintenance and record.fault is None
    return message.reason or (record.maintenance_reason if is_by_hand else None)
