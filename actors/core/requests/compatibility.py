"""Which request for a node goes together with which: the table, and the judgement that is read off it.

For one node no other place decides. A request meets those that have not ended, the latest first; what two of them are
to each other is a row of MEETINGS, and where they conflict, POLICIES says what the policy of the newcomer makes of it.
Whether the node takes requests at all is ADMITTANCE's. Verbs that are decided at once, without becoming a request, are
hindered as HINDRANCES says. Power checks are in no table: they hinder nobody.

Pure. May come in: a row for a new verb, with its reason. Must not: what is done about a verdict.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from castiron.actors.core.provision.courses import EVENTS_OF
from castiron.actors.core.provision.states import TARGETS, WORKING, after
from castiron.actors.core.state import NodeState
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.verbs import (
    AnyNodeRequest,
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodeDelete,
    NodeLockSet,
    NodeLockUnset,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodePowerSet,
    NodeProvisionSet,
    NodeSet,
    arguments_of,
    tag_of,
)
from castiron.transport.vocabulary import Fault, Policy, ProvisionState, ProvisionTarget, RequestID

POWER: Final = tag_of(NodePowerSet)
BOOT_SET: Final = tag_of(NodeBootDeviceSet)
BOOT_GET: Final = tag_of(NodeBootDeviceGet)
PROVISION: Final = tag_of(NodeProvisionSet)

READS: Final = frozenset({BOOT_GET})
"""Verbs of requests that change nothing."""

TREATMENT: Final = frozenset({"node", "timeout_s"})
"""Arguments in which two requests for the same node may differ and still ask for the same."""


class Meeting(StrEnum):
    """What a request is to one that has not ended."""

    MERGE = "merge"
    """The same wish: it joins that one."""
    TAKE_TURNS = "take turns"
    """It waits for that one, whatever the policy and whatever becomes of it."""
    CONFLICT = "conflict"
    """The policy decides."""


class Row(NamedTuple):
    """What a verb is to another one that has not ended."""

    equal: Meeting
    """If both ask for the same."""
    other: Meeting
    """If they do not."""
    why: str


_ONE_WISH: Final = "who asks twice for the same wants it once; `again` says otherwise, and then it is another wish"
_CONTRARY: Final = "one change at a time, and each must know what it follows"
_READ_WAITS: Final = "reading harms nobody, and tells what that one leaves behind"
_CHANGE_WAITS: Final = "a read is over in one exchange with the BMC"
_STEPS_HAVE_IT: Final = "the machine belongs to the steps until the last of them has ended"
_FOLLOWS: Final = "a node is not moved while somebody drives its machine"

MEETINGS: Final[Mapping[tuple[str, str], Row]] = {
    (POWER, POWER): Row(Meeting.MERGE, Meeting.CONFLICT, f"{_ONE_WISH}: three reboots of an impatient person are one"),
    (POWER, BOOT_SET): Row(Meeting.CONFLICT, Meeting.CONFLICT, "it would boot from the wrong device if that one fails"),
    (POWER, BOOT_GET): Row(Meeting.TAKE_TURNS, Meeting.TAKE_TURNS, _CHANGE_WAITS),
    (BOOT_SET, POWER): Row(Meeting.CONFLICT, Meeting.CONFLICT, _CONTRARY),
    (BOOT_SET, BOOT_SET): Row(Meeting.MERGE, Meeting.CONFLICT, _ONE_WISH),
    (BOOT_SET, BOOT_GET): Row(Meeting.TAKE_TURNS, Meeting.TAKE_TURNS, _CHANGE_WAITS),
    (BOOT_GET, POWER): Row(Meeting.TAKE_TURNS, Meeting.TAKE_TURNS, _READ_WAITS),
    (BOOT_GET, BOOT_SET): Row(Meeting.TAKE_TURNS, Meeting.TAKE_TURNS, _READ_WAITS),
    (BOOT_GET, BOOT_GET): Row(Meeting.MERGE, Meeting.TAKE_TURNS, "one answer serves all who wait for it"),
    (PROVISION, PROVISION): Row(Meeting.MERGE, Meeting.CONFLICT, _ONE_WISH),
    (PROVISION, POWER): Row(Meeting.CONFLICT, Meeting.CONFLICT, _FOLLOWS),
    (PROVISION, BOOT_SET): Row(Meeting.CONFLICT, Meeting.CONFLICT, _FOLLOWS),
    (PROVISION, BOOT_GET): Row(Meeting.TAKE_TURNS, Meeting.TAKE_TURNS, _CHANGE_WAITS),
    (POWER, PROVISION): Row(Meeting.CONFLICT, Meeting.CONFLICT, _STEPS_HAVE_IT),
    (BOOT_SET, PROVISION): Row(Meeting.CONFLICT, Meeting.CONFLICT, _STEPS_HAVE_IT),
    (BOOT_GET, PROVISION): Row(Meeting.TAKE_TURNS, Meeting.TAKE_TURNS, _READ_WAITS),
}
"""(verb that is asked for, verb that has not ended) → what they are to each other."""


STRANGER: Final = Row(Meeting.CONFLICT, Meeting.CONFLICT, "left by a newer castiron; nobody knows what it does")
"""What any verb is to one that is not in the table."""


class Turn(StrEnum):
    """What the policy makes of a conflict."""

    REFUSE = "refuse"
    QUEUE = "queue"
    """Wait for it; see `Enqueue.depends_on`."""
    SUPERSEDE = "supersede"
    """Cancel it, and take its place."""


class Rule(NamedTuple):
    """What a policy makes of a conflict."""

    turn: Turn
    why: str


POLICIES: Final[Mapping[tuple[Policy, bool], Rule]] = {
    (Policy.STRICT, False): Rule(Turn.REFUSE, "whoever is strict wants to know the node idle"),
    (Policy.STRICT, True): Rule(Turn.REFUSE, "as above; the refusal names what runs"),
    (Policy.AFTER, False): Rule(Turn.QUEUE, "it starts if the other one succeeds, and fails if not"),
    (Policy.AFTER, True): Rule(Turn.QUEUE, "as above"),
    (Policy.SUPERSEDE, False): Rule(Turn.SUPERSEDE, "the latest word counts, and nothing has been touched yet"),
    (Policy.SUPERSEDE, True): Rule(Turn.QUEUE, "what has started is not undone; it waits, whatever becomes of it"),
}
"""(policy of the newcomer, whether the other one has started) → what is done."""


class Condition(StrEnum):
    """How a node stands, as far as it matters for what it takes."""

    IN_USE = "in use"
    MAINTENANCE = "in maintenance by hand"
    FAULT = "in maintenance for a fault"
    ASIDE = "put aside"
    """Nobody answers for it: its actor failed too often."""
    LEAVING = "being deleted"


class Hindrance(StrEnum):
    """What is in the way of a verb that is decided at once."""

    NOTHING = "nothing"
    STARTED = "a request that has started"
    OPEN = "a request that has not ended"


SET_WAY: Final = f"{tag_of(NodeSet)} (driver, driver_info)"
DELETE_FORCED: Final = f"{tag_of(NodeDelete)} (force)"

HINDRANCES: Final[Mapping[str, tuple[Hindrance, str]]] = {
    tag_of(NodeSet): (Hindrance.NOTHING, "what a request under way needs of the node does not change with it"),
    SET_WAY: (Hindrance.OPEN, "no request may see the way to its BMC change"),
    tag_of(NodeDelete): (Hindrance.STARTED, "a machine that is being driven is not forgotten; what waits is cancelled"),
    DELETE_FORCED: (Hindrance.NOTHING, "whoever forces it has been told; what runs ends as failed"),
    tag_of(NodeMaintenanceSet): (Hindrance.NOTHING, "to put a node aside must always be possible"),
    tag_of(NodeMaintenanceUnset): (Hindrance.NOTHING, "as above"),
    tag_of(NodeLockSet): (Hindrance.NOTHING, "what was accepted before goes on; nobody else's comes after it"),
    tag_of(NodeLockUnset): (Hindrance.NOTHING, "as above"),
}
"""Verb that is decided at once → what is in its way."""

_TAKES: Final[Mapping[Condition, tuple[bool, str]]] = {
    Condition.IN_USE: (True, "the usual case"),
    Condition.MAINTENANCE: (True, "whoever mends a machine switches it; with `hold` it waits until that is over"),
    Condition.FAULT: (True, "it may be the remedy; with `hold` it waits until the fault is gone"),
    Condition.ASIDE: (False, "nobody is there to do it"),
    Condition.LEAVING: (False, "nothing would be left to tell of it"),
}

_TAKES_BACK: Final = (tag_of(NodeMaintenanceUnset), tag_of(NodeDelete), DELETE_FORCED)

ADMITTANCE: Final[Mapping[tuple[str, Condition], tuple[bool, str]]] = (
    {
        (verb, condition): taken
        for verb in (POWER, BOOT_SET, BOOT_GET, PROVISION, *HINDRANCES)
        for condition, taken in _TAKES.items()
    }
    | {
        (PROVISION, condition): (
            False,
            "nobody works on a machine that is set aside; with `hold` it waits until that ends",
        )
        for condition in (Condition.MAINTENANCE, Condition.FAULT)
    }
    | {(verb, Condition.ASIDE): (True, "its actor is tried again for it") for verb in _TAKES_BACK}
)
"""(verb, how the node stands) → whether it is taken, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueue:
    """It is taken, and starts when it is its turn."""

    depends_on: RequestID | None = None
    """Which must succeed first."""
    superseded: tuple[RequestRecord, ...] = ()
    """Which are cancelled for it."""
    aborted: RequestRecord | None = None
    """Which is ended for it, though it has started: the node waits, and what is asked for leads out of the wait."""


@dataclass(frozen=True, slots=True)
class Merge:
    """It is the same as another one."""

    into: RequestRecord


@dataclass(frozen=True, slots=True)
class Conflict:
    """It is refused."""

    with_: RequestRecord


Verdict = Enqueue | Merge | Conflict


def judge(state: NodeState, verb: AnyNodeRequest) -> Verdict:
    """Return what becomes of a request, if the node takes requests at all."""
    tag = tag_of(verb)
    others = tuple(_met(state, is_held=verb.hold and state.record.maintenance))
    is_change_between = False
    conflicts: list[RequestRecord] = []
    arguments = arguments_of(verb) if others else {}
    for other in others:
        row = MEETINGS.get((tag, other.verb), STRANGER)
        # Whoever joined what is being aborted would be told that it was accepted, and then that it was aborted.
        is_equal = row.equal is Meeting.MERGE and other.abort_by is None and is_same(other, tag, arguments)
        if is_equal and not (verb.again or is_change_between):
            return Merge(other)
        if row.other is Meeting.CONFLICT:
            conflicts.append(other)
        is_change_between |= other.verb not in READS
    if displaces(state, verb):
        return Enqueue(aborted=state.running)
    return _by_policy(state, verb.policy, conflicts)


def displacing(at: ProvisionState) -> tuple[ProvisionTarget, ...]:
    """Return what ends the move of a node that waits or is held in this state: where the table has a row for it."""
    if at not in TARGETS or at in WORKING:
        return ()
    return tuple(target for target, event in EVENTS_OF.items() if after(at, event) is not None)


def displaces(state: NodeState, verb: AnyNodeRequest) -> bool:
    """Return whether a move ends the one that is under way: the provision states' table has a row for it.

    A node that waits for somebody, or is held, can be given back, or serviced with other steps, from there.
    """
    if not isinstance(verb, NodeProvisionSet) or state.running is None or state.running.verb != PROVISION:
        return False
    return not state.queue and verb.target in displacing(state.record.provision_state)


def conflicting(state: NodeState, tag: str) -> RequestRecord | None:
    """Return what a verb that is strict, and like nothing under way, would meet; None: nothing."""
    for other in _met(state, is_held=False):
        if MEETINGS.get((tag, other.verb), STRANGER).other is Meeting.CONFLICT:
            return other
    return None


def is_same(request: RequestRecord, tag: str, arguments: Mapping[str, Any]) -> bool:
    """Return whether a request asks for this, of the same node."""
    return request.verb == tag and essence(request.arguments) == essence(arguments)


def essence(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be done, without how it is to be treated, and without the node's name, which may change."""
    return {name: value for name, value in arguments.items() if name not in TREATMENT}


def wish_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, as `essence` does: a runbook, not the steps that it had when it was looked at."""
    asked = essence(arguments)
    if asked.get("runbook") is not None:
        asked.pop("steps", None)
    return asked


def condition_of(record: NodeRecord, *, is_leaving: bool) -> Condition:
    """Return how a node stands."""
    if is_leaving:
        return Condition.LEAVING
    if record.fault is Fault.ACTOR_FAILURE:
        return Condition.ASIDE
    if not record.maintenance:
        return Condition.IN_USE
    return Condition.MAINTENANCE if record.fault is None else Condition.FAULT


def _met(state: NodeState, *, is_held: bool) -> Iterator[RequestRecord]:
    """Yield the requests that a newcomer meets, the latest first. Held ones stand aside, unless it is held as well."""
    for other in reversed(state.queue):
        if is_held or not state.is_held(other):
            yield other
    if state.running is not None:
        yield state.running


def _by_policy(state: NodeState, policy: Policy, conflicts: list[RequestRecord]) -> Verdict:
    if not conflicts:
        return Enqueue()
    started = state.running
    turns = {other.id: POLICIES[policy, other is started].turn for other in conflicts}
    if Turn.REFUSE in turns.values():
        return Conflict(conflicts[0])
    superseded = tuple(other for other in conflicts if turns[other.id] is Turn.SUPERSEDE)
    depends_on = conflicts[0].id if policy is Policy.AFTER else None
    return Enqueue(depends_on=depends_on, superseded=superseded)
