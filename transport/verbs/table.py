"""The table of all verbs. It feeds the decoder, the command line, PROTOCOL.md and the conformance tests.

No other way leads to a verb. May come in: a new verb's row. Must not: its shape.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import convert

from castiron.transport import errors
from castiron.transport.errors import CastironError
from castiron.transport.verbs.allocations import (
    AllocationCreate,
    AllocationDelete,
    AllocationList,
    AllocationSet,
    AllocationShow,
    AllocationWait,
)
from castiron.transport.verbs.bulk import BulkCancel, BulkRun
from castiron.transport.verbs.conductor import (
    ConductorDrain,
    Hello,
    PeriodicList,
    PeriodicStart,
    PeriodicStop,
    Ping,
    Status,
)
from castiron.transport.verbs.happenings import EventList, NodeHistory, NodeSensorList
from castiron.transport.verbs.machines import NodeBootDeviceGet, NodeBootDeviceSet, NodePowerSet
from castiron.transport.verbs.nodes import (
    NodeCreate,
    NodeDelete,
    NodeExplain,
    NodeList,
    NodeLockSet,
    NodeLockUnset,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodeRecording,
    NodeSet,
    NodeShow,
)
from castiron.transport.verbs.provisioning import (
    AnyNodeRequest,
    NodeProvisionAbort,
    NodeProvisionHold,
    NodeProvisionSet,
    NodeProvisionUnhold,
    NodeStepDone,
    NodeStepList,
    NodeStepProgress,
)
from castiron.transport.verbs.requests import (
    RequestAbort,
    RequestCancel,
    RequestList,
    RequestShow,
    RequestTrace,
    RequestWait,
)
from castiron.transport.verbs.runbooks import RunbookCreate, RunbookDelete, RunbookList, RunbookSet, RunbookShow

AnyVerb = (
    Hello
    | Ping
    | Status
    | ConductorDrain
    | PeriodicList
    | PeriodicStop
    | PeriodicStart
    | NodeCreate
    | NodeList
    | NodeShow
    | NodeSet
    | NodeDelete
    | NodeMaintenanceSet
    | NodeMaintenanceUnset
    | NodeLockSet
    | NodeLockUnset
    | NodePowerSet
    | NodeBootDeviceSet
    | NodeBootDeviceGet
    | NodeProvisionSet
    | NodeProvisionAbort
    | NodeProvisionHold
    | NodeProvisionUnhold
    | NodeStepDone
    | NodeStepProgress
    | NodeStepList
    | AllocationCreate
    | AllocationList
    | AllocationShow
    | AllocationWait
    | AllocationSet
    | AllocationDelete
    | BulkRun
    | BulkCancel
    | RequestShow
    | RequestWait
    | RequestList
    | RequestCancel
    | RequestAbort
    | RequestTrace
    | EventList
    | NodeHistory
    | NodeSensorList
    | NodeExplain
    | NodeRecording
    | RunbookCreate
    | RunbookList
    | RunbookShow
    | RunbookSet
    | RunbookDelete
)
"""All verbs as one type: a `match` over it that misses one does not pass the type checkers."""

VERBS: Final[Mapping[str, type[AnyVerb]]] = {
    str(verb.__struct_config__.tag): verb
    for verb in (
        Hello,
        Ping,
        Status,
        ConductorDrain,
        PeriodicList,
        PeriodicStop,
        PeriodicStart,
        NodeCreate,
        NodeList,
        NodeShow,
        NodeSet,
        NodeDelete,
        NodeMaintenanceSet,
        NodeMaintenanceUnset,
        NodeLockSet,
        NodeLockUnset,
        NodePowerSet,
        NodeBootDeviceSet,
        NodeBootDeviceGet,
        NodeProvisionSet,
        NodeProvisionAbort,
        NodeProvisionHold,
        NodeProvisionUnhold,
        NodeStepDone,
        NodeStepProgress,
        NodeStepList,
        AllocationCreate,
        AllocationList,
        AllocationShow,
        AllocationWait,
        AllocationSet,
        AllocationDelete,
        BulkRun,
        BulkCancel,
        RequestShow,
        RequestWait,
        RequestList,
        RequestCancel,
        RequestAbort,
        RequestTrace,
        EventList,
        NodeHistory,
        NodeSensorList,
        NodeExplain,
        NodeRecording,
        RunbookCreate,
        RunbookList,
        RunbookShow,
        RunbookSet,
        RunbookDelete,
    )
}
"""Tag on the wire → Struct, in the order of the documents."""

COMMON_ERRORS: Final[tuple[type[CastironError], ...]] = (
    errors.FrameMalformed,
    errors.FrameTooLarge,
    errors.VersionUnsupported,
    errors.VerbUnknown,
    errors.VerbForbidden,
    errors.KeyRefused,
    errors.ArgumentInvalid,
    errors.ConductorOverloaded,
    errors.ConductorDraining,
    errors.InternalError,
)
"""What any message may be answered with."""


def from_arguments(tag: str, arguments: Mapping[str, Any]) -> AnyNodeRequest:
    """Rebuild the verb of a stored request.

    Args:
        tag: the verb's word, one of those that become requests.
        arguments: what `arguments_of` returned.

    Raises:
        msgspec.ValidationError: the store holds what this version does not understand.
    """
    return convert({"verb": tag, **arguments}, AnyNodeRequest)  # type: ignore[no-any-return]  # a union is a type form
