"""What a node's actor does about a message: the whole of it, as one pure function.

    decide(state, message, now, settings) -> Decision(state, effects, change)

Rules that keep it honest: a request that cannot start leaves no trace in the record (permit first); a start and its
event are one commit; for each start there is exactly one end or error, later; what the actor did not order, or ordered
before its latest recovery, is ignored by its ticket. One function a message; what a request goes through is in
`requests` before it runs, and in `running` from then on.
"""

from typing import Any, assert_never

from msgspec import structs

from castiron.actors.core import maintenance
from castiron.actors.core.allocations import holding
from castiron.actors.core.aside import taken_back
from castiron.actors.core.audit import told_changes
from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import AnswerNode, Decision, Refuse, Renew, Retire, TellFleet
from castiron.actors.core.machines import check as checks
from castiron.actors.core.machines.password import is_told_anew
from castiron.actors.core.messages import (
    Amend,
    Began,
    Claim,
    Direct,
    EngineGranted,
    Heard,
    Message,
    Moved,
    PermitGranted,
    Preview,
    Recover,
    Release,
    Remove,
    Reported,
    Sensed,
    SetLock,
    SetMaintenance,
    StepAnswer,
    Submit,
    TimerDue,
    Wish,
    Withdraw,
)
from castiron.actors.core.provision import orders
from castiron.actors.core.provision.moving import free_stuck
from castiron.actors.core.requests import deadlines, ending, guarding, running, submission
from castiron.actors.core.requests.compatibility import DELETE_FORCED, SET_WAY
from castiron.actors.core.requests.guards import guarded
from castiron.actors.core.requests.obstacles import UNDER_WAY, held, hindered, leaving, overtaken, stale
from castiron.actors.core.requests.withdrawal import withdraw
from castiron.actors.core.sensors import alarms
from castiron.actors.core.state import Active, NodeState, drives_power
from castiron.actors.core.telling.foresight import foretold
from castiron.actors.drivers.base import Done
from castiron.actors.settings import Settings
from castiron.store.records.copying import replace
from castiron.transport.errors import CastironError
from castiron.transport.verbs import NodeDelete, NodeMaintenanceSet, NodeMaintenanceUnset, NodeSet, tag_of
from castiron.transport.vocabulary import EventType, Fault, Instant, OnRestart


def decide(state: NodeState, message: Message, now: Instant, settings: Settings) -> Decision:
    """Return what follows from a message. Pure."""
    if isinstance(message, Preview):
        return foretold(state, message, decide(state, message.message, now, settings))
    draft = Draft(state, now)
    match message:
        case PermitGranted():
            running.permit_granted(draft, message, settings)
        case Heard():
            _heard(draft, message, settings)
        case TimerDue() | Began():
            _timer_due(draft, message, settings)
        case Moved() | EngineGranted():
            orders.moved(draft, message, settings)
        case Reported():
            orders.reported(draft, message)
        case Recover():
            _recover(draft, message, settings)
        case Sensed():
            if not state.leaving:
                alarms.sensed(draft, message)
        case _:
            _wish(draft, message, settings)
    _settle(draft, state.active)
    _tend(draft, settings, was_in_maintenance=state.record.maintenance)
    return draft.finish()


def suspend(state: NodeState) -> NodeState:
    """Return the node with what is under way put back into the hands of whoever recovers it, and no permit held."""
    check = structs.replace(state.check, is_begun=False, timer=None, call=None)
    return replace(state, active=None, interrupted=state.running, permit=None, expiry=None, check=check)


def _settle(draft: Draft, before: Active | None) -> None:
    """Have the machine looked at more often, if what drove its power does so no more."""
    after = draft.state.active
    if before is None or before is after or not drives_power(before):
        return
    if after is None or not drives_power(after):
        checks.acted(draft)


def _tend(draft: Draft, settings: Settings, *, was_in_maintenance: bool) -> None:
    """Bring in step with the node what follows from how it stands, whatever has changed it."""
    if draft.state.record.maintenance and not was_in_maintenance:
        ending.leave_to_maintenance(draft)
    if not draft.check.is_begun:
        return  # whoever owns it has not recovered yet; then all of this follows
    checks.tend(draft, settings)
    submission.unpark(draft, settings)
    deadlines.tend(draft)
    draft.tend_permit()


def _wish(draft: Draft, message: Wish, settings: Settings) -> None:
    match message:
        case Submit():
            submission.submit(draft, message, settings)
        case Withdraw():
            withdraw(draft, message, settings)
        case Direct():
            orders.direct(draft, message, settings)
        case StepAnswer():
            orders.answer(draft, message, settings)
        case Amend() | Remove() | SetMaintenance() | SetLock():
            _change(draft, message, settings)
        case Claim():
            holding.claim(draft, message)
        case Release():
            holding.release(draft, message)
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(message)


def _heard(draft: Draft, message: Heard, settings: Settings) -> None:
    active = draft.state.active
    if message.began is not None:
        checks.began(draft, message.began)
    if checks.is_heard(draft.check, message):
        submission.unpark(draft, settings, checks.heard(draft, message, settings))
    elif active is not None and running.is_heard(active, message):
        if isinstance(message.outcome, Done) and active.is_bmcs(message.ticket):
            checks.answered(draft)
        running.heard(draft, active, message, settings)


def _timer_due(draft: Draft, message: TimerDue | Began, settings: Settings) -> None:
    active = draft.state.active
    if isinstance(message, Began):
        checks.began(draft, message)
    elif checks.is_due(draft.state, message):
        checks.start(draft, message, settings)
    elif deadlines.is_due(draft.state, message):
        deadlines.due(draft)
    elif active is not None and running.is_due(active, message.ticket):
        running.due(draft, active, message, settings)


def _recover(draft: Draft, message: Recover, settings: Settings) -> None:
    state = draft.state
    if state.leaving:
        return
    back = taken_back(state.record)
    if back:
        draft.record(**back)
        draft.tell(
            EventType.NODE_FAULT_CLEARED, {"fault": Fault.ACTOR_FAILURE.value, "power_state": state.record.power_state}
        )
    _end_what_must_not_go_on(draft, message)
    if state.record.provision_state in UNDER_WAY and state.running is None:
        free_stuck(draft)
    checks.begin(draft, settings, message.check_within_s)
    if draft.state.parked and draft.state.first is None:
        checks.look(draft, settings)


def _end_what_must_not_go_on(draft: Draft, message: Recover) -> None:
    """End what was being aborted, what was overdue, what was not to outlive its owner, and what should have started."""
    left = draft.state.interrupted
    if left is not None and left.abort_by is not None:
        running.end_aborted_before(draft, left)
    elif left is not None and left.id == message.overdue:
        running.end_interrupted(draft, lambda applied: ending.overdue(left, applied, running.ADVICE[applied]))
    elif left is not None and left.on_restart is OnRestart.FAIL:
        running.end_interrupted(draft, lambda applied: ending.interrupted(left, applied, running.ADVICE[applied]))
    ending.interrupt(draft)
    ending.expire(draft)


def _change(draft: Draft, message: Amend | Remove | SetMaintenance | SetLock, settings: Settings) -> None:
    match message:
        case Amend():
            _amend(draft, message, settings)
        case Remove():
            _remove(draft, message)
        case SetMaintenance():
            _set_maintenance(draft, message)
        case SetLock():
            guarding.set_lock(draft, message)


def _amend(draft: Draft, message: Amend, settings: Settings) -> None:
    state, amendment = draft.state, message.amendment
    changes = guarding.with_reasons(state.record, amendment.changes(state.record))
    obstacle = _unamendable(draft, message) or guarding.unsettable(state.record, changes)
    if obstacle is not None:
        return draft.order(TellFleet(applied=False), Refuse(message.reply_to, obstacle))
    if changes:
        if "driver_info" in changes:
            draft.order(Renew())
        if state.record.other_passwords and is_told_anew(state.record, changes):
            draft.record(other_passwords={})
        draft.record(**changes)
        told: dict[str, Any] = {
            "changed": sorted(changes.keys() - {"secret_keys"}),
            "changes": told_changes(state.record, changes),
            "requester": message.requester,
        }
        if "name" in changes:
            told["previous_name"] = state.record.name
        draft.tell(EventType.NODE_UPDATE_END, told)
        if changes.keys() & {"driver", "driver_info"}:
            checks.look_anew(draft, settings)
    # The fleet first: whoever is told of a new name may ask for the old one at once.
    return draft.order(TellFleet(applied=True), AnswerNode(message.reply_to))


def _unamendable(draft: Draft, message: Amend) -> CastironError | None:
    state = draft.state
    obstacle: CastironError | None = leaving(state) or stale(state.record, message.revision)
    if obstacle is None and message.amendment.is_way_to_bmc:
        obstacle = hindered(state, SET_WAY, draft.now)
    obstacle = obstacle or overtaken(state.record, message.amendment)
    return obstacle or guarded(state.record, tag_of(NodeSet), message.requester)


def _remove(draft: Draft, message: Remove) -> None:
    state = draft.state
    verb = DELETE_FORCED if message.force else tag_of(NodeDelete)
    obstacle = (
        leaving(state)
        or stale(state.record, message.revision)
        or guarded(state.record, verb, message.requester)
        or (None if message.force else held(state))
        or hindered(state, verb, draft.now)
    )
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    ending.leave_to_removal(draft, message.requester)
    running.cut_short(
        draft, lambda applied: ending.removed(state.record, message.requester, applied, running.ADVICE[applied])
    )
    holding.give_back(draft, message.requester, "node deleted")
    draft.remove()
    draft.state = replace(draft.state, leaving=True)
    submission.turn_away(draft)
    checks.end(draft)
    draft.tend_permit()  # while somebody is there to give it back
    draft.tell(EventType.NODE_DELETE_END, {"requester": message.requester})
    return draft.order(Retire(message.reply_to, state.record.name))


def _set_maintenance(draft: Draft, message: SetMaintenance) -> None:
    tag = tag_of(NodeMaintenanceSet if message.maintenance else NodeMaintenanceUnset)
    obstacle = leaving(draft.state) or guarded(draft.state.record, tag, message.requester)
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    before = draft.state.record
    changes = maintenance.changes(before, message)
    if changes:
        draft.record(**changes)
        draft.check = structs.replace(
            draft.check, failures=0, forced=0
        )  # whoever says so has looked: it is counted anew
        told = maintenance.told(before, draft.state.record, message.requester)
        draft.tell(EventType.MAINTENANCE_SET_END, told)
    return draft.order(AnswerNode(message.reply_to))
