"""Steps that a worker would carry out, and all that can become of them: what lists of steps are driven against."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat
from typing import Any

from castiron.actors.core.effects import CallWorker, DrawPassword
from castiron.actors.core.messages import StepAnswer
from castiron.actors.core.provision.catalogue import BUILT_IN, Known, catalogue_of
from castiron.actors.core.provision.run import Run
from castiron.actors.core.provision.states import WORKING
from castiron.actors.core.provision.states import after as led_to
from castiron.actors.core.state import Active, Lane
from castiron.actors.drivers.base import Done, NotDone, Outcome
from castiron.actors.drivers.work import Deferred, Secret
from castiron.store.records import EventDraft, NodeRecord
from castiron.transport.errors import CastironError, StepFailed, StepTimeout
from castiron.transport.vocabulary import (
    ANNOUNCED,
    Applied,
    EventType,
    Instant,
    ProvisionEvent,
    ProvisionState,
    RequestID,
    StepState,
)

BLIND = Known(interface="test", step="blind", description="Nobody knows whether it was done.", is_blocking=True)
TWICE = Known(interface="test", step="twice", description="Does no harm twice.", is_blocking=True, idempotent=True)
SEEN = Known(interface="test", step="seen", description="Can be seen to be done.", is_blocking=True, has_verify=True)
BACK = Known(
    interface="test", step="back", description="Can be taken back.", is_blocking=True, has_revert=True, idempotent=True
)
STUBBORN = Known(
    interface="test",
    step="stubborn",
    description="Runs to an end.",
    is_blocking=True,
    abortable=False,
    has_revert=True,
)
OWN_STEPS = (BLIND, TWICE, SEEN, BACK, STUBBORN)
CATALOGUE = catalogue_of(BUILT_IN, OWN_STEPS)


STEP_ENDS = {EventType.STEP_END, EventType.STEP_ERROR}
MOVES = {
    EventType.PROVISION_SET_START,
    EventType.PROVISION_SET_SUCCESS,
    EventType.PROVISION_SET_END,
    EventType.PROVISION_SET_ERROR,
}
FAULTS = {EventType.NODE_FAULT_SET, EventType.NODE_FAULT_CLEARED}
SAY_WHY = MOVES | FAULTS | {event for events in ANNOUNCED.values() for event in events}
"""What `last_error` is written with."""
LIST_ENDS = {EventType.PROVISION_SET_END, EventType.PROVISION_SET_ERROR}


POISON = {"provision_state": "active", "target_provision_state": "rescue", "event": "done", "last_error": "poison"}
"""What every step returns beside its result: words of the state machine, which must stay a result's."""


class Luck(StrEnum):
    """What becomes of one call of a worker."""

    WELL = "well"
    FAILS = "fails"
    DEFERRED = "deferred"
    HANGS = "hangs"
    """It is left behind at its deadline; it may have been done."""


@dataclass
class Bench:
    """A worker's bench: what was done on it, in order."""

    luck: Iterator[Luck] = field(default_factory=lambda: repeat(Luck.WELL))
    done: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(what, name of the step), for each call that had an effect."""

    def carry_out(self, call: CallWorker | DrawPassword) -> tuple[Instant | None, Outcome]:
        """Do what luck lets through; return until when nothing is told of it, if it hangs, and what is told."""
        if isinstance(call, DrawPassword):
            return None, Done(value=Secret(f"drawn {call.ticket}"))
        luck = next(self.luck)
        if call.work.what == "verify":
            return None, Done(value=("execute", call.name) in self.done)
        if luck is Luck.FAILS:
            return None, NotDone(error=StepFailed("It did not work."), applied=Applied.UNKNOWN)
        self.done.append((call.work.what, call.name))
        if luck is Luck.HANGS:
            return call.deadline, NotDone(error=StepTimeout("It was left behind."), applied=Applied.UNKNOWN)
        if luck is Luck.DEFERRED and call.work.what == "execute":
            return None, Done(value=Deferred(20.0))
        return None, Done(value={"did": call.name, **POISON})


def answer_for(active: Active | None, outcome: dict[str, Any] | CastironError | None) -> StepAnswer | None:
    """Return what is said of the first step that waits for somebody; None: none does."""
    run = None if active is None else active.action
    if active is None or not isinstance(run, Run):
        return None
    for one in run.steps:
        if one.state is StepState.WAITING:
            return StepAnswer(
                request_id=active.request.id,
                step=one.step.name,
                attempt=one.attempts,
                outcome=outcome,
                requester="ipc",
                reply_to="step",
            )
    return None


def check_steps(events: Sequence[EventDraft]) -> None:
    """Each step that was begun ends once before it begins again, and none is left when its list has ended."""
    begun: set[tuple[RequestID | None, str]] = set()
    for event in events:
        step = (event.request_id, event.payload.get("name", ""))
        if event.type is EventType.STEP_START:
            assert step not in begun
            assert event.payload["provision_state"] in WORKING, "nobody waits while a step begins"
            begun.add(step)
        elif event.type in STEP_ENDS:
            assert step in begun
            begun.remove(step)
        elif event.type in LIST_ENDS:
            assert all(request != event.request_id for request, _ in begun)


def check_moves(before: NodeRecord, after: NodeRecord, events: Sequence[EventDraft]) -> None:
    """Each move of one decision is told, and is a row of the table: steps have no other way into the state machine.

    Nor into `last_error`: it changes with what is told to start or end, and with a fault.
    """
    assert before.last_error == after.last_error or any(event.type in SAY_WHY for event in events)
    at = before.provision_state
    for event in events:
        if event.type in MOVES:
            assert event.payload["previous_provision_state"] == at
            to = ProvisionState(event.payload["provision_state"])
            is_end_at_rest = event.type is EventType.PROVISION_SET_END and at is to
            assert is_end_at_rest or led_to(at, ProvisionEvent(event.payload["event"])) is to
            at = to
    assert at is after.provision_state, "it moved, and nothing was told"


def is_others(active: Active, one: Active | Lane) -> bool:
    """Return whether somebody else is to tell how a step ends."""
    run = active.action
    return isinstance(one, Lane) and isinstance(run, Run) and run.steps[one.place].state is StepState.WAITING
