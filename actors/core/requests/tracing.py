"""What a request's trace says: its whole life, in a bounded number of entries. Pure.

Entries are noted where decisions are made, and reach the disk with the commits that are made anyway; so what a crash
costs is the exchanges since the latest one, and the trace then says from when to when nothing is known. Equal polls are
one entry with a count, and a life that is too long for its trace loses what is in its middle. Costs one tuple an entry.
May come in: what is worth noting. Must not: what is decided.
"""

from collections.abc import Mapping
from typing import Any, Final, assert_never

from castiron.actors.drivers.base import (
    BootSetting,
    Done,
    GetBootDevice,
    GetPower,
    NotDone,
    Operation,
    Outcome,
    SetBootDevice,
    SetPower,
    Value,
)
from castiron.actors.drivers.findings import Finding
from castiron.actors.drivers.operations import said
from castiron.actors.drivers.work import Deferred, RunStep
from castiron.store.records import Fragment, RequestRecord, TraceEntry
from castiron.store.records.copying import replace
from castiron.transport.vocabulary import BootMode, Instant, PowerState, TraceWord

Trace = tuple[TraceEntry, ...]

MAX_ENTRIES: Final = 64
"""Of one request, some 6 KiB: a reboot that goes well takes 12, and polls that are alike count as one."""

KEPT_FIRST: Final = 16
"""How it began is kept; what is omitted comes after that."""


def noted(trace: Trace, word: TraceWord, at: Instant, **details: Any) -> Trace:
    """Add an entry; details that are None are left out."""
    known = {name: value for name, value in details.items() if value is not None}
    return _bounded((*trace, TraceEntry(word=word, at=at, details=Fragment(known))))


def accepted(request: RequestRecord, position: int, behind: RequestRecord | None) -> Trace:
    """Begin the trace of a request that has just been taken.

    Args:
        position: its place among those that wait.
        behind: the request before it, waiting or running.
    """
    begun = noted(
        (),
        TraceWord.ACCEPTED,
        request.accepted_at,
        requester=request.requester,
        policy=request.policy.value,
        key=request.key,
        hold=request.hold or None,
        deadline_at=request.deadline_at,
        depends_on=request.depends_on,
    )
    before = None if behind is None else behind.id
    return noted(begun, TraceWord.QUEUED, request.accepted_at, position=position, behind=before)


def resumed(trace: Trace, now: Instant) -> Trace:
    """Note that a successor goes on, who knows only what was on disk."""
    return noted(left_behind(trace, now), TraceWord.RESUMED, now)


def left_behind(trace: Trace, now: Instant) -> Trace:
    """Note that what was exchanged since the latest commit is not known: whoever had it in mind has ended."""
    since = max((entry.until or entry.at for entry in trace), default=now)
    return _bounded((*trace, TraceEntry(word=TraceWord.UNKNOWN, at=since, until=now)))


def asked(trace: Trace, operation: Operation | RunStep, now: Instant, step: str | None = None) -> Trace:
    """Note that the BMC, or a worker, is asked for something.

    Args:
        step: for which of the request's steps; None: it has none.
    """
    told = _asked(operation) if step is None else {**_asked(operation), "step": step}
    return noted(trace, TraceWord.EXCHANGE, now, **told)


def waits(trace: Trace, now: Instant, until: Instant) -> Trace:
    """Note that nothing is asked for a while."""
    return _bounded((*trace, TraceEntry(word=TraceWord.WAIT, at=now, until=until)))


def heard(trace: Trace, outcome: Outcome, now: Instant, step: str | None = None) -> Trace:
    """Note what came of the exchange that is under way; polls that are alike become one."""
    place = _open_exchange(trace, step)
    if place is None:
        return trace  # it is not kept any more
    *before, exchange = trace
    if place < len(before):  # somebody wanted something of the request meanwhile
        return (*trace[:place], _closed(trace[place], outcome, now), *trace[place + 1 :])
    closed = _closed(exchange, outcome, now)
    if before and before[-1].word is TraceWord.WAIT:
        *rest, poll, _ = before
        if _is_alike(poll, closed):
            return (*rest, replace(poll, count=poll.count + 1, until=now))
    return (*before, closed)


def ended(trace: Trace, request: RequestRecord, now: Instant) -> Trace:
    """Note how the request has ended."""
    error = None if request.error is None else request.error.get("code")
    applied = None if request.applied is None else request.applied.value
    return noted(trace, TraceWord.ENDED, now, state=request.state.value, error=error, applied=applied)


def _asked(operation: Operation | RunStep) -> Mapping[str, Any]:
    match operation:
        case RunStep(interface=interface, step=step, what=what):
            return {"asked": f"{what} {interface}.{step}"}
        case GetPower():
            return {"asked": "read power state"}
        case SetPower(control=control):
            return {"asked": f"power {control.value}"}
        case GetBootDevice():
            return {"asked": "read boot device"}
        case SetBootDevice(setting=setting):
            return {"asked": "set boot device", **_setting(setting)}
        case _:
            return said(operation)


def _closed(exchange: TraceEntry, outcome: Outcome, now: Instant) -> TraceEntry:
    return replace(exchange, until=now, details=Fragment({**exchange.details, **_came(outcome)}))


def _came(outcome: Outcome) -> Mapping[str, Any]:
    match outcome:
        case Done(value=value):
            return {"answer": _said(value)}
        case NotDone(error=error, applied=applied):
            return {"error": error.code, "applied": applied.value}
        case _:  # pragma: no cover - the type checkers prove that there is no other
            assert_never(outcome)


def _said(value: Value) -> Any:
    """Return an answer in words; what a step has found is in the step's result."""
    if isinstance(value, BootSetting):
        return _setting(value)
    if isinstance(value, PowerState | BootMode):
        return value.value
    if isinstance(value, Finding):
        return str(value)
    if isinstance(value, Deferred):
        return "deferred"
    return "not done" if value is False else "done"


def _setting(setting: BootSetting) -> Mapping[str, Any]:
    return {"boot_device": setting.device.value, "persistent": setting.persistent, "uefi": setting.uefi}


def _is_alike(poll: TraceEntry, other: TraceEntry) -> bool:
    return poll.word is other.word and poll.details == other.details


def _open_exchange(trace: Trace, step: str | None) -> int | None:
    places = range(len(trace) - 1, -1, -1)
    return next((at for at in places if _is_open(trace[at]) and trace[at].details.get("step") == step), None)


def _is_open(entry: TraceEntry) -> bool:
    return entry.word is TraceWord.EXCHANGE and entry.until is None


def _bounded(trace: Trace) -> Trace:
    if len(trace) <= MAX_ENTRIES:
        return trace
    first, gap, rest = trace[:KEPT_FIRST], trace[KEPT_FIRST], trace[KEPT_FIRST + 1 :]
    if gap.word is not TraceWord.OMITTED:
        gap = TraceEntry(word=TraceWord.OMITTED, at=gap.at, until=gap.until or gap.at, count=gap.count)
    lost = rest[0]
    gap = replace(gap, count=gap.count + lost.count, until=lost.until or lost.at)
    return (*first, gap, *rest[1:])
