"""How a node's decisions reach those who asked: answers to requesters, reports to the fleet.

Apart from the actor, because an actor may end between a commit and its answers; what is on disk must be told all the
same, by whoever learns of it. Any thread; never blocks.
"""

from typing import Final

from castiron.actors.core.effects import Accept, AnswerNode, Decision, Effect, Refuse, Retire, TellFleet
from castiron.actors.core.state import NodeState
from castiron.actors.core.views import node_view, request_view
from castiron.actors.kin import AmendEnded, Kin, NodeGone
from castiron.actors.services import Services
from castiron.store.errors import StoreError, StoreUnwritable
from castiron.store.records import Commit
from castiron.transport.errors import CastironError, ConductorOverloaded, StoreUnavailable
from castiron.transport.replies import NodeDeleted
from castiron.transport.vocabulary import EventSeq

RECOVERY_PAUSE_S: Final = 1.0
"""Between a commit that failed and the next attempt: a full disk is not emptied in milliseconds."""


class Reporter:
    """Speaks for one generation of a node's actor."""

    def __init__(self, services: Services, kin: Kin, generation: int) -> None:
        self._services = services
        self._kin = kin
        self._generation = generation

    def carry_out(self, effect: Effect, state: NodeState, seq: EventSeq) -> None:
        """Carry out an effect that tells somebody something; others are not this room's.

        Args:
            state: the node after the decision.
            seq: the event number at which that holds.
        """
        match effect:
            case Accept(reply_to=asked, request=request):
                asked.answer.accepted(request_view(request), seq)
            case Refuse(reply_to=asked, error=error):
                asked.refused(error, seq)
            case AnswerNode(reply_to=asked):
                asked.answer.final(node_view(state, self._services.clock.now()), seq)
            case TellFleet(applied=applied):
                self._kin.fleet.tell(AmendEnded(uuid=state.record.uuid, applied=applied))
            case Retire(reply_to=asked, name=name):
                uuid = state.record.uuid
                self._services.directory.leave(uuid, self._generation)
                self._services.board.remove(uuid, seq)
                self._kin.fleet.tell(NodeGone(uuid=uuid))
                asked.answer.final(NodeDeleted(uuid=uuid, name=name), seq)
            case _:
                pass

    def report(self, decision: Decision, seq: EventSeq) -> None:
        """Tell everybody whom a decision concerns, now that nothing stands before it."""
        for effect in decision.effects:
            self.carry_out(effect, decision.state, seq)

    def report_orphan(self, decision: Decision, outcome: Commit | StoreError) -> None:
        """Tell what became of a commit whose actor has ended. A successor carries on from the store."""
        seq = self._services.board.seq
        if not isinstance(outcome, Commit):
            return self.break_off(decision, outcome, seq)
        for request in () if decision.change is None else decision.change.requests:
            self._services.board.publish_request(request, outcome.seq)
        return self.report(decision, outcome.seq)

    def break_off(self, decision: Decision, error: StoreError, seq: EventSeq) -> None:
        """Tell everybody whom a decision would have concerned that it was not committed."""
        told = _failure(error)
        for effect in decision.effects:
            match effect:
                case Accept(reply_to=asked) | AnswerNode(reply_to=asked) | Retire(reply_to=asked):
                    asked.refused(told, seq)
                case Refuse(reply_to=asked, error=refusal):
                    asked.refused(refusal, seq)
                case TellFleet():
                    self._kin.fleet.tell(AmendEnded(uuid=decision.state.record.uuid, applied=False))
                case _:
                    pass


def _failure(error: StoreError) -> CastironError:
    if isinstance(error, StoreUnwritable):
        return StoreUnavailable(f"{error} Nothing was changed.", retry_after_s=RECOVERY_PAUSE_S)
    return ConductorOverloaded(
        "The node's actor was replaced before the change was on disk. Nothing was changed; try again.",
        details={"what": "node actor"},
        retry_after_s=RECOVERY_PAUSE_S,
    )
