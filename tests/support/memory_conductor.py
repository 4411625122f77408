"""A small conductor that keeps everything in memory: a real handler for tests of the transport.

Nodes, revisions, requests and machines behave as PROTOCOL.md says; a worker thread drives the machines, so answers come
from another thread, as in earnest. Tests can hold a machine back, break one, fill a mailbox, or break the store.
"""

import queue
import sys
import threading
import time
import uuid
from collections.abc import Callable
from functools import singledispatchmethod
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from castiron.transport import errors, replies, verbs
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.doors.publisher import Publisher
from castiron.transport.errors import CastironError
from castiron.transport.replies import NodeView, RequestView
from castiron.transport.session import DEFAULT_LIMITS, Limits
from castiron.transport.vocabulary import (
    FINAL_REQUEST_STATES,
    UUID_FORM,
    Applied,
    EventType,
    Fault,
    PowerState,
    PowerTarget,
    ProvisionState,
    RequestState,
)
from tests.support.memory_events import MemoryEvents
from tests.support.memory_listing import listed

ADDRESS = "ipmi_address"
ENDS_ON = {
    PowerTarget.ON: PowerState.ON,
    PowerTarget.OFF: PowerState.OFF,
    PowerTarget.REBOOT: PowerState.ON,
    PowerTarget.SOFT_OFF: PowerState.OFF,
    PowerTarget.SOFT_REBOOT: PowerState.ON,
}


class MemoryConductor:
    """Handles every verb. `stop()` ends its worker."""

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS, boot_id: str | None = None) -> None:
        self.conductor = str(uuid.uuid4())
        self.boot_id = boot_id or str(uuid.uuid4())
        self.limits = limits
        self.nodes: dict[str, NodeView] = {}
        self.requests: dict[str, RequestView] = {}
        self.requesters: list[PeerInfo] = []
        self.asked: list[verbs.AnyVerb] = []
        self.held: set[str] = set()
        """Nodes whose machine does not answer until it is let go."""
        self.faults: dict[str, CastironError] = {}
        """Nodes whose next request ends with this."""
        self.full: set[str] = set()
        """Nodes that take no more messages."""
        self.lag = 0
        """How many of the latest events the answers do not take into account yet."""
        self.leaving: set[str] = set()
        """Nodes that are being deleted, and will be gone any moment."""
        self.is_store_broken = False
        self.lock = threading.RLock()
        self.events = MemoryEvents(self._new_publisher(0))
        self.events_endpoint: str | None = None
        """Where the door publishes; None: nowhere, as conductors did that are older than events."""
        self._waiters: dict[str, list[Callable[[RequestView], None]]] = {}
        self._work: queue.Queue[str | None] = queue.Queue()
        self._timers: list[threading.Timer] = []
        self._boot_devices: dict[str, str] = {}
        self._worker = threading.Thread(target=self._drive, name="machines", daemon=True)
        self._worker.start()

    def boot(self) -> None:
        """Be as after a restart: what is known is known, and the stream begins anew."""
        self.boot_id = str(uuid.uuid4())
        self.events.publisher = self._new_publisher(self.events.seq)

    def _new_publisher(self, seq: int) -> Publisher:
        interval_s = self.limits.heartbeat_interval_s
        return Publisher(conductor=self.conductor, boot_id=self.boot_id, seq=seq, heartbeat_interval_s=interval_s)

    def stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self._work.put(None)
        self._worker.join()

    def let_go(self, name: str) -> None:
        """Let a held machine answer."""
        with self.lock:
            self.held.discard(name)
            for request in self.requests.values():
                if request.node == name and request.state not in FINAL_REQUEST_STATES:
                    self._work.put(request.id)

    def handle(self, verb: verbs.AnyVerb, peer: PeerInfo, answer: Answer) -> None:
        with self.lock:
            self.requesters.append(peer)
            self.asked.append(verb)
            try:
                self._do(verb, answer)
            except CastironError as error:
                answer.fail(error, self._seq)

    @singledispatchmethod
    def _do(self, verb: verbs.Verb, answer: Answer) -> None:
        raise NotImplementedError(verb)

    @_do.register
    def _hello(self, _: verbs.Hello, answer: Answer) -> None:
        welcome = replies.Welcome(
            conductor=self.conductor,
            boot_id=self.boot_id,
            version="0.0",
            speaks=["castiron/1"],
            heartbeat_interval_s=self.limits.heartbeat_interval_s,
            liveness=self.limits.liveness,
            limits=self.limits.published(),
            events_endpoint=self.events_endpoint,
        )
        answer.final(welcome, self._seq)

    @_do.register
    def _ping(self, _: verbs.Ping, answer: Answer) -> None:
        answer.final(replies.Pong(boot_id=self.boot_id), self._seq)

    @_do.register
    def _status(self, _: verbs.Status, answer: Answer) -> None:
        status = replies.StatusView(
            conductor=self.conductor,
            boot_id=self.boot_id,
            version="0.0",
            started_at=0.0,
            uptime_s=0.0,
            endpoint="",
            store={"path": ":memory:", "state": "broken" if self.is_store_broken else "ok", "events_seq": self._seq},
            nodes={"total": len(self.nodes)},
            requests={"waiters": sum(map(len, self._waiters.values()))},
            checks={},
            actors={},
            drivers={},
            transport={},
            threads={self._worker.name: "alive" if self._worker.is_alive() else "dead"},
            limits={},
        )
        answer.final(status, self._seq)

    @_do.register
    def _create(self, verb: verbs.NodeCreate, answer: Answer) -> None:
        self._check_new(verb.name, verb.driver_info, verb.force, None)
        self._check_store()
        node = NodeView(
            uuid=str(uuid.uuid4()),
            name=verb.name,
            driver=verb.driver,
            driver_info=verb.driver_info,
            properties=verb.properties,
            extra=verb.extra,
            power_state=PowerState.OFF,
            power_state_at=time.time(),
            target_power_state=None,
            provision_state=ProvisionState.ENROLL,
            target_provision_state=None,
            maintenance=False,
            maintenance_reason=None,
            fault=None,
            last_error=None,
            power_state_change_timeout_s=verb.power_state_change_timeout_s,
            soft_power_off_timeout_s=verb.soft_power_off_timeout_s,
            power_check_interval_s=verb.power_check_interval_s,
            power_check_failures=0,
            created_at=time.time(),
            updated_at=time.time(),
            revision=1,
        )
        self.nodes[node.uuid] = node
        self.events.happen(EventType.NODE_CREATE_END, node, requester="test", driver=node.driver)
        answer.final(node, self._seq)

    @_do.register
    def _list(self, verb: verbs.NodeList, answer: Answer) -> None:
        views = self.nodes.values() if verb.nodes is None else [self._node(name) for name in verb.nodes]
        answer.final(listed(list(views), verb), self._seq)

    @_do.register
    def _set_maintenance(self, verb: verbs.NodeMaintenanceSet, answer: Answer) -> None:
        self._maintain(verb.node, verb.reason, answer, maintenance=True)

    @_do.register
    def _unset_maintenance(self, verb: verbs.NodeMaintenanceUnset, answer: Answer) -> None:
        self._maintain(verb.node, None, answer, maintenance=False)

    def _maintain(self, name: str, reason: str | None, answer: Answer, *, maintenance: bool) -> None:
        node = self._reachable(name)
        if node.fault is Fault.ACTOR_FAILURE:
            raise errors.NodeInMaintenance("Put aside.", details={"node": node.name})
        self._check_store()
        kept = node.maintenance_reason if maintenance and node.maintenance and node.fault is None else None
        changed = replace(node, maintenance=maintenance, maintenance_reason=reason or kept, fault=None)
        if changed != node:
            changed = replace(changed, revision=node.revision + 1, updated_at=time.time())
            self.nodes[node.uuid] = changed
            self.events.happen(EventType.MAINTENANCE_SET_END, changed, requester="test", maintenance=maintenance)
        answer.final(changed, self._seq)

    @_do.register
    def _show(self, verb: verbs.NodeShow, answer: Answer) -> None:
        answer.final(self._node(verb.node), self._seq)

    @_do.register
    def _set(self, verb: verbs.NodeSet, answer: Answer) -> None:
        is_rewired = verb.driver is not UNSET or verb.driver_info is not UNSET
        node = self._changeable(verb.node, verb.revision, may_be_busy=not is_rewired)
        info = {} if verb.driver_info is UNSET else verb.driver_info
        self._check_new("" if verb.name is UNSET else verb.name, info, verb.force, node)
        self._check_store()
        changes = {
            name: _merged(getattr(node, name), value)
            for name in verb.__struct_fields__
            if name not in {"node", "revision", "force"} and (value := getattr(verb, name)) is not UNSET
        }
        changed = replace(node, **changes, revision=node.revision + 1, updated_at=time.time())
        self.nodes[node.uuid] = changed
        self.events.happen(EventType.NODE_UPDATE_END, changed, requester="test", changed=sorted(changes))
        answer.final(changed, self._seq)

    @_do.register
    def _delete(self, verb: verbs.NodeDelete, answer: Answer) -> None:
        node = self._changeable(verb.node, verb.revision, may_be_busy=verb.force)
        self._check_store()
        del self.nodes[node.uuid]
        for request in [one for one in self.requests.values() if one.node_uuid == node.uuid]:
            if request.state not in FINAL_REQUEST_STATES:
                deleted = errors.NodeRemoved("It was deleted.", applied=Applied.UNKNOWN).to_wire()
                self._tell_end(replace(request, state=RequestState.FAILED, ended_at=time.time(), error=deleted))
        self.events.happen(EventType.NODE_DELETE_END, node, requester="test")
        answer.final(replies.NodeDeleted(uuid=node.uuid, name=node.name), self._seq)

    @_do.register(verbs.NodePowerSet)
    @_do.register(verbs.NodeBootDeviceSet)
    @_do.register(verbs.NodeBootDeviceGet)
    def _request(self, verb: verbs.AnyNodeRequest, answer: Answer) -> None:
        node = self._changeable(verb.node, None)
        if node.maintenance:
            raise errors.NodeInMaintenance("In maintenance. End it.", details={"node": node.name})
        self._check_store()
        request = RequestView(
            id=str(uuid.uuid4()),
            node=node.name,
            node_uuid=node.uuid,
            verb=verbs.tag_of(verb),
            arguments=verbs.arguments_of(verb),
            requester=self.requesters[-1].requester,
            state=RequestState.ACCEPTED,
            accepted_at=time.time(),
        )
        self.requests[request.id] = request
        answer.accepted(request, self._seq)
        self._wait(request.id, lambda view: answer.final(view, self._seq))
        if node.name not in self.held:
            self._work.put(request.id)

    @_do.register
    def _show_request(self, verb: verbs.RequestShow, answer: Answer) -> None:
        answer.final(self._view(verb.request), self._seq)

    @_do.register
    def _wait_for(self, verb: verbs.RequestWait, answer: Answer) -> None:
        request = self._view(verb.request)
        if request.state in FINAL_REQUEST_STATES or verb.timeout_s == 0:
            answer.final(request, self._seq)
            return
        withdraw = self._wait(request.id, lambda view: answer.final(view, self._seq))
        answer.when_gone(withdraw)

        def as_it_is() -> None:
            with self.lock:
                if withdraw():
                    answer.final(self._view(verb.request), self._seq)

        timer = threading.Timer(verb.timeout_s, as_it_is)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    @_do.register
    def _list_requests(self, verb: verbs.RequestList, answer: Answer) -> None:
        uuid_ = None if verb.node is None else self._node(verb.node).uuid
        latest = list(reversed(self.requests.values()))
        if verb.marker is not None:
            latest = latest[latest.index(self._view(verb.marker)) + 1 :]
        found = [
            one
            for one in latest
            if uuid_ in {None, one.node_uuid} and (verb.states is None or one.state in verb.states)
        ]
        page = found[: verb.limit]
        marker = page[-1].id if len(found) > len(page) else None
        answer.final(replies.RequestListed(requests=page, next_marker=marker), self._seq)

    @_do.register
    def _list_events(self, verb: verbs.EventList, answer: Answer) -> None:
        uuids = None if verb.nodes is None else {self._uuid(name) for name in verb.nodes}
        answer.final(self.events.page(verb, uuids), self._seq)

    @_do.register
    def _history(self, verb: verbs.NodeHistory, answer: Answer) -> None:
        answer.final(self.events.history(verb, self._uuid(verb.node)), self._seq)

    def _uuid(self, name: str) -> str:
        return name if UUID_FORM.match(name) else self._node(name).uuid

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
        fault = self.faults.pop(node.name, None)
        ended = replace(request, started_at=time.time(), ended_at=time.time(), attempts=1)
        if fault is not None:
            fault.applied = Applied.UNKNOWN
            ended = replace(ended, state=RequestState.FAILED, error=fault.to_wire())
        else:
            ended = replace(ended, state=RequestState.SUCCEEDED, result=self._worked(node, request))
        if request.verb == "node.power.set":
            end = EventType.POWER_SET_ERROR if fault else EventType.POWER_SET_END
            self.events.happen(EventType.POWER_SET_START, node, request.id, requester=request.requester)
            self.events.happen(end, node, request.id, requester=request.requester)
        self._tell_end(ended)

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

    @property
    def _seq(self) -> int:
        return self.events.seq - self.lag

    def _node(self, name: str) -> NodeView:
        found = next((node for node in self.nodes.values() if name in {node.name, node.uuid}), None)
        if found is None:
            raise errors.NodeNotFound(f"There is no node {name}.", details={"node": name})
        return found

    def _view(self, request_id: str) -> RequestView:
        if request_id not in self.requests:
            raise errors.RequestNotFound("There is no such request.", details={"request": request_id})
        return self.requests[request_id]

    def _reachable(self, name: str) -> NodeView:
        node = self._node(name)
        if node.name in self.full:
            raise errors.MailboxFull("Wait.", details={"node": node.name, "limit": 0}, retry_after_s=1.0)
        if node.name in self.leaving:
            raise errors.NodeLocked("Going.", details={"node": node.name, "request": None, "verb": "node.delete"})
        return node

    def _changeable(self, name: str, revision: int | None, *, may_be_busy: bool = False) -> NodeView:
        node = self._reachable(name)
        busy = next(
            (
                one
                for one in self.requests.values()
                if one.node_uuid == node.uuid and one.state not in FINAL_REQUEST_STATES
            ),
            None,
        )
        if busy is not None and not may_be_busy:
            raise errors.NodeLocked("Busy. Wait.", details={"node": node.name, "request": busy.id, "verb": busy.verb})
        if revision not in {None, node.revision}:
            raise errors.RevisionStale("Changed.", details={"node": name, "have": node.revision, "want": revision})
        return node

    def _check_new(self, name: str, driver_info: dict[str, Any], force: bool, mine: NodeView | None) -> None:
        others = [node for node in self.nodes.values() if mine is None or node.uuid != mine.uuid]
        for other in others:
            if other.name == name:
                raise errors.NodeExists("That name is taken.", details={"name": name, "uuid": other.uuid})
            address = driver_info.get(ADDRESS)
            if address is not None and address == other.driver_info.get(ADDRESS) and not force:
                raise errors.BMCAddressTaken("Taken.", details={"address": address, "node": other.name})

    def _check_store(self) -> None:
        if self.is_store_broken:
            raise errors.StoreUnavailable("The disk is full.", details={"reason": "full"}, retry_after_s=1.0)


def main(endpoint: str) -> None:
    """Be a conductor with one node, n1, whose machine never answers, until killed."""
    from castiron.transport.doors.frontdoor import FrontDoor  # noqa: PLC0415 - only a process of its own opens doors

    conductor = MemoryConductor()
    conductor.held.add("n1")
    door = FrontDoor(endpoint, conductor, now=time.monotonic, publisher=conductor.events.publisher)
    door.start()
    conductor.events_endpoint = door.events_endpoint
    print("ready", flush=True)  # noqa: T201 - tells the test
    threading.Event().wait()


def _merged(old: object, new: Any) -> object:
    if not isinstance(old, dict):
        return new
    merged: dict[str, Any] = {**old, **new}
    return {key: value for key, value in merged.items() if value is not None}


if __name__ == "__main__":
    main(sys.argv[1])
