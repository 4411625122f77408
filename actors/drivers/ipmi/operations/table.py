"""Operation → its requests. The one place where the engine meets them. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from castiron.actors.drivers import operations as asked
from castiron.actors.drivers.base import GetBootDevice, GetPower, Operation, SetBootDevice, SetPower
from castiron.actors.drivers.ipmi.operations import chassis, controller, fru, sel, sensors, users
from castiron.actors.drivers.ipmi.sessions.exchange import Steps

OPERATIONS: Final[Mapping[type, Callable[[Any, bool], Steps]]] = {
    GetPower: lambda _, __: chassis.get_power(),
    SetPower: lambda it, tries: chassis.set_power(it.control, try_session=tries),
    GetBootDevice: lambda _, __: chassis.get_boot_device(),
    SetBootDevice: lambda it, _: chassis.set_boot_device(it.setting),
    asked.GetBootMode: lambda _, __: chassis.no_boot_mode(),
    asked.SetBootMode: lambda _, __: chassis.no_boot_mode(),
    asked.Identify: lambda it, _: chassis.identify(it.duration_s),
    asked.GetDeviceID: lambda _, __: controller.get_device_id(),
    asked.GetSystemGUID: lambda _, __: controller.get_system_guid(),
    asked.ResetBMC: lambda it, tries: controller.reset(cold=it.cold, try_session=tries),
    asked.ReadFRU: lambda _, __: fru.read_fru(),
    asked.ReadSensors: lambda _, __: sensors.read_sensors(),
    asked.GetSELInfo: lambda _, __: sel.get_info(),
    asked.ClearSEL: lambda _, __: sel.clear(),
    asked.SetUserPassword: lambda it, _: users.set_password(it.user, it.password),
    asked.CheckUserPassword: lambda it, _: users.check_password(it.user, it.password),
    asked.VerifyCredentials: lambda _, __: controller.verify(),
}
"""Each takes the operation, and whether the session is to be tried before something that must leave once."""


def steps(operation: Operation, *, try_session: bool = False) -> Steps:
    """Return the requests of an operation.

    Args:
        operation: what to do.
        try_session: before what must leave at most once, read first, to see that the session still lives.
    """
    return OPERATIONS[type(operation)](operation, try_session)
