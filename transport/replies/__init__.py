"""What a conductor answers: one frozen Struct a kind of answer.

Fields that the field's systems know carry Ironic's names. Clients ignore fields that they do not know, so that a newer
conductor can say more. Results only: failures are in errors, what is asked is in verbs.
"""

from castiron.transport.replies.allocations import AllocationListed, AllocationView
from castiron.transport.replies.bulks import BulkOutcome, BulkPart, BulkView
from castiron.transport.replies.conductor import (
    Gauge,
    PeriodicListed,
    PeriodicView,
    Pong,
    RequesterUse,
    ShareView,
    StatusView,
    Welcome,
    marked,
)
from castiron.transport.replies.machines import (
    MASK,
    AlarmView,
    EventListed,
    HistoryListed,
    ListedStep,
    LockView,
    NodeDeleted,
    NodeListed,
    NodeView,
    RequestListed,
    RequestSummary,
    RequestView,
    SensorListed,
    SensorView,
    StepListed,
    StepView,
)
from castiron.transport.replies.runbooks import RunbookDeleted, RunbookListed, RunbookSummary, RunbookView
from castiron.transport.replies.table import PARTS, RESULTS, AnyResult
from castiron.transport.replies.telling import (
    Explanation,
    Finding,
    Forecast,
    RecordHeader,
    RecordPage,
    TraceStep,
    TraceView,
)

__all__ = [
    "MASK",
    "PARTS",
    "RESULTS",
    "AlarmView",
    "AllocationListed",
    "AllocationView",
    "AnyResult",
    "BulkOutcome",
    "BulkPart",
    "BulkView",
    "EventListed",
    "Explanation",
    "Finding",
    "Forecast",
    "Gauge",
    "HistoryListed",
    "ListedStep",
    "LockView",
    "NodeDeleted",
    "NodeListed",
    "NodeView",
    "PeriodicListed",
    "PeriodicView",
    "Pong",
    "RecordHeader",
    "RecordPage",
    "RequestListed",
    "RequestSummary",
    "RequestView",
    "RequesterUse",
    "RunbookDeleted",
    "RunbookListed",
    "RunbookSummary",
    "RunbookView",
    "SensorListed",
    "SensorView",
    "ShareView",
    "StatusView",
    "StepListed",
    "StepView",
    "TraceStep",
    "TraceView",
    "Welcome",
    "marked",
]
