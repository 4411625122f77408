"""The BMC itself, as Redfish has it: its versions, its restart, its event log (DSP0268, Manager and LogService)."""

from typing import Any, Final

from castiron.actors.drivers.findings import DeviceID, SELInfo
from castiron.actors.drivers.operations import ResetBMC
from castiron.actors.drivers.redfish.operations.system import read_system
from castiron.actors.drivers.redfish.resources import inside, link, links, needed, number, text, words
from castiron.actors.drivers.redfish.wire.session import ROOT, Resource, Session
from castiron.transport.errors import BMCFault, BMCUnsupported

COLD: Final = ("ForceRestart", "GracefulRestart")
WARM: Final = ("GracefulRestart",)

MAX_LOGS: Final = 16
"""Logs of a BMC that are looked at; real ones have three to six."""


def manager_path(session: Session, system: Resource) -> str:
    """Return the path of the BMC's own resource: the one that manages the machine.

    Raises:
        BMCUnsupported: the BMC does not tell of itself.
    """
    path = next(links(system, "Links", "ManagedBy"), None)
    if path is None:
        managers = session.get(needed(session.get(ROOT), "Managers"))
        path = next(links(managers, "Members"), None)
    if path is None:
        raise BMCUnsupported("The BMC does not tell of itself: it has no manager.")
    return path


def get_device_id(session: Session, _: object) -> DeviceID:
    """Read the BMC's versions. The numbers of IPMI are 0, as nobody tells them."""
    root = session.get(ROOT)
    manager = session.get(manager_path(session, read_system(session)))
    return DeviceID(
        manufacturer_id=0,
        product_id=0,
        device_id=0,
        device_revision=0,
        firmware=text(manager, "FirmwareVersion") or "",
        ipmi="",
        has_sdr_repository=False,
        manufacturer=text(manager, "Manufacturer") or text(root, "Vendor"),
        model=text(manager, "Model"),
        redfish=text(root, "RedfishVersion"),
    )


def reset_bmc(session: Session, operation: ResetBMC) -> None:
    """Restart the BMC. Its sessions end with it, or not; the next call finds out.

    Raises:
        BMCUnsupported: it cannot be restarted so.
    """
    manager = session.get(manager_path(session, read_system(session)))
    action = inside(manager, "Actions", "#Manager.Reset")
    allowed = words(action, "ResetType@Redfish.AllowableValues")
    kinds = COLD if operation.cold else WARM
    kind = next((each for each in kinds if each in allowed), None if allowed else kinds[0])
    target = text(action, "target")
    if kind is None or target is None:
        raise BMCUnsupported(f"The BMC does not restart so: it has {', '.join(allowed) or 'no reset of its own'}.")
    session.order("POST", target, {"ResetType": kind})  # a task of it would end with the BMC
    session.close_line()


def get_log_info(session: Session, _: object) -> SELInfo:
    """Read how many entries the event log has. How much room is left Redfish does not tell."""
    log = _event_log(session)
    count = _count(session, log)
    most = number(log, "MaxNumberOfRecords")
    return SELInfo(
        entry_count=count,
        free_bytes=None,
        has_overflowed=most is not None and count >= most > 0 and text(log, "OverWritePolicy") == "WrapsWhenFull",
        added_at=None,
        erased_at=None,
    )


def clear_log(session: Session, _: object) -> None:
    """Delete the entries of the event log, and see that they are gone.

    Raises:
        BMCUnsupported: it cannot be cleared.
        BMCFault: the BMC said that it was, and it was not.
    """
    log = _event_log(session)
    before = _count(session, log)
    target = text(inside(log, "Actions", "#LogService.ClearLog"), "target")
    if target is None:
        raise BMCUnsupported("The BMC's event log cannot be cleared.")
    session.send("POST", target, {})
    if _count(session, log) >= before > 0:
        raise BMCFault("The BMC took the order to clear its event log, and has as many entries as before.")


def _event_log(session: Session) -> Resource:
    """Return the event log: the one that is called SEL, or else the first that can be cleared."""
    system = read_system(session)
    owners = [system, session.get(manager_path(session, system))]
    paths = [path for owner in owners if (path := link(owner, "LogServices")) is not None]
    logs = [session.get(each) for path in paths for each in list(links(session.get(path), "Members"))[:MAX_LOGS]]
    if not logs:
        raise BMCUnsupported("The BMC keeps no event log.")
    return min(logs, key=_rank)


def _rank(log: Any) -> tuple[bool, bool]:
    is_sel = "SEL" in {text(log, "Id"), text(log, "LogEntryType")}
    return not is_sel, inside(log, "Actions", "#LogService.ClearLog") is None


def _count(session: Session, log: Resource) -> int:
    entries = session.get(needed(log, "Entries"))
    count = number(entries, "Members@odata.count")
    if count is None:
        raise BMCFault("The BMC does not tell how many entries its event log has.")
    return int(count)
