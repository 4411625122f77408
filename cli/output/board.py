"""How many requests go, node by node, drawn in place on a terminal: a bar, then a line for each node that is not done.

Loaded where it is drawn, for rich costs 40 ms. What a node is doing comes from others; this file draws.
"""

import signal
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from castiron.cli.output.render import length, visible

MAX_ROWS: Final = 12
"""Nodes shown, if the terminal has the lines: more than a person follows at once."""

_OTHER_LINES: Final = 4
"""Of the terminal that stay free: the bar, what is told of the rest, and what stood there before."""

_BAR: Final = 30


class Going(NamedTuple):
    """A node that is not done."""

    node: str
    doing: str
    """In a few words."""


class Standing(NamedTuple):
    """How far everything has come."""

    total: int
    ended: int
    failed: int
    going: Sequence[Going]
    """Those that run first, those that wait last."""


class Board:
    """The drawing; `close` takes it away.

    Args:
        now: seconds of a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began_at = now()
        self._since: dict[Going, float] = {}
        self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True, vertical_overflow="crop")
        self._live.start()

    def draw(self, standing: Standing) -> None:
        """Draw how far everything has come."""
        now = self._now()
        self._since = {one: self._since.get(one, now) for one in standing.going}
        parts = self._parts(standing, now)
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:  # in the middle of it, Ctrl-C would have rich write the same once more, and take away one of the two
            self._live.update(Group(*parts), refresh=True)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)

    def close(self) -> None:
        """Leave nothing on the terminal."""
        self._live.stop()

    def _parts(self, standing: Standing, now: float) -> list[RenderableType]:
        room = max(1, min(MAX_ROWS, self._live.console.height - _OTHER_LINES))
        shown = standing.going[:room]
        parts: list[RenderableType] = [self._head(standing, now)]
        if shown:
            parts.append(self._rows(shown, now))
        if len(standing.going) > len(shown):
            parts.append(Text(f"and {len(standing.going) - len(shown)} more", style="dim"))
        return parts

    def _head(self, standing: Standing, now: float) -> Table:
        told = f"{standing.ended} of {standing.total} ended"
        grid = Table.grid(padding=(0, 1))
        failed = Text(f"{standing.failed} failed", style="red") if standing.failed else Text("")
        bar = ProgressBar(total=max(1, standing.total), completed=standing.ended, width=_BAR)
        grid.add_row(bar, told, length(now - self._began_at), failed)
        return grid

    def _rows(self, shown: Sequence[Going], now: float) -> Table:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, style="bold")
        grid.add_column(no_wrap=True, overflow="ellipsis")
        grid.add_column(no_wrap=True, style="dim", justify="right")
        for one in shown:
            grid.add_row(visible(one.node), Text(visible(one.doing)), length(now - self._since[one]))
        return grid
