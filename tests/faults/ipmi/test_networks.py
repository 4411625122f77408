"""The ipmi driver over real UDP, when BMCs reboot, networks lose, and names do not resolve."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pyghmi.ipmi.private import session as pyghmi_session

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import BootSetting, GetBootDevice, GetPower, SetBootDevice
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.ipmi.wire.address import Address
from castiron.testing import BMCFarm, Faults
from castiron.transport.errors import BMCUnreachable
from castiron.transport.vocabulary import Applied, BootDevice, PowerState
from tests.faults.ipmi.drivers import OFF, ON, Start, through
from tests.support.driver_calls import WAIT_S, Caller
from tests.support.ipmi_sim import IPMISim, running_ipmi_sim
from tests.support.relay import running_relay

IN_SESSION = 0xC0


@pytest.fixture(scope="module")
def ipmi_sim() -> Iterator[IPMISim]:
    with running_ipmi_sim() as bmc:
        yield bmc


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

    assert all(ticket.value() is PowerState.OFF for ticket in tickets)
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
