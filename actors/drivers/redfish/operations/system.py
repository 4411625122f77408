"""A machine itself, as Redfish has it: power, where it boots from, its lamp, its GUID and inventory (DSP0268)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from pyghmi.redfish.command import powerstates

from castiron.actors.drivers.base import BootSetting, SetBootDevice, SetPower
from castiron.actors.drivers.findings import FRU, FRUChassis, FRUProduct, SystemGUID
from castiron.actors.drivers.operations import Identify, SetBootMode
from castiron.actors.drivers.redfish.resources import inside, link, links, needed, text, the_only, words
from castiron.actors.drivers.redfish.wire.session import ROOT, Resource, Session
from castiron.transport.errors import BMCBusy, BMCFault, BMCUnsupported
from castiron.transport.vocabulary import BootDevice, BootMode, PowerControl, PowerState

POWERS: Final[Mapping[str, PowerState]] = {
    "On": PowerState.ON,
    "Paused": PowerState.ON,
    "PoweringOff": PowerState.ON,
    "Off": PowerState.OFF,
    "PoweringOn": PowerState.OFF,
}
"""What a machine is until it has become something else."""

RESETS: Final[Mapping[PowerControl, tuple[str, ...]]] = {
    PowerControl.ON: (str(powerstates["on"]), "ForceOn"),
    PowerControl.OFF: (str(powerstates["off"]),),
    PowerControl.SOFT_OFF: (str(powerstates["softoff"]), "PushPowerButton"),
}
"""The kinds of reset that are a power control, the best first."""

DEVICES: Final[Mapping[BootDevice, str]] = {
    BootDevice.PXE: "Pxe",
    BootDevice.DISK: "Hdd",
    BootDevice.CDROM: "Cd",
    BootDevice.BIOS: "BiosSetup",
    BootDevice.FLOPPY: "Floppy",
    BootDevice.DEFAULT: "None",
}
"""Redfish has no safe mode."""

MODES: Final[Mapping[BootMode, str]] = {BootMode.UEFI: "UEFI", BootMode.BIOS: "Legacy"}


def system_path(session: Session) -> str:
    """Return the path of the machine's system, looked for once.

    Raises:
        BMCFault: the BMC has several, and driver_info does not say which.
    """
    if session.system is None:
        systems = session.get(needed(session.get(ROOT), "Systems"))
        hint = "Set redfish_system_id to the path of the right one."
        session.system = the_only(list(links(systems, "Members")), "systems", hint)
    return session.system


def read_system(session: Session) -> Resource:
    """Read the machine's system."""
    return session.get(system_path(session))


def get_power(session: Session, _: object) -> PowerState:
    """Read the power state.

    Raises:
        BMCFault: the BMC does not tell it.
    """
    told = text(read_system(session), "PowerState")
    power = POWERS.get(told or "")
    if power is None:
        raise BMCFault(f"The BMC tells no power state that is known: {told}.")
    return power


def set_power(session: Session, operation: SetPower) -> None:
    """Send one reset, after a look at what the BMC takes: the connection and the session then live."""
    system = read_system(session)
    action = inside(system, "Actions", "#ComputerSystem.Reset")
    allowed = words(action, "ResetType@Redfish.AllowableValues")
    kinds = RESETS[operation.control]
    kind = next((each for each in kinds if each in allowed), None if allowed else kinds[0])
    target = text(action, "target")
    if kind is None or target is None:
        raise BMCUnsupported(f"The BMC does not take {operation.control}: it has {', '.join(allowed) or 'no reset'}.")
    session.send("POST", target, {"ResetType": kind})


def get_boot_device(session: Session, _: object) -> BootSetting:
    """Read where the machine boots from; without an override the device is DEFAULT."""
    boot = read_system(session).get("Boot")
    enabled, target = text(boot, "BootSourceOverrideEnabled"), text(boot, "BootSourceOverrideTarget")
    uefi = _mode_of(boot) is BootMode.UEFI
    if enabled in {None, "Disabled"} or target in {None, "None"}:
        return BootSetting(BootDevice.DEFAULT, persistent=True, uefi=uefi)
    device = next((device for device, word in DEVICES.items() if word == target), None)
    if device is None:
        raise BMCUnsupported(f"The machine boots from {target}, which has no name here.")
    return BootSetting(device, persistent=enabled == "Continuous", uefi=uefi)


def set_boot_device(session: Session, operation: SetBootDevice) -> None:
    """Set where the machine boots from, and the mode with it: both in one request, so that no half of it stands."""
    setting = operation.setting
    if setting.device not in DEVICES:
        raise BMCUnsupported(f"Redfish has no boot device {setting.device}.")
    mode = BootMode.UEFI if setting.uefi else BootMode.BIOS
    if setting.device is BootDevice.DEFAULT:
        boot = {"BootSourceOverrideEnabled": "Disabled"}
    else:
        boot = {
            "BootSourceOverrideEnabled": "Continuous" if setting.persistent else "Once",
            "BootSourceOverrideTarget": DEVICES[setting.device],
            "BootSourceOverrideMode": MODES[mode],
        }
    _patch(session, read_system(session), {"Boot": boot})


def get_boot_mode(session: Session, _: object) -> BootMode:
    """Read the mode that the machine boots in.

    Raises:
        BMCUnsupported: the BMC does not tell it.
    """
    mode = _mode_of(read_system(session).get("Boot"))
    if mode is None:
        raise BMCUnsupported("The BMC does not tell the boot mode.")
    return mode


def set_boot_mode(session: Session, operation: SetBootMode) -> None:
    """Set the mode that the machine boots in."""
    _patch(session, read_system(session), {"Boot": {"BootSourceOverrideMode": MODES[operation.mode]}})


def _mode_of(boot: Any) -> BootMode | None:
    told = text(boot, "BootSourceOverrideMode")
    return next((mode for mode, word in MODES.items() if word == told), None)


def _patch(session: Session, resource: Resource, change: Mapping[str, Any]) -> None:
    patch(session, link(resource) or system_path(session), resource, change)


def patch(session: Session, path: str, resource: Resource, change: Mapping[str, Any]) -> None:
    """Change a resource that was just read, if nobody else has changed it meanwhile.

    Some BMCs tell tags that they do not take back themselves. What they refuse for the tag's sake was not done, and is
    sent once more to whatever there is now.
    """
    tag = text(resource, "@odata.etag")
    try:
        session.send("PATCH", path, change, {} if tag is None else {"If-Match": tag})
    except BMCBusy as error:
        if tag is None or error.details.get("http_status") != HTTPStatus.PRECONDITION_FAILED:
            raise
        session.send("PATCH", path, change, {"If-Match": "*"})


def identify(session: Session, operation: Identify) -> None:
    """Light the lamp until it is put out, or put it out.

    Raises:
        BMCUnsupported: for so many seconds, which Redfish does not have; or there is no lamp.
    """
    system = read_system(session)
    if operation.duration_s:
        raise BMCUnsupported("Redfish lights the lamp until it is put out; it knows no seconds but 0.")
    is_lit = operation.duration_s is None
    if "LocationIndicatorActive" in system:
        _patch(session, system, {"LocationIndicatorActive": is_lit})
    elif "IndicatorLED" in system:
        _patch(session, system, {"IndicatorLED": "Lit" if is_lit else "Off"})
    else:
        raise BMCUnsupported("The BMC tells of no lamp of this machine.")


def get_guid(session: Session, _: object) -> SystemGUID:
    """Read the machine's GUID.

    Raises:
        BMCUnsupported: the BMC tells none.
    """
    told = text(read_system(session), "UUID")
    try:
        return SystemGUID(UUID(told or "").bytes_le)
    except ValueError:
        raise BMCUnsupported("The BMC tells no UUID of this machine.") from None


def read_fru(session: Session, _: object) -> FRU:
    """Read who made the machine, and of its first chassis; Redfish has no board of its own."""
    system = read_system(session)
    product = FRUProduct(
        manufacturer=text(system, "Manufacturer"),
        name=text(system, "Model"),
        part_number=text(system, "PartNumber") or text(system, "SKU"),
        version=text(system, "HardwareVersion"),
        serial=text(system, "SerialNumber"),
        asset_tag=text(system, "AssetTag"),
    )
    path = next(links(system, "Links", "Chassis"), None)
    if path is None:
        return FRU(product=product)
    found = session.get(path)
    chassis = FRUChassis(
        kind=text(found, "ChassisType"), part_number=text(found, "PartNumber"), serial=text(found, "SerialNumber")
    )
    return FRU(product=product, chassis=chassis)
