"""Which verb is answered with what."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from castiron.transport.replies.allocations import AllocationListed, AllocationView
from castiron.transport.replies.bulks import BulkPart, BulkView
from castiron.transport.replies.conductor import DrainView, PeriodicListed, PeriodicView, Pong, StatusView, Welcome
from castiron.transport.replies.machines import (
    EventListed,
    HistoryListed,
    NodeDeleted,
    NodeListed,
    NodeView,
    RequestListed,
    RequestView,
    SensorListed,
    StepListed,
)
from castiron.transport.replies.runbooks import RunbookDeleted, RunbookListed, RunbookView
from castiron.transport.replies.telling import (
    Explanation,
    Forecast,
    RecordPage,
    TraceView,
)

AnyResult = (
    Welcome
    | Pong
    | StatusView
    | DrainView
    | PeriodicListed
    | PeriodicView
    | NodeView
    | NodeListed
    | NodeDeleted
    | RequestView
    | RequestListed
    | AllocationView
    | AllocationListed
    | BulkView
    | BulkPart
    | EventListed
    | HistoryListed
    | StepListed
    | SensorListed
    | TraceView
    | Explanation
    | RecordPage
    | RunbookView
    | RunbookListed
    | RunbookDeleted
    | Forecast
)
"""Everything that a verb can be answered with, beside failures."""

RESULTS: Final[Mapping[str, type[Struct]]] = {
    "hello": Welcome,
    "ping": Pong,
    "status": StatusView,
    "conductor.drain": DrainView,
    "periodic.list": PeriodicListed,
    "periodic.stop": PeriodicView,
    "periodic.start": PeriodicView,
    "node.create": NodeView,
    "node.list": NodeListed,
    "node.show": NodeView,
    "node.set": NodeView,
    "node.delete": NodeDeleted,
    "node.maintenance.set": NodeView,
    "node.maintenance.unset": NodeView,
    "node.lock.set": NodeView,
    "node.lock.unset": NodeView,
    "node.power.set": RequestView,
    "node.boot_device.set": RequestView,
    "node.boot_device.get": RequestView,
    "node.provision.set": RequestView,
    "node.provision.abort": NodeView,
    "node.provision.hold": NodeView,
    "node.provision.unhold": NodeView,
    "node.step.done": NodeView,
    "node.step.progress": NodeView,
    "node.step.list": StepListed,
    "allocation.create": AllocationView,
    "allocation.list": AllocationListed,
    "allocation.show": AllocationView,
    "allocation.wait": AllocationView,
    "allocation.set": AllocationView,
    "allocation.delete": AllocationView,
    "bulk.run": BulkView,
    "bulk.cancel": BulkView,
    "request.show": RequestView,
    "request.wait": RequestView,
    "request.list": RequestListed,
    "request.cancel": RequestView,
    "request.abort": RequestView,
    "event.list": EventListed,
    "node.history": HistoryListed,
    "node.sensor.list": SensorListed,
    "request.trace": TraceView,
    "node.explain": Explanation,
    "node.record": RecordPage,
    "runbook.create": RunbookView,
    "runbook.list": RunbookListed,
    "runbook.show": RunbookView,
    "runbook.set": RunbookView,
    "runbook.delete": RunbookDeleted,
}
"""Verb → what answers it. A verb that becomes a request is answered with the request, in all its replies. With
`dry_run`, a Forecast answers any verb that has it and no parts."""

PARTS: Final[Mapping[str, type[Struct]]] = {"bulk.run": BulkPart}
"""Verb → what its replies of kind `part` hold; the others have none."""
