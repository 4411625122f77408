"""How a node's decisions reach those who asked: answers to requesters, reports to the fleet.

Apart from the actor, because an actor may end between a commit and its answers; what is on disk must be told all the
same, by whoever learns of it. Any thread; never blocks.
"""

import logging
from collections.abc import Iterable
from typing import Any, Final

from castiron.actors.core.effects import (
    Accept,
    AnswerHolding,
    AnswerNode,
    AnswerRequest,
    Decision,
    Effect,
    Foretell,
    Park,
    Refuse,
    Retire,
    TellFleet,
)
from castiron.actors.core.messages import Amend
from castiron.actors.core.node import suspend
from castiron.actors.core.state import NodeState
from castiron.actors.core.views import node_view, request_view
from castiron.actors.nodes.batch import Batch, Landed
from castiron.actors.services import Services
from castiron.actors.supervision.kin import AmendEnded, Kin, NodeGone, Strayed, UsersMessage
from castiron.store.errors import StaleRevision, StoreError, StoreUnwritable
from castiron.store.records import Commit
from castiron.transport.errors import CastironError, ConductorOverloaded, InternalError, StoreUnavailable
from castiron.transport.replies import NodeDeleted
from castiron.transport.vocabulary import Applied, EventSeq, NodeUUID

log = logging.getLogger(__name__)

RECOVERY_PAUSE_S: Final = 1.0
"""Between a commit that failed and the next attempt: a full disk is not emptied in milliseconds."""


class Reporter:
    """Speaks for one generation of a node's actor."""

    __slots__ = ("_generation", "_kin", "_services", "_uuid")

    def __init__(self, services: Services, kin: Kin, uuid: NodeUUID, generation: int) -> None:
        self._services = services
        self._kin = kin
        self._uuid = uuid
        self._generation = generation

    def tell(self, decision: Decision, seq: EventSeq) -> None:
        """Tell everybody whom a decision concerns, now that nothing stands before it; orders to do are not this room's.

        Args:
            seq: the event number at which it holds.
        """
        for effect in decision.effects:
            self._tell(effect, decision.state, seq)

    def report_outcome(self, batch: Batch, outcome: Commit | StoreError) -> None:
        """Tell what became of a batch whose actor does not release it any more. Idempotent.

        A successor carries on from the store.
        """
        decisions, batch.decisions = batch.decisions, []
        for decision in decisions:
            if not isinstance(outcome, Commit):
                self._break_off(decision, outcome)
                continue
            requests = () if decision.change is None else decision.change.requests
            state, held = suspend(decision.state), () if decision.change is None else decision.change.allocations
            self._services.board.publish(state, outcome.seq, requests, held, generation=self._generation)
            self.tell(decision, outcome.seq)
        for effect in (effect for decision in decisions for effect in decision.effects):
            if isinstance(effect, Park):  # nobody looks at the machine for it any more; told last, if not told yet
                effect.reply_to.refused(_failure(StaleRevision("its actor ended")), self._services.board.seq)

    def settle(self, leftovers: Iterable[Any]) -> tuple[UsersMessage, ...]:
        """See to what an actor has not looked at; return what somebody else must: the messages of users, in order."""
        kept: list[UsersMessage] = []
        for message in leftovers:
            if isinstance(message, Landed):
                self.report_outcome(message.batch, message.outcome)
            elif isinstance(message, UsersMessage):
                kept.append(message)
        return tuple(kept)  # anything else answers what the actor itself ordered, and ends with it

    def pass_on(self, message: Any) -> None:
        """See to it that a message which came too late for this actor is seen to."""
        strayed = self.settle((message,))
        if strayed:
            self._kin.supervisor.tell(Strayed(uuid=self._uuid, messages=strayed))

    def give_up(self, message: Any, reason: str) -> None:
        """Answer the message that the actor failed at; nobody tries it again, for it would fail again."""
        if not isinstance(message, UsersMessage):
            return
        error_id = self._services.new_id()
        log.error(
            "%s: %s of node %s: %s",
            error_id,  # here, too: who embeds a conductor may not show what a record carries beside its message
            type(message).__name__,
            self._uuid,
            reason,
            extra={"error_id": error_id, "node_uuid": self._uuid, "request": getattr(message, "request_id", None)},
        )
        text = "The node's actor failed at this message; nothing was changed. The conductor's log says why."
        error = InternalError(text, details={"node": self._uuid}, applied=Applied.NO, error_id=error_id)
        message.reply_to.refused(error, self._services.board.seq)
        if isinstance(message, Amend):
            self._kin.fleet.tell(AmendEnded(uuid=self._uuid, applied=False))

    def _tell(self, effect: Effect, state: NodeState, seq: EventSeq) -> None:
        match effect:
            case Accept(reply_to=asked, request=request):
                asked.taken(request, seq)
            case AnswerRequest(reply_to=asked, request=request, is_final=True):
                asked.answered(request_view(request), seq)
            case AnswerHolding(reply_to=asked):
                asked.held(seq)
            case Refuse(reply_to=asked, error=error):
                asked.refused(error, seq)
            case Foretell(reply_to=asked, forecast=forecast):
                asked.answer.final(forecast, seq)
            case AnswerNode(reply_to=asked):
                asked.answer.final(node_view(state, self._services.clock.now()), seq)
            case TellFleet(applied=applied):
                self._kin.fleet.tell(AmendEnded(uuid=self._uuid, applied=applied))
            case Retire(reply_to=asked, name=name):
                self._services.directory.leave(self._uuid, self._generation)
                self._services.board.remove(self._uuid, seq)
                self._services.troubles.forget(self._uuid)
                self._kin.fleet.tell(NodeGone(uuid=self._uuid))
                asked.answer.final(NodeDeleted(uuid=self._uuid, name=name), seq)
            case _:
                pass

    def _break_off(self, decision: Decision, error: StoreError) -> None:
        """Tell everybody whom a decision would have concerned that it was not committed."""
        told, seq = _failure(error), self._services.board.seq
        for effect in decision.effects:
            match effect:
                case (
                    Accept(reply_to=asked)
                    | AnswerHolding(reply_to=asked)
                    | AnswerNode(reply_to=asked)
                    | AnswerRequest(reply_to=asked)
                    | Foretell(reply_to=asked)
                    | Park(reply_to=asked)
                    | Retire(reply_to=asked)
                ):
                    asked.refused(told, seq)
                case Refuse(reply_to=asked, error=refusal):
                    asked.refused(refusal, seq)
                case TellFleet():
                    self._kin.fleet.tell(AmendEnded(uuid=self._uuid, applied=False))
                case _:
                    pass


def _failure(error: StoreError) -> CastironError:
    if isinstance(error, StoreUnwritable):
        return StoreUnavailable(
            f"{error}. Nothing was changed.", details={"reason": str(error)}, retry_after_s=RECOVERY_PAUSE_S
        )
    return ConductorOverloaded(
        "The node's actor was replaced before the change was on disk. Nothing was changed; try again.",
        details={"what": "node actor"},
        retry_after_s=RECOVERY_PAUSE_S,
    )
