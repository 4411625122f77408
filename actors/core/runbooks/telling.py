"""What is told of runbooks: views, lists, and what an event says of a change. No secret passes. Pure."""

from collections.abc import Mapping
from typing import Any

from castiron.actors.core.audit import told_value
from castiron.actors.core.provision.catalogue import Catalogue
from castiron.actors.core.runbooks.judging import changed_fields
from castiron.actors.core.runbooks.steps import kinds_of, shown
from castiron.store.records import RunbookRecord
from castiron.transport.replies import RunbookSummary, RunbookView


def runbook_view(record: RunbookRecord, catalogue: Catalogue) -> RunbookView:
    """Return a runbook as it stands."""
    return RunbookView(
        uuid=record.uuid,
        name=record.name,
        description=record.description,
        traits=list(record.traits),
        steps=shown(record),
        extra=dict(record.extra),
        kinds=kinds_of(record, catalogue),
        created_at=record.created_at,
        updated_at=record.updated_at,
        revision=record.revision,
    )


def summary(record: RunbookRecord, catalogue: Catalogue) -> RunbookSummary:
    """Return a runbook's line in a list."""
    return RunbookSummary(
        uuid=record.uuid,
        name=record.name,
        description=record.description,
        traits=list(record.traits),
        kinds=kinds_of(record, catalogue),
        step_count=len(record.steps),
        updated_at=record.updated_at,
        revision=record.revision,
    )


def about(record: RunbookRecord, requester: str) -> dict[str, Any]:
    """Return what all events of a runbook tell."""
    return {"requester": requester, "runbook": record.name, "uuid": record.uuid, "revision": record.revision}


def told_changes(before: RunbookRecord, after: RunbookRecord) -> dict[str, Any]:
    """Return what an event tells of a change: each field with what it held before and after, bounded.

    Of steps it is their names; that only their arguments differ shows in that `steps` is there.
    """
    names = changed_fields(before, after)
    changes = {name: {"from": _told(before, name), "to": _told(after, name)} for name in names}
    renamed = {"previous_name": before.name} if "name" in names else {}
    return {"changed": names, "changes": changes, **renamed}


def _told(record: RunbookRecord, name: str) -> Any:
    match name:
        case "steps":
            value: Any = ", ".join(step_name(step) for step in record.steps)
        case "traits":
            value = list(record.traits)
        case _:
            value = getattr(record, name)
    return told_value(value, is_secret=False)


def step_name(step: Mapping[str, Any]) -> str:
    """Return what a stored step is called for people."""
    interface = step.get("interface")
    return step.get("name") or (step["step"] if interface is None else f"{interface}.{step['step']}")
