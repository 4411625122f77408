"""Who tells a story: numbered lines, notes below them, a bar for what takes long, and the end of it if a step fails."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class StoryBroken(Exception):
    """A step did not hold."""


class Narrator:
    """Prints to a console.

    Args:
        console: rich's.
    """

    def __init__(self, console: "Console") -> None:
        self.console = console
        self._said = 0

    def begin(self, title: str) -> None:
        """Begin a story."""
        self._said = 0
        self.console.print()
        self.console.rule(f"[bold]{title}[/]", align="left", style="dim")

    def say(self, text: str) -> None:
        """Say what happens next."""
        self._said += 1
        self.console.print()
        self._print(f"[bold cyan]{self._said}[/]  ", text)

    def note(self, text: str) -> None:
        """Say what was seen to hold."""
        self._print("   [green]✓[/] ", text)

    @contextmanager
    def progress(self, total: int) -> Generator[Callable[[], None]]:
        """Show a bar for the length of a `with`; it gives a function that moves it on by one."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn  # noqa: PLC0415

        columns = ("   ", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task("", total=total)
            yield lambda: progress.advance(task)

    def _print(self, mark: str, text: str) -> None:
        """Print a line; where it is too long for the terminal, it goes on below its own beginning."""
        from rich.table import Table  # noqa: PLC0415 - loaded with the console

        line = Table.grid()
        line.add_row(mark, text)
        self.console.print(line)


def check(held: bool, what: str) -> None:
    """End the story unless a step held.

    Raises:
        StoryBroken: it did not.
    """
    if not held:
        raise StoryBroken(f"it should be that {what}; it is not.")
