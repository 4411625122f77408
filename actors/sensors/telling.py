"""What is told of a node's sensors: the latest readings, how old they are, and why there are none."""

from typing import Final

from castiron.actors.drivers.findings import SensorReading
from castiron.actors.published.board import Published
from castiron.actors.sensors.readings import Reading, Readings
from castiron.actors.sensors.sensing import FAILING, OFF, passed_over, spacing_s
from castiron.actors.settings import Settings
from castiron.transport.replies import SensorListed, SensorView
from castiron.transport.vocabulary import Instant

STALE_AFTER: Final = 2
"""Intervals after which a reading says nothing of the present."""


def listed(published: Published, readings: Readings, settings: Settings, now: Instant) -> SensorListed:
    """Return what is told of a node's sensors."""
    record, interval_s = published.state.record, spacing_s(settings, published)
    reading = readings.of(record.uuid)
    why = passed_over(maintenance=record.maintenance, fault=record.fault, failed_checks=published.state.check.failures)
    if not interval_s:
        why = OFF
    elif why is None and reading is not None and reading.failures > 1:
        why = FAILING
    if reading is None:
        return SensorListed(node=record.name, node_uuid=record.uuid, interval_s=interval_s, passed_over=why)
    sensors = reading.sensors()
    return SensorListed(
        node=record.name,
        node_uuid=record.uuid,
        interval_s=interval_s,
        read_at=reading.read_at,
        is_stale=_is_stale(reading, interval_s, now),
        passed_over=why,
        tried_at=reading.tried_at,
        error=None if reading.error is None else reading.error.to_wire(),
        sensors=[] if sensors is None else [_view(one) for one in sensors.readings],
        left_out_count=0 if sensors is None else sensors.left_out_count,
    )


def _is_stale(reading: Reading, interval_s: float, now: Instant) -> bool:
    return reading.read_at is None or now - reading.read_at > STALE_AFTER * interval_s


def _view(reading: SensorReading) -> SensorView:
    return SensorView(
        number=reading.number,
        name=reading.name,
        kind=reading.kind,
        value=reading.value,
        units=reading.units,
        states=list(reading.states),
        health=reading.health.value if reading.is_available else None,
    )
