"""Judges of the conductor as a whole: its actors, its event numbers, its answers, its rest. Pure."""

from collections.abc import Iterable

from castiron.testing.simulation.evidence import Evidence
from castiron.testing.simulation.judges.homes import Hold
from castiron.transport.errors import CapacityError, ConductorOverloaded, MailboxFull
from castiron.transport.events import EventView
from castiron.transport.vocabulary import EventType, Fault


def failed_actors_are_replaced(evidence: Evidence, hold: Hold) -> None:
    """Judge I8: a failed actor has a successor in time, and its neighbours are untouched."""
    for failure in evidence.failures:
        hold(failure.is_replaced, f"the actor of {failure.node_uuid} failed at {failure.at} and has no successor")
        others = failure.neighbours_replaced
        hold(not others, f"the actor of {failure.node_uuid} failed at {failure.at}, and others went, too: {others}")


def manual_maintenance_stays(evidence: Evidence, hold: Hold) -> None:
    """Judge I9: a node that somebody put into maintenance stays in it until somebody takes it out, or it is deleted.

    A fault `power failure` would end it: with that fault, the conductor takes the node out by itself.
    """
    by_hand: dict[str | None, EventView] = {}
    for event in evidence.events:
        since = by_hand.get(event.node_uuid)
        if since is not None:
            broken = f"event {event.seq} ends what event {since.seq} set by hand on {event.node}"
            hold(not _ends_by_itself(event), broken)
        if event.type == EventType.NODE_DELETE_END:
            by_hand.pop(event.node_uuid, None)
        elif event.type == EventType.MAINTENANCE_SET_END and event.payload["maintenance"]:
            by_hand[event.node_uuid] = event
        elif event.type == EventType.MAINTENANCE_SET_END:
            by_hand.pop(event.node_uuid, None)
    for node in evidence.nodes:
        if node.uuid in by_hand:
            is_so = node.maintenance and node.fault is not Fault.POWER_FAILURE
            hold(is_so, f"{node.name} is not in maintenance by hand any more, and nobody asked for that")


def _ends_by_itself(event: EventView) -> bool:
    """Return whether an event tells of the end of maintenance that was set by hand, and of nobody who asked for it."""
    told = event.payload
    match event.type:
        case EventType.MAINTENANCE_SET_END:
            was_over = not told["previous_maintenance"] or told["previous_fault"] == Fault.POWER_FAILURE
            return was_over or told["requester"] is None
        case EventType.NODE_FAULT_SET | EventType.NODE_FAULT_CLEARED:
            return bool(told["fault"] == Fault.POWER_FAILURE)
        case _:
            return told.get("maintenance") is False


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


def every_question_is_answered_once(evidence: Evidence, hold: Hold) -> None:
    """Judge that who asks hears one last word, unless the conductor was killed before it."""
    for question in evidence.questions:
        expected = (0, 1) if question.is_lost else (1,)
        hold(question.told_count in expected, f"{question.requester} heard {question.told_count} last words")


def nothing_is_left_over(evidence: Evidence, hold: Hold) -> None:
    """Judge that a conductor at rest holds nothing, and that none gave up."""
    for what, count in evidence.left_over.items():
        hold(count == 0, f"{count} {what} are left when all is at rest")
    for reason in evidence.conductor_failures or [""]:
        hold(not reason, f"the conductor gave up: {reason}")
