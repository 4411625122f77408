"""The farm against the world: real UDP, and consoles that others wrote."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

import castiron.testing
from castiron.testing import BMCFarm, ChassisAction, Faults
from castiron.testing.loopback import LoopbackSocket
from castiron.transport.vocabulary import BootDevice, PowerState
from tests.support.console import Console, Refused, Silent
from tests.support.farm_consoles import LATE_S, SOON_S, farm_for_ipmipower, ipmipower, ipmitool, over_udp, waiting

SILENCE_S = 0.3
"""How long a test listens for an answer that must not come."""
PING = bytes.fromhex("0600ff06000011be80000000")


@pytest.fixture
def farm() -> Iterator[BMCFarm]:
    with BMCFarm(bmcs=4) as farm:
        yield farm


def own_address() -> str:
    """Return an address of this machine that is not loopback; skip where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks the routing table
        except OSError:
            pytest.skip("that others are not answered shows from an address beside loopback only; there is none here")
        return str(probe.getsockname()[0])


class TestConsolesOfOthers:
    @pytest.mark.simulators
    @pytest.mark.parametrize("suite", [3, 17])
    def test_ipmitool_drives_a_machine(self, farm: BMCFarm, suite: int) -> None:
        bmc = farm[1]

        for command, said in [
            (["power", "status"], "Chassis Power is off"),
            (["power", "on"], "Chassis Power Control: Up/On"),
            (["power", "status"], "Chassis Power is on"),
            (["power", "cycle"], "Chassis Power Control: Cycle"),
        ]:
            assert ipmitool(bmc, *command, suite=suite) == (0, said + "\n")
        bmc.wait_for_power(PowerState.ON, SOON_S)
        assert ipmitool(bmc, "power", "reset", suite=suite)[0] == 0
        assert ipmitool(bmc, "power", "soft", suite=suite) == (0, "Chassis Power Control: Soft\n")
        bmc.wait_for_power(PowerState.OFF, SOON_S)
        assert ipmitool(bmc, "power", "off", suite=suite) == (0, "Chassis Power Control: Down/Off\n")

        asked = [control.action for control in bmc.controls]
        assert asked == [
            ChassisAction.POWER_UP,
            ChassisAction.POWER_CYCLE,
            ChassisAction.HARD_RESET,
            ChassisAction.SOFT_SHUTDOWN,
            ChassisAction.POWER_DOWN,
        ]
        assert [other.controls for other in farm if other is not bmc] == [[], [], []]
        assert bmc.session_count == 0

    @pytest.mark.simulators
    @pytest.mark.parametrize("suite", [3, 17])
    def test_ipmitool_sets_the_boot_device_and_reads_who_the_bmc_is(self, farm: BMCFarm, suite: int) -> None:
        bmc = farm[0]

        assert ipmitool(bmc, "chassis", "bootdev", "pxe", "options=efiboot,persistent", suite=suite)[0] == 0
        assert (bmc.boot_device, bmc.boot_is_persistent, bmc.boot_is_uefi) == (BootDevice.PXE, True, True)
        assert "Boot Device Selector : Force PXE" in ipmitool(bmc, "chassis", "bootparam", "get", "5", suite=suite)[1]

        code, said = ipmitool(bmc, "mc", "info", suite=suite)
        assert (code, "IPMI Version              : 2.0" in said) == (0, True)
        assert "GUID Encoding : IPMI" in ipmitool(bmc, "mc", "guid", suite=suite)[1]
        assert ipmitool(bmc, "raw", "6", "0x99", suite=suite)[0] == 1

    @pytest.mark.simulators
    @pytest.mark.parametrize("suite", [3, 17])
    def test_ipmitool_is_refused_with_a_wrong_password(self, farm: BMCFarm, suite: int) -> None:
        code, said = ipmitool(farm[0], "power", "status", suite=suite, password="wrong")

        assert (code, said) == (1, "Error: Unable to establish IPMI v2 / RMCP+ session\n")
        assert farm[0].login_count == 0

    @pytest.mark.simulators
    @pytest.mark.parametrize("suite", [0, 2, 12])
    def test_ipmitool_is_told_that_a_suite_is_not_offered(self, farm: BMCFarm, suite: int) -> None:
        code, said = ipmitool(farm[0], "power", "status", suite=suite)

        assert code == 1
        assert "no matching cipher suite" in said

    @pytest.mark.simulators
    def test_ipmitool_needs_the_key_of_a_bmc_that_has_one(self) -> None:
        with BMCFarm(bmcs=1, k_g=b"the key of the site") as farm:
            key = str(farm[0].driver_info["ipmi_k_g"])

            # Its exit code says nothing here: with -y, ipmitool 1.8.19 ends with 0 whatever happens.
            assert ipmitool(farm[0], "-y", key.removeprefix("0x"), "power", "status")[1] == "Chassis Power is off\n"
            assert "Unable to establish" in ipmitool(farm[0], "-y", "00ff", "power", "status")[1]

    @pytest.mark.simulators
    @pytest.mark.parametrize("suite", [3, 17])
    def test_ipmipower_reads_every_machine(self, suite: int) -> None:
        with farm_for_ipmipower(bmcs=3) as farm:
            farm[1].power = PowerState.ON

            assert ipmipower(farm, "--stat", suite=suite) == {"bmc1": "off", "bmc2": "on", "bmc3": "off"}

    def test_pyghmi_logs_in_and_drives_a_machine(self, farm: BMCFarm) -> None:
        # In a process of its own: pyghmi keeps a thread and sockets for as long as its process lives.
        done = subprocess.run(
            [sys.executable, "-c", PYGHMI_STORY, farm[2].address, str(farm[2].port)],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split("\n")[:-1] == ["off", "on", "network False", "Incorrect password provided"]
        assert [control.action for control in farm[2].controls] == [ChassisAction.POWER_UP]


PYGHMI_STORY = """
import sys
from pyghmi.exceptions import IpmiException
from pyghmi.ipmi.command import Command
bmc, port = sys.argv[1], int(sys.argv[2])
command = Command(bmc=bmc, userid="admin", password="password", port=port)
print(command.get_power()["powerstate"])
print(command.set_power("on", wait=5)["powerstate"])
command.set_bootdev("network")
device = command.get_bootdev()
print(device["bootdev"], device["persistent"])
try:
    Command(bmc=bmc, userid="admin", password="wrong", port=port)
except IpmiException as error:
    print(error)
"""


class TestFarm:
    def test_each_bmc_answers_from_its_own_address(self, farm: BMCFarm) -> None:
        for bmc in farm:
            assert over_udp(bmc)(PING) is not None

    def test_addresses_names_and_driver_info(self, farm: BMCFarm) -> None:
        assert [(bmc.name, bmc.address) for bmc in farm] == [(f"bmc{n}", f"127.100.0.{n}") for n in (1, 2, 3, 4)]
        assert farm[3].driver_info == {
            "ipmi_address": "127.100.0.4",
            "ipmi_port": farm.port,
            "ipmi_username": "admin",
            "ipmi_password": "password",
        }
        assert len(farm) == 4
        assert farm[-1] is farm[3]
        with pytest.raises(IndexError):
            _ = farm[4]

    def test_an_address_without_a_bmc_is_silent(self, farm: BMCFarm) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            mine.settimeout(SILENCE_S)
            for stranger in ("127.100.0.5", "127.0.0.1"):
                mine.sendto(PING, (stranger, farm.port))
            mine.sendto(PING, (farm[0].address, farm.port))

            assert mine.recvfrom(2048)[1] == (farm[0].address, farm.port)
            with pytest.raises(TimeoutError):
                mine.recvfrom(2048)

    def test_a_datagram_tells_where_it_was_sent_and_who_sent_it(self) -> None:
        answering = LoopbackSocket(0)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
                mine.bind(("127.9.9.9", 0))
                mine.sendto(b"x", ("127.1.2.3", answering.port))

                assert answering.receive() == (b"x", bytes((127, 1, 2, 3)), mine.getsockname())
                assert answering.receive() is None
        finally:
            answering.close()

    def test_a_source_outside_loopback_is_not_heard(self, farm: BMCFarm) -> None:
        outside = own_address()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            mine.settimeout(SILENCE_S)
            mine.bind((outside, 0))
            for address in (farm[0].address, outside):  # both stay on this machine
                mine.sendto(PING, (address, farm.port))

            with pytest.raises(TimeoutError):
                mine.recvfrom(2048)

    def test_power_changes_behind_the_back_show_on_the_wire_and_are_no_controls(self, farm: BMCFarm) -> None:
        console = Console(over_udp(farm[0]))
        console.login()

        farm[0].power = PowerState.ON

        assert console.command(0, 1)[1] & 1 == 1
        assert farm[0].power == "power on"
        assert farm[0].controls == []

    def test_a_word_that_is_no_power_state_is_refused(self, farm: BMCFarm) -> None:
        with pytest.raises(ValueError, match="rebooting"):
            farm[0].power = "rebooting"  # type: ignore[assignment]  # wrong on purpose

    def test_a_wait_for_controls_ends_with_the_control(self, farm: BMCFarm) -> None:
        console = Console(over_udp(farm[0]))
        console.login()

        with waiting(lambda: farm[0].wait_for_controls(2, LATE_S)):
            console.command(0, 2, b"\x04")
            console.command(0, 2, b"\x04")

        first, second = farm[0].controls
        assert first.at <= second.at

    def test_a_wait_for_power_ends_with_a_change_that_nobody_sends(self, farm: BMCFarm) -> None:
        console = Console(over_udp(farm[0]))
        console.login()
        farm[0].power = PowerState.ON

        with waiting(lambda: farm[0].wait_for_power(PowerState.OFF, LATE_S)):
            console.command(0, 2, b"\x05")

    def test_a_wait_for_power_ends_with_a_hand_on_the_button(self, farm: BMCFarm) -> None:
        with waiting(lambda: farm[0].wait_for_power(PowerState.ON, LATE_S)):
            farm[0].power = PowerState.ON

    def test_a_wait_that_comes_to_nothing_says_what_was_seen(self, farm: BMCFarm) -> None:
        with pytest.raises(TimeoutError, match="bmc1 is in power off, not power on"):
            farm[0].wait_for_power(PowerState.ON, 0.01)
        with pytest.raises(TimeoutError, match=r"bmc1 has received \[\], not 1 controls"):
            farm[0].wait_for_controls(1, 0.01)

    def test_faults_are_those_of_one_bmc_and_end_when_they_are_healed(self, farm: BMCFarm) -> None:
        farm[3].set_faults(Faults(silent=True))

        with pytest.raises(Silent):
            Console(over_udp(farm[3], SILENCE_S)).login()
        Console(over_udp(farm[2])).login()
        assert farm[3].faults == Faults(silent=True)

        farm[3].set_faults(Faults())
        Console(over_udp(farm[3])).login()

    def test_a_slow_bmc_holds_nobody_up(self, farm: BMCFarm) -> None:
        farm[0].set_faults(Faults(slow_s=SILENCE_S))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            mine.settimeout(SOON_S)
            for bmc in (farm[0], farm[1]):
                mine.sendto(PING, (bmc.address, farm.port))

            assert [mine.recvfrom(2048)[1][0] for _ in range(2)] == [farm[1].address, farm[0].address]

    def test_a_cold_reset_ends_sessions(self, farm: BMCFarm) -> None:
        console = Console(over_udp(farm[0]))
        console.login()
        assert (farm[0].session_count, farm[0].login_count, farm[0].command_count) == (1, 1, 1)

        farm[0].cold_reset()

        assert farm[0].session_count == 0
        console.exchange = over_udp(farm[0], SILENCE_S)
        with pytest.raises(Silent):
            console.command(0, 1)

    def test_a_hung_operating_system_ignores_the_soft_shutdown(self, farm: BMCFarm) -> None:
        farm[0].power = PowerState.ON
        farm[0].soft_off_s = None
        console = Console(over_udp(farm[0]))
        console.login()

        console.command(0, 2, b"\x05")

        assert farm[0].soft_off_s is None
        with pytest.raises(TimeoutError):
            farm[0].wait_for_power(PowerState.OFF, SILENCE_S)

    def test_an_hour_is_not_too_long_to_wait_for(self, farm: BMCFarm) -> None:
        farm[0].set_faults(Faults(slow_s=1e12))
        farm[1].power, farm[1].soft_off_s = PowerState.ON, float("inf")
        console = Console(over_udp(farm[1]))
        console.login()

        assert over_udp(farm[0], 0.01)(PING) is None
        assert console.command(0, 2, b"\x05") == b"\x00"

        assert over_udp(farm[2])(PING) is not None
        assert farm.is_alive()

    def test_two_farms_do_not_know_of_each_other(self) -> None:
        with BMCFarm(bmcs=2) as one, BMCFarm(bmcs=2, username="other") as two:
            one[0].power = PowerState.ON

            assert one.port != two.port
            assert two[0].power is PowerState.OFF
            Console(over_udp(two[0]), username="other").login()
            with pytest.raises(Refused):
                Console(over_udp(one[0]), username="other").login()

    def test_a_taken_port_is_named(self) -> None:
        with (
            BMCFarm(bmcs=1) as farm,
            pytest.raises(OSError, match=f"UDP port {farm.port} is taken by another program"),
        ):
            BMCFarm(bmcs=1, port=farm.port).start()

    def test_a_closed_farm_gives_its_port_back_and_does_not_start_again(self) -> None:
        farm = BMCFarm(bmcs=1)
        with pytest.raises(RuntimeError, match="not been started"):
            _ = farm[0]
        with farm:
            assert farm.is_alive()
        farm.close()

        assert not farm.is_alive()
        with pytest.raises(RuntimeError, match="only once"):
            farm.start()
        with BMCFarm(bmcs=1, port=farm.port):
            pass

    @pytest.mark.parametrize(
        "wrong",
        [{"bmcs": 0}, {"bmcs": 255, "network": "127.5.0.0/24"}, {"network": "10.0.0.0/8"}, {"username": ""}],
        ids=str,
    )
    def test_a_farm_that_cannot_be_is_refused(self, wrong: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="must"):
            BMCFarm(**wrong)  # type: ignore[arg-type]  # wrong on purpose

    def test_a_thousand_bmcs_log_in_on_one_socket(self) -> None:
        with BMCFarm(bmcs=1000) as farm:
            for bmc in list(farm)[::100]:
                Console(over_udp(bmc)).login()

            assert sum(bmc.login_count for bmc in farm) == 10
            assert farm[999].address == "127.100.3.232"

    def test_no_secret_shows(self, farm: BMCFarm) -> None:
        assert "password" not in f"{farm[0]!r} {farm!r} {vars(farm)!r}"

    def test_the_names_of_the_package_load(self) -> None:
        assert sorted(castiron.testing.__all__) == dir(castiron.testing)
        for name in castiron.testing.__all__:
            assert getattr(castiron.testing, name) is not None
        with pytest.raises(AttributeError, match="nonsense"):
            _ = castiron.testing.nonsense
