"""Judges of the power checks: in time, whatever else is dead, and true. Pure.

What is judged is only what can be expected: a change counts if nothing else happened to its node or to the conductor
around it.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Final

from castiron.actors.core.machines.pace import PACES
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.settings import Settings
from castiron.testing.simulation.evidence import Evidence
from castiron.testing.simulation.judges.homes import TICK_S, Hold, machines_of
from castiron.testing.simulation.machines import Machine
from castiron.transport.events import EventView
from castiron.transport.vocabulary import CheckPace, EventType, Fault, NodeUUID

SLACK_S: Final = 1.0
"""For the way to a BMC and back, a login, and a commit."""

_SILENCE: Final = frozenset({"dead", "silent"})


def checks_are_in_time(evidence: Evidence, hold: Hold) -> None:
    """Judge I6: no check begins late, whichever BMCs are dead."""
    for late_s, count in evidence.lateness.items():
        hold(late_s <= TICK_S, f"{count} checks began {late_s:.3f} s late")


def changes_are_noticed(evidence: Evidence, hold: Hold) -> None:
    """Judge that a change behind our back is told by exactly one event within one interval."""
    settings, quiet = evidence.settings, _Quiet(evidence)
    every_s = settings.sync_power_state_interval_s
    rarest_s = max(every_s, settings.power_check_backoff_max_s, settings.power_failure_recovery_interval_s)
    for uuid, machine in quiet.homes.items():
        changes = Counter(power.at for power in machine.powers)
        for power in machine.powers:
            due_at = power.at + every_s + SLACK_S
            if changes[power.at] > 1:
                continue  # switched to and fro in one instant
            if power.by_hand and every_s and quiet.is_quiet(uuid, power.at - rarest_s - every_s, due_at, but=power.at):
                told = quiet.told(uuid, EventType.POWER_STATE_CORRECTED, power.at, due_at)
                states = [event.payload.get("power_state") for event in told]
                said = f"{machine.name} was switched to {power.state} at {power.at}, and was told as {states}"
                hold(states == [power.state], said)


def checks_are_paced(evidence: Evidence, hold: Hold) -> None:
    """Judge that a healthy BMC is asked at least once an interval, and a silent one no more often than is due."""
    settings, quiet = evidence.settings, _Quiet(evidence)
    every_s = settings.sync_power_state_interval_s
    rarest_s = max(every_s, settings.power_check_backoff_max_s, settings.power_failure_recovery_interval_s)
    for uuid, machine in quiet.homes.items():
        for earlier, later in pairwise(machine.asked):
            is_so = later - earlier <= every_s + SLACK_S
            if is_so or quiet.is_quiet(uuid, earlier - rarest_s - every_s, later):
                hold(is_so, f"{machine.name} was not asked anything from {earlier} to {later}")
    addresses = {machine.bmc_address: (uuid, machine) for uuid, machine in quiet.homes.items()}
    for span in evidence.faults:
        if span.whose not in addresses or span.what not in _SILENCE:
            continue
        uuid, machine = addresses[span.whose]
        if quiet.is_quiet(uuid, span.begin, span.end, but=span.begin):
            asked = bisect_left(machine.asked, span.end) - bisect_left(machine.asked, span.begin)
            most = _most_asked(settings, span.end - span.begin)
            hold(asked <= most, f"{span.whose} was silent from {span.begin} to {span.end}, and was asked {asked} times")


def _most_asked(settings: Settings, lasts_s: float) -> int:
    """Return how many datagrams a BMC may be sent that is silent for so long: so many checks, each sent three times."""
    rare_s = min(settings.sync_power_state_interval_s, settings.power_failure_recovery_interval_s)
    least_s = rare_s * (1 - PACES[CheckPace.FAULT].jitter)
    checks = settings.power_state_sync_max_retries + 2 + int(lasts_s / least_s)
    return checks * len(Timing().waits_s)


def silence_becomes_a_fault(evidence: Evidence, hold: Hold) -> None:
    """Judge that a BMC that stays silent becomes a fault, after as many checks as the settings say."""
    settings, quiet = evidence.settings, _Quiet(evidence)
    every_s = max(settings.sync_power_state_interval_s, settings.power_check_backoff_max_s)
    patience_s = (settings.power_state_sync_max_retries + 1) * every_s + settings.command_timeout_s + SLACK_S
    addresses = {machine.bmc_address: uuid for uuid, machine in quiet.homes.items()}
    for span in evidence.faults:
        uuid = addresses.get(span.whose)
        if uuid is None or span.what not in _SILENCE:
            continue
        # A conductor that starts again counts anew.
        starts = [span.begin, *(outage.end + TICK_S for outage in evidence.outages if outage.begin > span.begin)]
        dues = [at + patience_s for at in starts if quiet.is_quiet(uuid, at, at + patience_s, but=span.begin)]
        due_at = min(dues, default=span.end)
        if due_at < span.end:
            count = len(quiet.told(uuid, EventType.NODE_FAULT_SET, span.begin, due_at))
            is_so = count == 1 or (count > 1 and quiet.is_in_hand(uuid, span.begin, due_at))  # each hand forgets one
            hold(is_so, f"{span.whose} was {span.what} from {span.begin} on: {count} faults were set")


def faults_are_left(evidence: Evidence, hold: Hold) -> None:
    """Judge that a node recovers by itself once its BMC answers again."""
    quiet = _Quiet(evidence)
    recovery_s = evidence.settings.power_failure_recovery_interval_s + SLACK_S
    for event in evidence.events:
        if event.type != EventType.NODE_FAULT_SET or event.payload.get("fault") != Fault.POWER_FAILURE:
            continue
        uuid = NodeUUID(event.node_uuid or "")
        well_at = quiet.well_at(uuid, event.at)
        if well_at is None or quiet.is_in_hand(uuid, event.at, well_at + recovery_s):
            continue
        if quiet.is_quiet(uuid, well_at + TICK_S, well_at + recovery_s):
            told = quiet.told(uuid, EventType.NODE_FAULT_CLEARED, event.at, well_at + recovery_s)
            hold(bool(told), f"{event.node} answers since {well_at}, and still has the fault of event {event.seq}")


def records_are_true(evidence: Evidence, hold: Hold) -> None:
    """Judge that in the end, with nothing wrong any more, each node's record says what its machine does.

    Nobody looks at nodes that somebody put into maintenance: what is said of them is what was seen before.
    """
    if not evidence.settings.sync_power_state_interval_s:
        return
    by_address = {machine.bmc_address: machine for machine in evidence.machines}
    for node in evidence.nodes:
        machine = by_address.get(node.bmc_address or "")
        if machine is not None:
            state = machine.power(evidence.ended_at)
            is_so = node.power_state is state or (node.maintenance and node.fault is None)
            hold(is_so, f"{node.name} is in {state}, and its record says {node.power_state}")
            hold(node.fault is None, f"{node.name} has the fault {node.fault}, and nothing is wrong with it")


class _Quiet:
    """When nothing happened to a node: only then can be told what must follow from one thing."""

    def __init__(self, evidence: Evidence) -> None:
        self.homes: dict[NodeUUID, Machine] = machines_of(evidence)
        self._outages = evidence.outages
        self._events: dict[str, list[EventView]] = defaultdict(list)
        self._moments: dict[str, list[float]] = defaultdict(list)
        self._spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for event in evidence.events:
            self._events[event.node_uuid or ""].append(event)
            if event.type in (EventType.NODE_CREATE_END, EventType.NODE_DELETE_END):
                self._moments[event.node_uuid or ""].append(event.at)
        self._hands = _spans_in_hand(evidence)
        for node, spans in self._hands.items():
            self._spans[node] += spans
        for failure in evidence.failures:
            self._moments[failure.node_uuid].append(failure.at)
        for request in evidence.requests.values():
            self._spans[request.node_uuid].append((request.accepted_at, request.ended_at or evidence.ended_at))
        faults: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for span in evidence.faults:
            faults[span.whose].append((span.begin, span.end))
        for uuid, machine in self.homes.items():
            self._spans[uuid] += faults[machine.bmc_address]
            self._moments[uuid] += [power.at for power in machine.powers if power.by_hand]
        self._faults = faults

    def is_quiet(self, uuid: NodeUUID, begin: float, end: float, *, but: float | None = None) -> bool:
        """Return whether the node existed and nothing happened to it within a span, but what began at an instant."""
        events = self._events[uuid]
        if not events or events[0].at > begin or (events[-1].type == EventType.NODE_DELETE_END and events[-1].at < end):
            return False
        if any(outage.begin <= end and outage.end >= begin for outage in self._outages):
            return False
        if any(begin <= at <= end and at != but for at in self._moments[uuid]):
            return False
        return not any(since <= end and until >= begin and since != but for since, until in self._spans[uuid])

    def is_in_hand(self, uuid: NodeUUID, begin: float, end: float) -> bool:
        """Return whether somebody had put the node into maintenance, put it there or took it out within a span."""
        return any(since <= end and until >= begin for since, until in self._hands[uuid])

    def told(self, uuid: NodeUUID, kind: EventType, begin: float, end: float) -> list[EventView]:
        """Return a node's events of a type within a span."""
        return [event for event in self._events[uuid] if event.type == kind and begin < event.at <= end]

    def well_at(self, uuid: NodeUUID, at: float) -> float | None:
        """Return when what was wrong with the node's BMC at an instant ended; None if nothing was, or is known."""
        machine = self.homes.get(uuid)
        spans = [] if machine is None else self._faults[machine.bmc_address]
        return next((end for begin, end in spans if begin <= at <= end), None)


def _spans_in_hand(evidence: Evidence) -> dict[str, list[tuple[float, float]]]:
    """Return when each node was in maintenance by hand. One that was taken out of a fault was so for that instant."""
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    since: dict[str, float] = {}
    for event in evidence.events:
        uuid = event.node_uuid or ""
        if event.type == EventType.MAINTENANCE_SET_END and event.payload["maintenance"]:
            since.setdefault(uuid, event.at)
        elif event.type in (EventType.MAINTENANCE_SET_END, EventType.NODE_DELETE_END):
            spans[uuid].append((since.pop(uuid, event.at), event.at))
    for uuid, begin in since.items():
        spans[uuid].append((begin, evidence.ended_at))
    return spans
