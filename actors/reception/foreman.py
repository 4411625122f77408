"""What is said about the work on a node: orders, and how the steps go that somebody else carries out.

Runs on the front door's thread. A token is read here, so that a decision about a node never sees one.
"""

from typing import Final

from castiron.actors.asking import Answer, Asked
from castiron.actors.core.messages import Direct, Order, StepAnswer
from castiron.actors.core.provision.run import Progress, Run
from castiron.actors.core.state import NodeState
from castiron.actors.delivery import deliver
from castiron.actors.reception.intake import previewed
from castiron.actors.services import Services
from castiron.actors.steps.tokens import StepPlace
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.errors import StepFailed
from castiron.transport.replies import ListedStep, StepListed
from castiron.transport.verbs import (
    AnyProvisionOrder,
    NodeProvisionAbort,
    NodeProvisionHold,
    NodeProvisionUnhold,
    NodeStepDone,
    NodeStepProgress,
)
from castiron.transport.vocabulary import Applied, StepState

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

    def steps(self, node: NodeState) -> StepListed:
        """Say where the steps stand that are worked through on a node, with the tokens of those that wait."""
        active = node.active
        if active is None or not isinstance(active.action, Run):
            return StepListed()
        views = [self._view(node.record, active.request, one) for one in active.action.steps]
        return StepListed(request=active.request.id, steps=views)

    def _view(self, record: NodeRecord, request: RequestRecord, one: Progress) -> ListedStep:
        token = None
        if one.state is StepState.WAITING:
            token = self._services.tokens.give(record.uuid, StepPlace(request.id, one.step.name, one.attempts))
        return ListedStep(
            name=one.step.name,
            state=one.state,
            attempts=one.attempts,
            started_at=one.started_at,
            ended_at=one.ended_at,
            until=one.until,
            error=None if one.error is None else dict(one.error),
            token=token,
        )

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
