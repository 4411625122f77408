"""A node's record, lived through again: the pure core is told the same messages and outcomes, and must decide alike.

What `castiron node record` writes is read here. A request can be lived through if its trace has every exchange: it has
started and ended, its owner did not change, nothing was omitted; and if all steps of one that moved its node are
castiron's own, and nobody else ended one. Not recorded, and so not compared: what was refused, an exchange's bytes, the
instants of polls that were folded into one entry, and the conductor's settings, which are given here. Pure but for
reading lines.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from castiron.actors.core.effects import CallDriver, CancelTimer, SetTimer
from castiron.actors.core.machines.actions import EVENTS, PROVISION_SET
from castiron.actors.core.messages import Heard, Message, PermitGranted, Recover, Submit, TimerDue, Withdraw
from castiron.actors.core.node import decide
from castiron.actors.core.provision.run import Run
from castiron.actors.core.requests import tracing
from castiron.actors.core.state import Active, Lane, NodeState, Ticket
from castiron.actors.drivers.base import BootSetting, Done, NotDone, Operation, Outcome
from castiron.actors.settings import Settings
from castiron.store.records import NodeRecord, RequestRecord
from castiron.testing.recorded import planned, results_of, why_steps_are_lacking
from castiron.transport.errors import from_wire
from castiron.transport.verbs import from_arguments
from castiron.transport.vocabulary import (
    FINAL_REQUEST_STATES,
    Applied,
    BootDevice,
    ConductorID,
    EventType,
    Instant,
    NodeName,
    NodeUUID,
    PowerState,
    ProvisionState,
    RequestID,
    TraceWord,
)

FORMAT: Final = "castiron node record 1"

INCOMPLETE: Final = frozenset({TraceWord.UNKNOWN, TraceWord.OMITTED, TraceWord.RESUMED})
"""A trace with one of these does not have every exchange."""


MOVE_ENDS: Final = (EventType.PROVISION_SET_END, EventType.PROVISION_SET_ERROR)


class NoRecord(Exception):
    """What was read is not a node's record of a kind that is known here."""


@dataclass(slots=True)
class Replay:
    """What came of it."""

    compared: list[str] = field(default_factory=list[str])
    """Ids of the requests that were lived through."""
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    """Ids of those that could not be, and why."""
    differences: list[str] = field(default_factory=list[str])
    """Where the core now decides otherwise, in words."""


@dataclass(frozen=True, slots=True)
class Told:
    """What happened to a request from outside, at a time."""

    at: Instant
    what: Outcome | str
    """The outcome of an exchange, or who aborted it."""
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_soon: bool = False
    """It was heard some time after `at`: as soon as it was asked for, for all that is known."""


def replay(lines: Iterable[str], settings: Settings) -> Replay:
    """Live through every request of a record that has what it takes.

    Args:
        lines: of the file.
        settings: those of the conductor that wrote it.

    Raises:
        NoRecord: it does not begin with the header of a node's record.
    """
    header, events, requests = _read(lines)
    outcome = Replay()
    for request in reversed(requests):
        why = _why_not(request)
        if why is not None:
            outcome.skipped[request["id"]] = why
            continue
        own = [event for event in reversed(events) if event.get("request") == request["id"]]
        if not _is_whole(request, own):
            outcome.skipped[request["id"]] = "its events are kept no more"
            continue
        outcome.compared.append(request["id"])
        outcome.differences += _Life(header, request, own, settings).differences()
    return outcome


class _Life:
    """One request, lived through again."""

    def __init__(
        self,
        header: Mapping[str, Any],
        request: Mapping[str, Any],
        events: Sequence[Mapping[str, Any]],
        settings: Settings,
    ) -> None:
        self._request = request
        self._events = events
        self._settings = replace(settings, sync_power_state_interval_s=0.0, power_failure_recovery_interval_s=0.0)
        self._state = NodeState(record=_node(header, request, events))
        self._now = Instant(0.0)
        self._timers: dict[Ticket, Instant] = {}
        self._asked: dict[str | None, tuple[Ticket, Operation]] = {}
        """Step, or None: of a request without steps → what is asked for."""
        self._told: list[str] = []
        self._ended: RequestRecord | None = None
        self._differences: list[str] = []

    def differences(self) -> list[str]:
        """Return in words what is otherwise than in the record."""
        request, at = self._request, Instant(self._request["started_at"])
        terms = {name: request[name] for name in ("policy", "hold", "on_restart")}
        verb = from_arguments(request["verb"], {**request["arguments"], "node": request["node"], **terms})
        request_id = RequestID(request["id"])
        plan = planned(request, self._settings.step_timeout_s)
        asked = Submit(request_id=request_id, verb=verb, requester=request["requester"], reply_to=None, plan=plan)
        self._tell(Recover(), at)
        self._tell(asked, at)
        self._tell(PermitGranted(request_id=request_id), at)
        for told in _story(request["trace"], results_of(request)):
            self._live_until(self._next_wake(told.at) if told.is_soon else told.at)
            self._hear(told, request_id)
        self._live_until(Instant(request["ended_at"]))
        self._compare()
        return [f"{request['id']}: {text}" for text in self._differences]

    def _hear(self, told: Told, request_id: RequestID) -> None:
        if isinstance(told.what, str):
            abort = Withdraw(request_id=request_id, is_abort=True, force=True, requester=told.what, reply_to=None)
            return self._tell(abort, told.at)
        step = told.asked.get("step")
        if step not in self._asked:
            return self._differ(f"it was asked to {told.asked['asked']}, and now nothing is asked")
        ticket, operation = self._asked.pop(step)
        now_asked = tracing.asked((), operation, told.at, step=step)[0].details
        if now_asked != told.asked:
            self._differ(f"it was asked to {told.asked['asked']}, and now to {now_asked['asked']}")
        return self._tell(Heard(ticket=ticket, outcome=told.what), max(told.at, self._now))

    def _next_wake(self, at: Instant) -> Instant:
        """Return when something is asked for next, if nothing is now."""
        active = self._state.active
        waiting: tuple[Active | Lane, ...] = () if active is None else (active, *active.lanes)
        wakes = [self._timers[one.wake] for one in waiting if one.wake is not None]
        return at if self._asked else max((at, *wakes))

    def _live_until(self, at: Instant) -> None:
        """Let the timers come that are due by then; those that are due later have been in nobody's way."""
        while self._timers and self._ended is None:
            ticket, due = min(self._timers.items(), key=lambda timer: timer[1])
            if due > at:
                return
            del self._timers[ticket]
            self._tell(TimerDue(ticket=ticket, at=due), due)

    def _tell(self, message: Message, at: Instant) -> None:
        self._now = at
        decision = decide(self._state, message, at, self._settings)
        self._state = decision.state
        if decision.change is not None:
            self._told += [event.type.value for event in decision.change.events]
            ended = (one for one in decision.change.requests if one.state in FINAL_REQUEST_STATES)
            self._ended = next(ended, self._ended)
        for effect in decision.effects:
            match effect:
                case CallDriver(ticket=ticket, operation=operation):
                    self._asked[_step_of(self._state.active, ticket)] = (ticket, operation)
                case SetTimer(ticket=ticket, at=due):
                    self._timers[ticket] = due
                case CancelTimer(ticket=ticket):
                    self._timers.pop(ticket, None)
                case _:
                    pass

    def _compare(self) -> None:
        ended, request = self._ended, self._request
        if ended is None:
            return self._differ(f"it ended as {request['state']}, and now it does not end")
        then = [event["type"] for event in self._events]
        if self._told != then:
            self._differ(f"it told {', '.join(then)}, and now {', '.join(self._told)}")
        codes = [None if error is None else error["code"] for error in (request["error"], ended.error)]
        if (request["state"], codes[0]) != (ended.state.value, codes[1]):
            self._differ(f"it ended as {request['state']} ({codes[0]}), and now as {ended.state} ({codes[1]})")
        results = [_lasting(request["result"]), _lasting(ended.result)]
        if results[0] != results[1]:
            self._differ(f"it brought {results[0]}, and now {results[1]}")
        return None

    def _differ(self, text: str) -> None:
        self._differences.append(text)


def _read(lines: Iterable[str]) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    try:
        header, *rest = [json.loads(line) for line in lines]
        if header["format"] != FORMAT:
            raise NoRecord(f"A record of the format {header['format']!r} is not known here.")
    except (ValueError, KeyError, TypeError):
        raise NoRecord("This is not a node's record: `castiron node record` writes one.") from None
    kinds = {kind: [line for line in rest if line["kind"] == kind] for kind in ("event", "request")}
    return header, kinds["event"], kinds["request"]


def _why_not(request: Mapping[str, Any]) -> str | None:
    if request["ended_at"] is None:
        return "it has not ended"
    if request["started_at"] is None:
        return "it never started"
    words = {entry["word"] for entry in request["trace"]}
    if words & INCOMPLETE:
        return "its trace does not have every exchange"
    lacking = why_steps_are_lacking(request)
    if lacking is not None:
        return lacking
    return None if TraceWord.ENDED in words else "its trace has no end"


def _node(header: Mapping[str, Any], request: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> NodeRecord:
    """Return the node as it was when the request started, as far as a decision looks at it."""
    node = header["node"]
    before: Mapping[str, Any] = events[0]["payload"] if events else {}
    seen = before.get("power_state")
    stood, meant = (before.get(f"previous_{name}provision_state") for name in ("", "target_"))
    at = Instant(request["started_at"])
    return NodeRecord(
        uuid=NodeUUID(node["uuid"]),
        name=NodeName(request["node"]),
        driver=node["driver"],
        power_state=None if seen is None else PowerState(seen),
        provision_state=ProvisionState.ENROLL if stood is None else ProvisionState(stood),
        target_provision_state=None if meant is None else ProvisionState(meant),
        power_state_change_timeout_s=node["power_state_change_timeout_s"],
        soft_power_off_timeout_s=node["soft_power_off_timeout_s"],
        created_at=at,
        updated_at=at,
        owner=ConductorID(header["conductor"]),
    )


def _is_whole(request: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether all that was told of a request is there."""
    if request["verb"] == PROVISION_SET:
        told = [event["type"] for event in events]
        return bool(told) and told[0] == EventType.PROVISION_SET_START and told[-1] in MOVE_ENDS
    return EVENTS.get(request["verb"]) is None or len(events) == len(("start", "end"))


def _step_of(active: Active | None, ticket: Ticket) -> str | None:
    """Return for which step something is asked; None: for a request without steps."""
    if active is None or not isinstance(active.action, Run):
        return None
    return next(active.action.name_of(lane.place) for lane in active.lanes if lane.call == ticket)


def _story(trace: Iterable[Mapping[str, Any]], results: Mapping[str, Mapping[str, Any]]) -> list[Told]:
    """Return what was heard, in its order; polls that were folded are heard as soon as they were asked.

    Args:
        results: what steps came to, by their names.
    """
    story: list[Told] = []
    for entry in trace:
        details = dict(entry["details"])
        if entry["word"] == TraceWord.ABORT:
            story.append(Told(Instant(entry["at"]), details["requester"]))
        elif entry["word"] == TraceWord.EXCHANGE and entry["until"] is not None:
            outcome = _outcome(details, results.get(details.get("step", ""), {}))
            asked = {name: value for name, value in details.items() if name not in {"answer", "error", "applied"}}
            begun, over = Instant(entry["at"]), Instant(entry["until"])
            story += [Told(begun, outcome, asked, is_soon=True)] * (entry["count"] - 1)
            story.append(Told(over, outcome, asked))
    return sorted(story, key=lambda told: told.at)


def _outcome(details: Mapping[str, Any], result: Mapping[str, Any]) -> Outcome:
    if "error" in details:
        error: Any = from_wire({"code": details["error"], "message": "as recorded"})
        return NotDone(error=error, applied=Applied(details["applied"]))
    answer = details["answer"]
    if answer == "done":
        return Done(value=None)
    if isinstance(answer, Mapping):
        setting = cast("Mapping[str, Any]", answer)
        device = BootDevice(setting["boot_device"])
        return Done(value=BootSetting(device, persistent=setting["persistent"], uefi=setting["uefi"]))
    is_power = answer in {state.value for state in PowerState}
    return Done(value=PowerState(answer) if is_power else result)  # what was found is in the step's result


def _lasting(result: Any) -> Any:
    """Return a result without the instants in it."""
    if isinstance(result, Mapping):
        told = cast("Mapping[str, Any]", result)
        return {name: _lasting(value) for name, value in told.items() if not name.endswith("_at")}
    return [*map(_lasting, result)] if isinstance(result, list) else result  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - JSON
