"""What a driver's method is asked, and what its end means: the rules of the contract that are the same for all methods.

May come in: another operation, another kind of end. Must not: where and when a method is carried out.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from castiron.actors.bulkheads.pieces import Ended, NotBegun, Overdue, TooLate
from castiron.actors.coroutines.pieces import Recalled
from castiron.actors.drivers.base import (
    Call,
    Done,
    GetBootDevice,
    GetPower,
    NotDone,
    Outcome,
    SetBootDevice,
    SetPower,
    Target,
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
from castiron.transport.errors import (
    BMCBusy,
    BMCError,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    CastironError,
    DeadlineExceeded,
)
from castiron.transport.vocabulary import Applied, Instant

log = logging.getLogger(__name__)

METHODS: Final[Mapping[type, str]] = {
    GetPower: "get_power",
    SetPower: "set_power",
    GetBootDevice: "get_boot_device",
    SetBootDevice: "set_boot_device",
    GetDeviceID: "get_device_id",
    GetSystemGUID: "get_system_guid",
    ReadFRU: "read_fru",
    ReadSensors: "read_sensors",
    GetBootMode: "get_boot_mode",
    SetBootMode: "set_boot_mode",
    GetSELInfo: "get_sel_info",
    Identify: "identify",
    ResetBMC: "reset_bmc",
    ClearSEL: "clear_sel",
    SetUserPassword: "set_user_password",
    CheckUserPassword: "check_user_password",
    VerifyCredentials: "verify_credentials",
}
"""Operation → the method that carries it out; one that a driver lacks is refused as unsupported."""

Op_co = TypeVar("Op_co", covariant=True)


class Over(Exception):
    """Nobody waits for the call any more: nothing of it may be sent."""


class Asked(Generic[Op_co]):
    """One call, as its method sees it. Any thread.

    Attributes:
        target: which BMC, and how to log in.
        operation: what is to be done.
        deadline: when nobody waits for it any more.
        cancelled: set when nobody waits for it; a method that blocks may look at it. One that awaits is cancelled.
    """

    def __init__(self, call: Call, operation: Op_co) -> None:
        self.target: Final[Target] = call.target
        self.operation: Final[Op_co] = operation
        self.deadline: Final[Instant] = call.deadline
        self.cancelled: Final = threading.Event()
        self._lock = threading.Lock()
        self._is_acting = False

    def acting(self) -> None:
        """Say that what changes the machine is sent next: from here on, what fails may have been done. Idempotent.

        Raises:
            Over: the call has ended; do not send it.
        """
        with self._lock:
            if self.cancelled.is_set():
                raise Over("The call has ended.")
            self._is_acting = True

    def end(self) -> Applied:
        """End it: nothing that acts leaves any more. Return whether something may have."""
        with self._lock:
            self.cancelled.set()
            return Applied.UNKNOWN if self._is_acting else Applied.NO


def outcome_of(asked: Asked[Any], ended: Ended, why: BMCError | None) -> Outcome:
    """Return what it means how a method ended.

    Args:
        why: why the driver itself ended the call; None: it did not.
    """
    applied = asked.end()
    if why is not None:
        return NotDone(error=why, applied=applied)
    if ended.error is None:
        return Done(value=ended.value)
    error = _error_of(asked, ended.error)
    error.details.setdefault("node", asked.target.node)
    return NotDone(error=error, applied=error.applied or applied)


def _error_of(asked: Asked[Any], error: BaseException) -> CastironError:
    if isinstance(error, BMCError | DeadlineExceeded):
        return error
    if isinstance(error, TooLate):
        return DeadlineExceeded("The BMC was not asked in time: all places for calls were taken.")
    if isinstance(error, Overdue | Over):
        return BMCUnreachable("The BMC did not answer in time.")
    if isinstance(error, OSError):
        return BMCUnreachable(f"The BMC cannot be reached: {type(error).__name__}.")
    if isinstance(error, NotBegun | Recalled):
        return BMCBusy(f"The BMC was not asked. {error}", retry_after_s=1.0)
    name = METHODS[type(asked.operation)]
    log.error("node %s: the driver's %s has failed", asked.target.node, name, exc_info=error)
    return BMCFault(f"The driver's {name} raised {type(error).__name__}; the log says more.")


def unsupported(call: Call) -> NotDone:
    """Return the outcome of what a driver has no method for."""
    name = type(call.operation).__name__
    error = BMCUnsupported(f"The driver has no {name}.", details={"node": call.target.node})
    return NotDone(error=error, applied=Applied.NO)
