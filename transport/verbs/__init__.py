"""What can be asked of a conductor: one frozen Struct a verb, and the table of them all.

A verb says what it carries, whether it becomes a stored request, whether it may be repeated, and which errors it may
answer. May come in: the shape of what is asked, beside its like. Must not: what is done about it.
"""

from castiron.transport.verbs.arguments import (
    MAX_LIST,
    MAX_RECORDED,
    MAX_SEQ,
    MAX_TIMEOUT_S,
    MAX_TYPES,
    NAME_PATTERN,
    AttributeKey,
    Attributes,
    DriverInfo,
    DriverName,
    IntervalS,
    Limit,
    NewName,
    NodeArgument,
    RequestArgument,
    TimeoutS,
    TypePattern,
)
from castiron.transport.verbs.conductor import (
    Hello,
    Ping,
    Status,
)
from castiron.transport.verbs.happenings import (
    EventList,
    NodeHistory,
)
from castiron.transport.verbs.machines import (
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodePowerSet,
    NodeRequest,
)
from castiron.transport.verbs.nodes import (
    NodeCreate,
    NodeDelete,
    NodeExplain,
    NodeList,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodeRecording,
    NodeSet,
    NodeShow,
)
from castiron.transport.verbs.requests import (
    RequestAbort,
    RequestCancel,
    RequestList,
    RequestShow,
    RequestTrace,
    RequestWait,
)
from castiron.transport.verbs.table import (
    COMMON_ERRORS,
    VERBS,
    AnyNodeRequest,
    AnyVerb,
    from_arguments,
)
from castiron.transport.verbs.verb import (
    Verb,
    arguments_of,
    tag_of,
    to_map,
)

__all__ = [
    "COMMON_ERRORS",
    "MAX_LIST",
    "MAX_RECORDED",
    "MAX_SEQ",
    "MAX_TIMEOUT_S",
    "MAX_TYPES",
    "NAME_PATTERN",
    "VERBS",
    "AnyNodeRequest",
    "AnyVerb",
    "AttributeKey",
    "Attributes",
    "DriverInfo",
    "DriverName",
    "EventList",
    "Hello",
    "IntervalS",
    "Limit",
    "NewName",
    "NodeArgument",
    "NodeBootDeviceGet",
    "NodeBootDeviceSet",
    "NodeCreate",
    "NodeDelete",
    "NodeExplain",
    "NodeHistory",
    "NodeList",
    "NodeMaintenanceSet",
    "NodeMaintenanceUnset",
    "NodePowerSet",
    "NodeRecording",
    "NodeRequest",
    "NodeSet",
    "NodeShow",
    "Ping",
    "RequestAbort",
    "RequestArgument",
    "RequestCancel",
    "RequestList",
    "RequestShow",
    "RequestTrace",
    "RequestWait",
    "Status",
    "TimeoutS",
    "TypePattern",
    "Verb",
    "arguments_of",
    "from_arguments",
    "tag_of",
    "to_map",
]
