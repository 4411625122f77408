"""The contract of drivers: a call with a deadline goes in, exactly one outcome comes out.

Every driver passes the same contract tests. A driver keeps what it needs to reach a BMC (sessions, sockets), and
nothing about the node's state. It never calls into actors: the outcome goes to the function that came with the call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec import Struct

from castiron.actors.drivers.findings import Finding
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
from castiron.actors.drivers.work import Deferred, Secret
from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import Applied, BootDevice, BootMode, Instant, NodeUUID, PowerControl, PowerState


@dataclass(frozen=True, slots=True)
class GetPower:
    """Read the power state. Value: PowerState. Repeated once through a fresh session if the session broke."""


@dataclass(frozen=True, slots=True)
class SetPower:
    """Send one power control. Value: None, meaning that the BMC acknowledged it. Never repeated by a driver."""

    control: PowerControl


@dataclass(frozen=True, slots=True)
class GetBootDevice:
    """Read the boot device. Value: BootSetting. Repeated once through a fresh session if the session broke."""


@dataclass(frozen=True, slots=True)
class SetBootDevice:
    """Set the boot device. Value: None, meaning that the BMC acknowledged it. Setting it twice does no harm."""

    setting: "BootSetting"


@dataclass(frozen=True, slots=True)
class BootSetting:
    """Where a machine boots from."""

    device: BootDevice
    persistent: bool = False
    uefi: bool = False


Extra = (
    GetDeviceID
    | GetSystemGUID
    | ReadFRU
    | ReadSensors
    | GetBootMode
    | SetBootMode
    | GetSELInfo
    | Identify
    | ResetBMC
    | ClearSEL
    | SetUserPassword
    | CheckUserPassword
    | VerifyCredentials
)
"""What steps ask for; see `operations`. A driver that lacks one ends it as BMCUnsupported, applied no."""

Operation = GetPower | SetPower | GetBootDevice | SetBootDevice | Extra
"""What a driver can be asked to do. Reads may be repeated by it, SetPower and ResetBMC never."""

Value = PowerState | BootSetting | BootMode | Finding | Mapping[str, Any] | Deferred | Secret | bool | None
"""What a successful operation gives back: a driver's, a worker's, or the shell's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which BMC, and how to log in: made by `Driver.parse`, opaque to everybody else.

    Equal targets may share a session. `generation` rises each time the node gets a new owner or new driver_info; a
    driver refuses calls of an older generation than the newest it has seen for the node.
    """

    node: NodeUUID
    generation: int
    info: Mapping[str, Any] = field(repr=False)
    """driver_info, secrets in the clear; kept out of repr."""


class Call(Struct, frozen=True, kw_only=True):
    """One operation on one BMC."""

    target: Target
    operation: Operation
    deadline: Instant
    """The outcome comes no later than one timer tick after this."""
    gives_way: bool = False
    """Nobody waits for it. When another call comes for its BMC it ends as BMCBusy, at the latest with its exchange."""
    steps_aside: bool = False
    """It has many exchanges, and lets every other call of its BMC in between two of them, also those that give way; it
    goes on afterwards, until its deadline. A driver that cannot do so ends it as it does what gives way."""
    next_by: Instant | None = None
    """By then the same is asked again: a session need not be kept alive for what comes in time. None: nobody knows."""


class Done(Struct, frozen=True, kw_only=True):
    """The BMC answered."""

    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone:
    """The operation failed.

    `applied` is NO if nothing of it was sent, or the BMC refused it by completion code; UNKNOWN if it was sent and
    not answered, or acknowledged and not seen to its end. Reads always say NO.
    """

    error: CastironError
    """A driver's is a BMCError or DeadlineExceeded."""
    applied: Applied


Outcome = Done | NotDone


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverInfo:
    """driver_info after a driver has checked it."""

    info: Mapping[str, Any] = field(repr=False)
    """The values, converted to their types; kept as they are in the store. Kept out of repr: secrets are in them."""
    secret_keys: frozenset[str]
    """Which of them are secrets."""
    bmc_address: str | None
    """Where the BMC is, in one spelling, as "192.0.2.7:623"; None if the driver has no such thing."""


class Driver(Protocol):
    """One kind of BMC.

    Thread: every method may be called from any thread and returns at once, except `stop`.

    One whose `submit` is certain to return at once, and to raise nothing, may say so with an attribute
    `takes_orders = True`: then the clock's own thread, which all timers share, asks it for power states.
    """

    name: str
    """As it stands in a node's `driver`."""

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """Check a node's driver_info whole, without any I/O. Pure; the same input gives the same answer.

        Raises:
            ArgumentInvalid: a value is missing, unknown, of the wrong type or out of range; details: path.
        """
        ...

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Take a call. Not idempotent.

        `done` is called exactly once, from a thread of the driver's, at the latest one timer tick after the call's
        deadline; it must not block. Calls to one BMC are carried out one after the other, in order of submission;
        the time that a call waits for others of its BMC counts against its own deadline. VerifyCredentials alone goes
        beside them.
        """
        ...

    def forget(self, node: NodeUUID) -> None:
        """Log out of the node's BMC and drop what is kept for it. Calls under way end as NotDone. Idempotent."""
        ...

    def counters(self) -> Mapping[str, int]:
        """Return the driver's own counts since its start, for `status`."""
        ...

    def is_alive(self) -> bool:
        """Return whether the driver can still do its work: its threads live."""
        ...

    def stop(self, timeout_s: float) -> None:
        """Log out of every BMC and end the driver's threads. Blocks up to timeout_s seconds. Idempotent."""
        ...
