"""Judges of how nodes move: nothing before it starts, no way back, an end for each step, and a log that is complete.

Judged is what was told, event by event, against the table of moves and the records. Pure.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from castiron.actors.core.machines.actions import PROVISION_SET
from castiron.actors.core.provision.states import STABLE, after
from castiron.actors.core.timing import LAST_WORD_S
from castiron.testing.simulation.evidence import Evidence
from castiron.testing.simulation.judges.homes import TICK_S, Hold
from castiron.transport.errors import StepInterrupted
from castiron.transport.events import EventView
from castiron.transport.vocabulary import EventType, ProvisionEvent, ProvisionState, RequestID

_MOVES: Final = frozenset(
    {
        EventType.PROVISION_SET_START,
        EventType.PROVISION_SET_SUCCESS,
        EventType.PROVISION_SET_END,
        EventType.PROVISION_SET_ERROR,
    }
)
_STEP_ENDS: Final = frozenset({EventType.STEP_END, EventType.STEP_ERROR})
_LIST_ENDS: Final = frozenset({EventType.PROVISION_SET_END, EventType.PROVISION_SET_ERROR})
_POWER_ENDS: Final = frozenset({EventType.POWER_SET_END, EventType.POWER_SET_ERROR})


def nothing_before_it_starts(evidence: Evidence, hold: Hold) -> None:
    """Judge R3-1: whatever is told of a move is told by a request that has started and has not ended."""
    running: set[str] = set()
    for event in evidence.events:
        if event.type not in _MOVES or event.request is None:
            continue
        if event.type == EventType.PROVISION_SET_START:
            request = evidence.requests.get(RequestID(event.request))
            is_so = request is not None and request.started_at is not None and request.started_at <= event.at
            hold(is_so, f"event {event.seq} tells of the start of {event.request}, which had not started")
            running.add(event.request)
        else:
            hold(event.request in running, f"event {event.seq} moves {event.node}, and {event.request} is not running")
        if event.type in _LIST_ENDS:
            running.discard(event.request)


def unstarted_leaves_no_trace(evidence: Evidence, hold: Hold) -> None:
    """Judge R3-2: a request that has not started has told of no move and of no step."""
    told = {event.request for event in evidence.events if event.type in _MOVES or event.type == EventType.STEP_START}
    for request in evidence.requests.values():
        if request.verb == PROVISION_SET and request.started_at is None:
            hold(request.id not in told, f"request {request.id} never started, and moved {request.node_name}")


def one_end_for_each_start(evidence: Evidence, hold: Hold) -> None:
    """Judge R3-3: for each start exactly one end or error, later in the node's sequence."""
    open_since: dict[str, EventView] = {}
    for event in evidence.events:
        whose = event.request or ""
        if event.type == EventType.PROVISION_SET_START:
            hold(whose not in open_since, f"event {event.seq} starts {whose} a second time")
            open_since[whose] = event
        elif event.type in _LIST_ENDS:
            start = open_since.pop(whose, None)
            is_later = start is not None and (start.node_seq or 0) < (event.node_seq or 0)
            hold(is_later, f"event {event.seq} ends {whose}, which is not under way")
    for whose, start in open_since.items():
        hold(False, f"event {start.seq} starts {whose} on {start.node}, and nothing ends it")  # noqa: FBT003 - never so


def no_way_back(evidence: Evidence, hold: Hold) -> None:
    """Judge R3-4: each move is a row of the table, from where the move before it led; nothing is ever taken back."""
    at: dict[str | None, str] = {}
    for event in evidence.events:
        if event.type == EventType.NODE_DELETE_END:
            at.pop(event.node_uuid, None)
        if event.type not in _MOVES:
            continue
        before, to = event.payload["previous_provision_state"], event.payload["provision_state"]
        known = at.get(event.node_uuid, before)
        hold(known == before, f"event {event.seq} moves {event.node} from {before}, and it was {known}")
        led = after(ProvisionState(before), ProvisionEvent(event.payload["event"]))
        is_end_at_rest = event.type == EventType.PROVISION_SET_END and before == to and to in STABLE
        hold(is_end_at_rest or led == to, f"event {event.seq}: no row leads {event.node} from {before} to {to}")
        at[event.node_uuid] = to


def each_step_has_one_end(evidence: Evidence, hold: Hold) -> None:
    """Judge that a step ends once before it begins again, and that none is left when its list has ended."""
    under_way: dict[str, dict[str, EventView]] = defaultdict(dict)
    for event in evidence.events:
        whose = under_way[event.request or ""]
        if event.type == EventType.STEP_START:
            name = event.payload["name"]
            hold(name not in whose, f"event {event.seq}: {name} on {event.node} begins while it is under way")
            whose[name] = event
        elif event.type in _STEP_ENDS:
            name = event.payload["name"]
            hold(whose.pop(name, None) is not None, f"event {event.seq} ends {name}, which is not under way")
        elif event.type in _LIST_ENDS:
            hold(not whose, f"event {event.seq} ends {event.request}, and {', '.join(whose)} are under way")


def steps_end_in_time(evidence: Evidence, hold: Hold) -> None:
    """Judge that no attempt of a step takes longer than it may, unless somebody gave a sign of life, or died."""
    begun: dict[tuple[str | None, str], EventView] = {}
    for event in evidence.events:
        step = (event.request, str(event.payload.get("name")))
        if event.type == EventType.STEP_START:
            begun[step] = event
        elif event.type == EventType.STEP_PROGRESS:
            begun.pop(step, None)
        elif event.type in _STEP_ENDS and (start := begun.pop(step, None)) is not None:
            limit_s = evidence.step_timeouts_s.get((event.payload["interface"], event.payload["step"]))
            if limit_s is not None and not _was_interrupted(evidence, start.at, event.at):
                late_s = event.at - start.at - limit_s - LAST_WORD_S
                hold(late_s <= TICK_S, f"event {event.seq}: {step[1]} on {event.node} ended {late_s:.3f} s late")


def blind_steps_run_once(evidence: Evidence, hold: Hold) -> None:
    """Judge that what must not be done twice is not begun untold, nor again after its conductor ended in it."""
    told: dict[tuple[str | None, str], int] = defaultdict(int)
    interrupted: dict[tuple[str | None, str], EventView] = {}
    for event in evidence.events:
        step = (event.request, str(event.payload.get("name")))
        if event.type == EventType.STEP_ERROR and event.payload["error"]["code"] == StepInterrupted.code:
            interrupted[step] = event
        elif event.type == EventType.STEP_START and not event.payload.get("revert"):
            told[event.node, step[1]] += 1
            was = interrupted.get(step)
            hold(was is None, f"event {event.seq} begins {step[1]} on {event.node} again, which was interrupted")
    for (node, name), count in evidence.blind_starts.items():
        hold(count <= told[node, name], f"{name} was begun {count} times on {node}, and told {told[node, name]} times")


@dataclass(slots=True)
class Rebuilt:
    """A node as its events tell of it."""

    provision_state: str = ProvisionState.ENROLL
    target_provision_state: str | None = None
    power_state: str | None = None
    target_power_state: str | None = None

    def take(self, event: EventView) -> None:
        """Take an event in."""
        if event.type in _MOVES:
            self.provision_state = event.payload["provision_state"]
            self.target_provision_state = event.payload["target_provision_state"]
        if event.type == EventType.POWER_SET_START:
            self.target_power_state = event.payload.get("to_power")
        elif event.type in _POWER_ENDS:
            self.target_power_state = None
        if "power_state" in event.payload:
            self.power_state = event.payload["power_state"]


def log_rebuilds_nodes(evidence: Evidence, hold: Hold) -> None:
    """Judge that the log of events alone tells where each node is, where it is meant to come to, and its power."""
    rebuilt: dict[str | None, Rebuilt] = defaultdict(Rebuilt)
    for event in evidence.events:
        rebuilt[event.node_uuid].take(event)
    for node in evidence.nodes:
        told = rebuilt[node.uuid]
        for what, is_on_record in (
            ("provision_state", node.provision_state),
            ("target_provision_state", node.target_provision_state),
            ("power_state", node.power_state),
            ("target_power_state", node.target_power_state),
        ):
            by_log = getattr(told, what)
            hold(by_log == is_on_record, f"{node.name}: {what} is {is_on_record}, and {by_log} by its events")


def _was_interrupted(evidence: Evidence, since: float, until: float) -> bool:
    """Return whether there was no conductor, or no disk, at any time of a span, or an actor failed in it."""
    return any(one.begin <= until and one.end >= since for one in evidence.outages) or any(
        since <= failure.at <= until for failure in evidence.failures
    )
