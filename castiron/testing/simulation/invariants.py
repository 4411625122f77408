"""The invariants of a conductor, each judged by one function over the evidence of a simulation. Pure.

A judge holds what it finds against its invariant, case by case: `hold(is_so, sentence)`. The sentence says what is
wrong where it is not so. A judge that had nothing to look at has judged no case, which a verdict tells.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from castiron.actors.core.machines.actions import EVENTS, target_power_state
from castiron.actors.core.node import LAST_WORD_S
from castiron.store.records import RequestRecord
from castiron.testing.simulation.evidence import Evidence
from castiron.testing.simulation.machines import Machine
from castiron.transport.errors import CapacityError, ConductorOverloaded, MailboxFull
from castiron.transport.events import EventView
from castiron.transport.replies import NodeView
from castiron.transport.verbs import NodeCreate
from castiron.transport.vocabulary import (
    FINAL_REQUEST_STATES,
    NodeUUID,
    RequestID,
    RequestState,
)

TICK_S: Final = 0.01
"""A tick of the clock of a real conductor: what is due is done by the next one."""

MAX_TOLD: Final = 20
"""Violations of one invariant that are told; more say no more."""

Hold = Callable[[bool, str], None]
Judge = Callable[[Evidence, Hold], None]

_STARTS: Final = frozenset(events.start.value for events in EVENTS.values())
_ENDS: Final = frozenset(word.value for events in EVENTS.values() for word in (events.end, events.error))
_LAST_WORDS: Final = MappingProxyType(
    {RequestState.SUCCEEDED: "end", RequestState.FAILED: "error", RequestState.CANCELLED: "error"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of judging one invariant."""

    name: str
    meaning: str
    judged_count: int
    """Cases that were looked at."""
    violation_count: int
    violations: tuple[str, ...]
    """The first of them, as sentences."""

    @property
    def held(self) -> bool:
        """Whether no case was otherwise."""
        return not self.violation_count


def judge(evidence: Evidence) -> list[Verdict]:
    """Judge all invariants."""
    return [_verdict(name, evidence) for name in INVARIANTS]


def _verdict(name: str, evidence: Evidence) -> Verdict:
    meaning, judged_by = INVARIANTS[name]
    judged_count, violations = 0, list[str]()

    def hold(is_so: bool, sentence: str) -> None:
        nonlocal judged_count
        judged_count += 1
        if not is_so:
            violations.append(sentence)

    judged_by(evidence, hold)
    told = tuple(violations[:MAX_TOLD])
    return Verdict(
        name=name, meaning=meaning, judged_count=judged_count, violation_count=len(violations), violations=told
    )


def one_change_at_a_time(evidence: Evidence, hold: Hold) -> None:
    """Judge I1: on each node a change starts only when the one before it has ended."""
    under_way: dict[str | None, str | None] = {}
    for event in evidence.events:
        if event.type in _STARTS:
            other = under_way.get(event.node_uuid)
            hold(other is None, f"event {event.seq}: {event.request} starts on {event.node} while {other} is under way")
            under_way[event.node_uuid] = event.request
        elif event.type in _ENDS:
            under_way[event.node_uuid] = None


def each_start_has_one_end(evidence: Evidence, hold: Hold) -> None:
    """Judge I2: the events of a request are a start and then one end or error, as its record says."""
    told: dict[str, list[str]] = defaultdict(list)
    for event in evidence.events:
        if event.request is not None:
            told[event.request].append(event.type.rpartition(".")[2])
    for request in evidence.requests.values():
        if request.verb in EVENTS:
            words, expected = told.pop(request.id, []), _expected(request)
            hold(words == expected, f"request {request.id} is {request.state}, and its events are {words}")
    for unknown, words in told.items():
        hold(False, f"request {unknown} is not known, and its events are {words}")  # noqa: FBT003 - never so


def _expected(request: RequestRecord) -> list[str]:
    if request.started_at is None:
        return []
    return ["start", *([_LAST_WORDS[request.state]] if request.state in _LAST_WORDS else [])]


def accepted_means_ended(evidence: Evidence, hold: Hold) -> None:
    """Judge I3: what was accepted is known, and has ended, whatever crashed."""
    for question in evidence.questions:
        if question.accepted_id is not None:
            is_known = question.accepted_id in evidence.requests
            hold(is_known, f"{question.requester}: {question.accepted_id} was accepted and forgotten")
    for request in evidence.requests.values():
        hold(request.state in FINAL_REQUEST_STATES, f"request {request.id} on {request.node_name} is {request.state}")
    for node in evidence.nodes:
        target = node.target_power_state
        hold(target is None, f"{node.name} has the target {target}, and nothing is under way")


def same_key_runs_once(evidence: Evidence, hold: Hold) -> None:
    """Judge I4: no two requests have the same key."""
    first: dict[str, RequestID] = {}
    for request in evidence.requests.values():
        if request.key is not None:
            other = first.setdefault(request.key, request.id)
            hold(other == request.id, f"requests {other} and {request.id} have the same key {request.key}")


def refused_leaves_no_trace(evidence: Evidence, hold: Hold) -> None:
    """Judge I5: of what was refused there is neither a request nor an event."""
    traces: dict[str, str] = {request.requester: f"request {request.id}" for request in evidence.requests.values()}
    for event in evidence.events:
        traces.setdefault(str(event.payload.get("requester")), f"event {event.seq}, {event.type}")
    for question in evidence.questions:
        if question.error is not None and question.accepted_id is None:
            trace = traces.get(question.requester)
            hold(trace is None, f"{question.requester} was refused ({question.error.code}), and there is {trace}")


def timeouts_within_one_tick(evidence: Evidence, hold: Hold) -> None:
    """Judge I7: what runs out of time ends within one tick, however many do at the same instant."""
    for request in _undisturbed(evidence):
        if request.state is RequestState.FAILED and request.ended_at is not None and request.deadline_at is not None:
            late_s = request.ended_at - request.deadline_at - LAST_WORD_S
            hold(late_s <= TICK_S, f"request {request.id} on {request.node_name} ended {late_s:.3f} s late")


def failed_actors_are_replaced(evidence: Evidence, hold: Hold) -> None:
    """Judge I8: a failed actor has a successor in time, and its neighbours are untouched."""
    for failure in evidence.failures:
        hold(failure.is_replaced, f"the actor of {failure.node_uuid} failed at {failure.at} and has no successor")
        others = failure.neighbours_replaced
        hold(not others, f"the actor of {failure.node_uuid} failed at {failure.at}, and others went, too: {others}")


def manual_maintenance_stays(evidence: Evidence, hold: Hold) -> None:
    """Judge I9: maintenance that somebody has set is left only because somebody asked for it."""
    by_hand: dict[str | None, bool] = {}
    for event in evidence.events:
        wanted, requester = event.payload.get("maintenance"), event.payload.get("requester")
        if wanted is None:
            continue
        if requester is not None:
            by_hand[event.node_uuid] = bool(wanted)
        elif by_hand.get(event.node_uuid):
            hold(bool(wanted), f"event {event.seq}: {event.node} left maintenance, and nobody asked for it")
    for node in evidence.nodes:
        if by_hand.get(node.uuid):
            hold(node.maintenance, f"{node.name} is not in maintenance any more, and nobody asked for that")


def numbers_have_no_gap(evidence: Evidence, hold: Hold) -> None:
    """Judge I10: event numbers have no gap, neither all nor those of a node; what was published is what is stored."""
    latest: dict[str | None, int] = {}
    for position, event in enumerate(evidence.events, start=1):
        hold(event.seq == position, f"event {event.seq} stands where {position} should")
        if event.node_uuid is not None:
            due = latest.get(event.node_uuid, 0) + 1
            hold(event.node_seq == due, f"event {event.seq} is {event.node_seq} of {event.node}, not {due}")
            latest[event.node_uuid] = due
    for node in evidence.nodes:
        hold(node.node_seq == latest.get(node.uuid, 0), f"{node.name} counts {node.node_seq} events")
    hold(list(evidence.events) == evidence.published, _first_difference(evidence.events, evidence.published))


def _first_difference(stored: Iterable[EventView], published: Iterable[EventView]) -> str:
    pairs = zip(stored, published, strict=False)
    number = next((one.seq for one, other in pairs if one != other), "the shorter one's end")
    return f"what was published is not what is stored, from event {number} on"


def busy_says_when_to_come_back(evidence: Evidence, hold: Hold) -> None:
    """Judge I11: busy names a limit or who is being replaced, and says when to try again."""
    for question in evidence.questions:
        error = question.error
        if isinstance(error, CapacityError):
            hold(error.retry_after_s is not None, f"{question.requester}: {error.code} does not say when to come back")
        if isinstance(error, MailboxFull | ConductorOverloaded):
            names_it = "limit" in error.details or "what" in error.details
            hold(names_it, f"{question.requester}: {error.code} does not say which limit was reached")


def actions_end_by_their_deadline(evidence: Evidence, hold: Hold) -> None:
    """Judge I12: nothing runs beyond its deadline, not even where a driver never answers."""
    for request in _undisturbed(evidence):
        if request.started_at is not None and request.deadline_at is not None:
            ended_at = evidence.ended_at if request.ended_at is None else request.ended_at
            late_s = ended_at - request.deadline_at - LAST_WORD_S
            hold(late_s <= TICK_S, f"request {request.id} on {request.node_name} ran for {late_s:.3f} s too long")


def _undisturbed(evidence: Evidence) -> list[RequestRecord]:
    """Return the requests during which nothing happened to the conductor, its disk, or their node's actor."""
    failed: dict[str, list[float]] = defaultdict(list)
    for failure in evidence.failures:
        failed[failure.node_uuid].append(failure.at)

    def is_undisturbed(request: RequestRecord) -> bool:
        until = evidence.ended_at if request.ended_at is None else request.ended_at
        return not any(
            outage.begin <= until and outage.end >= request.accepted_at for outage in evidence.outages
        ) and not any(request.accepted_at <= at <= until for at in failed[request.node_uuid])

    return [request for request in evidence.requests.values() if is_undisturbed(request)]


def every_question_is_answered_once(evidence: Evidence, hold: Hold) -> None:
    """Judge that who asks hears one last word, unless the conductor was killed before it."""
    for question in evidence.questions:
        expected = (0, 1) if question.is_lost else (1,)
        hold(question.told_count in expected, f"{question.requester} heard {question.told_count} last words")


def success_is_true(evidence: Evidence, hold: Hold) -> None:
    """Judge that a power request succeeds only if the machine has been in that state meanwhile, or its BMC lied."""
    machines = _machines_of(evidence)
    for request in evidence.requests.values():
        machine = machines.get(request.node_uuid)
        wanted = target_power_state(request)
        if machine is None or wanted is None or request.state is not RequestState.SUCCEEDED:
            continue
        begin, end = request.started_at or request.accepted_at, request.ended_at or evidence.ended_at
        was_lied_to = any(begin <= at <= end for at in machine.lies)
        is_so = was_lied_to or machine.was(wanted, begin, end)
        hold(is_so, f"request {request.id} succeeded, and {request.node_name} has not been in {wanted}")


def nothing_is_left_over(evidence: Evidence, hold: Hold) -> None:
    """Judge that a conductor at rest holds nothing, and that none gave up."""
    for what, count in evidence.left_over.items():
        hold(count == 0, f"{count} {what} are left when all is at rest")
    for reason in evidence.conductor_failures or [""]:
        hold(not reason, f"the conductor gave up: {reason}")


def _machines_of(evidence: Evidence) -> dict[NodeUUID, Machine]:
    """Return which machine each node stands for; of deleted ones too, if their creation was answered."""
    by_address = {machine.bmc_address: machine for machine in evidence.machines}
    by_info = {str(sorted(machine.driver_info.items())): machine for machine in evidence.machines}
    found = {node.uuid: by_address[node.bmc_address] for node in evidence.nodes if node.bmc_address in by_address}
    for question in evidence.questions:
        if isinstance(question.verb, NodeCreate):
            machine = by_info.get(str(sorted(question.verb.driver_info.items())))
            for view in question.results:
                if machine is not None and isinstance(view, NodeView):
                    found[NodeUUID(view.uuid)] = machine
    return found


INVARIANTS: Final[Mapping[str, tuple[str, Judge]]] = MappingProxyType(
    {
        "I1": ("one change at a time on a node", one_change_at_a_time),
        "I2": ("each start has exactly one end or error, in order", each_start_has_one_end),
        "I3": ("what was accepted has ended", accepted_means_ended),
        "I4": ("the same key never runs twice", same_key_runs_once),
        "I5": ("what was refused leaves no trace", refused_leaves_no_trace),
        "I7": ("time-outs are handled within one tick", timeouts_within_one_tick),
        "I8": ("a failed actor is replaced within 2 s, its neighbours untouched", failed_actors_are_replaced),
        "I9": ("manual maintenance is never left automatically", manual_maintenance_stays),
        "I10": ("event numbers have no gap", numbers_have_no_gap),
        "I11": ("busy says which limit, and when to come back", busy_says_when_to_come_back),
        "I12": ("an action ends by its deadline", actions_end_by_their_deadline),
        "answers": ("every question is answered once", every_question_is_answered_once),
        "truth": ("a power request that succeeded is true", success_is_true),
        "rest": ("nothing is left over", nothing_is_left_over),
    }
)
"""Name → what must hold, and who judges it. The numbers are those of the project's design."""
