"""Requests that run and should not any more: overdue, or without a living owner.

An action's own timer ends it; this looks for those where nobody is there to hear it, for whatever reason, also one that
nobody has thought of. Looks only, at what is published: O(requests that run), a millisecond for ten thousand.
"""

from collections.abc import Iterator
from typing import Final

from castiron.actors.dispatch.clock import Clock
from castiron.actors.published.board import Board
from castiron.actors.supervision.directory import Directory
from castiron.actors.supervision.kin import Hung
from castiron.transport.vocabulary import Instant, RequestID

GRACE_S: Final = 3.0
"""After its time, for an action's own end, on a machine that is busy, to be decided and committed."""


PAUSE_S: Final = 60.0
"""Until a request is told of again, so that a disk that is full does not look like an actor that keeps failing."""


class Orphanage:
    """Finds them. One thread."""

    def __init__(self, board: Board, directory: Directory, clock: Clock) -> None:
        self._told: dict[RequestID, Instant] = {}
        self._board = board
        self._directory = directory
        self._clock = clock

    def look(self) -> Iterator[Hung]:
        """Yield what is to be told to the supervisor about owners that do not end their actions."""
        now = self._clock.now()
        self._told = {request_id: at for request_id, at in self._told.items() if now < at + PAUSE_S}
        for request in self._board.running():
            if request.id in self._told:
                continue  # its successor may have to wait for the disk
            owner = self._directory.owner(request.node_uuid)
            if owner is None or owner.ref is None:
                continue  # deleted, or a successor is on the way
            is_overdue = request.overdue_at is not None and now > request.overdue_at + GRACE_S
            if is_overdue or not owner.ref.is_alive():
                self._told[request.id] = now
                what = "has not ended by its time" if is_overdue else "has nobody who looks after it"
                yield Hung(
                    uuid=request.node_uuid,
                    generation=owner.generation,
                    reason=f"{request.verb}, request {request.id}, {what}",
                    overdue=request.id if is_overdue else None,
                )
