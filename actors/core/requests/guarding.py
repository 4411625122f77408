"""How a node's guards are set and taken away: what `node.set` may say of them, and who may have the lock. Pure.

May come in: a rule about a guard's fields, with its reason. Must not: what a guard refuses, which is `guards`'.

Source: Ironic's rules for protected, retired and resource_class, of its conductor's update_node.
"""

from collections.abc import Mapping
from typing import Any, Final

from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import AnswerNode, Refuse
from castiron.actors.core.messages import SetLock
from castiron.actors.core.requests.guards import guarded
from castiron.actors.core.requests.obstacles import hindered
from castiron.store.records import NodeLock, NodeRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import ArgumentInvalid, CastironError, NodeStateInvalid
from castiron.transport.requester import identity_of
from castiron.transport.verbs import NodeLockSet, NodeLockUnset, tag_of
from castiron.transport.vocabulary import EventType, ProvisionState

WITH_REASON: Final = ("protected", "retired")
"""Guards that have a reason, which goes with them."""

IN_USE: Final = frozenset({ProvisionState.ACTIVE, ProvisionState.RESCUE})
"""Where there is something to protect."""

UNCHOSEN: Final = frozenset(
    {
        ProvisionState.ENROLL,
        ProvisionState.MANAGEABLE,
        ProvisionState.INSPECTING,
        ProvisionState.INSPECT_WAIT,
        ProvisionState.AVAILABLE,
    }
)
"""Where nobody has chosen the node by its resource class yet."""


def with_reasons(record: NodeRecord, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of a node's fields, with the reasons of those guards forgotten that are taken away."""
    gone = {f"{guard}_reason": None for guard in WITH_REASON if changes.get(guard) is False}
    return {**changes, **{name: value for name, value in gone.items() if getattr(record, name) is not value}}


def unsettable(record: NodeRecord, changes: Mapping[str, Any]) -> CastironError | None:
    """Return why a node's guards cannot be set so; `changes` as `with_reasons` returned them."""
    at = record.provision_state
    if changes.get("protected") and at not in IN_USE:
        return _misplaced(record, "protected", "only a node that is active or in rescue can be protected")
    if changes.get("retired") and at is ProvisionState.AVAILABLE:
        return _misplaced(record, "retired", "it is on offer; ask for `manage` first")
    if "resource_class" in changes and record.resource_class is not None and at not in UNCHOSEN:
        return _misplaced(record, "resource_class", "it may have been chosen by its resource class")
    return unfounded(replace(record, **{name: changes[name] for name in changes if name in _FIELDS}))


def unfounded(record: NodeRecord) -> ArgumentInvalid | None:
    """Return why a node cannot be so: it has the reason of a guard that does not stand."""
    for guard in WITH_REASON:
        if getattr(record, f"{guard}_reason") is not None and not getattr(record, guard):
            return ArgumentInvalid(
                f"{guard}_reason says why a node is {guard}, and {record.name} is not. Set both, or neither.",
                details={"path": f"$.{guard}_reason"},
            )
    return None


def set_lock(draft: Draft, message: SetLock) -> None:
    """Lock the node for whoever asks, or unlock it."""
    record = draft.state.record
    tag = tag_of(NodeLockSet if message.is_locked else NodeLockUnset)
    obstacle = hindered(draft.state, tag, draft.now)
    if obstacle is None and not message.force:
        obstacle = guarded(record, tag, message.requester)
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    lock = _lock(draft, message) if message.is_locked else None
    if lock != record.lock:
        draft.record(lock=lock)
        draft.tell(EventType.LOCK_SET_END, _told(record.lock, lock, message.requester))
    return draft.order(AnswerNode(message.reply_to))


def _lock(draft: Draft, message: SetLock) -> NodeLock:
    """Return the lock afterwards. One that is set again keeps its time, and its reason unless there is a new one."""
    before = draft.state.record.lock
    if before is None:
        return NodeLock(owner=identity_of(message.requester), reason=message.reason, since=draft.now)
    return replace(before, reason=message.reason or before.reason)


def _told(before: NodeLock | None, after: NodeLock | None, requester: str) -> dict[str, Any]:
    return {
        "requester": requester,
        "owner": None if after is None else after.owner,
        "reason": None if after is None else after.reason,
        "previous_owner": None if before is None else before.owner,
        "previous_reason": None if before is None else before.reason,
    }


_FIELDS: Final = tuple(name for guard in WITH_REASON for name in (guard, f"{guard}_reason"))


def _misplaced(record: NodeRecord, target: str, why: str) -> NodeStateInvalid:
    at = record.provision_state
    return NodeStateInvalid(
        f"{record.name} is {at}: {target} cannot be set there; {why}.",
        details={"node": record.name, "provision_state": at.value, "target": target, "accepts": []},
    )
