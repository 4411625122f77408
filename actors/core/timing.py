"""The timers of whatever waits in a node's decision: one that ends its wait, one that ends its time.

Shared by the request that runs and by the steps of one. Pure: timers are ordered, not set.
"""

from typing import Final, TypeVar

from castiron.actors.core.draft import Draft
from castiron.actors.core.effects import CancelTimer, SetTimer, StopWorker
from castiron.actors.core.machines.job import JobAction
from castiron.actors.core.state import Active, Lane
from castiron.store.records.copying import replace
from castiron.transport.vocabulary import Instant

LAST_WORD_S: Final = 0.25
"""After an action's time, for the driver's last outcome, which says better than a timer why there was no answer."""

Timed = TypeVar("Timed", Active, Lane)


def awake(draft: Draft, one: Timed) -> Timed:
    """Cancel the timer that would end its wait."""
    if one.wake is None:
        return one
    draft.order(CancelTimer(one.wake))
    return replace(one, wake=None)


def limited(draft: Draft, one: Timed, until: Instant) -> Timed:
    """Keep the timer of the end in step with what it is to end."""
    if one.limit_at == until:
        return one
    if one.limit is not None:
        draft.order(CancelTimer(one.limit))
    limit = draft.ticket()
    draft.order(SetTimer(limit, Instant(until + LAST_WORD_S)))
    return replace(one, limit=limit, limit_at=until)


def stop(draft: Draft, one: Active | Lane) -> None:
    """Ask the worker to stop that carries a step out, if one does."""
    if one.call is not None and isinstance(one.action, JobAction):
        draft.order(StopWorker(one.call))


def let_go(draft: Draft, one: Timed) -> None:
    """Cancel both, and ask a worker to stop that is still at it."""
    stop(draft, one)
    if isinstance(one, Active) and one.turn is not None:
        draft.order(CancelTimer(one.turn))
    if one.limit is not None:
        draft.order(CancelTimer(one.limit))
    awake(draft, one)
