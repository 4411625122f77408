"""The `redfish` driver: calls come from any thread, block on threads of a bulkhead, and end in time in any case.

It knows which lane a call goes to, and when a session is over; what is waited for, and for how long, is the lane's.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import Ended
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Call, DriverInfo, Outcome, Target
from castiron.actors.drivers.generations import Generations, superseded
from castiron.actors.drivers.operations import VerifyCredentials
from castiron.actors.drivers.redfish.counters import Tally
from castiron.actors.drivers.redfish.lane import Lane, Pending
from castiron.actors.drivers.redfish.settings import Settings, check, read_settings
from castiron.actors.drivers.redfish.turns import Todo, Turns
from castiron.actors.drivers.redfish.wire.session import Session, World
from castiron.actors.drivers.redfish.wire.tls import Contexts
from castiron.transport.errors import ArgumentInvalid, BMCBusy, BMCError, BMCFault, BMCUnreachable
from castiron.transport.vocabulary import NodeUUID

MAX_CALLS: Final = 16
"""Quick calls at once: at 10 ms each, 1,600 a second."""

MAX_SLOW_CALLS: Final = 64
"""Calls at once that are known to take long; as many threads sleep in one read each."""

MAX_KEPT: Final = 1024
"""Connections kept between calls, as Ironic keeps sessions; each is a descriptor here and a place at a BMC."""


@dataclass(slots=True)
class _Owned:
    target: Target
    settings: Settings
    lane: Lane


class RedfishDriver:
    """Speaks Redfish to BMCs over HTTPS.

    Args:
        clock: whose time deadlines are in.
        pool: where calls block: its places are BMCs that are asked at once, and those beside them that are known to be
            slow, or are asked what takes long; None: one of its own.
        max_kept: connections that are kept between calls.
    """

    name = "redfish"

    def __init__(
        self,
        clock: Clock,
        *,
        pool: Bulkhead | None = None,
        max_kept: int = MAX_KEPT,
    ) -> None:
        self.clock = clock
        self.pool: Bulkhead = pool or Bulkhead("redfish_calls", MAX_CALLS, clock, long_limit=MAX_SLOW_CALLS)
        self._tally = Tally()
        self._world = World(clock, Contexts(), self._tally)
        self._max_kept = max_kept
        self._lock = threading.Lock()
        self._has_left = threading.Condition(self._lock)
        self._generations = Generations()
        self._owned: dict[NodeUUID, _Owned] = {}
        self._visitors: dict[NodeUUID, Lane] = {}
        """Logins beside a node's own, with other credentials. They leave by themselves."""
        self._leaving: dict[Lane, None] = {}
        """Lanes that end their last call, or log out."""
        self._kept: OrderedDict[Lane, None] = OrderedDict()
        """Lanes that keep a connection while nothing is asked, the one that was asked longest ago first."""
        self._turns: WeakValueDictionary[str, Turns] = WeakValueDictionary()
        """By the BMCs' addresses, for as long as a lane needs them."""
        self._is_stopping = False

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """Check driver_info whole; see base.Driver. Pure.

        Raises:
            ArgumentInvalid: a value is missing, unknown, of the wrong type or out of range; details: path.
        """
        return check(driver_info)

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Take a call; see base.Driver. Any thread. What is refused is told before this returns."""
        pending = Pending(call, done)
        with self._turn() as todo:
            refusal = self._refusal(call.target)
            if refusal is not None:
                return pending.fail(refusal, todo)
            try:
                self._take(pending, todo)
            except ArgumentInvalid as invalid:
                pending.fail(BMCFault(invalid.message, details={"node": call.target.node, **invalid.details}), todo)
        return None

    def forget(self, node: NodeUUID) -> None:
        """End what is under way for a node and log out; see base.Driver. Any thread; idempotent."""
        error = BMCUnreachable("The node was given up.", details={"node": node})
        with self._turn() as todo:
            owned, visitor = self._owned.pop(node, None), self._visitors.get(node)
            for lane in (owned.lane if owned else None, visitor):
                if lane is not None:
                    self._retire(lane, error, todo)

    def counters(self) -> Mapping[str, int]:
        """Return what it has counted, and gauges of now. Any thread.

        sessions: that are open at BMCs. connections: that are kept. in_flight: BMCs that are being asked, or are about
        to be. waiting: calls that wait for another of their BMC. running, long, queued, hung: the bulkhead's.
        """
        pool = self.pool.counters()
        with self._lock:
            lanes = [*(each.lane for each in self._owned.values()), *self._visitors.values(), *self._leaving]
            lanes = list(dict.fromkeys(lanes))
        return {
            **self._tally.snapshot(),
            "sessions": sum(lane.session.token is not None for lane in lanes),
            "connections": sum(lane.session.has_line for lane in lanes),
            "in_flight": sum(lane.current is not None for lane in lanes),
            "waiting": sum(lane.waiting_count for lane in lanes),
            "running": pool["running"],
            "long": pool["long"],
            "queued": pool["waiting"],
            "hung": pool["hung"],
        }

    def is_alive(self) -> bool:
        """Return whether it was not stopped: its threads come and go with their work."""
        return not self._is_stopping

    def stop(self, timeout_s: float) -> None:
        """End all calls, log out of every BMC, and begin nothing any more. Blocks up to timeout_s; idempotent.

        A BMC that does not answer its logout in time ends the session by itself, after its own time.
        """
        until = self.clock.now() + timeout_s
        with self._turn() as todo:
            self._is_stopping = True
            owned, self._owned = self._owned, {}
            for lane in (*(each.lane for each in owned.values()), *self._visitors.values()):
                self._retire(lane, stopping(), todo)
        with self._has_left:
            self._has_left.wait_for(lambda: not self._leaving, timeout_s)
        self.pool.stop(max(0.0, until - self.clock.now()))

    # What lanes tell: from threads of the bulkhead and of the clock.

    def late(self, lane: Lane, pending: Pending) -> None:
        """End a call that waited until its deadline."""
        with self._turn() as todo:
            lane.late(pending, todo)

    def worked(self, lane: Lane, pending: Pending, ended: Ended) -> None:
        """Tell a call's outcome, and go on with its BMC's next."""
        with self._turn() as todo:
            lane.worked(pending, ended, todo)
            self._keep(lane)

    def left(self, lane: Lane, ended: Ended) -> None:
        """Drop a lane that has logged out, or could not."""
        with self._turn():
            if ended.error is not None:
                lane.session.abort()
            lane.session.token = None
            self._leaving.pop(lane, None)
            self._kept.pop(lane, None)
            node = next((node for node, each in self._visitors.items() if each is lane), None)
            if node is not None:
                del self._visitors[node]
            if not self._leaving:
                self._has_left.notify_all()

    def count_late(self) -> None:
        """Count a call that had begun and not ended by its deadline."""
        self._tally.add("late")

    # All below runs under the lock.

    @contextmanager
    def _turn(self) -> Generator[Todo]:
        """Hold the lock for a block; what the block puts into its list is done after it."""
        todo: Todo = []
        with self._lock:
            yield todo
        for each in todo:
            each()

    def _refusal(self, target: Target) -> BMCError | None:
        if self._is_stopping:
            return stopping()
        return None if self._generations.admit(target) else superseded(target)

    def _take(self, pending: Pending, todo: Todo) -> None:
        if isinstance(pending.call.operation, VerifyCredentials):
            return self._verify(pending, pending.call.operation, todo)
        lane = self._lane(pending.call.target, todo)
        self._kept.pop(lane, None)
        return lane.submit(pending, todo)

    def _lane(self, target: Target, todo: Todo) -> Lane:
        """Return the lane of a target that is not superseded; one with other settings takes the old one's place."""
        owned = self._owned.get(target.node)
        if owned is not None and owned.target == target:
            return owned.lane
        settings = read_settings(target.info)
        if owned is not None and owned.settings == settings:
            owned.target = target
            owned.lane.refuse_waiting(superseded(target), todo)
            return owned.lane
        if owned is not None:
            self._retire(owned.lane, superseded(target), todo)
        turns = self._turns.setdefault(settings.address, Turns())
        lane = self._make_lane(target.node, settings, turns)
        self._owned[target.node] = _Owned(target, settings, lane)
        return lane

    def _verify(self, pending: Pending, operation: VerifyCredentials, todo: Todo) -> None:
        """Log in beside the node's own session, and out again."""
        node = pending.call.target.node
        settings = read_settings(operation.info)
        before = self._visitors.get(node)
        if before is not None and not before.is_quiet:
            busy = BMCBusy("Other credentials are being tried at this BMC.", details={"node": node})
            return pending.fail(busy, todo)
        visitor = self._visitors[node] = self._make_lane(node, settings, Turns())
        self._leaving[visitor] = None
        visitor.submit(pending, todo)
        return visitor.leave(todo)

    def _make_lane(self, node: NodeUUID, settings: Settings, turns: Turns) -> Lane:
        where = {"node": node, "address": settings.address}
        return Lane(self, Session(settings, self._world, where), where, turns)

    def _retire(self, lane: Lane, error: BMCError, todo: Todo) -> None:
        self._leaving[lane] = None
        self._kept.pop(lane, None)
        lane.retire(error, todo)

    def _keep(self, lane: Lane) -> None:
        """Note that a lane keeps a connection; beyond the limit the one that was asked longest ago gives its up."""
        if lane in self._leaving or not lane.is_quiet or not lane.session.has_line:
            return
        self._kept[lane] = None
        self._kept.move_to_end(lane)
        while len(self._kept) > self._max_kept:
            oldest, _ = self._kept.popitem(last=False)
            oldest.session.close_line()


def stopping() -> BMCUnreachable:
    """Return the error of calls that meet a driver that stops."""
    return BMCUnreachable("The driver is stopping.")
