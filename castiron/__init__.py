"""castiron keeps a fleet of bare-metal machines in the state that their owners asked for.

The public face: names are loaded at their first use, so that a command that only lists nodes loads neither the store
nor the actors. Nothing inside castiron imports from here.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from castiron.actors.conductor import Conductor
    from castiron.actors.settings import Settings
    from castiron.transport.clients.client import Client, connect
    from castiron.transport.clients.requests import Request
    from castiron.transport.errors import (
        ArgumentInvalid,
        BMCAddressTaken,
        BMCBusy,
        BMCCredentials,
        BMCError,
        BMCFault,
        BMCUnreachable,
        BMCUnsupported,
        BulkNotFound,
        BulkStopped,
        BulkTooLarge,
        CapacityError,
        CastironError,
        ConductorDraining,
        ConductorLost,
        ConductorOverloaded,
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
        MailboxFull,
        NodeExists,
        NodeInMaintenance,
        NodeLocked,
        NodeNotFound,
        NodeRemoved,
        PowerStateUnconfirmed,
        PreconditionFailed,
        ReplyTimeout,
        RequestAborted,
        RequestCancelled,
        RequestEnded,
        RequestError,
        RequestExpired,
        RequestInterrupted,
        RequestNotFound,
        RequestNotYours,
        RequestReused,
        RequestStarted,
        RequestSuperseded,
        RevisionStale,
        StoreUnavailable,
        VerbForbidden,
        VerbUnknown,
        VersionUnsupported,
    )

__version__: Final = "0.1.0"

_ERRORS: Final = (
    "ArgumentInvalid",
    "BMCAddressTaken",
    "BMCBusy",
    "BMCCredentials",
    "BMCError",
    "BMCFault",
    "BMCUnreachable",
    "BMCUnsupported",
    "BulkNotFound",
    "BulkStopped",
    "BulkTooLarge",
    "CapacityError",
    "CastironError",
    "ConductorDraining",
    "ConductorLost",
    "ConductorOverloaded",
    "ConflictError",
    "DeadlineExceeded",
    "EndpointRefused",
    "EventsLost",
    "FrameMalformed",
    "FrameTooLarge",
    "HandshakeFailed",
    "InternalError",
    "KeyRefused",
    "KeyUnusable",
    "MailboxFull",
    "NodeExists",
    "NodeInMaintenance",
    "NodeLocked",
    "NodeNotFound",
    "NodeRemoved",
    "PowerStateUnconfirmed",
    "PreconditionFailed",
    "ReplyTimeout",
    "RequestAborted",
    "RequestCancelled",
    "RequestEnded",
    "RequestError",
    "RequestExpired",
    "RequestInterrupted",
    "RequestNotFound",
    "RequestNotYours",
    "RequestReused",
    "RequestStarted",
    "RequestSuperseded",
    "RevisionStale",
    "StoreUnavailable",
    "VerbForbidden",
    "VerbUnknown",
    "VersionUnsupported",
)

_HOME: Final = {
    "Client": "castiron.transport.clients.client",
    "Conductor": "castiron.actors.conductor",
    "Request": "castiron.transport.clients.requests",
    "Settings": "castiron.actors.settings",
    "connect": "castiron.transport.clients.client",
    **dict.fromkeys(_ERRORS, "castiron.transport.errors"),
}

__all__ = [
    "ArgumentInvalid",
    "BMCAddressTaken",
    "BMCBusy",
    "BMCCredentials",
    "BMCError",
    "BMCFault",
    "BMCUnreachable",
    "BMCUnsupported",
    "BulkNotFound",
    "BulkStopped",
    "BulkTooLarge",
    "CapacityError",
    "CastironError",
    "Client",
    "Conductor",
    "ConductorDraining",
    "ConductorLost",
    "ConductorOverloaded",
    "ConflictError",
    "DeadlineExceeded",
    "EndpointRefused",
    "EventsLost",
    "FrameMalformed",
    "FrameTooLarge",
    "HandshakeFailed",
    "InternalError",
    "KeyRefused",
    "KeyUnusable",
    "MailboxFull",
    "NodeExists",
    "NodeInMaintenance",
    "NodeLocked",
    "NodeNotFound",
    "NodeRemoved",
    "PowerStateUnconfirmed",
    "PreconditionFailed",
    "ReplyTimeout",
    "Request",
    "RequestAborted",
    "RequestCancelled",
    "RequestEnded",
    "RequestError",
    "RequestExpired",
    "RequestInterrupted",
    "RequestNotFound",
    "RequestNotYours",
    "RequestReused",
    "RequestStarted",
    "RequestSuperseded",
    "RevisionStale",
    "Settings",
    "StoreUnavailable",
    "VerbForbidden",
    "VerbUnknown",
    "VersionUnsupported",
    "__version__",
    "connect",
]


# Whoever embeds castiron decides what becomes of its log; until then nothing goes to standard error.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'castiron' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
