"""`castiron node history`: what has happened to one node, the latest first."""

import time
from typing import Final

import click

from castiron.cli.commands.events import details
from castiron.cli.options import Command, shared
from castiron.cli.output.faults import tell
from castiron.cli.output.render import moment, show_json, show_table, word
from castiron.cli.reach import connect
from castiron.transport.verbs import NodeHistory

_HEAD: Final = ("NUMBER", "AT", "TYPE", "REQUEST", "DETAILS")


@click.command("history", cls=Command, verbs=(NodeHistory,))
@click.argument("name", metavar="NODE")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many at the most.")
def history(name: str, limit: int) -> None:
    """Show what has happened to a node, the latest first: who asked for what, how it ended, what was noticed.

    Each node keeps its latest events, 300 unless the conductor was told otherwise. NODE is a name; of a node that was
    deleted, the uuid.
    """
    given = shared()
    with connect(given) as client:
        found = client.nodes.history(name, limit=limit)
    if given.is_json:
        return show_json(found)
    now = time.time()
    rows = [
        [word(event.node_seq), moment(event.at, now), event.type, word(event.request), details(event.payload)]
        for event in found
    ]
    show_table(_HEAD, rows)
    if not rows:
        tell(f"Nothing has happened to {name}.")
    return None
