"""One node's share of a bulk: hears what becomes of its request, on whatever thread, and tells the bulk's actor."""

from collections.abc import Callable
from functools import partial

from castiron.actors.bulk.messages import BulkMessage, Ended, Foretold, Refused, Taken
from castiron.actors.published.archive import Asking, Library
from castiron.actors.published.board import Board
from castiron.actors.reception.intake import request_not_found
from castiron.store.records import RequestRecord
from castiron.transport.doors.slip import Slip, arrived
from castiron.transport.errors import CastironError
from castiron.transport.replies import AnyResult, Forecast, RequestView
from castiron.transport.vocabulary import EventSeq, RequestID

Tell = Callable[[BulkMessage], None]
"""Tells the bulk's actor. Any thread; never blocks, never raises."""


class Share:
    """Whoever asks for one node's request; see asking.Answer."""

    __slots__ = ("_archive", "_board", "_number", "_tell")

    def __init__(self, number: int, tell: Tell, board: Board, archive: Asking) -> None:
        self._number = number
        self._tell = tell
        self._board = board
        self._archive = archive

    def accepted(self, result: AnyResult, seq: EventSeq) -> None:
        """Tell that the request is on disk, and later how it has ended."""
        del seq
        if not isinstance(result, RequestView):
            raise TypeError(result)
        self._tell(Taken(self._number, result))
        request_id = RequestID(result.id)
        if not self._board.follow(request_id, self._ended):  # it ended so long ago that only the store has it
            self._look_up(request_id)

    def part(self, result: AnyResult, seq: EventSeq) -> Slip:
        """Hear nothing: requests are not told in parts."""
        del result, seq
        return arrived()

    def final(self, result: AnyResult, seq: EventSeq) -> None:
        """Tell what would become of it, if that was asked; how a request has ended is heard from the board."""
        del seq
        if isinstance(result, Forecast):
            self._tell(Foretold(self._number, result))

    def fail(self, error: CastironError, seq: EventSeq) -> None:
        """Tell that it was not accepted."""
        del seq
        self._tell(Refused(self._number, error))

    def when_gone(self, call: Callable[[], None]) -> None:
        """Stay: whoever asked is the bulk, which ends when it has heard of all its nodes."""

    def _ended(self, request: RequestRecord, seq: EventSeq) -> None:
        del seq
        self._tell(Ended(self._number, request))

    def _look_up(self, request_id: RequestID) -> None:
        try:
            self._archive.ask(partial(self._found, request_id))
        except CastironError as error:
            self._tell(Refused(self._number, error))

    def _found(self, request_id: RequestID, library: Library) -> None:
        request = library.request(request_id)
        if request is None:
            self._tell(Refused(self._number, request_not_found(request_id)))
        else:
            self._tell(Ended(self._number, request))


class Nobody:
    """Whoever withdraws a bulk's requests hears of their ends as the bulk; see asking.Answer."""

    def accepted(self, result: AnyResult, seq: EventSeq) -> None:
        """Hear nothing."""

    def part(self, result: AnyResult, seq: EventSeq) -> Slip:
        """Hear nothing."""
        del result, seq
        return arrived()

    def final(self, result: AnyResult, seq: EventSeq) -> None:
        """Hear nothing."""

    def fail(self, error: CastironError, seq: EventSeq) -> None:
        """Hear nothing: it has started, or others want it as well, and it goes on."""

    def when_gone(self, call: object) -> None:
        """Stay."""
