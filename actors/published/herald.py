"""From the writer to the front door: what has landed on disk, in the order of its numbers, each event once.

Called on the writer's thread after each group of commits, before anybody else hears of them; so it does little: it
tells the board what is to be shown, and hands the events on. They are encoded on the front door's thread.
"""

from collections.abc import Sequence
from typing import Protocol

from castiron.actors.core.views import event_view
from castiron.actors.published.board import Board
from castiron.store.records import Commit
from castiron.transport.events import EventView


class Stream(Protocol):
    """Where events go."""

    def publish(self, happened: Sequence[EventView]) -> None:
        """Take events in the order of their numbers. Never blocks."""
        ...


class Herald:
    """Announces what has landed. One thread, the writer's."""

    def __init__(self, board: Board, stream: Stream) -> None:
        self._board = board
        self._stream = stream

    def landed(self, commits: Sequence[Commit]) -> None:
        """Announce a group of commits."""
        self._board.landed(commits)
        self._stream.publish([event_view(event) for commit in commits for event in commit.events])
