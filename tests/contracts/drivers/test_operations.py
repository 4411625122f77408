"""What provisioning steps ask of a BMC, against everything that claims to do it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from castiron.actors.drivers.base import Done, GetPower, NotDone, Operation, Outcome
from castiron.actors.drivers.findings import FRU, DeviceID, PasswordCheck, SELInfo, Sensors, SystemGUID
from castiron.actors.drivers.operations import (
    CheckUserPassword,
    ClearSEL,
    GetBootMode,
    GetDeviceID,
    GetSELInfo,
    GetSystemGUID,
    Identify,
    ReadFRU,
    ReadSensors,
    ResetBMC,
    SetBootMode,
    SetUserPassword,
    VerifyCredentials,
)
from castiron.transport.errors import BMCBusy, BMCCredentials, BMCFault, BMCUnreachable, BMCUnsupported
from castiron.transport.vocabulary import Applied, BootMode, PowerState
from tests.support.driver_calls import Caller
from tests.support.driver_worlds import NEW_PASSWORD, Quirk, World

EVERY: list[Operation] = [
    GetDeviceID(),
    GetSystemGUID(),
    ReadFRU(),
    ReadSensors(),
    GetSELInfo(),
    Identify(1),
    ResetBMC(),
    ClearSEL(),
    SetUserPassword("admin", NEW_PASSWORD),
    CheckUserPassword("admin", NEW_PASSWORD),
]


class Asking:
    """A node that asks one thing after the other; it may get other credentials, as by a new driver_info."""

    def __init__(self, world: World, caller: Caller) -> None:
        self.world = world
        self.caller = caller
        self.info = dict(world.healthy)
        self.generation = 1

    def __call__(self, operation: Operation) -> Any:
        return self.end(operation, Done).value

    def end(self, operation: Operation, kind: type[Any]) -> Any:
        target = self.caller.target(self.info, generation=self.generation)
        outcome = self.caller.submit(target, operation).outcome()
        assert isinstance(outcome, kind), outcome
        return outcome

    def unless_lacking(self, operation: Operation) -> Outcome:
        """Ask; where the BMC lacks the operation, see that it is told so."""
        if type(operation) not in self.world.lacks:
            outcome: Outcome = self.end(operation, Done)
            return outcome
        refused = self.end(operation, NotDone)
        assert (type(refused.error), refused.applied) == (BMCUnsupported, Applied.NO)
        return Done(value=None)

    def with_password(self, password: str) -> Mapping[str, Any]:
        key = next(key for key in self.info if key.endswith("_password"))
        return {**self.info, key: password}

    @contextmanager
    def another_password(self) -> Generator[None]:
        """Have the BMC keep another password within the block, and the old one after it."""
        assert self(SetUserPassword("admin", NEW_PASSWORD)) is None
        try:
            yield
        finally:
            self.info, self.generation = dict(self.with_password(NEW_PASSWORD)), self.generation + 1
            assert self(SetUserPassword("admin", "password")) is None


@pytest.fixture
def ask(world: World, caller: Caller) -> Asking:
    return Asking(world, caller)


class TestLooking:
    def test_a_bmc_says_who_it_is(self, ask: Asking) -> None:
        found = ask(GetDeviceID())

        assert isinstance(found, DeviceID)
        assert found.firmware in {"1.00", "9.08"}
        if Quirk.NO_IPMI in ask.world.quirks:
            assert (found.ipmi, found.has_sdr_repository) == ("", False)
            assert found.redfish in {"1.5.0", "1.15.0"}
        else:
            assert (found.ipmi, found.has_sdr_repository) == ("2.0", True)

    def test_a_guid_is_sixteen_bytes(self, ask: Asking) -> None:
        found = ask(GetSystemGUID())

        assert isinstance(found, SystemGUID)
        assert len(found.data) == 16

    def test_the_inventory_names_the_machine(self, ask: Asking) -> None:
        found = ask(ReadFRU())

        assert isinstance(found, FRU)
        assert found.product is not None
        is_ours = Quirk.OTHER_INVENTORY not in ask.world.quirks
        assert found.product.manufacturer == ("castiron" if is_ours else "Sushy Emulator")
        assert found.damaged == ()

    def test_sensors_have_values_and_units(self, ask: Asking) -> None:
        found = ask(ReadSensors())

        assert isinstance(found, Sensors)
        is_ours = Quirk.OTHER_INVENTORY not in ask.world.quirks
        name, value = ("Inlet Temp", 23.0) if is_ours else ("Chassis Intake Temp", 25.0)
        inlet = next(each for each in found.readings if each.name == name)
        assert (inlet.kind, inlet.value, inlet.units) == ("Temperature", value, "°C")
        assert inlet.is_available
        assert found.left_out_count == 0

    @pytest.mark.parametrize("operation", EVERY, ids=lambda operation: type(operation).__name__)
    def test_a_silent_bmc_ends_each_at_its_deadline_and_nothing_is_applied(
        self, world: World, caller: Caller, operation: Operation
    ) -> None:
        failure = caller.submit(caller.target(world.silent), operation, 0.2).failure()

        assert isinstance(failure.error, BMCUnreachable)
        assert failure.applied is Applied.NO

    @pytest.mark.parametrize("operation", EVERY, ids=lambda operation: type(operation).__name__)
    def test_a_wrong_password_ends_each_and_nothing_is_applied(
        self, world: World, caller: Caller, operation: Operation
    ) -> None:
        failure = caller.submit(caller.target(world.wrong_password), operation).failure()

        assert isinstance(failure.error, BMCCredentials)
        assert failure.applied is Applied.NO
        assert world.password() == "password"


class TestActing:
    def test_the_event_log_is_counted_and_cleared(self, world: World, ask: Asking) -> None:
        if GetSELInfo in world.lacks:
            ask.unless_lacking(GetSELInfo())
            ask.unless_lacking(ClearSEL())
            return
        world.log_events(3)
        before = ask(GetSELInfo())

        assert ask(ClearSEL()) is None

        after = ask(GetSELInfo())
        assert isinstance(before, SELInfo)
        assert isinstance(after, SELInfo)
        assert (before.entry_count, after.entry_count) == (3, 0)
        assert (after.free_bytes or 0) >= (before.free_bytes or 0)

    @pytest.mark.parametrize("duration_s", [0, 5, None])
    def test_the_lamp_is_lit_and_put_out(self, ask: Asking, duration_s: int | None) -> None:
        if duration_s and Quirk.NO_TIMED_LAMP in ask.world.quirks:
            refused = ask.end(Identify(duration_s), NotDone)
            assert (type(refused.error), refused.applied) == (BMCUnsupported, Applied.NO)
            return

        assert ask.unless_lacking(Identify(duration_s)) == Done(value=None)

    def test_a_boot_mode_reads_back_as_it_was_set(self, ask: Asking) -> None:
        if GetBootMode in ask.world.lacks:
            for operation in (GetBootMode(), SetBootMode(BootMode.UEFI)):
                refused = ask.end(operation, NotDone)
                assert (type(refused.error), refused.applied) == (BMCUnsupported, Applied.NO)
            return

        for mode in (BootMode.BIOS, BootMode.UEFI):
            assert ask(SetBootMode(mode)) is None
            assert ask(GetBootMode()) is mode

    @pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
    def test_a_bmc_that_restarted_is_asked_again(self, ask: Asking, cold: bool) -> None:
        ask(GetPower())

        assert ask.unless_lacking(ResetBMC(cold=cold)) == Done(value=None)

        assert isinstance(ask(GetPower()), PowerState)


class TestPasswords:
    def test_a_changed_password_lets_in_and_the_old_one_does_not(self, world: World, ask: Asking) -> None:
        if SetUserPassword in world.lacks:
            ask.unless_lacking(SetUserPassword("admin", NEW_PASSWORD))
            assert ask(VerifyCredentials(ask.info)) is None
            return
        old, new = ask.info, ask.with_password(NEW_PASSWORD)

        with ask.another_password():
            assert world.password() == NEW_PASSWORD
            ask.info, ask.generation = dict(new), 2
            assert ask(VerifyCredentials(new)) is None
            refused = ask.end(VerifyCredentials(old), NotDone)
            assert (type(refused.error), refused.applied) == (BMCCredentials, Applied.NO)
            assert isinstance(ask(GetPower()), PowerState)

        assert ask(VerifyCredentials(old)) is None
        assert world.password() == "password"

    def test_a_password_is_compared(self, world: World, ask: Asking) -> None:
        if Quirk.SAYS_YES in world.quirks:  # whatever it is asked; the driver tells what it said
            assert ask(CheckUserPassword("admin", "Password")) is PasswordCheck.MATCHES
            return
        if CheckUserPassword in world.lacks:
            ask.unless_lacking(CheckUserPassword("admin", "password"))
            return

        assert ask(CheckUserPassword("admin", "password")) is PasswordCheck.MATCHES
        assert ask(CheckUserPassword("admin", "Password")) is PasswordCheck.DIFFERS
        assert ask(CheckUserPassword("admin", "passwordpassword-20b")) is PasswordCheck.DIFFERS

    @pytest.mark.parametrize("kind", [SetUserPassword, CheckUserPassword])
    def test_a_user_that_is_not_there_is_told(self, ask: Asking, kind: type[SetUserPassword]) -> None:
        refused = ask.end(kind("nobody-here", "s3cret"), NotDone)

        assert (type(refused.error), refused.applied) == (BMCUnsupported, Applied.NO)
        assert SetUserPassword in ask.world.lacks or "nobody-here" in str(refused.error)
        assert "s3cret" not in repr(refused)

    def test_credentials_are_tried_beside_the_nodes_own_calls(self, world: World, caller: Caller, ask: Asking) -> None:
        before = world.driver.counters()
        ask(GetPower())
        target = caller.target(world.healthy)

        operations = (GetPower(), VerifyCredentials(ask.with_password("wrong")), GetPower())
        tickets = [caller.submit(target, operation) for operation in operations]

        assert isinstance(tickets[1].failure().error, BMCCredentials)
        assert isinstance(tickets[0].value(), PowerState)
        assert isinstance(tickets[2].value(), PowerState)
        if "logins" in before:
            assert world.driver.counters()["logins"] == 1  # the node's own session is still the same

    def test_credentials_are_tried_one_after_the_other(self, world: World, caller: Caller) -> None:
        target = caller.target(world.silent)
        first = caller.submit(target, VerifyCredentials(world.silent), 0.5)

        refused = caller.submit(target, VerifyCredentials(world.silent)).failure()

        assert isinstance(refused.error, BMCBusy)
        assert isinstance(first.failure().error, BMCUnreachable)

    def test_silent_credentials_hold_up_nobody(self, world: World, caller: Caller, ask: Asking) -> None:
        slow = caller.submit(caller.target(world.silent, "other"), VerifyCredentials(world.silent), 1.0)

        for _ in range(10):
            assert isinstance(ask(GetPower()), PowerState)

        assert isinstance(slow.failure().error, BMCUnreachable)

    def test_forgetting_a_node_ends_what_is_tried_beside_it(self, world: World, caller: Caller) -> None:
        target = caller.target(world.silent)
        ticket = caller.submit(target, VerifyCredentials(world.silent))

        world.driver.forget(target.node)

        assert ticket.failure().applied is Applied.NO
        assert "given up" in str(ticket.failure().error)

    def test_a_driver_info_that_cannot_be_is_told(self, world: World, ask: Asking) -> None:
        if not any(key.endswith("_address") for key in world.healthy):  # the fake one: nothing must be in its
            assert ask(VerifyCredentials({"nonsense": 0})) is None
            return

        refused = ask.end(VerifyCredentials({"nonsense": 0}), NotDone)

        assert (type(refused.error), refused.applied) == (BMCFault, Applied.NO)
