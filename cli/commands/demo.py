"""`castiron demo`: stories on simulated BMCs, told and checked step by step."""

import os
import sys
import time
from typing import TYPE_CHECKING, Final

import click

from castiron.cli.stories.narrator import Narrator, StoryBroken
from castiron.transport.errors import CastironError

if TYPE_CHECKING:
    from rich.console import Console

STORIES: Final = ("successor", "upkeep")


def _console() -> "Console":
    """Return rich's, but one that says that nobody reads any more as every other command does."""
    from rich.console import Console  # noqa: PLC0415 - other commands must not pay for it

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Plain(highlight=False)


@click.command()
@click.option(
    "--story",
    "chosen",
    type=click.Choice(STORIES),
    help="One of them only: successor (a conductor is killed in the middle of its work) or upkeep (machines, BMCs and "
    "an actor fail, and are seen to).",
)
def demo(chosen: str | None) -> None:
    """Show castiron at work on simulated BMCs, in half a minute or so. Ends with 0 only if every step held."""
    from castiron.cli.stories.successor import tell_successor  # noqa: PLC0415 - as above
    from castiron.cli.stories.upkeep import tell_upkeep  # noqa: PLC0415 - as above

    tellers = {"successor": tell_successor, "upkeep": tell_upkeep}
    console = _console()
    began_at = time.monotonic()
    try:
        for story in STORIES if chosen is None else (chosen,):
            tellers[story](Narrator(console))
    except (StoryBroken, CastironError) as broken:
        console.print(f"\n[bold red]The story broke:[/] {broken}")
        sys.exit(os.EX_SOFTWARE)
    console.print(f"\n[bold green]Every step held.[/] It took {time.monotonic() - began_at:.1f} s.")
    console.print("Next: [bold]castiron farm[/] for BMCs of your own, [bold]castiron serve[/] for a conductor.")
