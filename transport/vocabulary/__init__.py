"""Every word that crosses the wire or reaches the disk, spelled once.

The spellings are the field's (Ironic's wherever it has one), so that whoever knows it reads ours. Only words live here:
enumerations and names for units, no logic and no imports of ours, because every other room may import this one.
"""

from castiron.transport.vocabulary.allocations import (
    AllocationState,
)
from castiron.transport.vocabulary.events import (
    ANNOUNCED,
    Announced,
    EventType,
)
from castiron.transport.vocabulary.machines import (
    AlarmState,
    BootDevice,
    BootMode,
    CheckPace,
    CheckResult,
    Fault,
    PowerControl,
    PowerState,
    PowerTarget,
)
from castiron.transport.vocabulary.provisioning import (
    EngineMode,
    ProvisionEvent,
    ProvisionState,
    ProvisionTarget,
    StepKind,
    StepState,
    TaskExecutor,
)
from castiron.transport.vocabulary.requests import (
    FINAL_REQUEST_STATES,
    Applied,
    OnRestart,
    Policy,
    ReplyWish,
    RequestState,
    Retry,
    Role,
    Source,
    TraceWord,
    Would,
)
from castiron.transport.vocabulary.units import (
    UUID_FORM,
    AllocationUUID,
    ConductorID,
    DeliveryID,
    EventSeq,
    Instant,
    NodeName,
    NodeSeq,
    NodeUUID,
    RequestID,
    Revision,
    RunbookUUID,
    Seconds,
)

__all__ = [
    "ANNOUNCED",
    "FINAL_REQUEST_STATES",
    "UUID_FORM",
    "AlarmState",
    "AllocationState",
    "AllocationUUID",
    "Announced",
    "Applied",
    "BootDevice",
    "BootMode",
    "CheckPace",
    "CheckResult",
    "ConductorID",
    "DeliveryID",
    "EngineMode",
    "EventSeq",
    "EventType",
    "Fault",
    "Instant",
    "NodeName",
    "NodeSeq",
    "NodeUUID",
    "OnRestart",
    "Policy",
    "PowerControl",
    "PowerState",
    "PowerTarget",
    "ProvisionEvent",
    "ProvisionState",
    "ProvisionTarget",
    "ReplyWish",
    "RequestID",
    "RequestState",
    "Retry",
    "Revision",
    "Role",
    "RunbookUUID",
    "Seconds",
    "Source",
    "StepKind",
    "StepState",
    "TaskExecutor",
    "TraceWord",
    "Would",
]
