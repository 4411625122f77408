"""What provisioning steps ask of a BMC, beside power and boot device: look, mark, restart, clear, change a password.

Values of these are in `drivers.findings`. Every operation ends as Done or NotDone (`drivers.base`); what is known after
each outcome stands with each. Those that read may be repeated by a driver. Secrets are kept out of repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple

from castiron.transport.vocabulary import BootMode

MAX_PASSWORD_BYTES: Final = 20
"""IPMI v2.0, 22.30 Set User Password."""

SHORT_PASSWORD_BYTES: Final = 16
"""What IPMI 1.5 has room for, and some BMCs keep of a longer one."""

MAX_IDENTIFY_S: Final = 255
"""One byte (IPMI v2.0, 28.5 Chassis Identify)."""

LAMP_S: Final = 15
"""How long a lamp is lit if nobody says (IPMI v2.0, 28.5: the default)."""

LAMPS_S: Final[Mapping[str, int | None]] = {"redfish": None}
"""Driver → the same, where it is not LAMP_S; None: until it is put out, as its BMCs know no time."""


class Credentials(NamedTuple):
    """Where a driver's driver_info has its user and password."""

    user: str
    password: str


CREDENTIALS: Final[Mapping[str, Credentials]] = {
    "ipmi": Credentials("ipmi_username", "ipmi_password"),
    "redfish": Credentials("redfish_username", "redfish_password"),
    "fake": Credentials("fake_username", "fake_password"),
}
"""Driver → where its driver_info has them, for those that can change a password."""

NO_CREDENTIALS: Final = Credentials("", "")
"""Of a driver that cannot."""


@dataclass(frozen=True, slots=True)
class GetDeviceID:
    """Read who made the BMC, and its versions. Value: DeviceID. One exchange (IPMI v2.0, 20.1)."""


@dataclass(frozen=True, slots=True)
class GetSystemGUID:
    """Read the machine's GUID. Value: SystemGUID. One exchange (IPMI v2.0, 22.14)."""


@dataclass(frozen=True, slots=True)
class ReadFRU:
    """Read the machine's inventory, FRU device 0. Value: FRU; empty where the BMC keeps nothing.

    A BMC without FRU device 0 answers BMCUnsupported. About ten exchanges, of which none is long; many more where a
    BMC gives few bytes at a time. Source: IPMI v2.0, 34.1 and 34.2; Platform Management FRU Information Storage 1.0.
    """


@dataclass(frozen=True, slots=True)
class ReadSensors:
    """Read every sensor of the BMC's own. Value: Sensors.

    One exchange or more for each record and one for each sensor: some hundreds, of which a slow BMC takes ten seconds
    and more. Give it time, and `gives_way` if nobody waits for it: it then ends between two exchanges as BMCBusy when
    another call comes. Source: IPMI v2.0, 33.11, 33.12, 35.5, 35.14, chapter 43.
    """


@dataclass(frozen=True, slots=True)
class GetBootMode:
    """Read how the machine's firmware boots. Value: BootMode. Redfish only; IPMI has it with each boot device alone."""


@dataclass(frozen=True, slots=True)
class SetBootMode:
    """Set how the machine's firmware boots, from its next start. Value: None. Twice does no harm. Redfish only."""

    mode: BootMode


@dataclass(frozen=True, slots=True)
class GetSELInfo:
    """Read how full the event log is. Value: SELInfo. One exchange (IPMI v2.0, 31.2)."""


@dataclass(frozen=True, slots=True)
class Identify:
    """Light the machine's lamp. Value: None, the BMC acknowledged it. Twice does no harm (IPMI v2.0, 28.5).

    Raises:
        ValueError: duration_s is no whole number from 0 to 255.
    """

    duration_s: int | None
    """Seconds; 0 puts it out; None leaves it lit until it is put out, which not every BMC can: BMCUnsupported."""

    def __post_init__(self) -> None:
        """Refuse what does not fit into the request."""
        if self.duration_s is not None and not 0 <= self.duration_s <= MAX_IDENTIFY_S:
            raise ValueError(f"duration_s must be from 0 to {MAX_IDENTIFY_S}: {self.duration_s}")


@dataclass(frozen=True, slots=True)
class ResetBMC:
    """Restart the BMC, not the machine. Sent once, never repeated (IPMI v2.0, 20.2 and 20.3).

    Done(None): the BMC said that it will. It forgets its sessions, so the next call logs in anew; it is silent for a
    while, a minute or more on real ones, during which calls end as BMCUnreachable.
    NotDone, applied no: it was not sent, or the BMC refused.
    NotDone, applied unknown: no answer came. Many BMCs restart without one, so look whether it falls silent.
    """

    cold: bool = True
    """False for a warm reset, which keeps settings that a cold one may read anew. Few BMCs have it."""


@dataclass(frozen=True, slots=True)
class ClearSEL:
    """Delete every entry of the event log (IPMI v2.0, 31.4 and 31.9).

    Done(None): the BMC said that the erasure is complete. Entries may have come since.
    NotDone, applied no: nothing was deleted. Another party's reservations may be the cause: BMCBusy.
    NotDone, applied unknown: it was told to erase, and did not say that it has. Clearing again does no harm but to
    entries that came meanwhile.
    """


@dataclass(frozen=True, slots=True)
class SetUserPassword:
    """Change the password of one of the BMC's users, found by name (IPMI v2.0, 22.27, 22.29, 22.30).

    Done(None): the BMC acknowledged it. Logins need the new password from now on; sessions that are open stay open.
    NotDone, applied no: the old password holds. BMCUnsupported if there is no such user, or more than one.
    NotDone, applied unknown: it was sent and not answered; either may hold. BMCCredentials with it means that a fresh
    login with the old one was refused meanwhile: the new one very likely holds.

    After unknown, and after a crash between this and the storing of the new password, ask with VerifyCredentials,
    the new one first; a password that verifies is the one that holds.

    There are BMCs that acknowledge 20 bytes and keep 16 (ipmi_sim does), so also after Done verify the new password
    before the old one is thrown away.

    Up to 16 bytes are stored in the BMC's 16-byte form, which IPMI 1.5 consoles can use as well, else in the 20-byte
    form. Setting the same password twice does no harm.

    Raises:
        ValueError: the password is empty, longer than 20 bytes, or has a NUL. Never repeats the password.
    """

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what no BMC can keep."""
        _check_password(self.password)


@dataclass(frozen=True, slots=True)
class CheckUserPassword:
    """Ask the BMC whether a user has a password, without changing anything (IPMI v2.0, 22.30, operation 3).

    Value: PasswordCheck. Needs a session that works, so it asks about other users than one's own; whether one's own
    credentials let one in is VerifyCredentials' to say. Some BMCs don't have the operation: BMCUnsupported.

    Raises:
        ValueError: as SetUserPassword's.
    """

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what no BMC can keep."""
        _check_password(self.password)


@dataclass(frozen=True, slots=True)
class VerifyCredentials:
    """Log in with the driver_info given here, ask for the power state, log out.

    Beside the node's own session, which stays as it is, and beside its queue: it neither waits for the node's other
    calls nor holds them up. One at a time for each node; another one meanwhile ends as BMCBusy.

    Done(None): these credentials let in, at their privilege level.
    NotDone with BMCCredentials: the BMC refused them. With any other error: nothing is known about them. Applied is
    always no.
    """

    info: Mapping[str, Any] = field(repr=False, hash=False)
    """A whole driver_info, secrets in the clear, checked by `Driver.check`."""


def said(operation: Any) -> Mapping[str, Any]:
    """Return what a trace may say of an operation: its name in words, and its arguments without secrets. Pure."""
    shown = {each.name: getattr(operation, each.name) for each in fields(operation) if each.repr}
    return {"asked": WORDS[type(operation)], **shown}


WORDS: Final[Mapping[type, str]] = {
    GetDeviceID: "read device id",
    GetSystemGUID: "read system guid",
    ReadFRU: "read fru",
    ReadSensors: "read sensors",
    GetBootMode: "read boot mode",
    SetBootMode: "set boot mode",
    GetSELInfo: "read event log info",
    Identify: "identify",
    ResetBMC: "reset bmc",
    ClearSEL: "clear event log",
    SetUserPassword: "set user password",
    CheckUserPassword: "check user password",
    VerifyCredentials: "verify credentials",
}
"""Operation → its words in a trace."""


def is_password(text: str) -> bool:
    """Return whether a BMC can keep it as a password."""
    return 0 < len(text.encode()) <= MAX_PASSWORD_BYTES and "\0" not in text


def _check_password(password: str) -> None:
    if not is_password(password):
        raise ValueError(f"a BMC's password has 1 to {MAX_PASSWORD_BYTES} bytes, and no NUL")
