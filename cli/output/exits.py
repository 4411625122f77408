"""With what a command exits: sysexits.h's codes, and which failure gets which.

Scripts branch on these, so a code never changes its meaning. One table decides; commands add nothing to it.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from castiron.transport.errors import (
    ArgumentInvalid,
    BMCAddressTaken,
    BMCBusy,
    BMCCertificate,
    BMCCredentials,
    BMCError,
    CapacityError,
    CastironError,
    ConductorLost,
    ConflictError,
    DeadlineExceeded,
    EndpointRefused,
    EventsLost,
    FrameMalformed,
    FrameTooLarge,
    HandshakeFailed,
    InternalError,
    KeyRefused,
    KeyUnusable,
    NodeExists,
    NodeNotFound,
    NodeRemoved,
    PeriodicNotFound,
    PowerStateUnconfirmed,
    ReplyTimeout,
    RequestEnded,
    RequestError,
    RequestNotFound,
    RequestNotYours,
    RequestStarted,
    RevisionStale,
    RunbookExists,
    RunbookNotFound,
    RunbooksFull,
    RunbookStale,
    VerbForbidden,
    VerbUnknown,
    VersionUnsupported,
)
from castiron.transport.vocabulary import Retry, Source


class Exit(IntEnum):
    """Exit codes; MEANINGS has a line about each."""

    OK = 0
    SEVERAL = 1
    USAGE = 64
    BAD_DATA = 65
    NOT_FOUND = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    MACHINE = 74
    TRY_AGAIN = 75
    PROTOCOL = 76
    DENIED = 77
    CONFIGURATION = 78
    INTERRUPTED = 130
    PIPE = 141


MEANINGS: Final[Mapping[Exit, str]] = {
    Exit.OK: "Done; with --wait, seen to be done.",
    Exit.SEVERAL: "Several nodes failed, and not all for the same reason; or `doctor` found a problem.",
    Exit.USAGE: "The command line is wrong.",
    Exit.BAD_DATA: "A value is wrong, the node or runbook has changed since it was read (--revision), the request has "
    "started or ended (cancel, abort), or events are lost.",
    Exit.NOT_FOUND: "There is no such node, request, runbook or file.",
    Exit.UNAVAILABLE: "No conductor answers.",
    Exit.INTERNAL: "A fault of castiron's own; the conductor's log has the details.",
    Exit.CANNOT_CREATE: "It exists already, or a store, a key file or a socket cannot be made, opened or written.",
    Exit.MACHINE: "The machine or its BMC failed, or did not answer.",
    Exit.TRY_AGAIN: "Not now: the node or the conductor is busy, the time is up, or somebody ended the request.",
    Exit.PROTOCOL: "The conductor and this program do not understand each other.",
    Exit.DENIED: "Denied: the BMC refused the password, the conductor the key or its role, or a key file does not fit; "
    "or others want the request (--force).",
    Exit.CONFIGURATION: "A setting of `castiron serve` is unknown or wrong.",
    Exit.INTERRUPTED: "Interrupted with Ctrl-C.",
    Exit.PIPE: "Whoever read the output went away.",
}
"""For the manual, in its order."""

_EXITS: Final[tuple[tuple[type[CastironError], Exit], ...]] = (
    (EndpointRefused, Exit.USAGE),
    (KeyUnusable, Exit.DENIED),
    (HandshakeFailed, Exit.DENIED),
    (KeyRefused, Exit.DENIED),
    (VerbForbidden, Exit.DENIED),
    (NodeNotFound, Exit.NOT_FOUND),
    (PeriodicNotFound, Exit.NOT_FOUND),
    (RequestNotFound, Exit.NOT_FOUND),
    (NodeExists, Exit.CANNOT_CREATE),
    (BMCAddressTaken, Exit.CANNOT_CREATE),
    (RunbookNotFound, Exit.NOT_FOUND),
    (RunbookExists, Exit.CANNOT_CREATE),
    (RunbooksFull, Exit.CANNOT_CREATE),
    (RunbookStale, Exit.BAD_DATA),
    (ArgumentInvalid, Exit.BAD_DATA),
    (FrameTooLarge, Exit.BAD_DATA),
    (FrameMalformed, Exit.PROTOCOL),
    (VersionUnsupported, Exit.PROTOCOL),
    (VerbUnknown, Exit.PROTOCOL),
    (RequestError, Exit.BAD_DATA),
    (RevisionStale, Exit.BAD_DATA),
    (RequestNotYours, Exit.DENIED),
    (RequestStarted, Exit.BAD_DATA),
    (RequestEnded, Exit.BAD_DATA),
    (NodeRemoved, Exit.NOT_FOUND),
    (ConflictError, Exit.TRY_AGAIN),
    (CapacityError, Exit.TRY_AGAIN),
    (BMCCredentials, Exit.DENIED),
    (BMCCertificate, Exit.DENIED),
    (BMCBusy, Exit.TRY_AGAIN),
    (BMCError, Exit.MACHINE),
    (PowerStateUnconfirmed, Exit.MACHINE),
    (DeadlineExceeded, Exit.TRY_AGAIN),
    (InternalError, Exit.INTERNAL),
    (ConductorLost, Exit.UNAVAILABLE),
    (ReplyTimeout, Exit.TRY_AGAIN),
    (EventsLost, Exit.BAD_DATA),
)
"""The first line that fits decides."""

_BY_SOURCE: Final[Mapping[Source, Exit]] = {
    Source.CALLER: Exit.BAD_DATA,
    Source.CONDUCTOR: Exit.INTERNAL,
    Source.BMC: Exit.MACHINE,
}
"""For codes of a newer conductor, which this version does not know, where a retry would not help."""


def exit_of(error: CastironError) -> Exit:
    """Return what a command exits with that failed so."""
    for kind, code in _EXITS:
        if isinstance(error, kind):
            return code
    return _BY_SOURCE[error.source] if error.retry is Retry.NEVER else Exit.TRY_AGAIN


def exit_of_all(errors: list[CastironError]) -> Exit:
    """Return what a command exits with that asked for many things, some of which failed."""
    codes = {exit_of(error) for error in errors}
    if not codes:
        return Exit.OK
    return codes.pop() if len(codes) == 1 else Exit.SEVERAL
