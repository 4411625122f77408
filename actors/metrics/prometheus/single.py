"""Metrics of single nodes, which only a setting brings out, and of so many nodes only.

Labels and names as Ironic's exporter has them for readings of sensors, so that its dashboards show ours.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from castiron.actors.metrics.vitals import Vitals
from castiron.actors.published.board import Published
from castiron.actors.sensors.readings import Reading
from castiron.transport.vocabulary import PowerState

LABELS: Final = ("node_name", "node_uuid")
"""Of each."""


class NodeMetric(NamedTuple):
    """One gauge."""

    name: str
    labels: tuple[str, ...]
    """Beside LABELS."""
    meaning: str
    elsewhere: str = ""


POWERED: Final = NodeMetric("castiron_node_powered", (), "1: on, 0: off; missing: nobody knows")
STATE: Final = NodeMetric("castiron_node_provision_state", ("provision_state",), "1 for the state that it is in")
MAINTENANCE: Final = NodeMetric("castiron_node_maintenance", (), "1: it is in maintenance")
FAULT: Final = NodeMetric("castiron_node_fault", (), "1: the conductor put it aside")
FAILURES: Final = NodeMetric("castiron_node_check_failures", (), "power checks in a row that failed")
READ_AT: Final = NodeMetric(
    "baremetal_last_payload_timestamp_seconds", (), "when its sensors were read last", "Ironic's exporter: the same"
)
TEMPERATURE: Final = NodeMetric(
    "baremetal_temp_celsius", ("sensor_id",), "a temperature", "Ironic's exporter: the same, without `entity_id`"
)
FAN: Final = NodeMetric("baremetal_fan_rpm", ("sensor_id",), "a fan's speed", "as above")
VOLTAGE: Final = NodeMetric("baremetal_voltage_volts", ("sensor_id",), "a voltage", "as above")
CURRENT: Final = NodeMetric("baremetal_current", ("sensor_id",), "a current, in amperes", "as above")
POWER: Final = NodeMetric("baremetal_pwr_consumption", ("sensor_id",), "power drawn, in watts", "as above")

NODE_METRICS: Final = (
    *(POWERED, STATE, MAINTENANCE, FAULT, FAILURES, READ_AT),
    *(TEMPERATURE, FAN, VOLTAGE, CURRENT, POWER),
)

BY_UNITS: Final[Mapping[str, NodeMetric]] = {
    "°C": TEMPERATURE,
    "C": TEMPERATURE,
    "degrees C": TEMPERATURE,
    "Cel": TEMPERATURE,
    "RPM": FAN,
    "V": VOLTAGE,
    "Volts": VOLTAGE,
    "A": CURRENT,
    "Amps": CURRENT,
    "W": POWER,
    "Watts": POWER,
}
"""Units of a reading → its metric; others have none."""

NodeSample = tuple[NodeMetric, tuple[str, ...], float]


def samples(vitals: Vitals) -> Iterable[NodeSample]:
    """Yield all figures of those nodes that have metrics of their own."""
    for published, reading in vitals.nodes:
        yield from _of_node(published)
        if reading is not None:
            yield from _of_sensors(published, reading)


def _of_node(published: Published) -> Iterable[NodeSample]:
    record, check = published.state.record, published.state.check
    who = (record.name, record.uuid)
    if record.power_state is not None:
        yield POWERED, who, record.power_state is PowerState.ON
    yield STATE, (*who, record.provision_state.value), 1
    yield MAINTENANCE, who, record.maintenance
    yield FAULT, who, record.fault is not None
    yield FAILURES, who, check.failures


def _of_sensors(published: Published, reading: Reading) -> Iterable[NodeSample]:
    record = published.state.record
    who = (record.name, record.uuid)
    if reading.read_at is not None:
        yield READ_AT, who, reading.read_at
    sensors = reading.sensors()
    for one in () if sensors is None else sensors.readings:
        metric = BY_UNITS.get(one.units or "")
        if metric is not None and one.value is not None:
            yield metric, (*who, f"{one.name} ({one.number:#x})"), one.value


def table() -> list[tuple[str, ...]]:
    """Return the rows of the documentation."""
    return [
        (f"`{one.name}`", ", ".join(f"`{label}`" for label in (*LABELS, *one.labels)), one.meaning, one.elsewhere)
        for one in NODE_METRICS
    ]
