"""A small conductor that keeps everything in memory: a real handler for tests of the transport.

Nodes, revisions, requests and machines behave as PROTOCOL.md says; a worker thread drives the machines, so answers come
from another thread, as in earnest. Tests can hold a machine back, break one, fill a mailbox, or break the store.
"""

import sys
import threading
import time
import uuid
from functools import singledispatchmethod

from msgspec import UNSET
from msgspec.structs import replace

from castiron.actors.core.requests.guarding import IN_USE
from castiron.transport import errors, replies, verbs
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.doors.publisher import Publisher
from castiron.transport.errors import CastironError
from castiron.transport.replies import NodeView
from castiron.transport.session import DEFAULT_LIMITS, Limits
from castiron.transport.vocabulary import (
    FINAL_REQUEST_STATES,
    UUID_FORM,
    Applied,
    EventType,
    PowerState,
    ProvisionState,
    RequestState,
    Would,
)
from tests.support.memory_allocations import MemoryAllocations
from tests.support.memory_bulk import MemoryBulk
from tests.support.memory_events import MemoryEvents
from tests.support.memory_listing import listed
from tests.support.memory_runbooks import AnyRunbookVerb
from tests.support.memory_telling import MemoryPeriodics, drained, merged, sensed, traced


class MemoryConductor(MemoryAllocations):
    """Handles every verb. `stop()` ends its worker."""

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS, boot_id: str | None = None) -> None:
        self.conductor = str(uuid.uuid4())
        self.boot_id = boot_id or str(uuid.uuid4())
        self.limits = limits
        super().__init__(MemoryEvents(self._new_publisher(0)))
        self.requesters: list[PeerInfo] = []
        self.asked: list[verbs.AnyVerb] = []
        self.lag = 0
        """How many of the latest events the answers do not take into account yet."""
        self.bulks: dict[str, MemoryBulk] = {}
        self.periodics = MemoryPeriodics()
        self.drained_by: str | None = None
        self.events_endpoint: str | None = None
        """Where the door publishes; None: nowhere, as conductors did that are older than events."""

    def boot(self) -> None:
        """Be as after a restart: what is known is known, and the stream begins anew."""
        self.boot_id = str(uuid.uuid4())
        self.events.publisher = self._new_publisher(self.events.seq)

    def _new_publisher(self, seq: int) -> Publisher:
        interval_s = self.limits.heartbeat_interval_s
        return Publisher(conductor=self.conductor, boot_id=self.boot_id, seq=seq, heartbeat_interval_s=interval_s)

    def handle(self, verb: verbs.AnyVerb, peer: PeerInfo, answer: Answer) -> None:
        with self.lock:
            self.requesters.append(peer)
            self.asked.append(verb)
            try:
                is_own = isinstance(verb, verbs.BulkRun | verbs.AnyRunbookChange)
                if getattr(verb, "dry_run", False) and not is_own:
                    return self._foretell(verb, answer)
                return self._do(verb, answer)
            except CastironError as error:
                answer.fail(error, self._seq)

    @singledispatchmethod
    def _do(self, verb: verbs.Verb, answer: Answer) -> None:
        self.allocate(verb, self.requesters[-1], answer)

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
            store=replies.StoreView(state="broken" if self.is_store_broken else "ok", events_seq=self._seq),
            nodes={"total": len(self.nodes)},
            requests=replies.RequestCounts(waiters=sum(map(len, self._waiters.values()))),
            checks=replies.CheckCounts(),
            actors={},
            drivers={},
            transport={},
            threads={self._worker.name: "alive" if self._worker.is_alive() else "dead"},
            limits={},
        )
        answer.final(status, self._seq)

    @_do.register
    def _drain(self, verb: verbs.ConductorDrain, answer: Answer) -> None:
        self.drained_by = None if verb.undo else self.drained_by or self.requesters[-1].who
        answer.final(drained(self.drained_by, self.requests.values()), self._seq)

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
            sensor_data_interval_s=verb.sensor_data_interval_s,
            power_check_failures=0,
            created_at=time.time(),
            updated_at=time.time(),
            revision=1,
            resource_class=verb.resource_class,
            traits=sorted(set(verb.traits)),
            disable_power_off=verb.disable_power_off,
            retired=verb.retired,
            retired_reason=verb.retired_reason,
        )
        self.nodes[node.uuid] = node
        self.events.happen(EventType.NODE_CREATE_END, node, requester="test", driver=node.driver)
        answer.final(node, self._seq)

    @_do.register
    def _list(self, verb: verbs.NodeList, answer: Answer) -> None:
        views = self.nodes.values() if verb.nodes is None else [self._node(name) for name in verb.nodes]
        answer.final(listed(list(views), verb), self._seq)

    @_do.register
    def _set_maintenance(self, verb: verbs.NodeMaintenanceSet | verbs.NodeMaintenanceUnset, answer: Answer) -> None:
        reason = verb.reason if isinstance(verb, verbs.NodeMaintenanceSet) else None
        self._maintain(verb.node, reason, answer, maintenance=isinstance(verb, verbs.NodeMaintenanceSet))

    def _maintain(self, name: str, reason: str | None, answer: Answer, *, maintenance: bool) -> None:
        node = self._reachable(name)
        self._check_actor(node)
        word = "set" if maintenance else "unset"
        self._check_guards(node, f"node.maintenance.{word}", self.requesters[-1])
        self._check_store()
        kept = node.maintenance_reason if maintenance and node.maintenance and node.fault is None else None
        changed = replace(node, maintenance=maintenance, maintenance_reason=reason or kept, fault=None)
        if changed != node:
            changed = replace(changed, revision=node.revision + 1, updated_at=time.time())
            self.nodes[node.uuid] = changed
            self.events.happen(EventType.MAINTENANCE_SET_END, changed, requester="test", maintenance=maintenance)
        if maintenance and not node.maintenance:
            self.leave_to_maintenance(changed)
        elif not maintenance and changed.name not in self.held | self.slow:
            self.let_go(changed.name)
        answer.final(changed, self._seq)

    @_do.register
    def _lock(self, verb: verbs.NodeLockSet, answer: Answer) -> None:
        before = self._lockable(verb, forced=False).lock
        lock = before or replies.LockView(owner=self.requesters[-1].requester, reason=None, since=time.time())
        self._set_lock(verb.node, replace(lock, reason=verb.reason or lock.reason), answer)

    @_do.register
    def _unlock(self, verb: verbs.NodeLockUnset, answer: Answer) -> None:
        self._lockable(verb, forced=verb.force)
        self._set_lock(verb.node, None, answer)

    def _lockable(self, verb: verbs.NodeLockSet | verbs.NodeLockUnset, *, forced: bool) -> NodeView:
        node = self._reachable(verb.node)
        self._check_actor(node)
        if not forced:
            self._check_guards(node, verbs.tag_of(verb), self.requesters[-1])
        self._check_store()
        return node

    def _set_lock(self, name: str, lock: replies.LockView | None, answer: Answer) -> None:
        node = self._node(name)
        if lock != node.lock:
            node = replace(node, lock=lock, revision=node.revision + 1, updated_at=time.time())
            self.nodes[node.uuid] = node
            self.events.happen(EventType.LOCK_SET_END, node, requester="test")
        answer.final(node, self._seq)

    @_do.register
    def _show(self, verb: verbs.NodeShow, answer: Answer) -> None:
        answer.final(self._node(verb.node), self._seq)

    @_do.register
    def _set(self, verb: verbs.NodeSet, answer: Answer) -> None:
        is_rewired = verb.driver is not UNSET or verb.driver_info is not UNSET
        node = self._changeable(verb.node, verb.revision, may_be_busy=not is_rewired)
        self._check_guards(node, verbs.tag_of(verb), self.requesters[-1])
        if verb.protected is True and node.provision_state not in IN_USE:
            raise errors.NodeStateInvalid("It is not in use.", details={"node": node.name})
        info = {} if verb.driver_info is UNSET else verb.driver_info
        self._check_new("" if verb.name is UNSET else verb.name, info, verb.force, node)
        self._check_store()
        changes = {
            name: merged(getattr(node, name), value)
            for name in verb.__struct_fields__
            if name not in {"node", "revision", "force", "dry_run"} and (value := getattr(verb, name)) is not UNSET
        }
        changed = replace(node, **changes, revision=node.revision + 1, updated_at=time.time())
        self.nodes[node.uuid] = changed
        self.events.happen(EventType.NODE_UPDATE_END, changed, requester="test", changed=sorted(changes))
        answer.final(changed, self._seq)

    @_do.register
    def _delete(self, verb: verbs.NodeDelete, answer: Answer) -> None:
        node = self._changeable(verb.node, verb.revision, may_be_busy=verb.force)
        self._check_actor(node)
        self._check_guards(node, verbs.tag_of(verb), self.requesters[-1])
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
    @_do.register(verbs.NodeProvisionSet)
    def _request(self, verb: verbs.AnyNodeRequest, answer: Answer) -> None:
        self.submit(verb, self.requesters[-1], answer)

    @_do.register(verbs.NodeProvisionAbort)
    @_do.register(verbs.NodeProvisionHold)
    @_do.register(verbs.NodeProvisionUnhold)
    def _direct(self, verb: verbs.AnyProvisionOrder, answer: Answer) -> None:
        self.direct(verb, self.requesters[-1], answer)

    @_do.register
    def _of_steps(self, verb: verbs.NodeStepList | verbs.NodeStepDone | verbs.NodeStepProgress, answer: Answer) -> None:
        return self.list_steps(verb, answer) if isinstance(verb, verbs.NodeStepList) else self.take_in(verb, answer)

    @_do.register
    def _runbooks(self, verb: AnyRunbookVerb, answer: Answer) -> None:
        self.of_runbooks(verb, self.requesters[-1], answer)

    @_do.register
    def _bulk(self, verb: verbs.BulkRun | verbs.BulkCancel, answer: Answer) -> None:
        if isinstance(verb, verbs.BulkRun):
            return self.run_bulk(verb, self.requesters[-1], answer)
        return self.cancel_bulk(verb, answer)

    @_do.register(verbs.RequestCancel)
    @_do.register(verbs.RequestAbort)
    def _withdraw(self, verb: verbs.RequestCancel | verbs.RequestAbort, answer: Answer) -> None:
        self.take_back(verb, self.requesters[-1], answer)

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
            if withdraw():
                answer.final(self._view(verb.request), self._seq)

        self.later(verb.timeout_s, as_it_is)

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

    def _foretell(self, verb: verbs.AnyVerb, answer: Answer) -> None:
        would = {"node.create": Would.CREATE, "node.delete": Would.DELETE}.get(verbs.tag_of(verb), Would.CHANGE)
        name = self._node(str(getattr(verb, "node"))).name if hasattr(verb, "node") else None  # noqa: B009 - a union
        answer.final(replies.Forecast(would=would, text=f"It would {would}.", node=name), self._seq)

    @_do.register
    def _trace(self, verb: verbs.RequestTrace, answer: Answer) -> None:
        answer.final(traced(self._view(verb.request)), self._seq)

    @_do.register
    def _of_periodics(
        self, verb: verbs.PeriodicList | verbs.PeriodicStop | verbs.PeriodicStart, answer: Answer
    ) -> None:
        answer.final(self.periodics.answer(verb), self._seq)

    @_do.register
    def _explain(self, verb: verbs.NodeExplain, answer: Answer) -> None:
        node = self._node(verb.node)
        finding = replies.Finding(code="node.idle", text="Nothing is in its way.", since=node.created_at)
        answer.final(replies.Explanation(node=node.name, node_uuid=node.uuid, findings=[finding]), self._seq)

    @_do.register
    def _record(self, verb: verbs.NodeRecording, answer: Answer) -> None:
        node = self._node(verb.node)
        header = replies.RecordHeader(
            format="castiron node record 1", version="0.0", conductor=self.conductor, node=node, seq=self._seq
        )
        lines = [
            {"kind": "request", "id": one.id, "verb": one.verb}
            for one in self.requests.values()
            if one.node_uuid == node.uuid
        ]
        mark = (verb.marker or "").removeprefix("request:")
        if mark:
            self._view(mark)
            lines = lines[[str(line["id"]) for line in lines].index(mark) + 1 :]
        page = lines[: verb.limit]
        marker = f"request:{page[-1]['id']}" if len(lines) > len(page) else None
        answer.final(replies.RecordPage(header=header, lines=page, next_marker=marker), self._seq)

    @_do.register
    def _history(self, verb: verbs.NodeHistory, answer: Answer) -> None:
        answer.final(self.events.history(verb, self._uuid(verb.node)), self._seq)

    @_do.register
    def _sensors(self, verb: verbs.NodeSensorList, answer: Answer) -> None:
        answer.final(sensed(self._node(verb.node)), self._seq)

    def _uuid(self, name: str) -> str:
        return name if UUID_FORM.match(name) else self._node(name).uuid

    @property
    def _seq(self) -> int:
        return self.events.seq - self.lag


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


if __name__ == "__main__":
    main(sys.argv[1])
