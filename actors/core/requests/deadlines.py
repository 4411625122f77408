"""The deadlines of requests that wait: one timer a node, for the next of them. Pure."""

from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import CancelTimer, SetTimer
from castiron.actors.core.messages import TimerDue
from castiron.actors.core.requests.ending import expire
from castiron.actors.core.state import Expiry, NodeState
from castiron.store.records.copying import replace


def is_due(state: NodeState, message: TimerDue) -> bool:
    """Return whether a timer is that of the deadlines."""
    return state.expiry is not None and state.expiry.ticket == message.ticket


def due(draft: Draft) -> None:
    """Have those expire that should have started by now."""
    draft.state = replace(draft.state, expiry=None)
    expire(draft)


def tend(draft: Draft) -> None:
    """Bring the timer in step with what waits: after every decision, whatever has changed."""
    state = draft.state
    if not state.queue and state.expiry is None:
        return  # nearly always
    next_at = min((request.deadline_at for request in state.queue if request.deadline_at is not None), default=None)
    if next_at == (None if state.expiry is None else state.expiry.at):
        return
    if state.expiry is not None:
        draft.order(CancelTimer(state.expiry.ticket))
    if next_at is None:
        draft.state = replace(state, expiry=None)
        return
    ticket = draft.ticket()
    draft.order(SetTimer(ticket, next_at))
    draft.state = replace(state, expiry=Expiry(ticket, next_at))
