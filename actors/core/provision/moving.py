"""A node moves: from one provision state to another, with the event that tells of it. Pure.

The only place that writes a provision state, and what it was meant to come to.
"""

from collections.abc import Mapping
from typing import Any, Final

from castiron.actors.core.allocations.holding import give_back
from castiron.actors.core.draft import Draft
from castiron.actors.core.provision.states import STABLE, TARGETS, after
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.vocabulary import EventType, ProvisionEvent, ProvisionState

TOLD: Final[Mapping[EventType, bool]] = {
    EventType.PROVISION_SET_START: False,
    EventType.PROVISION_SET_SUCCESS: False,
    EventType.PROVISION_SET_END: True,
    EventType.PROVISION_SET_ERROR: True,
}
"""Event → whether the node's way ends with it."""


def move(
    draft: Draft,
    request: RequestRecord,
    event: ProvisionEvent,
    told_as: EventType,
    *,
    target: ProvisionState | None = None,
    last_error: str | None = None,
    **details: Any,
) -> ProvisionState:
    """Move the node by an event that means something in its state, and tell of it.

    Args:
        target: where it is meant to come to, if it is not where its new state leads by itself.
        last_error: why it failed; None: it did not.
        details: what else is told.

    Returns:
        The state that it is in now.
    """
    to = after(draft.state.record.provision_state, event)
    if to is None:  # pragma: no cover - whoever moves a node has asked the table
        raise AssertionError(f"{event} means nothing in {draft.state.record.provision_state}")
    before = draft.state.record
    meant = None if to in STABLE else target or before.target_provision_state or TARGETS[to]
    draft.record(provision_state=to, target_provision_state=meant, last_error=last_error)
    draft.tell(told_as, {**_told(draft, request, event, before), **details}, request)
    if event is ProvisionEvent.CLEAN and before.provision_state is ProvisionState.DELETING:
        give_back(draft, request.requester, "undeployed")
    return to


def arrived(draft: Draft, request: RequestRecord, event: ProvisionEvent) -> None:
    """Tell of the end of a move that needed no work: it led to where the node is."""
    record = draft.state.record
    draft.tell(EventType.PROVISION_SET_END, _told(draft, request, event, record), request)


def free_stuck(draft: Draft) -> None:
    """Lead a node out of a state in which somebody works on it, where nobody does: no request is there to go on."""
    at = draft.state.record.provision_state
    event = next(one for one in (ProvisionEvent.FAIL, ProvisionEvent.ABORT) if after(at, one))
    why = f"It was found {at}, and nobody works on it. Look at the machine, then move it again."
    move_idle(draft, event, "conductor", last_error=why, reason=why)


def move_idle(
    draft: Draft, event: ProvisionEvent, requester: str, *, last_error: str | None = None, **details: Any
) -> None:
    """Move a node on which no work is going on, by an event that means something in its state: nothing begins or ends.

    Args:
        details: what else is told.
    """
    before = draft.state.record
    to = after(before.provision_state, event)
    if to is None:  # pragma: no cover - as above
        raise AssertionError(f"{event} means nothing in {before.provision_state}")
    meant = None if to in STABLE else TARGETS[to]
    draft.record(provision_state=to, target_provision_state=meant, last_error=last_error)
    draft.tell(
        EventType.PROVISION_SET_SUCCESS, {"requester": requester, **_way(event, before, draft.state.record), **details}
    )


def _told(draft: Draft, request: RequestRecord, event: ProvisionEvent, before: NodeRecord) -> dict[str, Any]:
    used = {} if request.runbook is None else {"runbook": request.runbook}
    return {"requester": request.requester, **_way(event, before, draft.state.record), **used}


def _way(event: ProvisionEvent, before: NodeRecord, record: NodeRecord) -> dict[str, Any]:
    return {
        "event": event.value,
        "previous_provision_state": before.provision_state,
        "previous_target_provision_state": before.target_provision_state,
        "provision_state": record.provision_state,
        "target_provision_state": record.target_provision_state,
        "power_state": record.power_state,
    }
