"""What a node is guarded against: the table, and the judgement that is read off it.

    protected           what its owner has of it is not taken away: not given back, not rebuilt, not forgotten
    retired             it is not offered to anybody any more
    disable_power_off   its machine is not powered off, not even for a reboot
    lock                somebody keeps it to themselves: others change neither the node nor its machine

A guard refuses before anything is accepted. What was accepted before the guard stood is judged once more when it
begins, and then fails without a start; a lock alone binds only those who come after it. Maintenance is ADMITTANCE's.
Pure. May come in: a row for a new verb, with its reason. Must not: how a guard is set, which is `guarding`'s.

Source: Ironic's fields of the same names; its lock is one of conductors, ours is one of people.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, assert_never

from castiron.actors.core.machines.legs import LEGS, WANTED
from castiron.actors.core.provision.catalogue import POWERING_OFF
from castiron.actors.core.requests.compatibility import (
    BOOT_GET,
    BOOT_SET,
    DELETE_FORCED,
    HINDRANCES,
    POWER,
    PROVISION,
)
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.errors import CastironError, NodeLockHeld, NodeProtected, NodeRetired, PowerOffDisabled
from castiron.transport.requester import identity_of
from castiron.transport.verbs import (
    AnyNodeRequest,
    NodeDelete,
    NodePowerSet,
    NodeProvisionAbort,
    NodeProvisionHold,
    NodeProvisionSet,
    NodeProvisionUnhold,
    NodeStepDone,
    NodeStepProgress,
    RequestAbort,
    RequestCancel,
    tag_of,
)
from castiron.transport.vocabulary import PowerState, PowerTarget, ProvisionTarget


class Guard(StrEnum):
    """What a node can be guarded by."""

    PROTECTED = "protected"
    RETIRED = "retired"
    NO_POWER_OFF = "not to be powered off"
    LOCK = "locked by somebody else"


ABORT_REQUEST: Final = tag_of(RequestAbort)
CANCEL_REQUEST: Final = tag_of(RequestCancel)

_ORDERS: Final = (tag_of(NodeProvisionAbort), tag_of(NodeProvisionHold), tag_of(NodeProvisionUnhold))
_ANSWERS: Final = (tag_of(NodeStepDone), tag_of(NodeStepProgress))


def action_of(tag: str, arguments: Mapping[str, Any]) -> str:
    """Return what a verb is in GUARDS: the verb, and with those that have a target that, too."""
    return f"{tag} ({arguments['target']})" if tag in {POWER, PROVISION} else tag


ACTIONS: Final[tuple[str, ...]] = (
    *(action_of(POWER, {"target": target.value}) for target in PowerTarget),
    BOOT_SET,
    BOOT_GET,
    *(action_of(PROVISION, {"target": target.value}) for target in ProvisionTarget),
    *HINDRANCES,
    *_ORDERS,
    *_ANSWERS,
    ABORT_REQUEST,
    CANCEL_REQUEST,
)
"""All that can be asked of a node and is more than a look."""


_ACTIONS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    tag: tuple(action for action in ACTIONS if action.partition(" (")[0] == tag)
    for tag in {action.partition(" (")[0] for action in ACTIONS}
}
"""Verb → all that it can ask."""


def _moving(*targets: ProvisionTarget) -> list[str]:
    return [action_of(PROVISION, {"target": target.value}) for target in targets]


_SWITCHES_OFF: Final = [
    action_of(POWER, {"target": target.value})
    for target, legs in LEGS.items()
    if PowerState.OFF in {WANTED[leg] for leg in legs}
]

_TAKEN: Final[Mapping[Guard, str]] = {
    Guard.PROTECTED: "nothing of what its owner has is lost",
    Guard.RETIRED: "it offers the node to nobody",
    Guard.NO_POWER_OFF: "it leaves the machine on; steps that would not are refused, each by itself",
    Guard.LOCK: "it changes neither the node nor its machine",
}

_REFUSED: Final[tuple[tuple[Guard, Iterable[str], str], ...]] = (
    (
        Guard.PROTECTED,
        _moving(ProvisionTarget.UNDEPLOY, ProvisionTarget.REBUILD),
        "what its owner has on it would be lost",
    ),
    (Guard.PROTECTED, (tag_of(NodeDelete), DELETE_FORCED), "its owner's machine would be nobody's, even if forced"),
    (Guard.RETIRED, _moving(ProvisionTarget.PROVIDE), "it would be offered again; it stays where it is"),
    (Guard.NO_POWER_OFF, _SWITCHES_OFF, "the machine would be off, if only for a moment: a reboot is off, and then on"),
    (
        Guard.LOCK,
        {*ACTIONS} - {BOOT_GET, *_ANSWERS, CANCEL_REQUEST},
        "whoever has the lock works on it, and must not be surprised",
    ),
)

GUARDS: Final[Mapping[tuple[Guard, str], tuple[bool, str]]] = (
    {(guard, action): (True, why) for guard, why in _TAKEN.items() for action in ACTIONS}
    | {
        (Guard.LOCK, action): (True, "whoever carries out a step must be able to say how it went")
        for action in _ANSWERS
    }
    | {(Guard.LOCK, CANCEL_REQUEST): (True, "what waits has touched nothing, and is its requesters' to withdraw")}
    | {(guard, action): (False, why) for guard, actions, why in _REFUSED for action in actions}
)
"""(guard, what is asked) → whether it is taken, and why."""


def guarded(record: NodeRecord, action: str, requester: str | None) -> CastironError | None:
    """Return why a guard of the node refuses something.

    Args:
        action: as in ACTIONS.
        requester: who asks; None: somebody who does not have the lock.
    """
    owner = None if record.lock is None else record.lock.owner
    is_locked = owner is not None and (requester is None or identity_of(requester) != owner)
    return _refusal(record, action, (*_standing(record), *((Guard.LOCK,) if is_locked else ())))


def guarded_whole(record: NodeRecord, tag: str) -> CastironError | None:
    """Return why a guard refuses a verb whatever it says, to somebody who does not have the lock."""
    if record.lock is None and not _standing(record):
        return None
    refusals = [guarded(record, action, None) for action in _ACTIONS_OF[tag]]
    return refusals[0] if all(refusals) else None


def overtaken(record: NodeRecord, request: RequestRecord) -> CastironError | None:
    """Return why a request that was accepted does not begin: a guard stands that did not then, and is no lock."""
    powering_off = next(iter(steps_off(request.progress.get("plan", {}))), None)
    if record.disable_power_off and powering_off is not None:
        return power_off_disabled(record, step=powering_off)
    return _refusal(record, action_of(request.verb, request.arguments), _standing(record))


def action_of_verb(verb: AnyNodeRequest) -> str:
    """Return what a verb is in GUARDS; as `action_of` does, but for the 5 µs that it takes to make a map of a verb."""
    return f"{tag_of(verb)} ({verb.target})" if isinstance(verb, NodePowerSet | NodeProvisionSet) else tag_of(verb)


def steps_off(plan: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[str]:
    """Return the names of a plan's steps that power the machine off."""
    return [one["name"] for steps in plan.values() for one in steps if (one["interface"], one["step"]) in POWERING_OFF]


def power_off_disabled(record: NodeRecord, **details: Any) -> PowerOffDisabled:
    """Return why a machine is not powered off."""
    return PowerOffDisabled(
        f"{record.name} must not be powered off, not even for a reboot. "
        f"`castiron node set {record.name} --no-disable-power-off` allows it.",
        details={"node": record.name, **details},
    )


def lock_held(record: NodeRecord) -> NodeLockHeld:
    """Return why somebody who does not have the node's lock is refused."""
    lock = record.lock
    assert lock is not None  # noqa: S101 - whoever asks has looked
    return NodeLockHeld(
        f"{record.name} is locked by {lock.owner}: {lock.reason or 'no reason given'}. "
        f"Ask them, or have an admin take the lock away: `castiron node lock unset {record.name} --force`.",
        details={"node": record.name, "owner": lock.owner, "reason": lock.reason, "since": lock.since},
    )


def _standing(record: NodeRecord) -> tuple[Guard, ...]:
    if not (record.protected or record.retired or record.disable_power_off):
        return ()  # of nearly all nodes, whenever one is shown
    stands = {
        Guard.PROTECTED: record.protected,
        Guard.RETIRED: record.retired,
        Guard.NO_POWER_OFF: record.disable_power_off,
    }
    return tuple(guard for guard, is_standing in stands.items() if is_standing)


def _refusal(record: NodeRecord, action: str, standing: Iterable[Guard]) -> CastironError | None:
    guard = next((guard for guard in standing if not GUARDS.get((guard, action), (True, ""))[0]), None)
    match guard:
        case None:
            return None
        case Guard.PROTECTED:
            return NodeProtected(
                f"{record.name} is protected: {record.protected_reason or 'no reason given'}. "
                f"`castiron node set {record.name} --no-protected` ends that.",
                details={"node": record.name, "reason": record.protected_reason},
            )
        case Guard.RETIRED:
            return NodeRetired(
                f"{record.name} is retired: {record.retired_reason or 'no reason given'}. "
                f"`castiron node set {record.name} --no-retired` takes it back.",
                details={"node": record.name, "reason": record.retired_reason},
            )
        case Guard.NO_POWER_OFF:
            return power_off_disabled(record)
        case Guard.LOCK:
            return lock_held(record)
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(guard)
