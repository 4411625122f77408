"""Words of machines: their power, where they boot from, what is the matter with them."""

from enum import StrEnum


class PowerState(StrEnum):
    """What a BMC reports. Unknown is None wherever a power state stands, never a word."""

    ON = "power on"
    """The machine is powered."""
    OFF = "power off"
    """The machine is not powered; its BMC still answers."""


class PowerTarget(StrEnum):
    """What may be asked of a machine's power."""

    ON = "power on"
    """Power on; nothing is sent to a machine that is on."""
    OFF = "power off"
    """Cut the power; nothing is sent to a machine that is off."""
    REBOOT = "rebooting"
    """Off, confirmed, then on, confirmed. A machine that is off is powered on."""
    SOFT_OFF = "soft power off"
    """Ask the operating system to shut down, and wait until the power is off."""
    SOFT_REBOOT = "soft rebooting"
    """Soft power off, confirmed, then on, confirmed."""


class PowerControl(StrEnum):
    """What is sent to a BMC (IPMI v2.0, 28.3 Chassis Control). Reboots are made of these, so each can be confirmed."""

    ON = "on"
    """Power up."""
    OFF = "off"
    """Power down at once."""
    SOFT_OFF = "soft off"
    """ACPI shutdown: a press of the power button, as the operating system sees it."""


class BootDevice(StrEnum):
    """Where a machine boots from next."""

    PXE = "pxe"
    """The network."""
    DISK = "disk"
    """The default hard disk."""
    CDROM = "cdrom"
    """The default CD or DVD, or its virtual media."""
    BIOS = "bios"
    """The firmware's setup."""
    SAFE = "safe"
    """The default hard disk, safe mode."""
    FLOPPY = "floppy"
    """Floppy or primary removable medium."""
    DEFAULT = "default"
    """No override: the order of the firmware. Read from BMCs, not settable by name."""


class BootMode(StrEnum):
    """How a machine's firmware boots; Ironic's words."""

    UEFI = "uefi"
    BIOS = "bios"
    """As PCs did before UEFI: "legacy" in other places."""


class Fault(StrEnum):
    """Why the conductor itself put a node aside."""

    POWER_FAILURE = "power failure"
    """Its BMC did not give a power state often enough."""
    ACTOR_FAILURE = "actor failure"
    """Its actor failed more often than the supervisor allows."""


class AlarmState(StrEnum):
    """How an alarm rule stands at a node, in the words of OpenStack's Aodh."""

    OK = "ok"
    """The sensor was read, and the reading is within bounds."""
    ALARM = "alarm"
    """It was read, and is not."""
    INSUFFICIENT_DATA = "insufficient data"
    """Nobody knows: it could not be read, or has not been yet."""


class CheckPace(StrEnum):
    """How often a node's power is checked, and so why."""

    OFF = "off"
    """Not at all."""
    USUAL = "usual"
    """Once in its interval."""
    AFTER_ACTION = "after action"
    """More often: its machine's power was acted on a moment ago."""
    SILENT = "silent"
    """Less often: its BMC fails."""
    FAULT = "fault"
    """As often as a node with the fault `power failure` is tried."""


class CheckResult(StrEnum):
    """What came of a power check."""

    AGREED = "agreed"
    """The machine was in the power state on record."""
    CORRECTED = "corrected"
    """It was not, and the record follows it."""
    FORCED = "forced"
    """It was not, and is driven back."""
    FAILED = "failed"
    """Its BMC gave no power state."""
    FAULTED = "faulted"
    """The same, once too often: the node has a fault now."""
    RECOVERED = "recovered"
    """The BMC of a node with a fault answered."""
    SKIPPED = "skipped"
    """A request looks at the machine itself."""
