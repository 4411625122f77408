"""What is said about the work on a node: orders, and how the steps go that somebody else carries out.

Runs on the front door's thread. A token is read here, so that a decision about a node never sees one.
"""

from typing import Final

from castiron.actors.asking import Answer, Asked
from castiron.actors.core.messages import Direct, Order, StepAnswer
from castiron.actors.core.state import NodeState
from castiron.actors.delivery import deliver
from castiron.actors.reception.intake import previewed
from castiron.actors.services import Services
from castiron.transport.errors import StepFailed
from castiron.transport.verbs import (
    AnyProvisionOrder,
    NodeProvisionAbort,
    NodeProvisionHold,
    NodeProvisionUnhold,
    NodeStepDone,
    NodeStepProgress,
)
from castiron.transport.vocabulary import Applied

ORDERS: Final = {
    NodeProvisionAbort: Order.ABORT,
    NodeProvisionHold: Order.HOLD,
    NodeProvisionUnhold: Order.UNHOLD,
}


class Foreman:
    """Brings them to the node's actor. One thread."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def hear(
        self, node: NodeState, verb: AnyProvisionOrder | NodeStepDone | NodeStepProgress, requester: str, answer: Answer
    ) -> None:
        """Bring what was said.

        Raises:
            StepTokenInvalid: the token is none of this node's.
            CastironError: it was not brought there; `answer` has not been told.
        """
        if isinstance(verb, NodeStepDone | NodeStepProgress):
            self._take_in(node, verb, requester, answer)
        else:
            self._direct(node, verb, requester, answer)

    def _direct(self, node: NodeState, verb: AnyProvisionOrder, requester: str, answer: Answer) -> None:
        message = Direct(order=ORDERS[type(verb)], requester=requester, reply_to=Asked(answer))
        deliver(self._services, node, previewed(message) if verb.dry_run else message)

    def _take_in(self, node: NodeState, verb: NodeStepDone | NodeStepProgress, requester: str, answer: Answer) -> None:
        place = self._services.tokens.read(node.record.uuid, node.record.name, verb.token)
        message = StepAnswer(
            request_id=place.request_id,
            step=place.step,
            attempt=place.attempt,
            outcome=_outcome(verb),
            progress=verb.progress if isinstance(verb, NodeStepProgress) else {},
            requester=requester,
            reply_to=Asked(answer),
        )
        deliver(self._services, node, message)


def _outcome(verb: NodeStepDone | NodeStepProgress) -> dict[str, object] | StepFailed | None:
    if isinstance(verb, NodeStepProgress):
        return None
    if verb.error is None:
        return dict(verb.result)
    return StepFailed(verb.error, details={"result": dict(verb.result)} if verb.result else {}, applied=Applied.UNKNOWN)
