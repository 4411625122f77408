"""Each operation, and what carries it out. An operation that has no row is not for Redfish."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from castiron.actors.drivers.base import GetBootDevice, GetPower, Operation, SetBootDevice, SetPower, Value
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
from castiron.actors.drivers.redfish.operations import accounts, manager, sensors, system
from castiron.actors.drivers.redfish.wire.session import Session
from castiron.transport.errors import BMCUnsupported

OPERATIONS: Final[Mapping[type, Callable[[Session, Any], Value]]] = {
    GetPower: system.get_power,
    SetPower: system.set_power,
    GetBootDevice: system.get_boot_device,
    SetBootDevice: system.set_boot_device,
    GetBootMode: system.get_boot_mode,
    SetBootMode: system.set_boot_mode,
    Identify: system.identify,
    GetSystemGUID: system.get_guid,
    ReadFRU: system.read_fru,
    GetDeviceID: manager.get_device_id,
    ResetBMC: manager.reset_bmc,
    GetSELInfo: manager.get_log_info,
    ClearSEL: manager.clear_log,
    SetUserPassword: accounts.set_password,
    CheckUserPassword: accounts.check_password,
    VerifyCredentials: accounts.verify,
    ReadSensors: sensors.read_sensors,
}

LONG: Final = frozenset({ReadFRU, ReadSensors, GetSELInfo, ClearSEL, SetUserPassword, CheckUserPassword, ResetBMC})
"""Those of many exchanges, or slow ones: they wait in a line of their own."""


def carry_out(session: Session, operation: Operation) -> Value:
    """Do what is asked, over a session. Blocks, until its deadline at the most.

    Raises:
        BMCError: the BMC refused, or failed, or did not answer.
    """
    work: Any = OPERATIONS.get(type(operation))
    if work is None:
        raise BMCUnsupported(f"Redfish has no {type(operation).__name__}.", details=session.where)
    value: Value = work(session, operation)
    return value
