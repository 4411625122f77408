"""The machines of a small conductor in memory: a worker thread carries requests out, and whoever waits is told."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from castiron.transport.errors import (
    CastironError,
    PreconditionFailed,
    RequestCancelled,
    RequestExpired,
    RequestSuperseded,
)
from castiron.transport.replies import NodeView, RequestView
from castiron.transport.vocabulary import (
    FINAL_REQUEST_STATES,
    Applied,
    EventType,
    PowerState,
    PowerTarget,
    RequestState,
)
from tests.support.memory_events import MemoryEvents
from tests.support.memory_fleet import MemoryFleet

ENDS_ON = {
    PowerTarget.ON: PowerState.ON,
    PowerTarget.OFF: PowerState.OFF,
    PowerTarget.REBOOT: PowerState.ON,
    PowerTarget.SOFT_OFF: PowerState.OFF,
    PowerTarget.SOFT_REBOOT: PowerState.ON,
}

ENDS_AS: dict[type[CastironError], RequestState] = {
    RequestCancelled: RequestState.CANCELLED,
    RequestSuperseded: RequestState.CANCELLED,
    RequestExpired: RequestState.EXPIRED,
}
"""Failures of what has not started; others end as failed."""


class MemoryMachines(MemoryFleet):
    """Carries out what is put to work. `stop()` ends the worker."""

    def __init__(self, events: MemoryEvents) -> None:
        super().__init__()
        self.events = events
        self.held: set[str] = set()
        """Nodes whose machine does not answer until it is let go."""
        self.slow: set[str] = set()
        """Nodes whose machine begins with what it is asked, and does not end it until it is let go."""
        self.faults: dict[str, CastironError] = {}
        """Nodes whose next request ends with this."""
        self.lock = threading.RLock()
        self._waiters: dict[str, list[Callable[[RequestView], None]]] = {}
        self._work: queue.Queue[str | None] = queue.Queue()
        self._boot_devices: dict[str, str] = {}
        self._worker = threading.Thread(target=self._drive, name="machines", daemon=True)
        self._worker.start()

    def stop(self) -> None:
        self._work.put(None)
        self._worker.join()

    def let_go(self, name: str) -> None:
        """Let a held machine answer."""
        with self.lock:
            self.held.discard(name)
            self.slow.discard(name)
            for request in self.line(self._node(name).uuid):
                if not self._is_held_back(request):
                    self._work.put(request.id)

    def line(self, node_uuid: str) -> list[RequestView]:
        """Return a node's requests that have not ended, the oldest first."""
        return [
            one
            for one in self.requests.values()
            if one.node_uuid == node_uuid and one.state not in FINAL_REQUEST_STATES
        ]

    def _is_held_back(self, request: RequestView) -> bool:
        return request.hold and self.nodes[request.node_uuid].maintenance

    def _wait(self, request_id: str, call: Callable[[RequestView], None]) -> Callable[[], bool]:
        waiters = self._waiters.setdefault(request_id, [])
        waiters.append(call)

        def withdraw() -> bool:
            with self.lock:
                if call not in waiters:
                    return False
                waiters.remove(call)
                return True

        return withdraw

    def _drive(self) -> None:
        while (request_id := self._work.get()) is not None:
            with self.lock:
                self._end(self.requests[request_id])

    def _end(self, request: RequestView) -> None:
        if request.state in FINAL_REQUEST_STATES:
            return
        node = self.nodes[request.node_uuid]
        fault = self._precondition(request) or self.faults.pop(node.name, None)
        ended = replace(request, started_at=time.time(), ended_at=time.time(), attempts=1, position=None)
        if fault is not None:
            state = ENDS_AS.get(type(fault), RequestState.FAILED)
            fault.applied = Applied.UNKNOWN if state is RequestState.FAILED else Applied.NO
            ended = replace(ended, state=state, error=fault.to_wire())
        else:
            ended = replace(ended, state=RequestState.SUCCEEDED, result=self._worked(node, request))
        if request.verb == "node.power.set":
            end = EventType.POWER_SET_ERROR if fault else EventType.POWER_SET_END
            self.events.happen(EventType.POWER_SET_START, node, request.id, requester=request.requester)
            self.events.happen(end, node, request.id, requester=request.requester)
        self._tell_end(ended)

    def _precondition(self, request: RequestView) -> CastironError | None:
        other = None if request.depends_on is None else self.requests[request.depends_on]
        if other is None or other.state is RequestState.SUCCEEDED:
            return None
        return PreconditionFailed("It was to start after another one.", details={"depends_on": other.id})

    def _tell_end(self, ended: RequestView) -> None:
        self.requests[ended.id] = ended
        for call in self._waiters.pop(ended.id, []):
            call(ended)

    def _worked(self, node: NodeView, request: RequestView) -> dict[str, Any]:
        if request.verb == "node.power.set":
            state = ENDS_ON[PowerTarget(request.arguments["target"])]
            changed = replace(node, power_state=state, power_state_at=time.time(), revision=node.revision + 1)
            self.nodes[node.uuid] = changed
            return {"power_state": state.value}
        if request.verb == "node.boot_device.set":
            self._boot_devices[node.uuid] = request.arguments["boot_device"]
        return {"boot_device": self._boot_devices.get(node.uuid, "default")}
