"""`castiron node explain` and `castiron node record`: why a node stands as it does, and all that is known of it."""

import json
import time
from collections.abc import Mapping
from typing import Any

import click

from castiron.cli.options import Command, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop, tell
from castiron.cli.output.render import age, show_json, visible
from castiron.cli.reach import connect
from castiron.transport.verbs import NodeExplain, NodeRecording


@click.command("explain", cls=Command, verbs=(NodeExplain,))
@click.argument("name", metavar="NODE")
def explain(name: str) -> None:
    """Say why a node is not doing what it was asked for: what stands in the way, since when, and what helps.

    Composed of what is on record; no BMC is asked.
    """
    given = shared()
    with connect(given) as client:
        explanation = client.nodes.explain(name)
    if given.is_json:
        return show_json(explanation)
    now = time.time()
    for finding in explanation.findings:
        since = "" if finding.since is None else f" ({age(finding.since, now)})"
        click.echo(visible(f"{finding.text}{since}"))
        if finding.advice is not None:
            click.echo(visible(f"    {finding.advice}"))
    return None


@click.command("record", cls=Command, verbs=(NodeRecording,))
@click.argument("name", metavar="NODE")
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to; '-': standard output.")
def record(name: str, output: str) -> None:
    """Write a node's record to a file: its events, its requests, their exchanges with the BMC. Secrets are masked.

    One JSON object a line: first a header, then what happened, the latest first.
    """
    given = shared()
    count = 0
    with connect(given) as client:
        pages = client.nodes.record(name)
        try:
            with click.open_file(output, "w", encoding="utf-8") as file:
                for line in pages:
                    file.write(_line(line))
                    count += 1
        except OSError as failure:
            raise Stop(f"Cannot write {output}: {failure.strerror}.", Exit.CANNOT_CREATE) from None
    tell(f"{output}: {count - 1} events and requests of {name}.")


def _line(line: Mapping[str, Any]) -> str:
    return json.dumps(line) + "\n"
