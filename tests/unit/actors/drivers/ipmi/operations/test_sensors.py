"""Sensors' records as BMCs keep them, and what their readings mean."""

from dataclasses import replace

import pytest

from castiron.actors.drivers.findings import Health, SensorReading, Sensors
from castiron.actors.drivers.ipmi.operations.records import MAX_RECORDS, MAX_RESERVATIONS
from castiron.actors.drivers.ipmi.operations.sensors import MAX_SENSORS
from castiron.actors.drivers.ipmi.sessions.exchange import Nonsense, Refused, Request
from castiron.actors.drivers.operations import ReadSensors
from castiron.testing.bmc import Sensor
from castiron.testing.bmc.contents.sensors import DEFAULT_SENSORS, POWER_SUPPLY
from tests.support.talks import Desk, talk

INLET = DEFAULT_SENSORS[0]
STATES = Sensor(number=9, name="PSU", kind=POWER_SUPPLY, unit=None, states=0b1001)


class Scripted(Desk):
    """A BMC with records of one's own; readings come from a table."""

    def __init__(self, *records: bytes, readings: dict[int, bytes] | None = None) -> None:
        super().__init__()
        self.records = records
        self.readings = readings or {}
        self.factors = b"\xcb"

    def __call__(self, request: Request) -> bytes:
        match request.netfn, request.command:
            case 0x0A, 0x23:
                number, offset, count = int.from_bytes(request.data[2:4], "little"), *request.data[4:6]
                following = number + 1 if number + 1 < len(self.records) else 0xFFFF
                return b"\0" + following.to_bytes(2, "little") + self.records[number][offset:][:count]
            case 0x04, 0x2D:
                return self.readings.get(request.data[0], b"\xcb")
            case 0x04, 0x23:
                return self.factors
            case _:
                return super().__call__(request)


def read(desk: Desk) -> Sensors:
    found = desk.talk(ReadSensors())
    assert isinstance(found, Sensors)
    return found


def only(desk: Desk) -> SensorReading:
    (reading,) = read(desk).readings
    return reading


def changed(sensor: Sensor, **places: int) -> bytes:
    """Return a sensor's record with some of its bytes changed: at_23=5 is byte 23."""
    record = bytearray(sensor.record(0))
    for place, value in places.items():
        record[int(place.removeprefix("at_"))] = value
    return bytes(record)


def test_values_units_and_states_are_told(desk: Desk) -> None:
    found = read(desk)

    assert [(each.name, each.kind, each.value, each.units, each.states) for each in found.readings] == [
        ("Inlet Temp", "Temperature", 23.0, "°C", ()),
        ("Fan 1", "Fan", 6000.0, "RPM", ()),
        ("Board Power", "Power", 210.0, "W", ()),
        ("PSU 1", "Power Supply", None, "", ("Present",)),
    ]
    assert found.left_out_count == 0
    assert str(found) == "4 sensors, 0 left out"


@pytest.mark.parametrize(
    ("raw", "health", "states"),
    [
        (44, Health.OK, ()),
        (45, Health.CRITICAL, ("upper critical threshold",)),
        (2, Health.CRITICAL, ("lower critical threshold",)),
    ],
)
def test_a_threshold_that_is_crossed_is_critical(desk: Desk, raw: int, health: Health, states: tuple[str, ...]) -> None:
    desk.device.repository.sensors = [INLET.reads(raw=raw)]

    assert (only(desk).health, only(desk).states) == (health, states)


def test_the_worst_of_the_states_is_the_health(desk: Desk) -> None:
    desk.device.repository.sensors = [STATES]

    assert only(desk).states == ("Present", "Power input lost")
    assert only(desk).health is Health.CRITICAL


@pytest.mark.parametrize("exponent", [-3, 0, 2])
def test_a_value_is_scaled(desk: Desk, exponent: int) -> None:
    desk.device.repository.sensors = [replace(INLET, scale=300, raw=11, exponent=exponent)]

    assert only(desk).value == pytest.approx(3300 * 10**exponent)


def test_a_sensor_that_cannot_be_read_now_is_unavailable(desk: Desk) -> None:
    desk.device.repository.sensors = [INLET.reads(is_available=False)]

    assert (only(desk).is_available, only(desk).value, only(desk).states) == (False, None, ())


@pytest.mark.parametrize("limit", [255, 60, 32, 20, 8])
def test_a_bmc_that_gives_little_at_a_time_is_asked_for_less(desk: Desk, limit: int) -> None:
    desk.device.repository.max_bytes = limit

    assert len(read(desk).readings) == 4


def test_a_bmc_that_gives_less_than_eight_bytes_is_believed(desk: Desk) -> None:
    desk.device.repository.max_bytes = 7

    with pytest.raises(Refused):
        desk.talk(ReadSensors())


def test_a_reservation_that_is_lost_is_made_anew(desk: Desk) -> None:
    desk.device.repository.max_bytes = 32
    losses = iter([False] * 3 + [True] + [False] * 2 + [True])

    def losing(request: Request) -> bytes:
        if request.command == 0x23 and request.netfn == 0x0A and next(losses, False):
            desk.device.repository.lose_reservation()
        return desk(request)

    found, asked = talk(ReadSensors(), losing)

    assert isinstance(found, Sensors)
    assert len(found.readings) == 4
    assert sum(request.command == 0x22 for request in asked) == 3


def test_a_reservation_that_never_holds_is_given_up(desk: Desk) -> None:
    desk.device.repository.max_bytes = 32

    def losing(request: Request) -> bytes:
        if request.command == 0x23:
            desk.device.repository.lose_reservation()
        return desk(request)

    with pytest.raises(Refused) as raised:
        talk(ReadSensors(), losing)
    assert raised.value.code == 0xC5
    assert MAX_RESERVATIONS < 100


def test_a_bmc_without_reservations_is_read(desk: Desk) -> None:
    def without(request: Request) -> bytes:
        return b"\xc1" if request.command == 0x22 else desk(request)

    found, _ = talk(ReadSensors(), without)

    assert isinstance(found, Sensors)
    assert len(found.readings) == 4


def test_records_in_a_circle_are_nonsense(desk: Desk) -> None:
    def circling(request: Request) -> bytes:
        answer = desk(request)
        return answer[:1] + b"\x01\x00" + answer[3:] if request.command == 0x23 else answer

    with pytest.raises(Nonsense, match="circle"):
        talk(ReadSensors(), circling)


def test_records_without_end_are_bounded_and_it_is_told() -> None:
    desk = Scripted(readings={1: b"\0\x10\xc0\xc0"})

    def endless(request: Request) -> bytes:
        if (request.netfn, request.command) != (0x0A, 0x23):
            return desk(request)
        number = int.from_bytes(request.data[2:4], "little")
        return b"\0" + (number + 1).to_bytes(2, "little") + INLET.record(number)

    found, asked = talk(ReadSensors(), endless)

    assert isinstance(found, Sensors)
    assert len(found.readings) == MAX_SENSORS
    assert found.left_out_count == MAX_RECORDS - MAX_SENSORS + 1
    assert len(asked) <= MAX_RECORDS + MAX_SENSORS + 2


def test_a_bmc_without_a_repository_is_asked_for_its_own_records(desk: Desk) -> None:
    def without(request: Request) -> bytes:
        if (request.netfn, request.command) == (0x06, 0x01):
            return desk(request)[:6] + b"\x01" + desk(request)[7:]
        if (request.netfn, request.command) in {(0x04, 0x21), (0x04, 0x22)}:
            return desk(Request(0x0A, request.command + (request.command == 0x21) * 2, request.data))
        assert request.netfn != 0x0A
        return desk(request)

    found, _ = talk(ReadSensors(), without)

    assert isinstance(found, Sensors)
    assert len(found.readings) == 4


def test_a_name_in_packed_ascii_is_read() -> None:
    """pyghmi's own decoding of it never ends."""
    record = INLET.record(0)[:47] + b"\x83\x29\xdc\xa6"
    desk = Scripted(record[:4] + bytes((len(record) - 5,)) + record[5:], readings={1: b"\0\x10\xc0\xc0"})

    assert (only(desk).name, only(desk).value) == ("IPMI", 16.0)


def test_a_name_that_is_no_text_is_no_fault() -> None:
    record = INLET.record(0)[:47] + b"\x03\xff\xfe\xfd"
    desk = Scripted(record[:4] + bytes((len(record) - 5,)) + record[5:], readings={1: b"\0\x10\xc0\xc0"})

    assert only(desk).is_available


@pytest.mark.parametrize("places", [{"at_5": 0x82}, {"at_6": 1}], ids=["owner", "lun"])
def test_sensors_of_others_are_counted_and_not_asked(places: dict[str, int]) -> None:
    desk = Scripted(INLET.record(0), changed(INLET, **places), readings={1: b"\0\x10\xc0\xc0"})

    found = read(desk)

    assert (len(found.readings), found.left_out_count) == (1, 1)


@pytest.mark.parametrize(
    "record",
    [
        b"\0\0\x51\x12\x0bwhatever...",
        INLET.record(0)[:30],
        b"\0\0\x50" + INLET.record(0)[3:],
        INLET.record(0)[:4] + b"\0",
    ],
    ids=["controller", "cut", "version", "empty"],
)
def test_a_record_of_something_else_is_passed_over(record: bytes) -> None:
    whole = record[:4] + bytes((len(record) - 5,)) + record[5:]

    assert read(Scripted(whole)).readings == ()


def test_the_formula_of_a_sensor_that_is_not_linear_is_asked_for() -> None:
    desk = Scripted(changed(INLET, at_23=0x70), readings={1: b"\0\x10\xc0\xc0"})
    desk.factors = b"\0\x11\x03\x00\x00\x00\x00\x00"

    assert only(desk).value == 48.0

    desk.factors = b"\xcb"
    assert not only(desk).is_available


@pytest.mark.parametrize("linearization", [1, 7, 10], ids=["logarithm", "reciprocal", "root"])
def test_a_formula_that_leaves_the_numbers_is_unavailable(linearization: int) -> None:
    desk = Scripted(changed(INLET, at_23=linearization, at_24=0), readings={1: b"\0\x10\xc0\xc0"})

    assert only(desk).value in {None, 0.0}


def test_a_reading_without_states_is_taken() -> None:
    desk = Scripted(STATES.record(0), readings={9: b"\0\x00\xc0"})

    assert (only(desk).is_available, only(desk).states) == (True, ())
