"""bench/bmcsim, the BMCs in C that loads are measured on: the same consoles say the same of it and of the farm."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from bench.simulator import SOURCES, CannotBuild, Simulator, built, silent_numbers
from castiron.testing import BMCFarm
from castiron.transport.vocabulary import PowerState
from tests.support.console import Console, Refused, Silent, ipmi_message
from tests.support.simulators import lacking, needs
from tests.support.udp import PROBE, SOON_S, exchange_with

COUNT = 20
CROWD = 200
LATE_S = 2.5
"""Longer than any answer is late; what comes later still, on a loaded machine, only counts as lost."""
OFF, ON = 0x20, 0x21
"""Current power state, as Get Chassis Status has it; with the restore policy of most machines (28.2)."""
SHORT_S = 0.2
"""For what is wholly silent: too short a wait on a loaded machine could only hide an answer, not make one up."""
SUITES = pytest.mark.parametrize("suite", [3, 17])


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("gcc")
    try:
        return built(tmp_path_factory.mktemp("bmcsim"))
    except CannotBuild as reason:
        lacking(str(reason))


@pytest.fixture
def simulator(program: Path) -> Generator[Simulator]:
    with Simulator(program, COUNT) as running:
        yield running


@pytest.fixture(params=["farm", "bmcsim"])
def info(request: pytest.FixtureRequest) -> Generator[dict[str, Any]]:
    """A BMC of each, in turn."""
    if request.param == "bmcsim":
        with Simulator(request.getfixturevalue("program"), COUNT) as running:
            yield running.infos[4]
    else:
        with BMCFarm(bmcs=5) as farm:
            yield farm[4].driver_info


def ipmitool(info: dict[str, Any], *arguments: str, password: str | None = None, suite: int = 3) -> str:
    """Run ipmitool, and return what it says; of an error, too."""
    needs("ipmitool")
    address = ["-H", info["ipmi_address"], "-p", str(info["ipmi_port"])]
    user = ["-U", info["ipmi_username"], "-P", password or info["ipmi_password"]]
    command = ["ipmitool", "-I", "lanplus", "-C", str(suite), "-N", "5", "-R", "2", *address, *user, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    return (done.stdout + done.stderr).strip()


@SUITES
def test_ipmitool_drives_its_power(info: dict[str, Any], suite: int) -> None:
    assert ipmitool(info, "power", "status", suite=suite) == "Chassis Power is off"
    ipmitool(info, "power", "on", suite=suite)
    assert ipmitool(info, "power", "status", suite=suite) == "Chassis Power is on"
    ipmitool(info, "power", "off", suite=suite)
    assert ipmitool(info, "power", "status", suite=suite) == "Chassis Power is off"


def test_ipmitool_sets_its_boot_device(info: dict[str, Any]) -> None:
    ipmitool(info, "chassis", "bootdev", "pxe")

    assert "Force PXE" in ipmitool(info, "chassis", "bootparam", "get", "5")


def test_a_wrong_password_is_refused(info: dict[str, Any]) -> None:
    assert "Unable to establish" in ipmitool(info, "power", "status", password="wrong")


@SUITES
def test_it_speaks_rmcp_plus_to_the_byte(info: dict[str, Any], suite: int) -> None:
    """Our own console raises at the first byte that is not as the specification has it."""
    with exchange_with(info) as exchange:
        console = Console(exchange, suite=suite)
        console.login()

        assert console.command(0, 1)[:2] == bytes((0, OFF))
        assert console.command(0, 2, b"\x01") == b"\x00"
        assert console.command(0, 1)[:2] == bytes((0, ON))
        assert console.command(0x30, 1)[:1] == b"\xc1"
        with pytest.raises(Silent):  # an answer is no question
            console.command(0x31, 1)
        assert console.command(6, 0x3C, console.managed_id.to_bytes(4, "little")) == b"\x00"
        with pytest.raises(Silent):
            console.command(0, 1)


@pytest.mark.parametrize(("username", "password", "status"), [("admin", "other", 0x0F), ("other", "password", 0x0D)])
def test_a_wrong_name_or_password_is_refused(info: dict[str, Any], username: str, password: str, status: int) -> None:
    with exchange_with(info) as exchange, pytest.raises(Refused) as refused:
        Console(exchange, username=username, password=password).login()

    assert refused.value.status == status


def test_a_console_that_proves_nothing_gets_no_session(info: dict[str, Any]) -> None:
    with exchange_with(info) as exchange:
        console = Console(exchange)
        console.open()
        forged = b"\x07\0\0\0" + console.managed_id.to_bytes(4, "little") + bytes(32)
        exchange(console.rakp_1())
        answer = exchange(b"\x06\x00\xff\x07\x06\x14" + bytes(8) + len(forged).to_bytes(2, "little") + forged)

        assert answer is not None
        assert answer[17] == 0x0F


def test_replayed_forged_and_broken_datagrams_are_not_answered(info: dict[str, Any]) -> None:
    with exchange_with(info) as exchange:
        console = Console(exchange)
        console.login()
        console.sequence = 10
        good = console.seal(ipmi_message(0, 1), sequence=12)

        assert exchange(good) is not None
        assert exchange(console.seal(ipmi_message(0, 1), sequence=200)) is None, "far ahead of the window"
        assert exchange(console.seal(ipmi_message(0, 1), sequence=0)) is None, "outside of any session"
        assert exchange(good[:-1] + bytes((good[-1] ^ 1,))) is None
        for cut in range(0, len(good), 7):
            assert exchange(good[:cut]) is None
        assert exchange(bytes(2048)) is None
        console.sequence = 12
        assert console.command(0, 1)[:1] == b"\x00", "the session stands"


def test_its_session_table_is_bounded(simulator: Simulator) -> None:
    with exchange_with(simulator.infos[0]) as exchange:
        for _ in range(8):
            Console(exchange).open()
        with pytest.raises(Refused) as refused:
            Console(exchange).open()

        assert refused.value.status == 0x01


def test_orders_change_bmcs_one_by_one(simulator: Simulator) -> None:
    infos = simulator.infos
    with exchange_with(infos[3], SHORT_S) as other, exchange_with(infos[7], SHORT_S) as exchange:
        console, beside = Console(exchange), Console(other)
        console.login()
        beside.login()
        simulator.press([7], PowerState.ON)
        assert console.command(0, 1)[:2] == bytes((0, ON))
        simulator.silence([7])
        with pytest.raises(Silent):
            console.command(0, 1)
        assert beside.command(0, 1)[:2] == bytes((0, OFF))
        simulator.silence([7], is_silent=False)
        assert console.command(0, 1)[:1] == b"\x00"
        simulator.reboot([7])
        with pytest.raises(Silent):
            console.command(0, 1)
        simulator.lose(100)
        with pytest.raises(Silent):
            beside.command(0, 1)

    counts = simulator.counts()
    assert counts["logins"] == 2
    assert counts["checks"] == 3
    with pytest.raises(ValueError, match="no such BMC"):
        simulator.silence([COUNT])


def test_a_share_of_them_is_silent_from_the_start(program: Path) -> None:
    silent = silent_numbers(COUNT, 30)
    with Simulator(program, COUNT, silent=30) as running:
        for number, each in enumerate(running.infos):
            with exchange_with(each, SHORT_S if number in silent else SOON_S) as exchange:
                console = Console(exchange)
                if number in silent:
                    with pytest.raises(Silent):
                        console.open()
                else:
                    console.open()

    assert len(silent) == COUNT * 30 // 100


def test_answers_leave_as_late_as_real_ones_do_and_some_are_lost(program: Path) -> None:
    """Counts, not times: how many are later than the median is a draw that 200 BMCs settle, on any machine."""
    median_ms = 500
    options = {"median-ms": median_ms, "p99-ms": 1_000, "loss": 10}
    with Simulator(program, CROWD, **options) as running, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.settimeout(LATE_S)
        for info in running.infos:
            mine.sendto(PROBE, (info["ipmi_address"], info["ipmi_port"]))
        began_s, heard = time.monotonic(), dict[str, float]()
        with contextlib.suppress(TimeoutError):
            while time.monotonic() - began_s < SOON_S:
                heard[mine.recvfrom(2048)[1][0]] = time.monotonic() - began_s

    late = sum(at_s > median_ms / 1e3 for at_s in heard.values())
    assert CROWD * 0.7 < len(heard) < CROWD * 0.9, "a tenth is lost each way"
    assert late > len(heard) / 3, "half of them are later than the median"
    assert max(heard.values()) > median_ms / 1e3 * 1.3


def test_it_counts_who_logs_out(simulator: Simulator) -> None:
    with exchange_with(simulator.infos[0]) as exchange:
        console = Console(exchange)
        console.login()
        console.command(6, 0x3C, console.managed_id.to_bytes(4, "little"))

    assert simulator.counts()["logouts"] == 1


def test_it_ends_with_its_standard_input_and_by_itself(program: Path) -> None:
    for arguments, stdin in ([], subprocess.DEVNULL), (["--seconds", "1"], subprocess.PIPE):
        process = subprocess.Popen([str(program), *arguments], stdin=stdin, stdout=subprocess.PIPE)
        try:
            if stdin == subprocess.DEVNULL:
                assert process.wait(20) != 0, "no pipe: it says so, and serves nobody"
            else:
                assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()
            if process.stdout:
                process.stdout.close()


def test_what_cannot_be_built_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CannotBuild, match="apt install"):
        built(tmp_path)


def test_its_sources_have_no_warnings(tmp_path: Path) -> None:
    needs("gcc")
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror", "-c"]
    for source in SOURCES.glob("*.c"):
        done = subprocess.run(
            ["gcc", *flags, "-o", str(tmp_path / "out.o"), str(source)], check=False, capture_output=True, text=True
        )
        if "openssl/" in done.stderr and "No such file" in done.stderr:
            lacking("libcrypto's headers not found; on Debian: apt install libssl-dev")
        assert done.stderr == ""
