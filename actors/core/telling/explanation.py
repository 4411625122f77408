"""Why a node is not doing what it was asked for: findings, each read off facts that are on record. Pure.

FINDINGS is the whole of it: one row a thing that can be the matter, what stands in the way most first. Nothing here
guesses: what is not known is not said. May come in: a row, with its test. Must not: what is done about it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from castiron.actors.core.machines.actions import POWER_SET
from castiron.actors.core.machines.pace import pace_of
from castiron.actors.core.requests.tracing import Trace
from castiron.actors.core.state import NOT_BEGUN, Active, NodeState
from castiron.actors.core.telling import standing
from castiron.actors.settings import Settings
from castiron.store.records import EventRecord, RequestRecord
from castiron.transport.replies import Explanation, Finding
from castiron.transport.vocabulary import CheckPace, EventType, Fault, Instant, TraceWord

HISTORY_COUNT: Final = 100
"""Events of the node that are looked at, the latest: enough to find who set a maintenance in most lives."""

OLD_CHECKS: Final = 3.0
"""A power state that is older than so many intervals is told as old."""

_FAILURES: Final = frozenset(
    {EventType.POWER_SET_ERROR, EventType.BOOT_DEVICE_SET_ERROR, EventType.PROVISION_SET_ERROR}
)
_SUCCESSES: Final = frozenset({EventType.POWER_SET_END, EventType.BOOT_DEVICE_SET_END, EventType.PROVISION_SET_END})


@dataclass(frozen=True, slots=True, kw_only=True)
class BMCTrouble:
    """What the conductor has noted of a BMC that fails."""

    since: Instant
    counts: Mapping[str, int]
    """Code → how often, since then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is looked at."""

    state: NodeState
    now: Instant
    settings: Settings
    history: Sequence[EventRecord] = ()
    """The node's latest events, the latest first; HISTORY_COUNT of them."""
    permits_in_use: int = 0
    permits_limit: int = 1
    power_in_use: int = 0
    """Of the permits: those of power actions, where the settings have a bound for these."""
    permits_ahead: int | None = None
    """Requests that get a permit before the node's next; None: it does not wait for one."""
    trouble: BMCTrouble | None = None


def explain(facts: Facts) -> Explanation:
    """Return what there is to say."""
    record = facts.state.record
    findings = [finding for find in FINDINGS for finding in find(facts)]
    if not findings:
        text = f"Nothing is in {record.name}'s way, and nothing is asked of it.{_next_check(facts)}"
        findings = [Finding(code="node.idle", text=text)]
    return Explanation(node=record.name, node_uuid=record.uuid, findings=findings)


def _leaving(facts: Facts) -> Iterator[Finding]:
    if facts.state.leaving:
        yield Finding(code="node.leaving", text=f"{facts.state.record.name} is being deleted.")


def _aside(facts: Facts) -> Iterator[Finding]:
    record = facts.state.record
    if record.fault is Fault.ACTOR_FAILURE:
        yield Finding(
            code="node.aside",
            text=f"{record.name} was put aside: {record.last_error}",
            since=_latest_at(facts, EventType.NODE_FAULT_SET),
            advice=f"`castiron node maintenance unset {record.name}` tries it again; the log says why it failed.",
        )


def _fault(facts: Facts) -> Iterator[Finding]:
    record = facts.state.record
    if record.fault is Fault.POWER_FAILURE:
        yield Finding(
            code="node.fault",
            text=f"It is in maintenance for a fault: {record.maintenance_reason}",
            since=_latest_at(facts, EventType.NODE_FAULT_SET),
            advice="See to the BMC: its next good answer ends the maintenance. `castiron node maintenance unset` does, "
            "too.",
            details={"fault": record.fault.value},
        )


def _maintenance(facts: Facts) -> Iterator[Finding]:
    record = facts.state.record
    if not record.maintenance or record.fault is not None:
        return
    event = _latest(facts, EventType.MAINTENANCE_SET_END)
    who = None if event is None else event.draft.payload.get("requester")
    yield Finding(
        code="node.maintenance",
        text=f"It was put into maintenance by {who or 'somebody'}: {record.maintenance_reason or 'no reason given'}.",
        since=None if event is None else event.draft.at,
        advice="`castiron node maintenance unset` ends it; nothing else does.",
        details={"requester": who, "reason": record.maintenance_reason},
    )


def _guarded(facts: Facts) -> Iterator[Finding]:
    yield from standing.guards(facts.state.record)


def _passwords(facts: Facts) -> Iterator[Finding]:
    if facts.state.running is None:  # otherwise it is on its way
        yield from standing.passwords(facts.state.record)


def _active(facts: Facts) -> Iterator[Finding]:
    active = facts.state.active
    if active is None:
        return
    request = active.request
    what, since = _waits_for(active, facts.now)
    end = f"It is ended by {request.abort_by}. " if request.abort_by is not None else ""
    yield Finding(
        code="request.running",
        text=f"{_named(request)} is {active.action.step()}. {end}{what}",
        since=since,
        advice=None if end else _limit(request, facts.now),
        details={"request": request.id, "step": active.action.step(), "overdue_at": request.overdue_at},
    )


def _interrupted(facts: Facts) -> Iterator[Finding]:
    request = facts.state.interrupted
    if request is not None:
        yield Finding(
            code="request.interrupted",
            text=f"{_named(request)} was left behind by a restart, and waits to be taken up again. "
            f"{_permits(facts, request)}",
            since=request.started_at,
            details={"request": request.id},
        )


def _queued(facts: Facts) -> Iterator[Finding]:
    state = facts.state
    for place, request in enumerate(state.queue):
        why, advice = _why_waiting(facts, place)
        yield Finding(
            code="request.queued",
            text=f"{_named(request)} waits at place {place + 1}. {why}",
            since=request.accepted_at,
            advice=advice,
            details={
                "request": request.id,
                "position": place + 1,
                "deadline_at": request.deadline_at,
                "depends_on": request.depends_on,
            },
        )


def _parked(facts: Facts) -> Iterator[Finding]:
    parked = facts.state.parked
    if parked:
        yield Finding(
            code="request.parked",
            text=f"{len(parked)} requests are judged once the machine has been looked at, as they asked for.",
            details={"count": len(parked)},
        )


def _failed(facts: Facts) -> Iterator[Finding]:
    event = next((one for one in facts.history if one.draft.type in _FAILURES | _SUCCESSES), None)
    if event is None or event.draft.type in _SUCCESSES:
        return
    error: Mapping[str, Any] = event.draft.payload.get("error") or {}
    retry_s = error.get("retry_after_s")
    yield Finding(
        code="request.failed",
        text=f"The latest request failed with {error.get('code')}: {error.get('message')}",
        since=event.draft.at,
        advice=f"Ask again after {retry_s:g} s." if retry_s else f"`castiron request trace {event.draft.request_id}`.",
        details={"request": event.draft.request_id, "code": error.get("code"), "applied": error.get("applied")},
    )


def _power(facts: Facts) -> Iterator[Finding]:
    state = facts.state
    seen, at = state.record.power_state, state.power_state_at
    every_s = pace_of(state, NOT_BEGUN, facts.settings).every_s
    if seen is None:
        yield Finding(code="power_state.unknown", text="Its power state is not known.", since=at)
    elif at is not None and every_s and facts.now - at > OLD_CHECKS * every_s:
        text = f"It was last seen at {seen}, {facts.now - at:.0f} s ago; it is looked at each {every_s:g} s."
        yield Finding(code="power_state.old", text=text, since=at, details={"power_state": seen.value})


def _unchecked(facts: Facts) -> Iterator[Finding]:
    state = facts.state
    if not pace_of(state, state.check, facts.settings).every_s:
        yield Finding(
            code="check.off",
            text="Its power state is not checked: the settings, or its own interval, or its maintenance say so.",
        )


def _paced(facts: Facts) -> Iterator[Finding]:
    """Tell of a node that is checked more or less often than usual."""
    check = facts.state.check
    slower = {CheckPace.SILENT: f"{check.failures} in a row have failed", CheckPace.FAULT: "it has a fault"}
    details = {"pace": check.pace.value, "every_s": check.every_s, "due_at": check.due_at}
    if check.pace in slower:
        yield Finding(
            code="check.slower",
            text=f"Its power is checked less often, because {slower[check.pace]}: "
            f"each {check.every_s:g} s or a little sooner.{_next_check(facts)}",
            advice="Its first answer makes checks as frequent as usual; a request asks the BMC at once.",
            details=details,
        )
    elif check.pace is CheckPace.AFTER_ACTION:
        text = f"Its power is checked more often for a while, because it was acted on.{_next_check(facts)}"
        yield Finding(code="check.faster", text=text, since=check.acted_at, details=details)


def _failing(facts: Facts) -> Iterator[Finding]:
    failures = facts.state.check.failures
    if failures:
        yield Finding(
            code="check.failing",
            text=f"{failures} power checks in a row got no power state.",
            since=facts.state.power_state_at,
            advice="See whether the BMC answers, and whether its address and password are right.",
            details={"failures": failures},
        )


def _troubled(facts: Facts) -> Iterator[Finding]:
    trouble = facts.trouble
    if trouble is not None:
        counts = ", ".join(f"{count} {code}" for code, count in trouble.counts.items())
        yield Finding(
            code="bmc.troubled",
            text=f"Its BMC fails: {counts}.",
            since=trouble.since,
            advice="The conductor's log has the words of the latest failures.",
            details={"counts": dict(trouble.counts)},
        )


FINDINGS: Final[tuple[Callable[[Facts], Iterator[Finding]], ...]] = (
    _leaving,
    _aside,
    _fault,
    _maintenance,
    _guarded,
    _active,
    _interrupted,
    _queued,
    _parked,
    _failed,
    _passwords,
    _failing,
    _troubled,
    _power,
    _paced,
    _unchecked,
)
"""Everything that can be the matter, what stands in the way most first."""


def _next_check(facts: Facts) -> str:
    check = facts.state.check
    if check.due_at is None:
        return ""
    if check.call is not None:
        return " A power check is under way."
    return f" The next power check comes within {max(0.0, check.due_at - facts.now):.0f} s."


def _limit(request: RequestRecord, now: Instant) -> str:
    """Return when a request that runs is given up, and how to end it before."""
    if request.overdue_at is None:
        return "It goes on when somebody says so; `castiron node unhold` does, `castiron request abort` ends it."
    limit_s = max(0.0, request.overdue_at - now)
    return f"It is given up in {limit_s:.0f} s at the latest; `castiron request abort` ends it."


def _waits_for(active: Active, now: Instant) -> tuple[str, Instant | None]:
    """Return what a request that runs waits for, and since when."""
    trace: Trace = active.trace
    last = trace[-1] if trace else None
    exchange = next((one for one in reversed(trace) if one.word is TraceWord.EXCHANGE), None)
    if active.call is not None and exchange is not None and exchange.until is None:
        return f"The BMC was asked to {exchange.details['asked']} {now - exchange.at:.1f} s ago.", exchange.at
    if active.engine_wish is not None:
        return "It waits for an engine to go on: max_engines are at work.", None
    if last is not None and last.word is TraceWord.WAIT and last.until is not None:
        return f"The BMC is asked again in {max(0.0, last.until - now):.1f} s.", last.at
    return "", active.request.started_at


def _why_waiting(facts: Facts, place: int) -> tuple[str, str | None]:
    state = facts.state
    request = state.queue[place]
    if state.is_held(request):
        return "It is held until the end of the maintenance.", "End the maintenance, or cancel it."
    if state.first is not None and state.first.id == request.id:
        return _permits(facts, request), None
    before = next((one for one in reversed(state.queue[:place]) if not state.is_held(one)), state.running)
    if before is None:
        return "It waits for its turn.", None
    if request.depends_on == before.id:
        return f"It starts if {_named(before)} succeeds, and fails if not.", None
    return f"It waits for its turn, behind {_named(before)}.", None


def _permits(facts: Facts, request: RequestRecord) -> str:
    if facts.permits_in_use >= facts.permits_limit:
        return (
            f"It waits for a permit: {facts.permits_in_use} requests run, and max_running_actions is "
            f"{facts.permits_limit}."
        )
    cap = facts.settings.max_concurrent_power
    if request.verb == POWER_SET and cap and facts.power_in_use >= cap:
        return f"It waits for a permit: {facts.power_in_use} power actions run, and max_concurrent_power is {cap}."
    rate, ahead = facts.settings.power_action_rate_per_s, facts.permits_ahead
    if request.verb == POWER_SET and rate and ahead is not None:
        wait_s = (ahead + 1) / rate
        return (
            f"It waits for a permit: {ahead} power actions begin before it, those who ask taking turns, and "
            f"power_action_rate_per_s is {rate:g}, so it begins in some {wait_s:.3g} s."
        )
    return "It is about to start."


def _named(request: RequestRecord) -> str:
    return f"{request.verb} from {request.requester} (request {request.id})"


def _latest(facts: Facts, kind: EventType) -> EventRecord | None:
    return next((event for event in facts.history if event.draft.type is kind), None)


def _latest_at(facts: Facts, kind: EventType) -> Instant | None:
    event = _latest(facts, kind)
    return None if event is None else event.draft.at
