"""What a farm's BMC keeps beside its machine, as ipmitool reads and changes it."""

from collections.abc import Iterator

import pytest

from castiron.actors.drivers.findings import FRU, FRUProduct
from castiron.testing import BMCFarm, Event, Sensor, SimulatedBMC
from castiron.testing.bmc import Privilege
from castiron.transport.vocabulary import PowerState
from tests.support.deadline import until
from tests.support.farm_consoles import ipmitool

pytestmark = pytest.mark.simulators


@pytest.fixture
def bmc() -> Iterator[SimulatedBMC]:
    with BMCFarm(bmcs=1) as farm:
        yield farm[0]


def said(bmc: SimulatedBMC, *command: str) -> str:
    code, text = ipmitool(bmc, *command, suite=3)
    assert code == 0, text
    return text


def rows(text: str) -> dict[str, str]:
    """Return ipmitool's "name : value" lines, or its columns with the first as name."""
    pairs = (line.replace(" : ", "|", 1).split("|") for line in text.splitlines() if "|" in line or " : " in line)
    return {name.strip(): " | ".join(value.strip() for value in values) for name, *values in pairs}


class TestInventory:
    def test_fru_print(self, bmc: SimulatedBMC) -> None:
        shown = rows(said(bmc, "fru", "print", "0"))

        assert shown["Chassis Type"] == "Rack Mount Chassis"
        assert shown["Board Mfg Date"] == "Thu Feb 29 12:30:00 2024 UTC"
        assert shown["Board Serial"] == "B-bmc1"
        assert shown["Product Serial"] == "P-bmc1"
        assert shown["Product Asset Tag"] == "bmc1"

    def test_fru_print_of_what_was_set(self, bmc: SimulatedBMC) -> None:
        bmc.keeps.set_fru(FRU(product=FRUProduct(manufacturer="Acme", name="X", serial="42")))

        shown = rows(said(bmc, "fru", "print", "0"))

        assert (shown["Product Manufacturer"], shown["Product Name"], shown["Product Serial"]) == ("Acme", "X", "42")
        assert "Board Mfg" not in shown

    def test_fru_print_piece_by_piece(self, bmc: SimulatedBMC) -> None:
        bmc.keeps.set_max_bytes(16)

        assert rows(said(bmc, "fru", "print", "0"))["Product Serial"] == "P-bmc1"


class TestSensors:
    def test_sdr_list(self, bmc: SimulatedBMC) -> None:
        assert rows(said(bmc, "sdr", "list")) == {
            "Inlet Temp": "23 degrees C | ok",
            "Fan 1": "6000 RPM | ok",
            "Board Power": "210 Watts | ok",
            "PSU 1": "0x01 | ok",
        }

    def test_sensor(self, bmc: SimulatedBMC) -> None:
        shown = rows(said(bmc, "sensor"))

        assert shown["Inlet Temp"] == "23.000 | degrees C | ok | na | 2.000 | na | na | 45.000 | na"
        assert shown["PSU 1"].startswith("0x1 | discrete")

    def test_sensors_that_were_set(self, bmc: SimulatedBMC) -> None:
        hot = Sensor(number=7, name="CPU", raw=95, upper_critical=90)
        gone = Sensor(number=8, name="Gone", is_available=False)
        bmc.keeps.set_sensors(hot, gone)

        assert rows(said(bmc, "sdr", "list")) == {"CPU": "95 degrees C | cr", "Gone": "no reading | ns"}


class TestEventLog:
    def test_sel_list_and_clear(self, bmc: SimulatedBMC) -> None:
        bmc.keeps.log(Event(0x01, 1, 0x01, b"\x59\x5f\x5a"), Event(0x08, 4, 0x6F, b"\x03"))

        lines = said(bmc, "sel", "list").splitlines()
        assert [line.split("|")[3].strip() for line in lines] == ["Temperature #0x01", "Power Supply #0x04"]
        assert lines[1].split("|")[4].strip() == "Power Supply AC lost"
        assert rows(said(bmc, "sel", "info"))["Entries"] == "2"

        said(bmc, "sel", "clear")
        assert bmc.keeps.event_count == 0
        assert "SEL has no entries" in said(bmc, "sel", "list")


class TestController:
    def test_mc_info_and_guid(self, bmc: SimulatedBMC) -> None:
        shown = said(bmc, "mc", "info")

        assert rows(shown)["IPMI Version"] == "2.0"
        assert all(word in shown for word in ("FRU Inventory Device", "SEL Device", "SDR Repository Device"))
        assert rows(said(bmc, "mc", "guid"))["GUID Encoding"] == "IPMI"

    def test_mc_reset_takes_its_time(self, bmc: SimulatedBMC) -> None:
        bmc.keeps.set_reset_s(0.5)

        assert "reset" in said(bmc, "mc", "reset", "cold")

        assert bmc.keeps.reset_count == 1
        assert bmc.session_count == 0
        until(lambda: not bmc.is_restarting)
        assert said(bmc, "power", "status") == "Chassis Power is off\n"
        assert bmc.power is PowerState.OFF

    def test_chassis_identify(self, bmc: SimulatedBMC) -> None:
        said(bmc, "chassis", "identify", "force")
        assert bmc.keeps.is_lit

        said(bmc, "chassis", "identify", "0")
        assert not bmc.keeps.is_lit


class TestUsers:
    def test_user_set_password(self, bmc: SimulatedBMC) -> None:
        said(bmc, "user", "set", "password", "2", "another", "16")

        assert bmc.password == "another"
        assert ipmitool(bmc, "power", "status", suite=3)[0] == 0
        assert ipmitool(bmc, "power", "status", suite=3, password="password")[0] != 0

    def test_user_set_password_of_twenty_bytes(self, bmc: SimulatedBMC) -> None:
        said(bmc, "user", "set", "password", "2", "p" * 20, "20")

        assert ipmitool(bmc, "power", "status", suite=3)[0] == 0
        assert "Success" in said(bmc, "user", "test", "2", "20", "p" * 20)
        assert ipmitool(bmc, "user", "test", "2", "20", "q" * 20, suite=3)[0] != 0
        assert ipmitool(bmc, "user", "test", "2", "16", "p" * 16, suite=3)[0] != 0

    def test_user_list_has_those_that_were_added(self, bmc: SimulatedBMC) -> None:
        number = bmc.keeps.add_user("watcher", "word", Privilege.USER)

        lines = [line.split() for line in said(bmc, "user", "list").splitlines()]

        assert [line[1] for line in lines if line[0] == str(number)] == ["watcher"]
        assert lines[number][-1] == "USER"

    def test_a_user_may_do_as_much_as_the_privilege_says(self, bmc: SimulatedBMC) -> None:
        bmc.keeps.add_user("watcher", "word", Privilege.USER)

        watching = ["-U", "watcher", "-L", "USER"]
        assert ipmitool(bmc, "power", "status", suite=3, password="word", options=watching)[0] == 0
        assert ipmitool(bmc, "power", "on", suite=3, password="word", options=watching)[0] != 0
        assert ipmitool(bmc, "power", "status", suite=3, password="word", options=["-U", "watcher"])[0] != 0

    def test_a_user_that_is_made_over_ipmi_may_log_in(self, bmc: SimulatedBMC) -> None:
        for command in (
            ["user", "set", "name", "3", "second"],
            ["user", "set", "password", "3", "word", "16"],
            ["user", "priv", "3", "4", "1"],
            ["user", "enable", "3"],
        ):
            said(bmc, *command)

        assert ipmitool(bmc, "power", "status", suite=3, password="word", options=["-U", "second"])[0] == 0
        said(bmc, "user", "disable", "3")
        assert ipmitool(bmc, "power", "status", suite=3, password="word", options=["-U", "second"])[0] != 0
