"""The latest readings in memory: kept equal, kept within their bound, with their age."""

from dataclasses import replace

from castiron.actors.core.state import NodeState
from castiron.actors.drivers.findings import Health, SensorReading, Sensors
from castiron.actors.published.board import Published
from castiron.actors.sensors.readings import Readings
from castiron.actors.sensors.telling import listed
from castiron.actors.settings import Settings
from castiron.transport.errors import BMCUnreachable
from castiron.transport.vocabulary import EventSeq, Fault, Instant, NodeUUID
from tests.support.store_records import node_uuid, plain_node

WARM = SensorReading(
    number=1,
    name="Inlet Témp",
    kind="Temperature",
    value=23.5,
    units="°C",
    states=(),
    health=Health.OK,
    is_available=True,
)
PSU = replace(WARM, name="PSU 1", kind="Power Supply", value=None, units="", states=("Present",), health=Health.WARNING)
LOST = replace(WARM, name="Fan 1", value=None, is_available=False)
FOUND = Sensors(readings=(WARM, PSU, LOST), left_out_count=2)
ON = Settings(send_sensor_data=True, sensor_data_interval_s=600.0)


def shown(**record: object) -> Published:
    return Published(NodeState(record=replace(plain_node(), **record)), EventSeq(1), 1)  # type: ignore[arg-type]  # fields


def test_they_come_back_equal_and_know_when_they_were_read() -> None:
    readings = Readings()
    readings.read(node_uuid(1), FOUND, Instant(10.0))
    readings.failed(node_uuid(1), BMCUnreachable("gone"), Instant(20.0))
    kept = readings.of(node_uuid(1))
    assert kept is not None
    assert (kept.sensors(), kept.read_at, kept.tried_at, kept.failures) == (FOUND, 10.0, 20.0, 1)
    readings.read(node_uuid(1), FOUND, Instant(30.0))
    kept = readings.of(node_uuid(1))
    assert kept is not None
    assert (kept.error, kept.failures) == (None, 0)


def test_no_more_is_kept_than_fits_and_the_oldest_go_first() -> None:
    many = Sensors(readings=tuple(replace(WARM, number=number, name=f"Temp {number}") for number in range(100)))
    readings = Readings(max_bytes=20_000)
    for number in range(1, 101):
        readings.read(node_uuid(number), many, Instant(float(number)))
    assert readings.used_bytes <= 20_000
    assert readings.of(node_uuid(1)) is None
    assert readings.of(node_uuid(100)) is not None
    assert len(readings) >= 10, "a hundred sensors are less than 2 KB"
    for number in range(1, 101):
        readings.forget(node_uuid(number))
    assert (readings.used_bytes, len(readings)) == (0, 0)


def test_what_is_told_says_how_old_it_is_and_what_is_unknown() -> None:
    readings = Readings()
    readings.read(node_uuid(1), FOUND, Instant(1_000.0))

    told = listed(shown(), readings, ON, Instant(1_100.0))
    assert (told.read_at, told.is_stale, told.passed_over, told.left_out_count) == (1_000.0, False, None, 2)
    assert [(one.value, one.health) for one in told.sensors] == [(23.5, "ok"), (None, "warning"), (None, None)]

    assert listed(shown(), readings, ON, Instant(2_201.0)).is_stale
    silent = listed(shown(maintenance=True, fault=Fault.POWER_FAILURE), readings, ON, Instant(1_100.0))
    assert silent.passed_over == "silent"
    assert listed(shown(maintenance=True), readings, ON, Instant(1_100.0)).passed_over == "maintenance"


def test_a_node_says_for_itself_whether_it_is_read() -> None:
    never = listed(shown(), Readings(), Settings(), Instant(0.0))
    assert (never.interval_s, never.passed_over, never.is_stale, never.read_at, never.sensors) == (
        0,
        "off",
        True,
        None,
        [],
    )
    assert listed(shown(sensor_data_interval_s=60.0), Readings(), Settings(), Instant(0.0)).interval_s == 60.0
    assert listed(shown(sensor_data_interval_s=0.0), Readings(), ON, Instant(0.0)).passed_over == "off"
    assert listed(shown(), Readings(), ON, Instant(0.0)).interval_s == 600.0
    assert listed(shown(sensor_data_interval_s=0.01), Readings(), ON, Instant(0.0)).interval_s == 1.0


def test_one_that_fails_again_and_again_says_so() -> None:
    readings, uuid = Readings(), NodeUUID(node_uuid(1))
    for at in (1.0, 2.0):
        readings.failed(uuid, BMCUnreachable("It is dark."), Instant(at))
    told = listed(shown(), readings, ON, Instant(3.0))
    assert (told.passed_over, told.read_at, told.tried_at, told.is_stale) == ("failing", None, 2.0, True)
    assert told.error is not None
    assert told.error["message"] == "It is dark."
