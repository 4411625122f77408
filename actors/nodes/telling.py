"""What is told to a node's actor from other threads; to one that has ended, nothing. No decision lives here."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pykka import ActorDeadError, ActorRef

from castiron.actors.core.messages import (
    Heard,
    Message,
    Moved,
    Reported,
)
from castiron.actors.core.state import Ticket
from castiron.actors.drivers.base import Outcome
from castiron.actors.executors.executor import Answer
from castiron.actors.nodes.batch import Batch, Landed
from castiron.actors.nodes.place import Granted
from castiron.actors.nodes.reporter import Reporter
from castiron.store.errors import StoreError
from castiron.store.records import Commit
from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import RequestID

log = logging.getLogger(__name__)


def tell(ref: ActorRef[Any], message: Message | Granted) -> None:
    """Tell an actor that may have ended meanwhile; its successor starts from the store and needs no such message."""
    try:
        ref.tell(message)
    except ActorDeadError:
        log.debug("%s ended before it could be told %s", ref, type(message).__name__)


def heard(ref: ActorRef[Any], ticket: Ticket, new_id: Callable[[], str] | None, outcome: Outcome) -> None:
    """Tell it how a call of a driver or a step has ended."""
    tell(ref, Heard(ticket=ticket, outcome=outcome, spare_id=None if new_id is None else RequestID(new_id())))


def reported(ref: ActorRef[Any], ticket: Ticket, progress: Mapping[str, Any]) -> None:
    """Tell it how far a step has come."""
    tell(ref, Reported(ticket=ticket, progress=progress))


def moved(ref: ActorRef[Any], ticket: Ticket, answer: Answer | CastironError) -> None:
    """Tell it what an executor has answered."""
    if isinstance(answer, CastironError):
        return tell(ref, Moved(ticket=ticket, error=answer))
    return tell(ref, Moved(ticket=ticket, moves=answer.moves, flow=answer.flow))


def landed(ref: ActorRef[Any], reporter: Reporter, batch: Batch, outcome: Commit | StoreError) -> None:
    """Bring the outcome to the actor, or to whoever asked if the actor has ended. Runs on the writer's thread."""
    try:
        ref.tell(Landed(batch, outcome))
    except ActorDeadError:
        reporter.report_outcome(batch, outcome)
