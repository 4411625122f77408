"""The `fake` driver: machines that exist only here, as slow and as faulty as their driver_info or a test says.

For trying castiron out, for load without hardware, and for tests and simulations: time and randomness are its
parameters, and everything happens in calls of its clock. No network.

    fake_latency_s        how long an answer takes: "0.2", or "0.1,2" for between the two, more often near the first
    fake_power_delay_s    how long a machine takes to follow a power control that it has acknowledged
    fake_fault            one of FakeFault
    fake_fault_count      how many calls meet the fault; all, if not given
    fake_reset_s          how long a BMC is silent when it restarts
    fake_username         whose password fake_password is
    fake_password         what the BMC wants to be told; it keeps the first that it is told, until it is changed there
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from castiron.actors.dispatch.clock import Clock, Timer
from castiron.actors.drivers.base import Call, Done, DriverInfo, NotDone, Outcome, SetPower, Value
from castiron.actors.drivers.fake_machine import ACTING, FakeBMC, wrong_password
from castiron.actors.drivers.fake_script import ERRORS, FIELDS, FakeFault, read_script
from castiron.actors.drivers.fields import checked, secrets
from castiron.actors.drivers.generations import Generations, superseded
from castiron.actors.drivers.operations import ResetBMC, VerifyCredentials
from castiron.transport.errors import BMCBusy, BMCError, BMCUnreachable, DeadlineExceeded
from castiron.transport.vocabulary import Applied, Instant, NodeUUID, PowerControl, PowerState


@dataclass(slots=True, eq=False)
class _Pending:
    call: Call
    done: Callable[[Outcome], None]
    timers: list[Timer] = field(default_factory=list[Timer])
    has_acted: bool = False


@dataclass(slots=True)
class _Owned:
    info: Mapping[str, Any]
    bmc: FakeBMC
    queue: deque[_Pending] = field(default_factory=deque[_Pending])
    """The first one is being carried out."""


class FakeDriver:
    """See the module. Outcomes come from the clock's thread.

    Args:
        clock: whose time everything is in.
        rng: draws latencies.
    """

    name = "fake"
    takes_orders = True

    def __init__(self, clock: Clock, *, rng: random.Random | None = None) -> None:
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - latencies are no secret
        self._lock = threading.RLock()
        self._generations = Generations()
        self._owned: dict[NodeUUID, _Owned] = {}
        self._aside: dict[NodeUUID, _Owned] = {}
        """Credentials that are tried beside a node's other calls."""
        self._untold: dict[_Pending, Outcome] = {}
        self._is_stopped = False
        self._submitted = self._ended = 0

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """Check driver_info whole; see base.Driver. Pure.

        Raises:
            ArgumentInvalid: a value is unknown, of the wrong type or out of range; details: path.
        """
        return DriverInfo(info=checked(FIELDS, driver_info), secret_keys=secrets(FIELDS), bmc_address=None)

    def bmc(self, node: NodeUUID) -> FakeBMC:
        """Return a node's machine, made now if the node has not been called yet. Any thread."""
        with self._lock:
            return self._own(node, None).bmc

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Take a call; see base.Driver. Any thread."""
        pending = _Pending(call, done)
        with self._lock:
            self._submitted += 1
            if self._is_stopped:
                self._untold[pending] = NotDone(error=_gone(), applied=Applied.NO)
            elif not self._generations.admit(call.target):
                self._tell(pending, NotDone(error=superseded(call.target), applied=Applied.NO))
            else:
                self._take(pending)
        if self._is_stopped:
            self._deliver(pending)

    def forget(self, node: NodeUUID) -> None:
        """End the node's calls and forget its machine; see base.Driver. Any thread; idempotent."""
        with self._lock:
            for each in (self._owned, self._aside):
                owned = each.pop(node, None)
                while owned is not None and owned.queue:
                    self._end(owned, owned.queue[0], _unanswered(owned.queue[0], _gone()), go_on=False)

    def counters(self) -> Mapping[str, int]:
        """Return machines, calls since the start, and calls that have no outcome yet. Any thread."""
        with self._lock:
            return {
                "machines": len(self._owned),
                "submitted": self._submitted,
                "in_flight": self._submitted - self._ended,
            }

    def is_alive(self) -> bool:
        """Return whether it was not stopped."""
        return not self._is_stopped

    def stop(self, timeout_s: float) -> None:  # noqa: ARG002 - the contract's; there is nothing to wait for
        """End all calls, and tell what the clock has not told yet: it may be stopped next. Idempotent."""
        with self._lock:
            self._is_stopped = True
            for node in list(self._owned):
                self.forget(node)
            untold = list(self._untold)
        for pending in untold:
            self._deliver(pending)

    # All below runs under the lock.

    def _own(self, node: NodeUUID, info: Mapping[str, Any] | None) -> _Owned:
        owned = self._owned.get(node)
        if owned is None:
            owned = self._owned[node] = _Owned({} if info is None else info, FakeBMC(read_script(info or {})))
        elif info is not None and info != owned.info:
            owned.info, owned.bmc.script = info, read_script(info)
        if info is not None:
            owned.bmc.meet(info)
        return owned

    def _take(self, pending: _Pending) -> None:
        call = pending.call
        owned = self._own(call.target.node, call.target.info)
        if isinstance(call.operation, VerifyCredentials):
            owned = self._aside.setdefault(call.target.node, _Owned({}, owned.bmc))
            if owned.queue:
                busy = BMCBusy("Other credentials are being tried at the fake BMC.", details=_where(pending))
                self._tell(pending, NotDone(error=busy, applied=Applied.NO))
                return
        owned.queue.append(pending)
        pending.timers.append(self._clock.call_at(call.deadline, partial(self._be_late, owned, pending)))
        if len(owned.queue) == 1:
            self._start(owned)

    def _start(self, owned: _Owned) -> None:
        pending, script = owned.queue[0], owned.bmc.script
        if self._clock.now() < owned.bmc.silent_until:
            return
        fault = script.take_fault()
        if fault is FakeFault.UNREACHABLE:
            return
        low, high = script.latency_s
        at = Instant(self._clock.now() + self._rng.triangular(low, high, low))
        pending.timers.append(self._clock.call_at(at, partial(self._answer, owned, pending, fault)))

    def _answer(self, owned: _Owned, pending: _Pending, fault: FakeFault | None) -> None:
        with self._lock:
            if pending not in owned.queue:
                return
            if fault is not None and fault in ERRORS:
                error = ERRORS[fault](f"The fake BMC is scripted to be {fault}.", details=_where(pending))
                self._end(owned, pending, NotDone(error=error, applied=Applied.NO))
                return
            try:
                value = self._carry_out(owned.bmc, pending, acts=fault is not FakeFault.DEAF)
            except BMCError as error:
                self._end(owned, pending, NotDone(error=error, applied=Applied.NO))
                return
            if fault is not FakeFault.LOST_ANSWER:
                self._end(owned, pending, Done(value=value))

    def _carry_out(self, bmc: FakeBMC, pending: _Pending, *, acts: bool) -> Value:
        operation, info = pending.call.operation, pending.call.target.info
        if bmc.refuses_login(info) and not isinstance(operation, VerifyCredentials):
            raise wrong_password()
        if not isinstance(operation, ACTING):
            return bmc.look(operation)
        if acts or isinstance(operation, SetPower):  # a deaf machine hears its controls, and does not follow
            bmc.carry_out(operation)
        pending.has_acted = True
        if acts and isinstance(operation, SetPower):
            self._set_power(bmc, PowerState.ON if operation.control is PowerControl.ON else PowerState.OFF)
        if acts and isinstance(operation, ResetBMC):
            bmc.silent_until = self._clock.now() + bmc.script.reset_s
        return None

    def _set_power(self, bmc: FakeBMC, power: PowerState) -> None:
        if not bmc.script.power_delay_s:
            bmc.power = power
            return
        at = Instant(self._clock.now() + bmc.script.power_delay_s)
        self._clock.call_at(at, partial(setattr, bmc, "power", power))

    def _be_late(self, owned: _Owned, pending: _Pending) -> None:
        with self._lock:
            if pending not in owned.queue:
                return
            if pending is owned.queue[0]:
                error: BMCError | DeadlineExceeded = BMCUnreachable(
                    "The fake BMC did not answer in time.", details=_where(pending)
                )
            else:
                error = DeadlineExceeded("Other calls to the fake BMC took too long.", details=_where(pending))
            self._end(owned, pending, _unanswered(pending, error))

    def _end(self, owned: _Owned, pending: _Pending, outcome: Outcome, *, go_on: bool = True) -> None:
        was_first = pending is owned.queue[0]
        owned.queue.remove(pending)
        for timer in pending.timers:
            timer.cancel()
        if go_on and was_first and owned.queue:
            self._start(owned)
        self._tell(pending, outcome)

    def _tell(self, pending: _Pending, outcome: Outcome) -> None:
        # From the clock's thread and without the lock, so that no caller ever meets it.
        self._untold[pending] = outcome
        self._clock.call_at(self._clock.now(), partial(self._deliver, pending))

    def _deliver(self, pending: _Pending) -> None:
        with self._lock:
            outcome = self._untold.pop(pending, None)
            self._ended += outcome is not None
        if outcome is not None:
            pending.done(outcome)


def _unanswered(pending: _Pending, error: BMCError | DeadlineExceeded) -> NotDone:
    return NotDone(error=error, applied=Applied.UNKNOWN if pending.has_acted else Applied.NO)


def _gone() -> BMCUnreachable:
    return BMCUnreachable("The node was given up, or the driver is stopping.")


def _where(pending: _Pending) -> dict[str, Any]:
    return {"node": pending.call.target.node}
