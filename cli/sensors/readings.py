"""`castiron node sensors`: what machines' sensors said last, and how long ago."""

import time
from collections.abc import Iterator, Sequence

import click

from castiron.cli.bulk import Outcome, conclude, leave, send, tell_outcomes
from castiron.cli.nodes.selection import choose, selection
from castiron.cli.options import Command, shared
from castiron.cli.output.faults import tell
from castiron.cli.output.render import age, length, show_table
from castiron.cli.reach import connect
from castiron.transport.replies import SensorListed, SensorView
from castiron.transport.verbs import NodeSensorList

_COLUMNS = ("node", "sensor", "kind", "value", "units", "states", "health", "read")

_WHY = {
    "off": "its sensors are not read: send_sensor_data is off, or its interval is 0",
    "maintenance": "its sensors are not read while it is in maintenance",
    "silent": "its BMC does not answer, so its sensors are not read",
    "failing": "its sensors cannot be read, and are tried less and less often",
}


@click.command("sensors", cls=Command, verbs=(NodeSensorList,))
@selection
def sensors(range_: str | None, where: tuple[str, ...]) -> None:
    """Show what machines' sensors said last. Answered from memory: no BMC is asked.

    What could not be read is unknown. The column `read` says how long ago a machine was asked.
    """
    given = shared()
    nodes = choose(range_, where, given)
    with connect(given) as client:
        outcomes = send(client, [(one.name, NodeSensorList(node=one.ref)) for one in nodes])
    if given.is_json or (len(outcomes) == 1 and outcomes[0].error is not None):
        conclude(outcomes, lambda _: "", given)
    _show(outcomes, time.time())
    tell_outcomes([one for one in outcomes if one.error is not None], lambda _: "")
    leave(outcomes)


def _show(outcomes: Sequence[Outcome], now: float) -> None:
    found: list[SensorListed] = [one.result for one in outcomes if one.error is None]
    rows = [row for listed in found for row in _rows(listed, now)]
    if rows:
        show_table(_COLUMNS, rows)
    for listed in found:
        for line in _remarks(listed, now):
            tell(f"{listed.node}: {line}.")


def _rows(listed: SensorListed, now: float) -> Iterator[tuple[str, ...]]:
    read = age(listed.read_at, now) + (", stale" if listed.is_stale else "")
    for one in listed.sensors:
        states = ", ".join(one.states) or "-"
        yield (listed.node, one.name, one.kind, _value(one), one.units, states, _health(one), read)


def _value(sensor: SensorView) -> str:
    if sensor.health is None:
        return "unknown"
    return "-" if sensor.value is None else f"{sensor.value:g}"


def _health(sensor: SensorView) -> str:
    return sensor.health or "unknown"


def _remarks(listed: SensorListed, now: float) -> Iterator[str]:
    """Yield what is to be said of a node beside its readings: why there are none, or old ones."""
    if listed.passed_over is not None:
        yield _WHY.get(listed.passed_over, listed.passed_over)
    if listed.error is not None:
        yield f"the latest reading failed {age(listed.tried_at, now)}: {listed.error['message']}".rstrip(".")
    elif listed.read_at is None and listed.interval_s and listed.passed_over is None:
        yield f"its sensors have not been read yet; they are read every {length(listed.interval_s)}"
