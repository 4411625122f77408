"""What is said about the work on a node: end it, hold it, let it go on; what is next, how a step ended. Pure.

Decided at once, whoever says it; the answer is the node as it is afterwards. May come in: another order. Must not: what
follows from it for the steps (`driving`).
"""

from collections.abc import Mapping
from typing import Final

from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import AnswerNode, Refuse
from castiron.actors.core.messages import Direct, EngineGranted, Moved, Order, Reported, StepAnswer
from castiron.actors.core.provision import driving
from castiron.actors.core.provision.courses import EVENTS_OF
from castiron.actors.core.provision.lanes import waiting_lane
from castiron.actors.core.provision.moving import move_idle
from castiron.actors.core.provision.run import Run
from castiron.actors.core.provision.states import after, events_of, held_from
from castiron.actors.core.requests import running
from castiron.actors.core.requests.guards import guarded
from castiron.actors.core.requests.obstacles import leaving
from castiron.actors.core.state import Active
from castiron.actors.core.telling import steps as telling
from castiron.actors.settings import Settings
from castiron.transport.errors import CastironError, NodeStateInvalid, StepNotWaiting
from castiron.transport.verbs import NodeProvisionAbort, NodeProvisionHold, NodeProvisionUnhold, tag_of
from castiron.transport.vocabulary import EventType, ProvisionEvent

TAGS: Final[Mapping[Order, str]] = {
    Order.ABORT: tag_of(NodeProvisionAbort),
    Order.HOLD: tag_of(NodeProvisionHold),
    Order.UNHOLD: tag_of(NodeProvisionUnhold),
}
"""The verbs that they come as."""


def direct(draft: Draft, message: Direct, settings: Settings) -> None:
    """Carry an order out, or say why not."""
    obstacle = (
        leaving(draft.state)
        or guarded(draft.state.record, TAGS[message.order], message.requester)
        or _obstacle(draft, message)
    )
    if obstacle is not None:
        return draft.order(Refuse(message.reply_to, obstacle))
    work = _work(draft)
    match message.order:
        case Order.ABORT if draft.state.running is None:
            move_idle(draft, ProvisionEvent.ABORT, message.requester)
        case Order.ABORT:
            running.abort(draft, message.requester, settings)
        case Order.HOLD if work is not None:
            driving.hold(draft, work, settings)
        case Order.UNHOLD if work is not None:
            driving.unhold(draft, work, settings)
        case _:  # pragma: no cover - an obstacle
            raise AssertionError(message.order)
    return draft.order(AnswerNode(message.reply_to))


def answer(draft: Draft, message: StepAnswer, settings: Settings) -> None:
    """Take in what is said of a step, or say why not."""
    active = _work(draft)
    lane = None
    if active is not None and active.request.id == message.request_id:
        lane = waiting_lane(active, message.step, message.attempt)
    if active is None or lane is None:
        name = draft.state.record.name
        error = StepNotWaiting(
            f"{name} does not wait for {message.step}: it has ended, or was answered.",
            details={"node": name, "step": message.step},
        )
        return draft.order(Refuse(message.reply_to, error))
    if message.outcome is None:
        driving.alive(draft, active, lane, message.progress, settings)
    else:
        driving.answered(draft, active, lane, message.outcome, settings)
    return draft.order(AnswerNode(message.reply_to))


def moved(draft: Draft, message: Moved | EngineGranted, settings: Settings) -> None:
    """Take in what the executor says, if it was the latest that it was asked, or that it can be asked again."""
    active = _work(draft)
    if active is None:
        return
    if isinstance(message, Moved) and active.turn == message.ticket:
        driving.moved(draft, active, message, settings)
    if isinstance(message, EngineGranted) and active.engine_wish == message.ticket:
        driving.unparked(draft, active)


def reported(draft: Draft, message: Reported) -> None:
    """Tell how a step gets on, if it is still at it."""
    active = _work(draft)
    for lane in () if active is None else active.lanes:
        if active is not None and lane.call == message.ticket:
            told = telling.about(active.request, _run(active), lane.place, draft.state.record)
            draft.tell(EventType.STEP_PROGRESS, {**told, "progress": message.progress}, active.request)


def _obstacle(draft: Draft, message: Direct) -> CastironError | None:
    at = draft.state.record.provision_state
    work = _work(draft)
    match message.order:
        case Order.ABORT:
            is_possible = after(at, ProvisionEvent.ABORT) is not None
        case Order.HOLD:
            is_possible = work is not None and (held_from(at) is not None or _run(work).is_held)
        case Order.UNHOLD:
            is_possible = work is not None and (_run(work).is_held or _run(work).is_to_hold)
    if is_possible:
        return None
    words = [target.value for target, event in EVENTS_OF.items() if event in events_of(at)]
    words += [Order.ABORT.value] if ProvisionEvent.ABORT in events_of(at) else []
    record = draft.state.record
    return NodeStateInvalid(
        f"{record.name} is {at}: there is nothing to {message.order}. It takes {', '.join(words) or 'nothing'}.",
        details={"node": record.name, "provision_state": at.value, "target": message.order.value, "accepts": words},
    )


def _work(draft: Draft) -> Active | None:
    active = draft.state.active
    return active if active is not None and isinstance(active.action, Run) else None


def _run(active: Active) -> Run:
    assert isinstance(active.action, Run)  # noqa: S101 - `_work` has looked
    return active.action
