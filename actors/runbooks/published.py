"""The runbooks that are on disk, for everybody to read, and those that are about to be, for whoever decides.

The fleet's actor decides and has a change committed; it need not wait for that, so its next decision is made on what
it has decided, while everybody else sees what is on disk. If a commit fails, what was decided is made anew from what is
there and what is still on its way; the store refuses what was built on the one that failed.
"""

from collections.abc import Iterable
from itertools import count
from typing import NewType

from castiron.actors.core.runbooks.index import RunbookChange, RunbookIndex
from castiron.actors.published.board import Board
from castiron.store.records import RunbookRecord
from castiron.transport.vocabulary import EventSeq

Ticket = NewType("Ticket", int)


class Runbooks:
    """All runbooks of one conductor. `look` may be called by any thread; the others belong to the fleet's actor."""

    def __init__(self, records: Iterable[RunbookRecord] = ()) -> None:
        """Begin with what the store has."""
        self._shown = RunbookIndex.of(records)
        self._decided = self._shown
        self._underway: dict[Ticket, tuple[RunbookChange, EventSeq]] = {}
        self._floor: EventSeq | None = None
        self._tickets = count(1)

    @property
    def decided(self) -> RunbookIndex:
        """What there will be once all that was decided is on disk."""
        return self._decided

    def begin(self, change: RunbookChange, seq: EventSeq) -> Ticket:
        """Note a change that is about to be committed.

        Args:
            seq: an event number that is on the board before the change is submitted.
        """
        ticket = Ticket(next(self._tickets))
        self._underway[ticket] = (change, seq)
        self._decided = self._decided.after(change)
        self._mark()
        return ticket

    def end(self, ticket: Ticket, *, landed: bool) -> None:
        """Show a change that is on disk, or take back one that is not. Changes end in the order of their beginning."""
        change, _ = self._underway.pop(ticket)
        if landed:
            self._shown = self._shown.after(change)
        else:
            self._decided = self._shown
            for other, _ in self._underway.values():
                self._decided = self._decided.after(other)
        self._mark()

    def look(self, board: Board) -> tuple[RunbookIndex, EventSeq]:
        """Return what there is, and the event number at which it holds.

        While a change is on its way its event may be on the board already: then the number is from before it.
        """
        seq, floor, shown = board.seq, self._floor, self._shown  # in this order: see above
        return shown, seq if floor is None else EventSeq(min(seq, floor))

    def _mark(self) -> None:
        self._floor = next((seq for _, seq in self._underway.values()), None)
