"""Judges of requests: what was asked for, what was announced, and what came of it. Pure."""

from collections import defaultdict
from types import MappingProxyType
from typing import Final

from castiron.actors.core.machines.actions import EVENTS, PROVISION_SET, target_power_state
from castiron.actors.core.timing import LAST_WORD_S
from castiron.store.records import RequestRecord
from castiron.testing.simulation.evidence import Evidence
from castiron.testing.simulation.judges.homes import TICK_S, Hold, machines_of
from castiron.transport.errors import NodeRemoved
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, EventType, RequestID, RequestState
from castiron.transport.vocabulary.events import Announced

_ANNOUNCED: Final = MappingProxyType(
    {
        **EVENTS,
        PROVISION_SET: Announced(
            EventType.PROVISION_SET_START, EventType.PROVISION_SET_END, EventType.PROVISION_SET_ERROR
        ),
    }
)
_STARTS: Final = frozenset(events.start.value for events in _ANNOUNCED.values())
_ENDS: Final = frozenset(word.value for events in _ANNOUNCED.values() for word in (events.end, events.error))
_BETWEEN: Final = frozenset(
    word.value
    for word in (
        EventType.PROVISION_SET_SUCCESS,
        EventType.STEP_START,
        EventType.STEP_PROGRESS,
        EventType.STEP_END,
        EventType.STEP_ERROR,
    )
)
"""What is told of a request between its start and its end."""
_LAST_WORDS: Final = MappingProxyType(
    {RequestState.SUCCEEDED: "end", RequestState.FAILED: "error", RequestState.CANCELLED: "error"}
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
    """Judge I2: the events of a request are a start and then one end or error, or its end alone, as its record says."""
    told: dict[str, list[str]] = defaultdict(list)
    for event in evidence.events:
        if event.request is not None and event.type not in _BETWEEN:
            told[event.request].append(event.type.rpartition(".")[2])
    for request in evidence.requests.values():
        if request.verb in _ANNOUNCED or request.started_at is None:
            words, expected = told.pop(request.id, []), _expected(request)
            hold(words == expected, f"request {request.id} is {request.state}, and its events are {words}")
    for unknown, words in told.items():
        hold(False, f"request {unknown} is not known, and its events are {words}")  # noqa: FBT003 - never so


def _expected(request: RequestRecord) -> list[str]:
    if request.started_at is None:
        is_told_by_its_node = (request.error or {}).get("code") == NodeRemoved.code
        return ["end"] if request.state in FINAL_REQUEST_STATES and not is_told_by_its_node else []
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


def deletion_ends_requests(evidence: Evidence, hold: Hold) -> None:
    """Judge that no request outlives its node, and that those which the deletion ended say so."""
    deleted = {event.node_uuid: event for event in evidence.events if event.type == EventType.NODE_DELETE_END}
    for request in evidence.requests.values():
        deletion = deleted.get(request.node_uuid)
        if deletion is None:
            continue
        is_over = request.ended_at is not None and request.ended_at <= deletion.at
        hold(is_over, f"request {request.id} is {request.state} after event {deletion.seq}, which deleted its node")
        was_told = any(one.request == request.id and one.type == EventType.REQUEST_END for one in evidence.events)
        if request.ended_at == deletion.at and request.state is not RequestState.SUCCEEDED and not was_told:
            expected = (RequestState.CANCELLED if request.started_at is None else RequestState.FAILED, NodeRemoved.code)
            told = (request.state, (request.error or {}).get("code"))
            hold(told == expected, f"request {request.id} ended with its node, and says {told}, not {expected}")


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
        if request.state is RequestState.FAILED and request.ended_at is not None and request.overdue_at is not None:
            late_s = request.ended_at - request.overdue_at - LAST_WORD_S
            hold(late_s <= TICK_S, f"request {request.id} on {request.node_name} ended {late_s:.3f} s late")


def actions_end_by_their_deadline(evidence: Evidence, hold: Hold) -> None:
    """Judge I12: nothing runs beyond its deadline, not even where a driver never answers."""
    for request in _undisturbed(evidence):
        if request.started_at is not None and request.overdue_at is not None:
            ended_at = evidence.ended_at if request.ended_at is None else request.ended_at
            late_s = ended_at - request.overdue_at - LAST_WORD_S
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


def success_is_true(evidence: Evidence, hold: Hold) -> None:
    """Judge that a power request succeeds only if the machine has been in that state meanwhile, or its BMC lied."""
    machines = machines_of(evidence)
    for request in evidence.requests.values():
        machine = machines.get(request.node_uuid)
        wanted = target_power_state(request)
        if machine is None or wanted is None or request.state is not RequestState.SUCCEEDED:
            continue
        begin, end = request.started_at or request.accepted_at, request.ended_at or evidence.ended_at
        was_lied_to = any(begin <= at <= end for at in machine.lies)
        is_so = was_lied_to or machine.was(wanted, begin, end)
        hold(is_so, f"request {request.id} succeeded, and {request.node_name} has not been in {wanted}")
