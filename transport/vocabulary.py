"""Every word that crosses the wire or reaches the disk, spelled once.

The spellings are the field's (Ironic's wherever it has one), so that whoever knows it reads ours. Only words live here:
enumerations and names for units, no logic and no imports of ours, because every other room may import this one.
"""

import re
from enum import StrEnum
from typing import Final, NewType

NodeUUID = NewType("NodeUUID", str)
"""A node's identity, RFC 9562 form, lower case; never changes and is never used again."""

UUID_FORM: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")
"""What a uuid looks like. A node may have a name of this form; the name goes first where both could be meant."""

NodeName = NewType("NodeName", str)
"""A node's name, unique among the nodes there are; may be changed."""

RequestID = NewType("RequestID", str)
"""A request's identity, RFC 9562 form, lower case."""

DeliveryID = NewType("DeliveryID", str)
"""A webhook's identity: the same in each attempt to deliver it, over restarts, too."""

ConductorID = NewType("ConductorID", str)
"""A conductor's identity: given when its store is made, kept across restarts."""

Seconds = NewType("Seconds", float)
"""A length of time in seconds."""

Instant = NewType("Instant", float)
"""A moment: seconds since 1970-01-01 UTC, never going backwards within one process (see Clock.now)."""

Revision = NewType("Revision", int)
"""Counts the committed changes of one node; the compare-and-set token of updates. The first is 1."""

EventSeq = NewType("EventSeq", int)
"""Counts all events of one conductor, from 1, without a gap."""

NodeSeq = NewType("NodeSeq", int)
"""Counts the events of one node, from 1, without a gap."""


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


class ProvisionState(StrEnum):
    """Where a node stands between being known and being used; the subset that exists so far."""

    ENROLL = "enroll"
    """Known to the conductor; nothing about it has been verified."""


class Fault(StrEnum):
    """Why the conductor itself put a node aside."""

    POWER_FAILURE = "power failure"
    """Its BMC did not give a power state often enough."""
    ACTOR_FAILURE = "actor failure"
    """Its actor failed more often than the supervisor allows."""


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


class RequestState(StrEnum):
    """The life of a request: accepted, queued, running, then one of the four final ones."""

    ACCEPTED = "accepted"
    """Validated and on disk."""
    QUEUED = "queued"
    """Waiting for its turn or for a place to run. The machine has not been touched."""
    RUNNING = "running"
    """Its start has been committed; the machine may have been touched."""
    SUCCEEDED = "succeeded"
    """Done, and seen to be done."""
    FAILED = "failed"
    """Ended with an error, which says whether it was applied."""
    CANCELLED = "cancelled"
    """Withdrawn, or superseded, before it started."""
    EXPIRED = "expired"
    """Its deadline passed before it started."""


FINAL_REQUEST_STATES: Final = frozenset(
    {RequestState.SUCCEEDED, RequestState.FAILED, RequestState.CANCELLED, RequestState.EXPIRED}
)
"""A request in one of these never changes again."""


class Would(StrEnum):
    """What a verb would do that was asked with `dry_run`."""

    START = "start"
    """It would be taken, and start as soon as there is a permit."""
    QUEUE = "queue"
    """It would be taken, and wait its turn."""
    HOLD = "hold"
    """It would be taken, and wait for the end of the maintenance."""
    MERGE = "merge"
    """It would be taken for a request that there is."""
    LOOK = "look first"
    """The machine would be looked at, and the request judged then."""
    CREATE = "create"
    CHANGE = "change"
    NOTHING = "nothing"
    """All is so already."""
    DELETE = "delete"
    CANCEL = "cancel"
    WITHDRAW = "withdraw"
    """The request would go on for others who want it."""
    ABORT = "abort"


class TraceWord(StrEnum):
    """What can stand in a request's trace."""

    ACCEPTED = "accepted"
    """Details: requester, policy; key, hold, deadline_at, depends_on where there are any."""
    QUEUED = "queued"
    """Details: position (from 1), and behind, the request before it; nil: none is."""
    MERGED = "merged"
    """An equal request was taken for it. Details: requester."""
    WITHDRAWN = "withdrawn"
    """One of those who wanted it does no more. Details: requester."""
    STARTED = "started"
    RESUMED = "resumed"
    """A successor of whoever had begun it goes on."""
    EXCHANGE = "exchange"
    """With the BMC, from `at`, when it was ordered, to `until`, when its outcome was heard. Details: asked, and answer,
    or error and applied."""
    WAIT = "wait"
    """Until the next exchange."""
    ABORT = "abort"
    """Somebody wants it ended while it runs. Details: requester."""
    ENDED = "ended"
    """Details: state; error and applied where it did not succeed."""
    CALLED = "called"
    """A URL was called, from `at` to `until`. Details: delivery, host, and status (of HTTP) or error; next_at, when it
    is tried again at the earliest."""
    DELIVERED = "delivered"
    """The receiver has taken the call. Details: delivery."""
    GIVEN_UP = "given up"
    """Nobody will call again. Details: delivery, reason."""
    UNKNOWN = "unknown"
    """What happened from `at` to `until` is not known: whoever noted it ended before it was on disk."""
    OMITTED = "omitted"
    """`count` entries from `at` to `until` are not kept."""


class Applied(StrEnum):
    """Whether what failed reached the machine. Part of every failure of something that must not be done twice."""

    NO = "no"
    """It certainly was not."""
    YES = "yes"
    """It was: the BMC acknowledged it, or was seen in a state that only it explains."""
    UNKNOWN = "unknown"
    """Sent, never acknowledged, and not seen since."""


class Retry(StrEnum):
    """What a client should do about a failure."""

    NEVER = "never"
    """The same request will fail again."""
    LATER = "later"
    """It may succeed once the world has changed."""
    AFTER = "after"
    """It may succeed after `retry_after_s` seconds."""


class Source(StrEnum):
    """Where the cause of a failure is to be looked for."""

    CALLER = "caller"
    """In the request."""
    CONDUCTOR = "conductor"
    """In the conductor or its machine."""
    BMC = "bmc"
    """In the BMC or on the way to it."""


class Policy(StrEnum):
    """What becomes of a request that meets another one which it does not go together with."""

    STRICT = "strict"
    """It is refused, and told what is in its way."""
    AFTER = "after"
    """It waits, and starts if what it waits for succeeds; otherwise it ends as failed."""
    SUPERSEDE = "supersede"
    """What has not started is cancelled and makes room; it waits for what has."""


class OnRestart(StrEnum):
    """What becomes of a request whose conductor, or whose node's actor, ends before the request does."""

    RESUME = "resume"
    """It goes on."""
    FAIL = "fail"
    """It ends as failed."""


class ReplyWish(StrEnum):
    """Which replies a request wants. A REQ socket can read only one."""

    ACCEPTED = "accepted"
    """One reply, when the request is on disk."""
    FINAL = "final"
    """One reply, when the request has ended."""
    BOTH = "both"
    """Two replies."""


class Role(StrEnum):
    """What the owner of a key may do; each role includes those above it."""

    READER = "reader"
    """Look at everything that is not secret, and change nothing."""
    OPERATOR = "operator"
    """Also drive machines, and put them into maintenance."""
    ADMIN = "admin"
    """Also make, change and delete nodes: everything there is."""


class EventType(StrEnum):
    """What an event tells, in the past tense of Ironic's notifications: object, action, status."""

    NODE_CREATE_END = "node.create.end"
    """A node is known from now on."""
    NODE_UPDATE_END = "node.update.end"
    """A node's attributes were changed."""
    NODE_DELETE_END = "node.delete.end"
    """A node is no longer known."""
    POWER_SET_START = "node.power_set.start"
    """A power action has begun; the machine may be touched from now on."""
    POWER_SET_END = "node.power_set.end"
    """A power action succeeded."""
    POWER_SET_ERROR = "node.power_set.error"
    """A power action failed."""
    POWER_STATE_CORRECTED = "node.power_state_corrected.success"
    """The machine was seen in another power state than the one on record."""
    BOOT_DEVICE_SET_START = "node.boot_device_set.start"
    """A change of the boot device has begun."""
    BOOT_DEVICE_SET_END = "node.boot_device_set.end"
    """The boot device was changed."""
    BOOT_DEVICE_SET_ERROR = "node.boot_device_set.error"
    """The boot device could not be changed."""
    MAINTENANCE_SET_END = "node.maintenance_set.end"
    """A node was put into maintenance, or taken out of it."""
    REQUEST_END = "node.request.end"
    """A request ended that had not started: the machine was not touched by it."""
    WEBHOOK_ERROR = "request.webhook.error"
    """A request has ended, and one of those who were to be called back was not reached: nobody will try again."""
    NODE_FAULT_SET = "node.fault_set.success"
    """The conductor put the node aside."""
    NODE_FAULT_CLEARED = "node.fault_cleared.success"
    """The reason is gone, and the node is taken back."""
    LIMIT_WARNING = "conductor.limit.warning"
    """A bound of the conductor's is met to four fifths or more. It is of no node."""
    LIMIT_CLEARED = "conductor.limit.cleared"
    """It is met to less than seven tenths again. It is of no node."""
