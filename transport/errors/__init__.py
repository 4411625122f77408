"""Every failure that can reach a caller: its class, its code on the wire, and what to do about it.

One table for both directions: the conductor raises a class, the wire carries its code, the client raises it again.
`code` is the contract; `message` is for people and must not be parsed. An error without a code here cannot reach a
caller: it becomes `internal` and its text stays in the log. Nothing but errors lives here.

    CastironError
      RequestError           yours: the request is wrong                    source=caller
        FrameMalformed  FrameTooLarge  VersionUnsupported  VerbUnknown  ArgumentInvalid
        VerbForbidden  KeyRefused
        NodeNotFound  NodeExists  BMCAddressTaken  RequestNotFound  RequestReused
        BulkNotFound  BulkTooLarge  StepInvalid  StepTokenInvalid  PeriodicNotFound
        RunbookNotFound  RunbookExists  RunbookTraitMissing  AllocationNotFound  AllocationExists
      ConflictError          the world is in the way                        source=caller
        NodeLocked  NodeInMaintenance  RevisionStale  NodeRemoved  PreconditionFailed
        NodeProtected  NodeRetired  NodeLockHeld  PowerOffDisabled
        RequestStarted  RequestEnded  RequestNotYours  RequestCancelled  RequestSuperseded  RequestExpired
        RequestAborted  RequestInterrupted  BulkStopped  NodeStateInvalid  StepNotWaiting
        RunbookStale  RunbooksFull
        NodeAllocated  AllocationNotYours  AllocationFailed
      CapacityError          a published limit was reached                  source=conductor
        MailboxFull  ConductorOverloaded  ConductorDraining  StoreUnavailable
      BMCError               the machine's controller                       source=bmc
        BMCUnreachable  BMCCredentials  BMCCertificate  BMCUnsupported  BMCBusy  BMCFault
      PowerStateUnconfirmed  the BMC took the command and the state did not follow
      DeadlineExceeded       the request's own time ran out
      StepFailed  StepTimeout  StepInterrupted    a step of a list did not do what it was to do
      InternalError          ours                                           source=conductor
      ConductorLost  ReplyTimeout    raised by clients only; they have no code on the wire
      EventsLost                     raised by clients only, where a stream of events has a gap for good
      EndpointRefused  KeyUnusable   raised before anything is sent, by both sides; no code on the wire
      HandshakeFailed                raised by clients only, where a connection cannot be made at all
"""

from castiron.transport.errors.allocations import (
    AllocationExists,
    AllocationFailed,
    AllocationNotFound,
    AllocationNotYours,
    NodeAllocated,
)
from castiron.transport.errors.asked import (
    ArgumentInvalid,
    BMCAddressTaken,
    BulkNotFound,
    BulkStopped,
    BulkTooLarge,
    ConflictError,
    FrameMalformed,
    FrameTooLarge,
    KeyRefused,
    NodeExists,
    NodeInMaintenance,
    NodeLocked,
    NodeLockHeld,
    NodeNotFound,
    NodeProtected,
    NodeRemoved,
    NodeRetired,
    PeriodicNotFound,
    PowerOffDisabled,
    PreconditionFailed,
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
    VerbForbidden,
    VerbUnknown,
    VersionUnsupported,
)
from castiron.transport.errors.base import CastironError
from castiron.transport.errors.client import (
    ConductorLost,
    EndpointRefused,
    EventsLost,
    HandshakeFailed,
    KeyUnusable,
    ReplyTimeout,
)
from castiron.transport.errors.conductor import (
    CapacityError,
    ConductorDraining,
    ConductorOverloaded,
    InternalError,
    MailboxFull,
    StoreUnavailable,
)
from castiron.transport.errors.machine import (
    BMCBusy,
    BMCCertificate,
    BMCCredentials,
    BMCError,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    DeadlineExceeded,
    PowerStateUnconfirmed,
)
from castiron.transport.errors.provisioning import (
    NodeStateInvalid,
    RunbookExists,
    RunbookNotFound,
    RunbooksFull,
    RunbookStale,
    RunbookTraitMissing,
    StepFailed,
    StepInterrupted,
    StepInvalid,
    StepNotWaiting,
    StepTimeout,
    StepTokenInvalid,
)
from castiron.transport.errors.wire import WIRE_ERRORS, from_wire

__all__ = [
    "WIRE_ERRORS",
    "AllocationExists",
    "AllocationFailed",
    "AllocationNotFound",
    "AllocationNotYours",
    "ArgumentInvalid",
    "BMCAddressTaken",
    "BMCBusy",
    "BMCCertificate",
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
    "NodeAllocated",
    "NodeExists",
    "NodeInMaintenance",
    "NodeLockHeld",
    "NodeLocked",
    "NodeNotFound",
    "NodeProtected",
    "NodeRemoved",
    "NodeRetired",
    "NodeStateInvalid",
    "PeriodicNotFound",
    "PowerOffDisabled",
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
    "RunbookExists",
    "RunbookNotFound",
    "RunbookStale",
    "RunbookTraitMissing",
    "RunbooksFull",
    "StepFailed",
    "StepInterrupted",
    "StepInvalid",
    "StepNotWaiting",
    "StepTimeout",
    "StepTokenInvalid",
    "StoreUnavailable",
    "VerbForbidden",
    "VerbUnknown",
    "VersionUnsupported",
    "from_wire",
]
