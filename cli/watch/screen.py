"""Where a watched conductor is shown: drawn in place on a terminal, a line a round into a pipe, JSON for programs.

How it looks, and nothing else. What a conductor sends is shown harmless, as everywhere.
"""

import json
from typing import Any

import click

from castiron.cli.output.faults import error_map
from castiron.cli.output.render import clock_time, fields_of, visible
from castiron.cli.watch.glance import as_json, lines
from castiron.transport.errors import CastironError
from castiron.transport.replies import StatusView

_ALARMING = {"at bound": "red", "slow turns": "yellow"}
"""Lines that are empty as long as all is well."""


class JSONLines:
    """One JSON object a line and round; `away` in it says why there is no status."""

    def show(self, before: StatusView | None, view: StatusView, at: float) -> None:
        """Print what is watched."""
        _print(as_json(before, view, at))

    def away(self, lost: CastironError, at: float) -> None:
        """Print why there is nothing to be seen."""
        _print({"at": at, "away": error_map(lost)})

    def close(self) -> None:
        """Do nothing: each line is complete."""


class PlainLines:
    """One line of text a round; that the conductor is away is said once."""

    def __init__(self) -> None:
        self._is_away = False

    def show(self, before: StatusView | None, view: StatusView, at: float) -> None:
        """Print the figures."""
        self._is_away = False
        told = "; ".join(f"{name}: {text}" for name, text in lines(before, view, at).items() if text)
        click.echo(visible(f"{clock_time(at)} {told}"))

    def away(self, lost: CastironError, at: float) -> None:
        """Print it, unless it was."""
        if not self._is_away:
            self._is_away = True
            click.echo(visible(f"{clock_time(at)} away: {lost.message}"))

    def close(self) -> None:
        """Do nothing: each line is complete."""


class Screen:
    """A terminal, drawn anew in place. While the conductor is away the last figures stay, with a line that says so."""

    def __init__(self) -> None:
        from rich.live import Live  # noqa: PLC0415 - 40 ms that pipes and JSON do without

        self._rows: dict[str, str] = {}
        self._live = Live(auto_refresh=False, vertical_overflow="crop")
        self._live.start()

    def show(self, before: StatusView | None, view: StatusView, at: float) -> None:
        """Draw the figures."""
        self._rows = lines(before, view, at)
        self._draw({"time": clock_time(at), **self._rows})

    def away(self, lost: CastironError, at: float) -> None:
        """Draw the last ones, and since when there is no answer."""
        self._draw({"time": clock_time(at), "away": lost.message, **self._rows})

    def close(self) -> None:
        """Leave the last drawing, and the cursor below it."""
        self._live.stop()

    def _draw(self, rows: dict[str, str]) -> None:
        from rich.table import Table  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in rows.items():
            style = "red" if name == "away" else _ALARMING.get(name, "")
            grid.add_row(name, Text(visible(text) or "-", style=style if text else "dim"))
        self._live.update(grid, refresh=True)


def _print(told: dict[str, Any]) -> None:
    click.echo(json.dumps(told, default=fields_of))
