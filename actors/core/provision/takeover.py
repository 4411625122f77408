"""What a successor does about a step that its predecessor left under way: the table. Pure.

May come in: a row, with its reason. Must not: how it is done.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from castiron.actors.core.provision.steps import Step
from castiron.transport.vocabulary import StepState


class Nature(StrEnum):
    """What is known of a step, as far as it matters for whoever takes it over."""

    PLACED = "knows its place"
    """Its place is on disk before each thing that it does."""
    IDEMPOTENT = "idempotent"
    VERIFIABLE = "verifiable"
    """It can be asked whether it was done."""
    BLIND = "neither"


class Do(StrEnum):
    """What is done about it."""

    RESUME = "resume"
    """It goes on from its place."""
    AGAIN = "again"
    VERIFY = "verify"
    """It is asked whether it was done; if not, it is done."""
    WAIT = "wait"
    """It goes on waiting, for the time that is left."""
    FAIL = "fail"
    LEAVE = "leave"
    """Nothing was under way."""


class Row(NamedTuple):
    """What is done, and why."""

    do: Do
    why: str


_RESUMED: Final = "its place says what may have been sent, and it looks before it sends again"

TAKEOVER: Final[Mapping[tuple[StepState, Nature], Row]] = {
    **{(StepState.PENDING, nature): Row(Do.LEAVE, "it had not begun") for nature in Nature},
    **{(StepState.SUCCESS, nature): Row(Do.LEAVE, "it is done, and on disk") for nature in Nature},
    **{(StepState.FAILURE, nature): Row(Do.LEAVE, "it has failed, and on disk is why") for nature in Nature},
    **{(StepState.REVERTED, nature): Row(Do.LEAVE, "it was taken back") for nature in Nature},
    **{(StepState.REVERT_FAILURE, nature): Row(Do.LEAVE, "that was tried, and is told") for nature in Nature},
    **{(StepState.WAITING, nature): Row(Do.WAIT, "whoever works on it has not noticed") for nature in Nature},
    (StepState.RUNNING, Nature.PLACED): Row(Do.RESUME, _RESUMED),
    (StepState.RUNNING, Nature.IDEMPOTENT): Row(Do.AGAIN, "twice is as good as once"),
    (StepState.RUNNING, Nature.VERIFIABLE): Row(Do.VERIFY, "it may have been done, and can tell"),
    (StepState.RUNNING, Nature.BLIND): Row(Do.FAIL, "nobody knows whether it was done, and twice may do harm"),
    (StepState.REVERTING, Nature.PLACED): Row(Do.RESUME, _RESUMED),
    (StepState.REVERTING, Nature.IDEMPOTENT): Row(Do.AGAIN, "twice is as good as once"),
    (StepState.REVERTING, Nature.VERIFIABLE): Row(Do.AGAIN, "to take back what is gone already does no harm"),
    (StepState.REVERTING, Nature.BLIND): Row(Do.FAIL, "nobody knows whether it was taken back"),
}
"""(where a step stood, what is known of it) → what its successor does."""


def takeover(state: StepState, step: Step, *, is_placed: bool) -> Do:
    """Return what is done about a step.

    Args:
        is_placed: it knows its place.
    """
    return TAKEOVER[state, nature_of(step, is_placed=is_placed)].do


def nature_of(step: Step, *, is_placed: bool) -> Nature:
    """Return what is known of a step."""
    if is_placed:
        return Nature.PLACED
    if step.idempotent:
        return Nature.IDEMPOTENT
    return Nature.VERIFIABLE if step.has_verify else Nature.BLIND
