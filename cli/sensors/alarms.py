"""`castiron alarms`: which alarm rules are not ok, at which nodes."""

import time
from typing import Any, Final

import click

from castiron.cli.bulk import names_of
from castiron.cli.options import Command, shared
from castiron.cli.output.render import age, show_json, show_table
from castiron.cli.reach import connect
from castiron.transport.replies import AlarmView
from castiron.transport.verbs import NodeList
from castiron.transport.vocabulary import AlarmState

_COLUMNS: Final = ("node", "alarm", "state", "since", "sensor", "value")


@click.command("alarms", cls=Command, verbs=(NodeList,))
@click.argument("range_", metavar="[RANGE]", required=False)
@click.option("--all", "is_all", is_flag=True, help="Also those that are ok.")
def alarms(range_: str | None, *, is_all: bool) -> None:
    """Show the alarms that are raised, or of which nothing is known any more, those raised first.

    Rules stand in the file that the setting alarm_rules_file names. Each change is an event: `castiron events`.
    """
    given = shared()
    names = None if range_ is None else names_of(range_)
    with connect(given) as client:
        views = client.nodes.list(names)
    found = [
        (view.name, rule, alarm)
        for view in views
        for rule, alarm in view.alarms.items()
        if is_all or alarm.state is not AlarmState.OK
    ]
    found.sort(key=lambda one: _ORDER[one[2].state])  # of one state they stay in the order of the nodes
    if given.is_json:
        return show_json([_as_map(*one) for one in found])
    if not found:
        return click.echo("There are no alarms." if is_all else "No alarm is raised. --all shows those that are ok.")
    now = time.time()
    return show_table(_COLUMNS, [_row(*one, now) for one in found])


_ORDER: Final = {AlarmState.ALARM: 0, AlarmState.INSUFFICIENT_DATA: 1, AlarmState.OK: 2}


def _as_map(node: str, rule: str, alarm: AlarmView) -> dict[str, Any]:
    told = {name: getattr(alarm, name) for name in alarm.__struct_fields__}
    return {"node": node, "alarm": rule, **told}


def _row(node: str, rule: str, alarm: AlarmView, now: float) -> tuple[str, ...]:
    value = "-" if alarm.value is None else f"{alarm.value:g}"
    return (node, rule, alarm.state.value, age(alarm.since, now), alarm.sensor or "-", value)
