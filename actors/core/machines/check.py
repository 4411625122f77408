"""The power check: when a node is looked at by itself, and what follows from what is seen.

Each node has its own rhythm. A check is one read of the power state; it takes no permit, gives way to whoever asks for
something, and writes nothing when it finds what is on record. A machine that is found otherwise is followed, or driven
back where the settings say so. A BMC that stays silent is asked less and less often, then put into maintenance with the
fault `power failure`, and taken out of it by its next answer; maintenance that was set by hand is left alone. How often
is `pace`'s to say.

Pure. May come in: a rule of the check. Must not: what an action does about a power state.
"""

from typing import Final

from msgspec.structs import replace

from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import CallDriver, CancelTimer, Checked, SetTimer
from castiron.actors.core.machines.pace import due, is_settling, pace_of, usual_s
from castiron.actors.core.messages import Began, Heard, TimerDue
from castiron.actors.core.requests import tracing
from castiron.actors.core.state import NOT_BEGUN, Check, NodeState, Ticket
from castiron.actors.drivers.base import Done, GetPower, NotDone
from castiron.actors.settings import Settings
from castiron.store.records import RequestRecord
from castiron.store.records.copying import replace as replace_of
from castiron.transport.errors import BMCFault, CastironError, DeadlineExceeded
from castiron.transport.verbs import NodePowerSet, arguments_of, tag_of
from castiron.transport.vocabulary import (
    CheckPace,
    CheckResult,
    EventType,
    Fault,
    Instant,
    PowerState,
    PowerTarget,
    RequestID,
    RequestState,
)

REQUESTER: Final = "power check"
"""Who asks for a power action that the settings demand."""


def begin(draft: Draft, settings: Settings, within_s: float | None) -> None:
    """Begin to check a node that has a new owner: soon, and spread, so that not all BMCs are logged in to at once.

    Args:
        within_s: the first check comes within this; None: within the settings' spread. Machines that were reachable
            when they were last heard of are looked at in the first half of it, those that were not in the second.
    """
    draft.check = replace(draft.check, is_begun=True)
    spread_s = settings.power_check_start_spread_s if within_s is None else within_s
    tend(draft, settings, first_within_s=spread_s)


def tend(draft: Draft, settings: Settings, first_within_s: float | None = None) -> None:
    """Bring the check's timer in step with the node: after every decision, whatever has changed."""
    check = draft.check
    if not check.is_begun:
        return
    pace = pace_of(draft.state, check, settings)
    every_s = pace.every_s
    if every_s and (check.call is not None or (check.timer is not None and every_s == check.every_s)):
        return
    if check.timer is not None:
        draft.order(CancelTimer(check.timer))
    if not every_s:
        call = check.call if draft.state.parked else None  # somebody may wait for what it shows
        if check.every_s or call != check.call:
            draft.check = replace(check, timer=None, call=call, every_s=0.0, pace=pace.kind, due_at=None)
        return
    timer = draft.ticket()
    if first_within_s is not None:
        at, early_s = _first(draft, min(first_within_s, every_s))
    else:
        at, early_s = due(pace, check, draft.now)
    is_settled = pace.kind is CheckPace.USUAL and not draft.state.is_busy
    draft.order(SetTimer(timer, at, early_s, every_s, look_every_s=every_s if is_settled else 0.0))
    draft.check = replace(check, timer=timer, call=None, every_s=every_s, pace=pace.kind, due_at=at)


def end(draft: Draft) -> None:
    """Look after the node no more: it is being deleted."""
    if draft.check.timer is not None:
        draft.order(CancelTimer(draft.check.timer))
    none = replace(draft.check, is_begun=False, timer=None, call=None)
    draft.check = replace(none, every_s=0.0, pace=CheckPace.OFF, due_at=None)


def acted(draft: Draft) -> None:
    """Look often for a while: an action on the machine's power has just ended, however it did."""
    draft.check = replace(draft.check, acted_at=draft.now, changed_at=draft.now)


def answered(draft: Draft) -> None:
    """Look soon, and as often as usual from now on: a BMC whose checks fail has just answered somebody else."""
    if draft.check.failures:
        draft.check = replace(draft.check, failures=0, acted_at=draft.now, changed_at=draft.now)


def is_due(state: NodeState, message: TimerDue) -> bool:
    """Return whether a timer is the check's."""
    return state.check.timer == message.ticket


def is_heard(check: Check, message: Heard) -> bool:
    """Return whether an outcome is the check's, and still of interest."""
    return check.call == message.ticket


def start(draft: Draft, message: TimerDue, settings: Settings) -> None:
    """Look at the machine, unless a request is about to."""
    call = None if draft.state.is_busy else draft.ticket()
    _start(draft, call, message.at, draft.now)
    if call is not None:
        draft.order(_call(draft, call, settings))


def began(draft: Draft, message: Began) -> None:
    """Take note that the machine is looked at, as was ordered; what is seen is of no use if a request does so, too."""
    if draft.check.timer == message.ticket:
        _start(draft, None if draft.state.is_busy else message.ticket, message.at, message.began_at)


def look(draft: Draft, settings: Settings) -> None:
    """Look at the machine now, unless a check is under way; somebody waits for what it shows."""
    check = draft.check
    if check.call is not None:
        return
    if check.timer is not None:
        draft.order(CancelTimer(check.timer))
    call = draft.ticket()
    draft.check = replace(check, timer=None, call=call, started_at=draft.now, is_first=False, late_s=0.0)
    draft.order(_call(draft, call, settings))


def look_anew(draft: Draft, settings: Settings) -> None:
    """Look at once at a machine whose BMC has failed, and is reached in another way from now on."""
    check, record = draft.check, draft.state.record
    is_checked = check.is_begun and pace_of(draft.state, check, settings).every_s > 0
    if is_checked and (check.failures or record.fault is Fault.POWER_FAILURE):
        overtake(draft)  # what a check under way hears comes from the old way
        draft.check = replace(draft.check, failures=0)
        look(draft, settings)


def overtake(draft: Draft) -> None:
    """Have nothing to do with what a check that is under way will see: an action begins."""
    if draft.check.call is not None:
        draft.check = replace(draft.check, call=None)
        draft.order(Checked(CheckResult.SKIPPED, draft.check.late_s))


def heard(draft: Draft, message: Heard, settings: Settings) -> CastironError | None:
    """Take in what the machine's BMC answered, or that it did not; return why, if it did not."""
    outcome = message.outcome
    if isinstance(outcome, Done) and isinstance(outcome.value, PowerState):
        result = _saw(draft, outcome.value, message.spare_id, settings)
        draft.order(Checked(result, draft.check.late_s))
        return None
    failure = outcome.error if isinstance(outcome, NotDone) else BMCFault("The driver gave no power state.")
    if isinstance(failure, DeadlineExceeded) and failure.details.get("is_asked") is False:
        overtake(draft)  # it waited for its turn here until its time was over: nothing is known of the BMC
        return failure
    result = _failed(draft, failure, settings)
    draft.order(Checked(result, draft.check.late_s, failure))
    return failure


def _start(draft: Draft, call: Ticket | None, at: Instant, started_at: Instant) -> None:
    check, late_s = draft.check, max(0.0, started_at - at)
    is_first = check.started_at == NOT_BEGUN.started_at
    draft.check = replace(check, timer=None, call=call, started_at=started_at, is_first=is_first, late_s=late_s)
    if call is None:
        draft.order(Checked(CheckResult.SKIPPED, late_s))


def _call(draft: Draft, call: Ticket, settings: Settings) -> CallDriver:
    deadline = Instant(draft.now + settings.command_timeout_s)
    every_s = usual_s(draft.state.record, settings)
    next_by = Instant(draft.now + every_s) if every_s else None
    return CallDriver(call, GetPower(), deadline, gives_way=True, next_by=next_by)


def _first(draft: Draft, within_s: float) -> tuple[Instant, float]:
    record = draft.state.record
    if record.power_state is None and record.fault is None:
        return Instant(draft.now + within_s), within_s  # nobody has heard of it yet
    half_s = within_s / 2
    return Instant(draft.now + (half_s if record.fault is None else within_s)), half_s


def _saw(draft: Draft, seen: PowerState, spare_id: RequestID | None, settings: Settings) -> CheckResult:
    record = draft.state.record
    is_back = record.maintenance and record.fault is Fault.POWER_FAILURE
    if is_back:
        _clear_fault(draft, seen)
    is_by_hand = record.maintenance or record.lock is not None  # a hand may be in the machine
    is_to_stay = settings.force_power_state_during_sync and not (is_by_hand or record.disable_power_off)
    if seen is record.power_state:
        draft.check = replace(draft.check, call=None, failures=0, forced=0, agreed_at=draft.now)
        if record.power_state_at is not None and record.power_state_at > draft.now:
            draft.record(power_state_at=draft.now)  # a predecessor's clock was ahead: it would stay the latest look
        return CheckResult.RECOVERED if is_back else CheckResult.AGREED
    if is_to_stay and record.power_state is not None and spare_id is not None:
        return _force(draft, seen, spare_id, settings)
    changed_at = draft.now if is_settling(draft.check, draft.now) else draft.check.changed_at
    draft.check = replace(draft.check, call=None, failures=0, forced=0, changed_at=changed_at)
    draft.record(power_state=seen, power_state_at=draft.now)
    draft.tell(EventType.POWER_STATE_CORRECTED, {"from_power": record.power_state, "power_state": seen})
    return CheckResult.RECOVERED if is_back else CheckResult.CORRECTED


def _force(draft: Draft, seen: PowerState, spare_id: RequestID, settings: Settings) -> CheckResult:
    """Drive the machine back; one that does not stay there is given up as one that does not answer is."""
    record, forced = draft.state.record, draft.check.forced + 1
    draft.check = replace(draft.check, call=None, failures=0)
    if draft.state.first is not None:
        return CheckResult.SKIPPED
    draft.check = replace(draft.check, forced=forced)
    if forced > settings.power_state_sync_max_retries:
        why = f"It was found at {seen} although it had been driven to {record.power_state} {forced - 1} times in a row."
        _set_fault(draft, seen, why, None)
        return CheckResult.FAULTED
    verb = NodePowerSet(node=record.name, target=PowerTarget(str(record.power_state)))
    request = RequestRecord(
        id=spare_id,
        node_uuid=record.uuid,
        node_name=record.name,
        verb=tag_of(verb),
        arguments=arguments_of(verb),
        requester=REQUESTER,
        state=RequestState.QUEUED,
        accepted_at=draft.now,
    )
    draft.enqueue(replace_of(request, trace=tracing.accepted(request, 1, None)))
    return CheckResult.FORCED


def _failed(draft: Draft, error: CastironError, settings: Settings) -> CheckResult:
    failures = draft.check.failures + 1
    draft.check = replace(draft.check, call=None, failures=failures)
    if failures <= settings.power_state_sync_max_retries or draft.state.record.maintenance:
        return CheckResult.FAILED
    why = f"Its BMC gave no power state {failures} times in a row. {error.message}"
    _set_fault(draft, None, why, error)
    return CheckResult.FAULTED


def _set_fault(draft: Draft, seen: PowerState | None, why: str, error: CastironError | None) -> None:
    """Put the node aside in one commit. What its power state is, is not known, unless it was seen."""
    record = draft.state.record
    draft.record(
        maintenance=True,
        maintenance_reason=why,
        fault=Fault.POWER_FAILURE,
        last_error=why,
        power_state=seen,
        power_state_at=None if seen is None else draft.now,
    )
    told = {"fault": Fault.POWER_FAILURE.value, "reason": why, "from_power": record.power_state, "power_state": seen}
    failure = {} if error is None else {"error": error.to_wire()}
    draft.tell(EventType.NODE_FAULT_SET, told | failure)


def _clear_fault(draft: Draft, seen: PowerState) -> None:
    record = draft.state.record
    is_own = record.last_error == record.maintenance_reason  # not that of a request that has failed since
    draft.record(
        maintenance=False, maintenance_reason=None, fault=None, last_error=None if is_own else record.last_error
    )
    draft.tell(EventType.NODE_FAULT_CLEARED, {"fault": Fault.POWER_FAILURE.value, "power_state": seen})
