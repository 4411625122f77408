"""`castiron top`: the whole fleet on a full screen, until q. What is worth watching is glance.py's; this lays it out.

Keys are read between two rounds; whatever ends it, the terminal is as it was before.
"""

import select
import sys
import termios
import time
import tty
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

import click

from castiron.cli.options import Command, can_draw, is_terminal, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.output.render import clock_time, length, visible
from castiron.cli.reach import connect
from castiron.cli.watch.glance import lines
from castiron.cli.watch.watching import LEAST_S, REFRESH_S, ask
from castiron.transport.errors import CastironError
from castiron.transport.replies import StatusView
from castiron.transport.verbs import Status

if TYPE_CHECKING:
    from rich.table import Table

_QUIT: Final = frozenset("qQ\x1b\x04")
"""q, Escape, Ctrl-D; Ctrl-C interrupts, which is the same here."""

_LISTED: Final = ("slowest", "silent")
"""Lines of the glance that have a table of their own here."""


@click.command("top", cls=Command, verbs=(Status,))
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(min=LEAST_S),
    default=REFRESH_S,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
def top(every_s: float) -> None:
    """Show the fleet on the whole screen: states, lateness, queues, the slowest BMCs, nodes that fail. q quits.

    Goes on while the conductor is away. For a log or a program: `castiron status --watch`.
    """
    if not (is_terminal("stdin") and can_draw("stdout")):
        raise Stop(
            "top needs a terminal that it can draw on. For others: `castiron status --watch`, also with --format json.",
            Exit.USAGE,
        )
    with connect(shared()) as client, _keys(), _Page() as page:
        before: StatusView | None = None
        is_away = False
        while True:
            outcome = ask(client, is_away=is_away)
            is_away = not isinstance(outcome, StatusView)
            page.show(before, outcome, time.time())
            before = outcome if isinstance(outcome, StatusView) else before
            if _is_quit(every_s):
                return


@contextmanager
def _keys() -> Generator[None]:
    """Have keys as they are pressed, unseen; Ctrl-C ends the block quietly."""
    stdin = sys.stdin.fileno()
    kept = termios.tcgetattr(stdin)
    tty.setcbreak(stdin)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, kept)


def _is_quit(wait_s: float) -> bool:
    """Wait for a key, and return whether it is one that quits; any other is a wish to look at once."""
    ready, _, _ = select.select([sys.stdin], [], [], wait_s)
    return bool(ready) and sys.stdin.read(1) in _QUIT | {""}


class _Page:
    """The screen; a context manager that gives the terminal back."""

    def __init__(self) -> None:
        from rich.live import Live  # noqa: PLC0415 - 40 ms that other commands' help does without

        self._live = Live(auto_refresh=False, screen=True)
        self._seen: StatusView | None = None
        self._rows: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, before: StatusView | None, outcome: StatusView | CastironError, at: float) -> None:
        """Draw a status; where there is none, the last one below the reason."""
        away: dict[str, str] = {}
        if isinstance(outcome, StatusView):
            self._seen, self._rows = outcome, lines(before, outcome, at)
        else:
            away = {"away": outcome.message}
        self._draw({"time": f"{clock_time(at)}, q quits", **away, **self._rows}, at)

    def _draw(self, rows: dict[str, str], at: float) -> None:
        from rich.console import Group  # noqa: PLC0415 - as above
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in rows.items():
            if name not in _LISTED:
                style = "red" if name in {"away", "at bound"} else ""
                grid.add_row(name, Text(visible(text) or "-", style=style if text else "dim"))
        aside = Table.grid(padding=(0, 6, 0, 0))
        aside.add_row(
            _listed("SLOWEST BMCS", self._slowest()),
            _listed(f"FAILING: {rows.get('silent', 'unknown').partition(':')[0]}", self._failing(at)),
        )
        self._live.update(Group(grid, Text(), aside), refresh=True)

    def _slowest(self) -> list[tuple[str, str]]:
        bmcs = None if self._seen is None else self._seen.bmcs
        return [] if bmcs is None else [(one.node, f"{one.response_ms:.0f} ms") for one in bmcs.slowest]

    def _failing(self, at: float) -> list[tuple[str, str]]:
        bmcs = None if self._seen is None else self._seen.bmcs
        return [] if bmcs is None else [(one.node, f"for {length(at - one.since)}") for one in bmcs.failing_longest]


def _listed(head: str, rows: list[tuple[str, str]]) -> "Table":
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(head, no_wrap=True)
    table.add_column("", no_wrap=True)
    for node, told in rows or [("none", "")]:
        table.add_row(visible(node), told)
    return table
