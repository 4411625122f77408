"""Decisions on their way to the disk: held back, with all that was decided on top of them, until it is there.

A change opens a batch; decisions that change nothing, and were made while it was on its way, follow in the same batch.
So whoever learns what became of a change, the actor or somebody in its place, knows all that may be told now.
"""

from dataclasses import dataclass
from typing import ClassVar

from castiron.actors.core.effects import Decision
from castiron.store.errors import StoreError
from castiron.store.records import Commit


@dataclass(eq=False, slots=True)
class Batch:
    """A change, and what follows from it."""

    decisions: list[Decision]
    """The first one changes something; emptied once everybody has been told that nothing came of them."""
    outcome: Commit | StoreError | None = None
    """What became of the change, once its actor has been told."""


@dataclass(frozen=True, slots=True)
class Landed:
    """The outcome of a batch's change has come; for the node's actor."""

    is_control: ClassVar[bool] = True

    batch: Batch
    outcome: Commit | StoreError


class Batches:
    """The batches of one actor, in the order of their changes. Only the actor's thread."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Batch] = []  # a few at the most, mostly none: an empty deque takes 760 bytes in each actor

    def open(self, decision: Decision) -> Batch:
        """Hold back a decision that changes something."""
        batch = Batch([decision])
        self._waiting.append(batch)
        return batch

    def follow(self, decision: Decision) -> bool:
        """Hold back a decision that changes nothing, behind what it was made on; return whether there was anything."""
        if not self._waiting:
            return False
        self._waiting[-1].decisions.append(decision)
        return True

    def take_landed(self) -> Batch | None:
        """Take out the first batch if its outcome has come. A refusal may come ahead of its turn; it waits for it."""
        if self._waiting and self._waiting[0].outcome is not None:
            return self._waiting.pop(0)
        return None

    def latest(self) -> Batch | None:
        """Return the last one that waits; None: none does. Any thread."""
        waiting = tuple(self._waiting)
        return waiting[-1] if waiting else None

    def take_all(self) -> list[Batch]:
        """Take out all of them."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken
