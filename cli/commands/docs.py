"""`castiron docs`: what is documented and can be read in a terminal; no conductor is asked."""

from importlib.resources import files

import click

from castiron.cli.options import Group


@click.group(cls=Group)
def docs() -> None:
    """Read documents that castiron brings along."""


@docs.command("states")
def _states() -> None:
    """Show the provision states of nodes: what leads from each to which, and why."""
    click.echo(files("castiron.transport").joinpath("states.txt").read_text(encoding="utf-8"), nl=False)
