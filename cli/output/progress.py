"""How far a wait has come: drawn in place on a terminal, node by node if they are several; else a line now and then.

Goes to standard error, so that standard output stays the result.
"""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import click

from castiron.cli.bulk import folded
from castiron.cli.options import can_draw
from castiron.cli.output.faults import tell
from castiron.cli.output.render import visible
from castiron.transport.errors import CastironError
from castiron.transport.replies import RequestView
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, RequestState

if TYPE_CHECKING:
    from castiron.cli.output.board import Board, Standing

LIVE_PACE_S: Final = 1.0
"""Between two looks at a request that goes on, where a person watches."""

PLAIN_PACE_S: Final = 10.0
"""The same where nobody does: a line in a log every ten seconds."""

REDRAW_S: Final = 0.1
"""Between two drawings of the line: folding a thousand names takes milliseconds."""

_CLEAR: Final = "\r\x1b[K"


class Progress:
    """Shows requests while they are waited for; a context manager that leaves nothing on the line.

    Attributes:
        pace_s: how often requests that go on should be looked at.
    """

    def __init__(self, total: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._now = now
        self._is_live = can_draw("stderr")
        self._drawn_at = float("-inf") if self._is_live else now()
        self._is_away = False
        self._board: Board | None = None
        self.pace_s = LIVE_PACE_S if self._is_live else PLAIN_PACE_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._clear()

    def show(self, views: Sequence[RequestView]) -> None:
        """Draw the requests as they stand, unless that was done a moment ago."""
        self.follow(self._total, partial(going, views), partial(progress_line, views, self._total))

    def follow(self, total: int, look: "Callable[[], Standing]", compose: Callable[[], str]) -> None:
        """Draw several nodes as `look` sees them, where somebody watches; else, and for one node, what `compose` makes.

        Either is called only if nothing was drawn a moment ago.
        """
        if not self._is_live or total <= 1:
            return self.draw(compose)
        self._is_away = False
        if not self._is_due(REDRAW_S):
            return None
        if self._board is None:
            from castiron.cli.output.board import Board  # noqa: PLC0415 - rich: 40 ms that logs and single nodes do without

            self._board = Board(self._now)
        return self._board.draw(look())

    def tell(self, what: str) -> None:
        """Say something in a line of its own."""
        self._clear()
        tell(what)

    def draw(self, compose: Callable[[], str]) -> None:
        """Draw the line that `compose` makes, unless one was drawn a moment ago."""
        self._is_away = False
        pause_s = REDRAW_S if self._is_live else PLAIN_PACE_S
        if not self._is_due(pause_s):
            return
        line = visible(compose())
        if self._is_live:
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"{_CLEAR}{line[:width]}", err=True, nl=False, color=True)
        else:
            tell(line)

    def tell_away(self, lost: CastironError) -> None:
        """Say, once each time, that the conductor does not answer and is waited for."""
        if not self._is_away:
            self._is_away = True
            self._clear()
            tell(f"{lost.message.partition('.')[0]}. Waiting for it to come back; the requests are in its store.")

    def _is_due(self, pause_s: float) -> bool:
        now = self._now()
        if now - self._drawn_at < pause_s:
            return False
        self._drawn_at = now
        return True

    def _clear(self) -> None:
        if self._board is not None:
            self._board.close()
            self._board = None
        elif self._is_live:
            click.echo(_CLEAR, err=True, nl=False, color=True)
            sys.stderr.flush()


def going(views: Sequence[RequestView]) -> "Standing":
    """Return how requests stand, node by node: those that run first."""
    from castiron.cli.output.board import Going, Standing  # noqa: PLC0415 - see follow

    ended = [view for view in views if view.state in FINAL_REQUEST_STATES]
    failed_count = sum(view.state is not RequestState.SUCCEEDED for view in ended)
    rest = [view for view in views if view.state not in FINAL_REQUEST_STATES]
    rest.sort(key=lambda view: view.state is not RequestState.RUNNING)
    return Standing(len(views), len(ended), failed_count, [Going(view.node, _doing(view)) for view in rest])


def _doing(view: RequestView) -> str:
    return f"{view.state} ({view.step})" if view.step else str(view.state)


def progress_line(views: Sequence[RequestView], total: int) -> str:
    """Return "12 of 20 ended, 1 failed; running (power off confirmed): n[13-18]; queued: n[19-20]"."""
    ended = [view for view in views if view.state in FINAL_REQUEST_STATES]
    failed_count = sum(view.state is not RequestState.SUCCEEDED for view in ended)
    open_: dict[str, list[str]] = {}
    for view in views:
        if view.state not in FINAL_REQUEST_STATES:
            open_.setdefault(_doing(view), []).append(view.node)
    failed = f", {failed_count} failed" if failed_count else ""
    parts = [f"{len(ended)} of {total} ended{failed}"]
    parts += [f"{doing}: {folded(nodes)}" for doing, nodes in sorted(open_.items())]
    return "; ".join(parts)
