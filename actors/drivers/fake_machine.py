"""The machine and BMC that a fake driver has for a node: what it is, what it keeps, and what each operation does to it.

Tests may read and change everything at any time. No time of its own: power that follows late is the driver's.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from castiron.actors.drivers.base import BootSetting, GetBootDevice, GetPower, Operation, SetBootDevice, SetPower, Value
from castiron.actors.drivers.fake_script import Script
from castiron.actors.drivers.findings import (
    FRU,
    DeviceID,
    FRUProduct,
    Health,
    PasswordCheck,
    SELInfo,
    SensorReading,
    Sensors,
    SystemGUID,
)
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
from castiron.transport.errors import BMCCredentials, BMCError, BMCUnsupported
from castiron.transport.vocabulary import BootDevice, BootMode, PowerControl, PowerState

MAX_CONTROLS: Final = 1_000
"""Power controls that a machine remembers, for tests to count."""

ACTING: Final = (SetPower, SetBootDevice, SetBootMode, Identify, ResetBMC, ClearSEL, SetUserPassword)
"""Operations whose outcome is unknown if they were received and not answered."""

USERNAME: Final = "fake_username"
PASSWORD: Final = "fake_password"  # noqa: S105 - the name of a key

_DEVICE: Final = DeviceID(
    manufacturer_id=0,
    product_id=1,
    device_id=0x20,
    device_revision=1,
    firmware="1.00",
    ipmi="2.0",
    has_sdr_repository=True,
)
_TEMPERATURE: Final = SensorReading(
    number=1,
    name="Inlet Temp",
    kind="Temperature",
    value=23.0,
    units="°C",
    states=(),
    health=Health.OK,
    is_available=True,
)
_EMPTY: Final = SELInfo(entry_count=0, free_bytes=8_192, has_overflowed=False, added_at=None, erased_at=None)


@dataclass(slots=True)
class FakeBMC:
    """A machine and its BMC, as tests see them."""

    script: Script = field(default_factory=Script)
    power: PowerState = PowerState.OFF
    mode: BootMode = BootMode.UEFI
    boot: BootSetting = field(default_factory=lambda: BootSetting(BootDevice.DEFAULT))
    controls: deque[PowerControl] = field(default_factory=lambda: deque[PowerControl](maxlen=MAX_CONTROLS))
    """The power controls that it has received, oldest first."""
    device: DeviceID = _DEVICE
    guid: SystemGUID = SystemGUID(bytes(range(16)))  # noqa: RUF009 - frozen
    fru: FRU = FRU(product=FRUProduct(manufacturer="castiron", name="Fake Machine"))  # noqa: RUF009 - frozen
    sensors: Sensors = Sensors(readings=(_TEMPERATURE,))  # noqa: RUF009 - frozen
    log: SELInfo = _EMPTY
    """How full its event log is."""
    identified_s: int | None = 0
    """What it was last told of its lamp; None for lit until it is put out."""
    reset_count: int = 0
    silent_until: float = 0.0
    """It answers nothing before this instant: it restarts."""
    users: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """User → password."""

    def meet(self, info: Mapping[str, Any]) -> None:
        """Keep the first password that is told for a user."""
        if PASSWORD in info:
            self.users.setdefault(info.get(USERNAME, ""), info[PASSWORD])

    def refuses_login(self, info: Mapping[str, Any]) -> bool:
        """Return whether a driver_info names a password and it is not the user's."""
        return PASSWORD in info and self.users.get(info.get(USERNAME, "")) != info[PASSWORD]

    def carry_out(self, operation: Operation) -> Value:
        """Do what is asked, and return its value. Power is not changed here.

        Raises:
            BMCError: the BMC refuses; nothing was done.
        """
        match operation:
            case SetPower(control):
                self.controls.append(control)
            case SetBootDevice(setting):
                self.boot = setting
            case SetBootMode(mode):
                self.mode = mode
            case Identify(duration_s):
                self.identified_s = duration_s
            case ResetBMC():
                self.reset_count += 1
            case ClearSEL():
                self.log = _EMPTY
            case SetUserPassword(user, password):
                self._know(user)
                self.users[user] = password
            case _:
                return self.look(operation)
        return None

    def look(self, operation: Operation) -> Value:
        """Answer what changes nothing.

        Raises:
            BMCError: the BMC refuses.
        """
        match operation:
            case CheckUserPassword(user, password):
                self._know(user)
                return PasswordCheck.MATCHES if self.users[user] == password else PasswordCheck.DIFFERS
            case VerifyCredentials(info):
                if self.refuses_login(info):
                    raise wrong_password()
                return None
            case _:
                return _LOOKS[type(operation)](self)

    def _know(self, user: str) -> None:
        if user not in self.users:
            raise BMCUnsupported(f"The fake BMC has no user named {user!r}.")


_LOOKS: Final[Mapping[type, Callable[[FakeBMC], Value]]] = {
    GetPower: lambda bmc: bmc.power,
    GetBootDevice: lambda bmc: bmc.boot,
    GetBootMode: lambda bmc: bmc.mode,
    GetDeviceID: lambda bmc: bmc.device,
    GetSystemGUID: lambda bmc: bmc.guid,
    ReadFRU: lambda bmc: bmc.fru,
    ReadSensors: lambda bmc: bmc.sensors,
    GetSELInfo: lambda bmc: bmc.log,
}


def wrong_password() -> BMCError:
    """Return the error of a login with another password than the user's."""
    return BMCCredentials("The fake BMC refused the password.")
