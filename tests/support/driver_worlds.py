"""Worlds for the contract of drivers: one machine each, behind the fake driver, an IPMI or a Redfish BMC."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.fake import FakeDriver
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.actors.drivers.methods import MethodDriver
from castiron.actors.drivers.operations import (
    CheckUserPassword,
    ClearSEL,
    GetBootMode,
    GetSELInfo,
    Identify,
    ResetBMC,
    SetUserPassword,
)
from castiron.actors.drivers.redfish import RedfishDriver
from castiron.testing import BMCFarm, Event
from castiron.testing.bmc.faults import CommandKind, Faults, Refusal
from castiron.transport.vocabulary import NodeUUID, PowerState
from tests.support.ipmi_sim import IPMISim
from tests.support.method_drivers import AwaitingRedfish, BlockingRedfish, MixedRedfish
from tests.support.redfish_bmc import RESET, RedfishBMC, refusal
from tests.support.redfish_faults import status
from tests.support.sushy import SushyEmulator

WRITTEN: Final[Mapping[str, type[MethodDriver]]] = {
    "methods that block": BlockingRedfish,
    "methods that await": AwaitingRedfish,
    "methods of both kinds": MixedRedfish,
}

WORLDS: Final = [
    "fake",
    "farm",
    "redfish",
    *(pytest.param(name, marks=pytest.mark.simulators) for name in ("ipmi_sim", "sushy")),
]

Info = Mapping[str, Any]

NEW_PASSWORD: Final = "another"
"""What tests change a password to."""


class World(Protocol):
    """One machine behind a driver, seen from both sides."""

    driver: Driver
    healthy: Info
    silent: Info
    """driver_info of a BMC that never answers."""
    wrong_password: Info

    def power(self) -> PowerState:
        """What the machine itself says."""
        ...

    def control_count(self) -> int:
        """How many power controls it has received."""
        ...

    lacks: frozenset[type]
    """Operations that its BMC does not have, or does not do as it says."""
    quirks: frozenset[str]
    """What its BMC does in its own way: see Quirk."""

    def log_events(self, count: int) -> None:
        """Put so many events into its log."""
        ...

    def password(self) -> str:
        """What its BMC keeps as the user's password, as far as it tells."""
        ...

    def refuse(self) -> Info:
        """Make the next power control an unknown command; return the driver_info to send it to."""
        ...


class Quirk:
    """Words for what not every BMC does."""

    ALWAYS_PERSISTENT = "a boot device is set for always, whatever was asked"
    NO_TIMED_LAMP = "the lamp knows no seconds"
    NO_IPMI = "it is no IPMI"
    OTHER_INVENTORY = "its inventory and sensors are its own"
    SAYS_YES = "it says yes to any password that it is to compare"
    KNOWS_ALL = "it knows every power control that there is, and refuses none"


class FakeWorld:
    def __init__(self, clock: SystemClock) -> None:
        self.driver: Driver = FakeDriver(clock)
        self.healthy: Info = {"fake_username": "admin", "fake_password": "password"}
        self.lacks: frozenset[type] = frozenset()
        self.quirks: frozenset[str] = frozenset()
        self.silent: Info = {"fake_fault": "unreachable"}
        self.wrong_password: Info = {**self.healthy, "fake_fault": "credentials"}

    def _bmc(self) -> Any:
        assert isinstance(self.driver, FakeDriver)
        return self.driver.bmc(NodeUUID("node"))

    def power(self) -> PowerState:
        power: PowerState = self._bmc().power
        return power

    def control_count(self) -> int:
        return len(self._bmc().controls)

    def refuse(self) -> Info:
        return {**self.healthy, "fake_fault": "unsupported"}

    def log_events(self, count: int) -> None:
        self._bmc().log = replace(self._bmc().log, entry_count=count)

    def password(self) -> str:
        return str(self._bmc().users["admin"])


class IPMISimWorld:
    def __init__(self, clock: SystemClock, bmc: IPMISim, silent: Info) -> None:
        self.driver: Driver = IPMIDriver(clock)
        self.bmc = bmc
        self.healthy: Info = bmc.driver_info
        self.silent: Info = silent
        self.wrong_password: Info = {**bmc.driver_info, "ipmi_password": "wrong"}
        # Its own lamp, restart and test of a password: it has neither of the first two, and says yes to any password.
        self.quirks: frozenset[str] = frozenset({Quirk.SAYS_YES})
        self.lacks: frozenset[type] = frozenset({Identify, ResetBMC, CheckUserPassword, GetBootMode})
        self._controls_before = bmc.control_count

    def power(self) -> PowerState:
        return self.bmc.power

    def control_count(self) -> int:
        return self.bmc.control_count - self._controls_before

    def refuse(self) -> Info:
        self.bmc.refuse_next_control(0xC1)
        return self.healthy

    def log_events(self, count: int) -> None:
        self.bmc.log_events(count)

    def password(self) -> str:
        return next(word for word in ("password", NEW_PASSWORD) if self.bmc.accepts(word))


class FarmWorld:
    def __init__(self, clock: SystemClock, farm: BMCFarm, silent: Info) -> None:
        self.driver: Driver = IPMIDriver(clock)
        self.bmc = farm[0]
        self.lacks: frozenset[type] = frozenset({GetBootMode})
        self.quirks: frozenset[str] = frozenset()
        self.healthy: Info = self.bmc.driver_info
        self.silent: Info = silent
        self.wrong_password: Info = {**self.bmc.driver_info, "ipmi_password": "wrong"}

    def power(self) -> PowerState:
        return self.bmc.power

    def control_count(self) -> int:
        return len(self.bmc.controls)

    def refuse(self) -> Info:
        self.bmc.set_faults(Faults(refusal=Refusal(code=0xC1, kind=CommandKind.CONTROL)))
        return self.healthy

    def log_events(self, count: int) -> None:
        self.bmc.keeps.log(*[Event(0x01, 1, 0x01, b"\x59")] * count)

    def password(self) -> str:
        return self.bmc.password


class RedfishWorld:
    def __init__(self, clock: SystemClock, bmc: RedfishBMC, silent: Info) -> None:
        self.driver: Driver = RedfishDriver(clock)
        self.bmc = bmc
        self.healthy: Info = bmc.driver_info
        self.silent: Info = silent
        self.wrong_password: Info = {**bmc.driver_info, "redfish_password": "wrong"}
        self.lacks: frozenset[type] = frozenset()
        self.quirks: frozenset[str] = frozenset({Quirk.NO_TIMED_LAMP, Quirk.NO_IPMI})

    def power(self) -> PowerState:
        return PowerState.ON if self.bmc.power == "On" else PowerState.OFF

    def control_count(self) -> int:
        return len(self.bmc.controls)

    def refuse(self) -> Info:
        self.bmc.next(status(400, refusal("ActionParameterValueNotInList")), "POST", RESET)
        return self.healthy

    def log_events(self, count: int) -> None:
        self.bmc.events += count

    def password(self) -> str:
        return self.bmc.users["admin"]


class WrittenWorld(RedfishWorld):
    """The same BMC, behind a driver that is written as methods."""

    def __init__(self, clock: SystemClock, bmc: RedfishBMC, silent: Info, kind: type[MethodDriver]) -> None:
        super().__init__(clock, bmc, silent)
        self.driver.stop(0.0)
        self.driver: Driver = kind(clock)


class SushyWorld:
    def __init__(self, clock: SystemClock, bmc: SushyEmulator, silent: Info) -> None:
        self.driver: Driver = RedfishDriver(clock)
        self.bmc = bmc
        self.healthy: Info = bmc.driver_info
        self.silent: Info = silent
        self.wrong_password: Info = {**bmc.driver_info, "redfish_password": "wrong"}
        self.lacks: frozenset[type] = frozenset({ResetBMC, GetSELInfo, ClearSEL, SetUserPassword, CheckUserPassword})
        self.quirks: frozenset[str] = frozenset(
            {Quirk.ALWAYS_PERSISTENT, Quirk.NO_TIMED_LAMP, Quirk.NO_IPMI, Quirk.OTHER_INVENTORY, Quirk.KNOWS_ALL}
        )
        self._resets_before = bmc.resets

    def power(self) -> PowerState:
        return self.bmc.power

    def control_count(self) -> int:
        return self.bmc.resets - self._resets_before

    def refuse(self) -> Info:
        return self.healthy

    def log_events(self, count: int) -> None:
        raise AssertionError(f"the emulator has no event log for {count} events")

    def password(self) -> str:
        return "password"
