"""A client's wait for the end of a request: ended by that end, by its time, or by the client's going.

Whichever comes first gives back what the other two hold; so nothing is kept for longer than somebody waits. Any thread;
never blocks.
"""

import threading
from collections.abc import Callable

from castiron.actors.asking import Answer
from castiron.actors.dispatch.clock import Clock, Timer
from castiron.actors.published.board import Board, Withdraw
from castiron.store.records import RequestRecord
from castiron.transport.vocabulary import EventSeq, Instant, RequestID


class Wait:
    """One wait. `begin` once."""

    def __init__(self, board: Board, answer: Answer, ended: Callable[[RequestRecord, EventSeq], None]) -> None:
        """Prepare it.

        Args:
            answer: of whoever waits; it is not answered here.
            ended: told the request's end, if that comes first.
        """
        self._board = board
        self._answer = answer
        self._ended = ended
        self._lock = threading.Lock()
        self._withdraw: Withdraw | None = None
        self._timer: Timer | None = None
        self._is_over = False

    def expect(self, request_id: RequestID) -> None:
        """Begin to wait for a request that is about to be submitted, for as long as somebody waits for the answer.

        Raises:
            ConductorOverloaded: as many wait as may.
        """
        self._withdraw = self._board.expect(request_id, self._tell)
        self._answer.when_gone(self._gone)

    def begin(self, request_id: RequestID) -> bool:
        """Begin to wait for a request; return whether it is here, else nothing has begun.

        Raises:
            ConductorOverloaded: as many wait as may.
        """
        self._withdraw = self._board.wait(request_id, self._tell)
        if self._withdraw is None:
            return False
        self._answer.when_gone(self._gone)
        return True

    def limit(self, clock: Clock, at: Instant, late: Callable[[], None]) -> None:
        """Have `late` called at that time, unless the wait is over by then."""

        def due() -> None:
            if self.withdraw():
                late()

        timer = clock.call_at(at, due)
        with self._lock:
            self._timer = timer
            is_over = self._is_over
        if is_over:
            timer.cancel()

    def withdraw(self) -> bool:
        """Wait no more; return whether the end had not been told yet. Idempotent."""
        waited = self._withdraw is not None and self._withdraw()
        self._finish()
        return waited

    def _tell(self, request: RequestRecord, seq: EventSeq) -> None:
        self._finish()
        self._ended(request, seq)

    def _gone(self) -> None:
        self.withdraw()

    def _finish(self) -> None:
        with self._lock:
            self._is_over = True
            timer = self._timer
        if timer is not None:
            timer.cancel()
