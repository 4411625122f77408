"""Evidence of a simulation, made by hand: all is well in it until a test adds to it or takes from it."""

from collections import Counter
from dataclasses import replace
from random import Random

from castiron.actors.settings import Settings
from castiron.store.records import NodeRecord, RequestRecord
from castiron.testing import Evidence
from castiron.testing.simulation.evidence import Failure, Question, Span
from castiron.testing.simulation.machines import Machine
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.events import EventView
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import (
    EventType,
    Fault,
    Instant,
    NodeName,
    NodeSeq,
    PowerState,
    PowerTarget,
    ProvisionState,
    RequestState,
)
from tests.support.store_records import node_uuid, plain_node, plain_request

NODE = node_uuid(1)
BEGAN, HOUR = 10_000.0, 3_600.0
PRESSED = BEGAN + 3 * HOUR
SILENT, HEALED = BEGAN + 5 * HOUR, BEGAN + 7 * HOUR
ENDED = BEGAN + 10 * HOUR
SETTINGS = Settings(sync_power_state_interval_s=600.0)


def event(kind: EventType, at: float, request: str | None = None, **payload: object) -> EventView:
    return EventView(seq=0, type=kind, at=at, node="n1", node_uuid=NODE, request=request, payload=payload)


def by_hand(at: float, *, maintenance: bool, **changed: object) -> EventView:
    told = {"requester": "user-9", "previous_maintenance": not maintenance, "previous_fault": None, **changed}
    return event(EventType.MAINTENANCE_SET_END, at, None, maintenance=maintenance, **told)


def numbered(events: list[EventView]) -> list[EventView]:
    return [
        EventView(
            seq=number,
            node_seq=number,
            type=one.type,
            at=one.at,
            node=one.node,
            node_uuid=one.node_uuid,
            request=one.request,
            payload=one.payload,
        )
        for number, one in enumerate(events, start=1)
    ]


def request(number: int, **changes: object) -> RequestRecord:
    at = Instant(BEGAN + 100.0 * number)
    usual = plain_request(
        number,
        node_name=NodeName("n1"),
        requester=f"user-{number}",
        state=RequestState.SUCCEEDED,
        accepted_at=at,
        started_at=at,
        ended_at=Instant(at + 1.0),
        overdue_at=Instant(at + 60.0),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # whatever a test breaks


def move(number: int, **changes: object) -> RequestRecord:
    """A request that makes the node manageable, two hours after the beginning."""
    at = Instant(BEGAN + 2 * HOUR)
    wanted = {"target": "manage"}
    usual = request(number, verb="node.provision.set", arguments=wanted, accepted_at=at, started_at=at)
    usual = replace(usual, ended_at=Instant(at + 5.0), overdue_at=Instant(at + 60.0))
    return replace(usual, **changes)  # type: ignore[arg-type]  # whatever a test breaks


def moved(kind: EventType, after_s: float, by: str, way: tuple[str, str], target: str | None = None) -> EventView:
    """Tell of a move, so long after its beginning.

    Args:
        way: from where, and to where.
    """
    before, to = way
    told = {"event": by, "previous_provision_state": before, "provision_state": to, "target_provision_state": target}
    return event(kind, BEGAN + 2 * HOUR + after_s, move(5).id, requester="user-5", **told)


def stepped(kind: EventType, after_s: float, **told: object) -> EventView:
    """Tell of a step, so long after its beginning."""
    step = {"interface": "management", "step": "check_bmc", "name": "look", "requester": "user-5", **told}
    return event(kind, BEGAN + 2 * HOUR + after_s, move(5).id, **step)


def question(number: int, **changes: object) -> Question:
    asked = Question(f"user-{number}", NodePowerSet(node="n1", target=PowerTarget.ON), BEGAN, told_count=1)
    for name, value in changes.items():
        setattr(asked, name, value)
    return asked


def good() -> Evidence:
    """One machine: switched on for a user, off by hand, silent for two hours, in maintenance for a while."""
    machine = Machine(0, "direct", Random(0))
    on = request(1)
    cancelled = move(6, started_at=None, overdue_at=None, state=RequestState.CANCELLED, ended_at=BEGAN + 2.1 * HOUR)
    machine.bmc.device.chassis.set_power(PowerState.ON)
    machine.powers.append(machine.powers[0]._replace(at=BEGAN + 100.5, state=PowerState.ON))
    machine.press(PRESSED)
    events = numbered(
        [
            event(EventType.NODE_CREATE_END, BEGAN, requester="user-0"),
            event(EventType.POWER_SET_START, BEGAN + 100.0, on.id, requester="user-1"),
            event(EventType.POWER_SET_END, BEGAN + 101.0, on.id, requester="user-1"),
            moved(EventType.PROVISION_SET_START, 0.0, "manage", ("enroll", "verifying"), "manageable"),
            stepped(EventType.STEP_START, 0.0),
            stepped(EventType.STEP_END, 5.0),
            moved(EventType.PROVISION_SET_END, 5.0, "done", ("verifying", "manageable")),
            event(EventType.REQUEST_END, BEGAN + 2.1 * HOUR, move(6).id, requester="user-6"),
            event(EventType.POWER_STATE_CORRECTED, PRESSED + 300.0, power_state="power off"),
            event(EventType.NODE_FAULT_SET, SILENT + 2400.0, fault=Fault.POWER_FAILURE.value),
            event(EventType.NODE_FAULT_CLEARED, HEALED + 200.0, fault=Fault.POWER_FAILURE.value),
            by_hand(BEGAN + 8 * HOUR, maintenance=True),
            by_hand(BEGAN + 8.2 * HOUR, maintenance=False),
        ]
    )
    busy = ConductorOverloaded("Try again.", details={"limit": 5, "what": "fleet"}, retry_after_s=0.5)
    return Evidence(
        settings=SETTINGS,
        ended_at=ENDED,
        events=events,
        published=list(events),
        requests={one.id: one for one in (on, move(5), cancelled)},
        step_timeouts_s={("management", "check_bmc"): 60.0},
        blind_starts={("n1", "look"): 1},
        nodes=[node(machine, node_seq=NodeSeq(len(events)))],
        questions=[question(1, accepted_id=on.id), question(2, error=busy)],
        machines=[machine],
        faults=[Span("silent", SILENT, HEALED, machine.bmc_address)],
        failures=[Failure(BEGAN + 9 * HOUR, NODE, is_replaced=True)],
        lateness=Counter({0.0: 100}),
        left_over={"permits": 0},
    )


def node(machine: Machine, **changes: object) -> NodeRecord:
    usual = plain_node(
        name=NodeName("n1"),
        bmc_address=machine.bmc_address,
        power_state=PowerState.OFF,
        provision_state=ProvisionState.MANAGEABLE,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # whatever a test breaks


def add(evidence: Evidence, *requests: RequestRecord) -> None:
    evidence.requests.update({one.id: one for one in requests})


def log(evidence: Evidence, *more: EventView, without: EventType | None = None) -> None:
    kept = [one for one in evidence.events if one.type != without]
    evidence.events = numbered(sorted([*kept, *more], key=lambda one: one.at))
    evidence.published = list(evidence.events)
    evidence.nodes = [replace(one, node_seq=NodeSeq(len(evidence.events))) for one in evidence.nodes]
