"""`castiron events`: what has happened, from the store, and what happens, as it happens."""

import json
from typing import Any, Final, cast

import click

from castiron.cli.bulk import names_of
from castiron.cli.options import Command, Shared, shared
from castiron.cli.output.exits import Exit, exit_of
from castiron.cli.output.faults import Stop, tell, tell_error
from castiron.cli.output.render import clock_time, visible, word
from castiron.cli.reach import connect
from castiron.transport.clients.blocking.stream import EventStream
from castiron.transport.errors import EventsLost
from castiron.transport.events import EventView
from castiron.transport.verbs import EventList, Hello, NodeList

_COLUMNS: Final = "{:>8}  {}  {:<31}  {:<16}  {}"
"""Widths are not known before the last event has come; these fit most."""

_SAID_ELSEWHERE: Final = frozenset({"requester", "error", "power_state_at", "changes"})
_MOVE: Final = frozenset(
    {
        "event",
        "previous_provision_state",
        "previous_target_provision_state",
        "provision_state",
        "target_provision_state",
    }
)
_STEP: Final = frozenset({"provision_state", "interface", "step", "name", "position", "count", "attempt"})
"""What a phrase of its own says of a node that moves, and of a step."""

_SAID_BY_CHANGES: Final = frozenset({"changed", "previous_name"})


@click.command("events", cls=Command, verbs=(EventList, Hello, NodeList))
@click.option(
    "--since",
    type=click.IntRange(min=0),
    metavar="N",
    help="Begin after the event of this number. [default: with the oldest that is kept; with --follow, with the next]",
)
@click.option("-f", "--follow", is_flag=True, help="Go on as events happen, until Ctrl-C.")
@click.option("--node", "range_", metavar="RANGE", help="Of these nodes only.")
@click.option(
    "--type", "types", multiple=True, metavar="GLOB", help="Of these types only, as 'node.power_set.*'. Repeatable."
)
def events(since: int | None, range_: str | None, types: tuple[str, ...], *, follow: bool) -> int:
    """Show what has happened, in order, each event with its number; with --follow, what happens from now on, too.

    Survives restarts of the conductor, and says so. If events in between are not kept any more, it says which. With
    --format json, one object a line.
    """
    given = shared()
    nodes = None if range_ is None else names_of(range_)
    lost: EventsLost | None = None
    with connect(given) as client:
        told = _tell_json if given.is_json else tell
        stream = client.events(since, nodes=nodes, types=types or None, follow=follow, told=told)
        try:
            while True:
                try:
                    for event in stream:
                        click.echo(_line(event, given))
                    break
                except EventsLost as gap:
                    lost = gap
                    tell_error(gap, as_json=given.is_json)
        except KeyboardInterrupt:
            raise Stop(_goes_on(stream), Exit.INTERRUPTED) from None
    return Exit.OK if lost is None else exit_of(lost)


def _move(payload: dict[str, Any]) -> str:
    """Return "available -> deploying (deploy), to active"."""
    target = payload["target_provision_state"]
    to = "" if target is None else f", to {target}"
    return f"{payload['previous_provision_state']} -> {payload['provision_state']} ({payload['event']}){to}"


def _step(payload: dict[str, Any]) -> str:
    """Return "reboot#2 (3 of 5, cleaning, attempt 2)"."""
    place = [f"{payload['position']} of {payload['count']}", str(payload["provision_state"])]
    if payload["attempt"] > 1:
        place.append(f"attempt {payload['attempt']}")
    return f"{payload['name']} ({', '.join(place)})"


def _goes_on(stream: EventStream) -> str:
    since = "" if stream.seq is None else f" --since {stream.seq}"
    return f"Interrupted. Go on with `castiron events --follow{since}`."


def _tell_json(notice: str) -> None:
    click.echo(json.dumps({"notice": notice}), err=True)


def _line(event: EventView, given: Shared) -> str:
    if given.is_json:
        return json.dumps({name: getattr(event, name) for name in event.__struct_fields__})
    cells = (event.seq, clock_time(event.at), event.type, event.node or "-", details(event.payload))
    return _COLUMNS.format(*(visible(str(cell)) for cell in cells)).rstrip()


def details(payload: dict[str, Any]) -> str:
    """Return a payload in a few words: what failed first, then what changed, the values, and who asked."""
    error = payload.get("error")
    parts = [str(cast("dict[str, Any]", error).get("code", "error"))] if isinstance(error, dict) else []
    for keys, told in ((_MOVE, _move), (_STEP, _step)):
        if keys <= payload.keys():
            parts.append(told(payload))
            told_already = keys | {"power_state"}  # on every event of a move, for programs
            payload = {
                key: value for key, value in payload.items() if key not in told_already and value not in (None, {})
            }
    changes = cast("dict[str, dict[str, Any]]", payload.get("changes") or {})
    parts += [f"{name}: {word(one.get('from'))} -> {word(one.get('to'))}" for name, one in changes.items()]
    said = _SAID_ELSEWHERE | _SAID_BY_CHANGES if changes else _SAID_ELSEWHERE
    parts += [f"{key}={word(value)}" for key, value in payload.items() if key not in said]
    parts += [f"by {payload['requester']}"] if payload.get("requester") else []
    return ", ".join(parts)
