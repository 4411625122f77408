"""The contract of drivers, against everything that claims to keep it.

One class of tests, in every world of the fixtures.
"""

import threading
from collections import Counter

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import (
    BootSetting,
    GetBootDevice,
    GetPower,
    NotDone,
    SetBootDevice,
    SetPower,
)
from castiron.transport.errors import ArgumentInvalid, BMCCredentials, BMCFault, BMCUnreachable, BMCUnsupported
from castiron.transport.vocabulary import Applied, BootDevice, NodeUUID, PowerControl, PowerState
from tests.support.driver_calls import WAIT_S, Caller, Ticket
from tests.support.driver_worlds import WORLDS, WRITTEN, Quirk, World

ON, OFF, SOFT_OFF = (SetPower(control) for control in (PowerControl.ON, PowerControl.OFF, PowerControl.SOFT_OFF))


@pytest.mark.parametrize("world", [*WORLDS, *WRITTEN], indirect=True)
class TestDriverContract:
    def test_power_follows_each_control(self, world: World, caller: Caller) -> None:
        target = caller.target(world.healthy)

        for control, power in ((ON, PowerState.ON), (OFF, PowerState.OFF), (ON, PowerState.ON)):
            assert caller.submit(target, control).value() is None
            assert caller.submit(target, GetPower()).value() is power
            assert world.power() is power

    def test_a_soft_power_off_is_acknowledged_and_received_once(self, world: World, caller: Caller) -> None:
        target = caller.target(world.healthy)
        caller.submit(target, ON).value()
        before = world.control_count()

        assert caller.submit(target, SOFT_OFF).value() is None

        assert world.control_count() == before + 1

    @pytest.mark.parametrize("persistent", [False, True], ids=["once", "persistent"])
    @pytest.mark.parametrize("uefi", [False, True], ids=["bios", "uefi"])
    @pytest.mark.parametrize("device", [BootDevice.PXE, BootDevice.DISK, BootDevice.CDROM, BootDevice.BIOS])
    def test_a_boot_device_reads_back_as_it_was_set(
        self, world: World, caller: Caller, device: BootDevice, uefi: bool, persistent: bool
    ) -> None:
        target = caller.target(world.healthy)
        setting = BootSetting(device, persistent=persistent, uefi=uefi)
        is_kept = persistent or Quirk.ALWAYS_PERSISTENT in world.quirks

        assert caller.submit(target, SetBootDevice(setting)).value() is None

        assert caller.submit(target, GetBootDevice()).value() == BootSetting(device, persistent=is_kept, uefi=uefi)

    @pytest.mark.parametrize("operation", [GetPower(), ON, GetBootDevice()], ids=["read", "control", "boot device"])
    def test_a_silent_bmc_ends_a_call_at_its_deadline(
        self, world: World, caller: Caller, clock: SystemClock, operation: GetPower | SetPower
    ) -> None:
        before = clock.now()

        failure = caller.submit(caller.target(world.silent), operation, deadline_s=0.3).failure()

        assert clock.now() - before >= 0.3
        assert isinstance(failure.error, BMCUnreachable)
        assert failure.applied is Applied.NO

    def test_a_silent_bmc_delays_nobody_else(self, world: World, caller: Caller) -> None:
        dead = [caller.submit(caller.target(world.silent, f"dead{index}"), GetPower(), 2.0) for index in range(4)]
        target = caller.target(world.healthy)

        for _ in range(20):
            assert isinstance(caller.submit(target, GetPower()).value(), PowerState)

        assert not any(ticket.outcomes for ticket in dead)

    def test_calls_to_one_bmc_end_in_the_order_of_their_submission(self, world: World, caller: Caller) -> None:
        target = caller.target(world.healthy)
        caller.submit(target, OFF).value()
        before = world.control_count()

        tickets = [caller.submit(target, operation) for operation in (GetPower(), ON, GetPower(), OFF, GetPower())]

        assert [ticket.value() for ticket in tickets] == [PowerState.OFF, None, PowerState.ON, None, PowerState.OFF]
        assert caller.ended[-5:] == tickets
        assert world.control_count() == before + 2

    def test_each_call_has_one_outcome_however_many_threads_ask_and_forget(self, world: World, caller: Caller) -> None:
        targets = [caller.target(world.healthy), *(caller.target(world.silent, f"dead{index}") for index in range(2))]
        tickets: list[Ticket] = []

        def ask() -> None:
            for turn in range(10):
                tickets.extend(caller.submit(target, GetPower(), deadline_s=0.5) for target in targets)
                if turn % 3 == 0:
                    world.driver.forget(targets[turn % 2].node)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        for ticket in tickets:
            ticket.outcome()
        world.driver.stop(5)

        assert len(tickets) == 120
        assert Counter(len(ticket.outcomes) for ticket in tickets) == {1: 120}

    def test_forgetting_a_node_ends_its_calls(self, world: World, caller: Caller) -> None:
        ticket = caller.submit(caller.target(world.silent), GetPower())

        world.driver.forget(NodeUUID("node"))

        assert ticket.failure().applied is Applied.NO

    def test_stopping_ends_every_call_and_refuses_later_ones(self, world: World, caller: Caller) -> None:
        target = caller.target(world.silent)
        early = [caller.submit(target, operation) for operation in (GetPower(), ON)]

        world.driver.stop(5)
        late = caller.submit(target, ON)

        assert [ticket.failure().applied for ticket in (*early, late)] == [Applied.NO] * 3
        assert all(len(ticket.outcomes) == 1 for ticket in (*early, late))
        assert not world.driver.is_alive()

    def test_a_call_of_an_older_generation_is_refused_and_not_sent(self, world: World, caller: Caller) -> None:
        newer, older = (caller.target(world.healthy, generation=generation) for generation in (2, 1))
        caller.submit(newer, GetPower()).value()
        before = world.control_count()

        failure = caller.submit(older, ON).failure()

        assert isinstance(failure.error, BMCFault)
        assert failure.applied is Applied.NO
        assert world.control_count() == before

    def test_an_older_generation_is_refused_also_after_its_node_was_forgotten(
        self, world: World, caller: Caller
    ) -> None:
        newer, older = (caller.target(world.healthy, generation=generation) for generation in (2, 1))
        caller.submit(newer, GetPower()).value()
        world.driver.forget(newer.node)

        assert isinstance(caller.submit(older, ON).outcome(), NotDone)

    def test_new_driver_info_takes_effect_with_its_generation(self, world: World, caller: Caller) -> None:
        wrong = caller.target(world.wrong_password, generation=1)
        right = caller.target(world.healthy, generation=2)

        assert isinstance(caller.submit(wrong, GetPower()).failure().error, BMCCredentials)
        assert isinstance(caller.submit(right, GetPower()).value(), PowerState)

    def test_a_wrong_password_is_told_apart_and_nothing_is_applied(self, world: World, caller: Caller) -> None:
        failure = caller.submit(caller.target(world.wrong_password), ON).failure()

        assert isinstance(failure.error, BMCCredentials)
        assert failure.error.details["node"] == "node"
        assert failure.applied is Applied.NO
        assert "wrong" not in str(failure)

    def test_an_unknown_command_is_told_apart_and_nothing_is_applied(self, world: World, caller: Caller) -> None:
        if Quirk.KNOWS_ALL in world.quirks:
            assert caller.submit(caller.target(world.refuse()), ON).value() is None
            return
        failure = caller.submit(caller.target(world.refuse()), ON).failure()

        assert isinstance(failure.error, BMCUnsupported)
        assert failure.applied is Applied.NO

    def test_counters_are_numbers_and_the_driver_lives(self, world: World, caller: Caller) -> None:
        caller.submit(caller.target(world.healthy), GetPower()).value()

        assert world.driver.is_alive()
        assert all(isinstance(count, int) and count >= 0 for count in world.driver.counters().values())

    def test_checking_twice_changes_nothing_and_an_unknown_key_is_refused(self, world: World) -> None:
        once = world.driver.check(world.healthy)

        assert world.driver.check(once.info) == once
        with pytest.raises(ArgumentInvalid) as raised:
            world.driver.check({**world.healthy, "nonsense": 1})
        assert raised.value.details["path"] == "$.driver_info.nonsense"
