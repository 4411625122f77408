"""The ipmi driver over real UDP, when BMCs reboot, networks lose, and strangers send what they like."""

import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyghmi.ipmi.private import session as pyghmi_session

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import BootSetting, GetBootDevice, GetPower, SetBootDevice, SetPower
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.ipmi.wire.address import Address
from castiron.testing import BMCFarm, Faults
from castiron.transport.errors import BMCUnreachable
from castiron.transport.vocabulary import Applied, BootDevice, PowerControl, PowerState
from tests.support.driver_calls import WAIT_S, Caller
from tests.support.ipmi_sim import IPMISim, running_ipmi_sim
from tests.support.relay import Relay, running_relay

ON, OFF = SetPower(PowerControl.ON), SetPower(PowerControl.OFF)
HASTY = Timing(waits_s=(0.1, 0.1, 0.2), control_wait_s=0.3, close_waits_s=(0.1,))
IN_SESSION = 0xC0

Start = Callable[..., Caller]


@pytest.fixture
def clock() -> Iterator[SystemClock]:
    made = SystemClock()
    yield made
    made.stop(5)


@pytest.fixture
def start(clock: SystemClock) -> Iterator[Start]:
    """Start drivers that are short of patience, and stop them after the test."""
    drivers: list[IPMIDriver] = []

    def make(**options: Any) -> Caller:
        settings: dict[str, Any] = {"timing": HASTY, **options}
        drivers.append(IPMIDriver(clock, **settings))
        return Caller(drivers[-1], clock)

    yield make
    for driver in drivers:
        driver.stop(5)
        assert not driver.is_alive()


@pytest.fixture
def caller(start: Start) -> Caller:
    return start()


@pytest.fixture(scope="module")
def ipmi_sim() -> Iterator[IPMISim]:
    with running_ipmi_sim() as bmc:
        yield bmc


@pytest.fixture
def farm() -> Iterator[BMCFarm]:
    with BMCFarm(bmcs=4) as made:
        yield made


def through(relay: Relay, info: dict[str, Any]) -> dict[str, Any]:
    host, port = relay.address
    return {**info, "ipmi_address": host, "ipmi_port": port}


@pytest.mark.simulators
class TestAgainstIPMISim:
    def test_a_read_after_a_reboot_of_the_bmc_succeeds_once_through_a_fresh_login(
        self, caller: Caller, ipmi_sim: IPMISim
    ) -> None:
        target = caller.target(ipmi_sim.driver_info)
        caller.submit(target, ON).value()
        ipmi_sim.reboot()

        ticket = caller.submit(target, GetPower())

        assert ticket.value() is PowerState.ON
        assert caller.driver.counters()["logins"] == 2
        assert len(ticket.outcomes) == 1

    def test_a_control_whose_answer_is_lost_is_received_once_and_unknown(
        self, caller: Caller, ipmi_sim: IPMISim
    ) -> None:
        with running_relay(("127.0.0.1", ipmi_sim.port)) as relay:
            target = caller.target(through(relay, ipmi_sim.driver_info))
            caller.submit(target, OFF).value()
            before = ipmi_sim.control_count
            relay.judge_answer = lambda _: []

            failure = caller.submit(target, ON).failure()

            assert isinstance(failure.error, BMCUnreachable)
            assert failure.applied is Applied.UNKNOWN
            assert ipmi_sim.control_count == before + 1
            assert ipmi_sim.power is PowerState.ON

    def test_a_control_to_a_bmc_that_is_gone_leaves_once(self, caller: Caller, ipmi_sim: IPMISim) -> None:
        with running_relay(("127.0.0.1", ipmi_sim.port)) as relay:
            target = caller.target(through(relay, ipmi_sim.driver_info))
            caller.submit(target, GetPower()).value()
            sent = len(relay.requests)
            relay.judge_request = lambda _: []

            assert caller.submit(target, ON).failure().applied is Applied.UNKNOWN

            # The control, and a Close Session for whoever may still be there.
            relay.wait_for_requests(sent + 2)
            caller.driver.stop(5)
            assert [datagram[5] for datagram in relay.requests[sent:]] == [IN_SESSION] * 2

    def test_ipmitool_sees_what_the_driver_does_and_the_driver_what_ipmitool_does(
        self, caller: Caller, ipmi_sim: IPMISim
    ) -> None:
        target = caller.target(ipmi_sim.driver_info)
        caller.submit(target, ON).value()
        assert ipmi_sim.ipmitool("power", "status") == "Chassis Power is on"

        ipmi_sim.ipmitool("power", "off")
        assert caller.submit(target, GetPower()).value() is PowerState.OFF

        caller.submit(target, SetBootDevice(BootSetting(BootDevice.CDROM, persistent=True, uefi=True))).value()
        shown = ipmi_sim.ipmitool("chassis", "bootparam", "get", "5")
        assert "Boot Flag Valid" in shown
        assert "all future boots" in shown
        assert "BIOS EFI boot" in shown
        assert "Force Boot from CD/DVD" in shown

        ipmi_sim.ipmitool("chassis", "bootdev", "pxe", "options=efiboot")
        assert caller.submit(target, GetBootDevice()).value() == BootSetting(BootDevice.PXE, uefi=True)

    def test_a_bmc_behind_ipv6_is_reached(self, caller: Caller, ipmi_sim: IPMISim) -> None:
        with running_relay(("127.0.0.1", ipmi_sim.port), "::1") as relay:
            info = through(relay, ipmi_sim.driver_info)

            assert caller.driver.check(info).bmc_address == f"[::1]:{relay.address[1]}"
            assert caller.submit(caller.target(info), GetPower()).value() is not None

    def test_a_user_may_look_and_not_touch(self, caller: Caller, ipmi_sim: IPMISim) -> None:
        info = {**ipmi_sim.driver_info, "ipmi_username": "watcher", "ipmi_priv_level": "USER"}
        before = ipmi_sim.control_count

        assert caller.submit(caller.target(info), GetPower()).value() is not None
        failure = caller.submit(caller.target(info), ON).failure()

        assert failure.error.code == "bmc.credentials"
        assert failure.applied is Applied.NO
        assert ipmi_sim.control_count == before


def test_stopping_logs_out_of_every_bmc(start: Start, farm: BMCFarm) -> None:
    caller = start()
    for index, bmc in enumerate(farm):
        caller.submit(caller.target(bmc.driver_info, f"n{index}"), GetPower()).value()
    assert [bmc.session_count for bmc in farm] == [1] * 4

    caller.driver.stop(5)

    assert [bmc.session_count for bmc in farm] == [0] * 4
    assert caller.driver.counters()["sessions"] == 0


def test_stopping_does_not_wait_for_bmcs_that_are_gone(start: Start, farm: BMCFarm, clock: SystemClock) -> None:
    caller = start(timing=Timing(close_waits_s=(60.0,)))
    caller.submit(caller.target(farm[0].driver_info), GetPower()).value()
    farm[0].set_faults(Faults(silent=True))
    before = clock.now()

    caller.driver.stop(0.5)

    assert not caller.driver.is_alive()
    assert clock.now() - before < 5


def test_two_drivers_share_nothing_not_even_through_pyghmi(start: Start, farm: BMCFarm) -> None:
    first, second = start(), start()
    one, other = (caller.target(farm[0].driver_info) for caller in (first, second))
    assert first.submit(one, ON).value() is None
    assert second.submit(other, GetPower()).value() is PowerState.ON
    first.driver.stop(5)

    assert second.submit(other, GetPower()).value() is PowerState.ON

    assert second.driver.counters()["logins"] == 1
    stock: Any = pyghmi_session.Session
    tables = (stock.bmc_handlers, stock.waiting_sessions, stock.keepalive_sessions, stock.initting_sessions)
    assert [len(table) for table in (*tables, stock.socketpool)] == [0] * 5


def test_every_call_ends_well_on_a_network_that_loses_a_fifth(start: Start, farm: BMCFarm) -> None:
    caller = start(timing=Timing(waits_s=(0.05,) * 8, control_wait_s=0.2))
    for bmc in farm:
        bmc.set_faults(Faults(loss_percent=10))  # each way
    targets = [caller.target(bmc.driver_info, f"n{index}") for index, bmc in enumerate(farm)]

    tickets = [caller.submit(target, GetPower()) for _ in range(25) for target in targets]

    assert {ticket.value() for ticket in tickets} == {PowerState.OFF}
    assert all(len(ticket.outcomes) == 1 for ticket in tickets)
    assert caller.driver.counters()["retransmitted"] > 0


def test_a_name_server_that_hangs_costs_its_own_nodes_only(start: Start, farm: BMCFarm) -> None:
    released = threading.Event()

    def lookup(_host: str, _port: int) -> list[Address]:
        released.wait(WAIT_S)
        return []

    caller = start(lookup=lookup)
    named = caller.target({**farm[0].driver_info, "ipmi_address": "bmc.example"}, "named")
    hanging = caller.submit(named, GetPower(), deadline_s=0.3)

    assert caller.submit(caller.target(farm[0].driver_info), GetPower()).value() is PowerState.OFF
    assert hanging.failure().applied is Applied.NO
    assert not released.is_set()
    released.set()


def test_a_real_name_is_resolved(start: Start, farm: BMCFarm) -> None:
    caller = start()
    with running_relay((farm[0].address, farm.port)) as relay:
        info = {**through(relay, farm[0].driver_info), "ipmi_address": "localhost"}

        ticket = caller.submit(caller.target(info), GetPower())

        assert ticket.value() is PowerState.OFF
        assert caller.driver.counters()["resolved"] == 1


def test_nodes_that_share_a_bmc_have_a_session_each_up_to_the_number_of_sockets(caller: Caller, farm: BMCFarm) -> None:
    tickets = [caller.submit(caller.target(farm[0].driver_info, f"n{index}"), GetPower()) for index in range(5)]

    outcomes = [type(ticket.outcome()).__name__ for ticket in tickets]

    assert outcomes == ["Done"] * 4 + ["NotDone"]
    assert farm[0].session_count == 4


class Hostile:
    """A healthy session next to one whose network belongs to somebody else."""

    def __init__(self, caller: Caller, farm: BMCFarm, relay: Relay) -> None:
        self.caller = caller
        self.relay = relay
        self.healthy = caller.target(farm[0].driver_info, "healthy")
        self.attacked = caller.target(through(relay, farm[1].driver_info), "attacked")
        caller.submit(self.healthy, GetPower()).value()

    def counted(self, name: str) -> int:
        return self.caller.driver.counters()[name]

    def check_both(self) -> None:
        assert self.caller.submit(self.attacked, GetPower()).value() is PowerState.OFF
        assert self.caller.submit(self.healthy, GetPower()).value() is PowerState.OFF
        assert self.caller.driver.is_alive()


@pytest.fixture
def hostile(start: Start, farm: BMCFarm) -> Iterator[Hostile]:
    with running_relay((farm[1].address, farm.port)) as relay:
        yield Hostile(start(timing=Timing(close_waits_s=(0.05,))), farm, relay)


def test_truncations_of_every_answer_change_nothing(hostile: Hostile) -> None:
    hostile.relay.judge_answer = lambda datagram: [
        *(datagram[:length] for length in range(len(datagram))),
        datagram,
    ]

    for _ in range(3):
        hostile.check_both()

    assert hostile.counted("logins") == 2
    assert hostile.counted("retransmitted") == 0
    assert hostile.counted("dropped") > 300
    assert hostile.counted("stray") > 100


def test_flipped_bits_inside_a_session_change_nothing(hostile: Hostile) -> None:
    hostile.check_both()

    def flip(datagram: bytes) -> list[bytes]:
        flipped = [bytearray(datagram) for _ in range(len(datagram) * 8)]
        for bit, each in enumerate(flipped):
            each[bit // 8] ^= 1 << bit % 8
        # The second byte is reserved, and no part of what is authenticated.
        return [bytes(each) for bit, each in enumerate(flipped) if bit // 8 != 1] + [datagram]

    hostile.relay.judge_answer = flip
    hostile.check_both()

    assert hostile.counted("logins") == 2
    assert hostile.counted("retransmitted") == 0
    assert hostile.counted("dropped") + hostile.counted("stray") > 400


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_in_a_login_cost_that_login_at_most(hostile: Hostile, seed: int) -> None:
    rng = random.Random(seed)

    def flip(datagram: bytes) -> list[bytes]:
        flipped = bytearray(datagram)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        return [bytes(flipped), datagram]

    hostile.relay.judge_answer = flip
    hostile.caller.submit(hostile.attacked, GetPower(), deadline_s=2).outcome()
    hostile.relay.judge_answer = lambda datagram: [datagram]

    hostile.check_both()


def test_what_is_replayed_is_dropped(hostile: Hostile) -> None:
    heard: list[bytes] = []

    def replay(datagram: bytes) -> list[bytes]:
        heard.append(datagram)
        return [*heard, *heard]

    hostile.relay.judge_answer = replay
    for _ in range(5):
        hostile.check_both()

    assert hostile.counted("logins") == 2
    assert hostile.counted("retransmitted") == 0


def forgeries(session_id: bytes) -> list[bytes]:
    """Datagrams that somebody makes who knows no key."""
    v15 = b"\x06\x00\xff\x07\x00" + b"\xfe\xff\xff\xff" + b"\0\0\0\0" + b"\x08" + b"\x81\x1c\x63\x20\x00\x38\x00\xa8"
    v15_new = b"\x06\x00\xff\x07\x00" + b"\0" * 8 + b"\x08" + b"\x81\x1c\x63\x20\x00\x38\x00\xa8"
    md5 = b"\x06\x00\xff\x07\x02" + b"\xff" * 60
    plain = (
        b"\x06\x00\xff\x07\x06\x00"
        + session_id
        + b"\xff\xff\xff\x7f"
        + b"\x08\x00"
        + b"\x81\x04\x7b\x20\x04\x01\x00\xda"
    )
    signed = b"\x06\x00\xff\x07\x06\x40" + session_id + b"\xff\xff\xff\x7f" + b"\x08\x00" + b"\0" * 40
    sealed = b"\x06\x00\xff\x07\x06\xc0" + session_id + b"\xff\xff\xff\x7f" + b"\x20\x00" + b"\0" * 64
    sol = b"\x06\x00\xff\x07\x06\xc1" + session_id + b"\xff\xff\xff\x7f" + b"\x20\x00" + b"\0" * 64
    oem = b"\x06\x00\xff\x07\x06\xc2" + session_id + b"\0" * 64
    steps = [
        b"\x06\x00\xff\x07\x06" + bytes([kind]) + b"\0" * 8 + b"\x08\x00" + bytes([tag, status, 0, 0]) + session_id
        for kind in range(0x10, 0x16)
        for tag in range(0, 256, 5)
        for status in (0, 1, 0x0F)
    ]
    return [v15, v15_new, md5, plain, signed, sealed, sol, oem, *steps]


def test_forged_datagrams_neither_end_a_session_nor_move_its_window(hostile: Hostile) -> None:
    hostile.check_both()
    dropped = hostile.counted("dropped")

    sent = forgeries(b"\x01\x02\x03\x04")
    for datagram in sent:
        hostile.relay.inject(datagram)
    hostile.check_both()

    assert hostile.counted("dropped") == dropped + len(sent)
    assert hostile.counted("logins") == 2
    assert hostile.counted("retransmitted") == 0


def test_forged_refusals_under_another_session_id_do_not_end_a_login(hostile: Hostile) -> None:
    refusals = [
        b"\x06\x00\xff\x07\x06" + bytes([kind]) + b"\0" * 8 + b"\x08\x00" + bytes([tag, 0x0D, 0, 0]) + b"\1\2\3\4"
        for kind in (0x11, 0x13, 0x15)
        for tag in range(256)
    ]
    hostile.relay.judge_answer = lambda datagram: [*refusals, datagram]

    hostile.check_both()

    assert hostile.counted("logins") == 2
    assert hostile.counted("logins_failed") == 0


def test_a_flood_of_garbage_is_counted_and_changes_nothing(hostile: Hostile) -> None:
    hostile.check_both()
    rng = random.Random(7)
    assert hostile.relay.client is not None

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(40):
            for _ in range(50):
                garbage = rng.randbytes(rng.randrange(120))
                stranger.sendto(garbage, ("127.0.0.1", hostile.relay.client[1]))
                hostile.relay.inject(b"\x06\x00\xff\x07" + garbage)
                hostile.relay.inject(garbage)
            hostile.check_both()

    assert hostile.counted("stray") > 2_000
    assert hostile.counted("dropped") > 500
    assert hostile.counted("logins") == 2


def test_an_answer_that_is_genuine_and_makes_no_sense_breaks_its_own_session_only(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.check_both()
    stock: Any = pyghmi_session.Session
    parse = stock._parse_ipmi_payload
    struck = threading.Event()

    def fail_once(session: Any, payload: Any) -> Any:
        if not struck.is_set():
            struck.set()
            raise IndexError("bytearray index out of range")
        return parse(session, payload)

    monkeypatch.setattr(stock, "_parse_ipmi_payload", fail_once)
    ticket = hostile.caller.submit(hostile.attacked, GetPower())

    assert ticket.value() is PowerState.OFF  # once more, through a fresh login
    assert hostile.counted("logins") == 3
    hostile.check_both()
