"""One node's BMC: its calls, one after the other, each with its deadline and exactly one outcome.

Decides what a broken session means for a call: reads and boot devices are asked once more through a fresh login, a
chassis control never. No I/O; everything on the engine's thread.
"""

import copy
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from castiron.actors.drivers.base import Done, NotDone, Outcome
from castiron.actors.drivers.ipmi.operations.table import steps
from castiron.actors.drivers.ipmi.pacing.queue import Urgency
from castiron.actors.drivers.ipmi.pending import Pending
from castiron.actors.drivers.ipmi.sessions.codes import completion_error, nonsense, unable
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Nonsense, Refused, Request, Steps, Unable
from castiron.actors.drivers.ipmi.sessions.link import Link, Phase
from castiron.actors.drivers.ipmi.sessions.services import Services
from castiron.actors.drivers.ipmi.settings import Settings
from castiron.actors.drivers.ipmi.wire.address import Address
from castiron.transport.errors import BMCBusy, BMCError, BMCFault, BMCUnreachable, DeadlineExceeded
from castiron.transport.vocabulary import Applied, Instant, NodeUUID

MAX_WAITING: Final = 32
"""Calls that may wait for one BMC. A node's actor asks one thing at a time; the rest is room for other callers."""


class BMC:
    """See the module.

    Args:
        settings: how to reach it.
        services: the engine's.
        changed: called after anything happened, so that the engine looks at `due_at` and `is_gone` again.

    Attributes:
        node: whose it is.
        entries_at: kept by the engine's timers.
    """

    def __init__(
        self, node: NodeUUID, settings: Settings, services: Services, changed: Callable[["BMC"], None]
    ) -> None:
        self.node = node
        self.entries_at: list[Instant] = []
        self._settings = settings
        self._services = services
        self._changed = changed
        self._where = {"node": node, "address": settings.address}
        self._neighbours = services.neighbourhoods.at(settings.host, settings.port, self)
        self._link = Link(settings, services, self, self._where, self._neighbours.allowance)
        self._calls: deque[Pending] = deque()
        self._current: Pending | None = None
        self._steps: Steps | None = None
        self._postponed: Request | None = None
        self._resume_at = Instant(0.0)
        self._ready_at = Instant(0.0)
        self._is_retired = False

    @property
    def is_gone(self) -> bool:
        """Whether it was retired, its calls and its session have ended."""
        return self._is_retired and not self._calls and self._link.phase is Phase.DOWN

    @property
    def is_quiet(self) -> bool:
        """Whether it has no call; it may still log out."""
        return self._current is None and not self._calls

    @property
    def is_asking(self) -> bool:
        """Whether a call, a login or an exchange is under way."""
        return self._current is not None or not self._link.is_resting

    @property
    def urgency(self) -> Urgency:
        """For whom it is asked now, or is to be next."""
        pending = self._current or (self._calls[0] if self._calls else None)
        if pending is None or pending.call.gives_way:
            return Urgency.CHECK
        return Urgency.READING if pending.call.steps_aside else Urgency.USER

    def due_at(self) -> Instant | None:
        """Return when `expire` is to be called, or None."""
        current, due_at = self._current, self._link.due_at
        if not self._calls and self._postponed is None and due_at is not None:  # as it is between checks, and in one
            return due_at if current is None else min(due_at, current.call.deadline)
        if current is None and not self._calls:
            return due_at
        times = [pending.call.deadline for pending in self._calls]
        if current is not None:
            times.append(current.call.deadline)
        elif self._is_pausing():
            times.append(self._ready_at)
        if self._postponed is not None and self._link.is_idle:
            times.append(self._resume_at)
        if due_at is not None:
            times.append(due_at)
        return min(times)

    # What callers want.

    def submit(self, pending: Pending) -> None:
        """Take a call."""
        if len(self._calls) >= MAX_WAITING:
            message = f"{MAX_WAITING} calls wait for {self._settings.address}. Try again later."
            pending.end(NotDone(error=BMCBusy(message, details=self._where), applied=Applied.NO))
            return
        is_users = not (pending.call.gives_way or pending.call.steps_aside)
        if is_users:
            self._make_way()
        self._line_up(pending)
        self._services.counters.waiting += 1
        if is_users:
            self._link.hasten()
        self._settle()

    def refuse_waiting(self, error: BMCError) -> None:
        """End the calls that have not begun."""
        while self._calls:
            self._end(self._take_waiting(), error)

    def retire(self, error: BMCError) -> None:
        """End every call, log out, and take nothing more. Idempotent."""
        self._is_retired = True
        self._end_current(error)
        self.refuse_waiting(error)
        self._link.close()
        self._changed(self)

    def leave(self) -> None:
        """Be retired when the calls that there are have ended. Only for one that logs out by itself: `on_demand`."""
        self._is_retired = True
        self._changed(self)

    def crash(self) -> None:
        """Start anew after a fault of ours: every call ends, the session is dropped. Never raises."""
        fault = BMCFault("castiron failed at this BMC; its log says how.", details=self._where)
        self._link.drop()
        self._end_current(fault)
        self.refuse_waiting(fault)
        self._changed(self)

    # What the engine tells.

    def turn(self) -> None:
        """Begin with what had to wait for others, if it is still to be done."""
        self._settle()

    def receive(self, datagram: bytes) -> None:
        """Take a datagram from the BMC's address."""
        self._link.receive(datagram)
        self._settle()

    def granted(self) -> None:
        """Log in: there is a place."""
        self._link.granted()
        self._settle()

    def resolved(self, addresses: Sequence[Address]) -> None:
        """Go on with the addresses of the BMC's name."""
        self._link.resolved(addresses)
        self._settle()

    def expire(self, now: Instant) -> None:
        """Do what is due by then; see Engine.expire."""
        due_at = self.due_at()
        if not self._calls and due_at is not None and due_at > now:
            return self._changed(self)  # an answer came before its time was over, as nearly always
        self._end_late(now)
        if self._link.due_at is not None and self._link.due_at <= now:
            self._link.expire()
        return self._settle()

    # What the link tells.

    def link_answered(self, answer: Answer) -> None:
        """Go on with the call's next request, or end it."""
        pending, at = self._current, self._steps
        if pending is None or at is None:
            return
        try:
            request = at.send(answer)
            if pending.call.steps_aside and (self._calls or not self._services.pacer.is_clear):
                self._step_aside(pending, at, request)
            else:
                self._ask(pending, request)
        except StopIteration as end:
            self._finish(pending, Done(value=end.value))
        except Refused as refused:
            request = refused.request
            error = completion_error(request.netfn, request.command, refused.code, where=self._where)
            self._finish(pending, NotDone(error=error, applied=pending.after(refused)))
        except Nonsense as what:
            self._finish(pending, NotDone(error=nonsense(str(what), where=self._where), applied=pending.applied))
        except Unable as what:
            self._finish(pending, NotDone(error=unable(str(what), where=self._where), applied=pending.applied))

    def link_failed(self, error: BMCError) -> None:
        """End all calls: each would meet the same."""
        self._pause()
        self.refuse_waiting(error)

    def link_broke(self, error: BMCError) -> None:
        """Ask once more through a fresh login, if that does no harm."""
        pending = self._current
        if pending is None:
            return
        if pending.is_repeated or pending.sent_once:
            self._end_current(error)
            return
        pending.is_repeated = True
        pending.is_in_doubt = pending.acted
        self._drop_current()
        if pending.call.steps_aside:
            self._line_up(pending)
        else:
            self._calls.appendleft(pending)
        self._services.counters.waiting += 1

    # The queue.

    def _settle(self) -> None:
        """Start what can start, then let the engine look."""
        self._resume()
        while self._is_ready() and self._may_begin():
            if self._link.phase is Phase.DOWN:
                self._link.open()
                break
            self._start(self._take_waiting())
        if self._settings.on_demand and not self._calls and self._current is None and self._link.is_idle:
            self._link.close()
        if not (self._neighbours.is_alone or self.is_asking):
            self._neighbours.leave(self)
        self._changed(self)

    def _may_begin(self) -> bool:
        """Return whether it is its turn, among those who ask the same address and among all; else it waits for that."""
        neighbours, services = self._neighbours, self._services
        own, all_ = neighbours.allowance, services.datagrams
        if own.used <= own.clear_to and all_.used <= all_.clear_to and services.pacer.is_clear and neighbours.is_alone:
            return True  # as nearly always
        wait_s = own.wait_s(services.now())
        if wait_s:
            self._ready_at = Instant(services.now() + wait_s)
            return False
        urgency = self.urgency
        is_inside = neighbours.is_alone or neighbours.enter(self, urgency)
        return is_inside and services.pacer.may_begin(self, urgency)

    def _overdrawn_s(self) -> float:
        """Return how long nothing more may be asked of the address."""
        allowance = self._neighbours.allowance
        return 0.0 if allowance.used <= allowance.clear_to else allowance.wait_s(self._services.now())

    def _line_up(self, pending: Pending) -> None:
        """Have a call wait: behind all others, but those that step aside for it."""
        if pending.call.steps_aside:
            return self._calls.append(pending)
        ahead = sum(not other.call.steps_aside for other in self._calls)
        return self._calls.insert(ahead, pending)

    def _step_aside(self, pending: Pending, at: Steps, request: Request) -> None:
        """Let those that wait go first, and go on with this request afterwards."""
        pending.left_at = (at, request)
        self._current = self._steps = None
        self._services.counters.in_flight -= 1
        self._line_up(pending)
        self._services.counters.waiting += 1

    def _make_way(self) -> None:
        """End the calls that nobody waits for; what was asked already goes on to its end without them."""
        for pending in [other for other in self._calls if _is_in_the_way(other)]:
            self._calls.remove(pending)
            self._services.counters.waiting -= 1
            self._end(pending, self._overtaken())
        if self._current is not None and _is_in_the_way(self._current):
            self._end_current(self._overtaken())
            self._link.disown()

    def _overtaken(self) -> BMCBusy:
        return BMCBusy(f"Another call to {self._settings.address} came first.", details=self._where)

    def _is_ready(self) -> bool:
        if not self._calls or self._current is not None or self._is_pausing():
            return False
        return self._link.phase is Phase.DOWN or self._link.is_idle

    def _start(self, pending: Pending) -> None:
        is_fresh = self._services.now() - self._link.heard_at < self._services.timing.fresh_s
        self._current = pending
        self._link.next_by = pending.call.next_by or self._link.next_by
        self._services.counters.in_flight += 1
        left_at, pending.left_at = pending.left_at, None
        if left_at is not None:
            self._steps, request = left_at
        else:
            self._steps = steps(pending.call.operation, try_session=not is_fresh)
            request = next(self._steps)
        self._ask(pending, request)

    def _resume(self) -> None:
        """Send what was put off, if it is time."""
        pending, request = self._current, self._postponed
        if pending is None or request is None or not self._link.is_idle or self._services.now() < self._resume_at:
            return
        self._postponed = None
        self._ask(pending, replace(request, after_s=0))

    def _ask(self, pending: Pending, request: Request) -> None:
        after_s = request.after_s or self._overdrawn_s()
        if after_s:
            self._postponed = request
            self._resume_at = Instant(self._services.now() + after_s)
            return
        left = self._link.ask(request)
        if not left and request.once:
            error = BMCUnreachable(f"Nothing can be sent to {self._settings.address}.", details=self._where)
            self._finish(pending, NotDone(error=error, applied=Applied.NO))
            return
        pending.acted = pending.acted or request.acts
        pending.sent_once = pending.sent_once or request.once

    def _take_waiting(self) -> Pending:
        self._services.counters.waiting -= 1
        return self._calls.popleft()

    # Ends.

    def _end_late(self, now: Instant) -> None:
        if self._current is not None and self._current.call.deadline <= now:
            # The exchange goes on to its end without the call: a slow BMC keeps its session.
            self._end_current(self._unanswered())
            self._link.disown()
        for pending in [late for late in self._calls if late.call.deadline <= now]:
            error = self._unanswered() if pending is self._calls[0] and self._current is None else self._queued(pending)
            self._calls.remove(pending)
            self._services.counters.waiting -= 1
            self._end(pending, error)

    def _unanswered(self) -> BMCError | DeadlineExceeded:
        if self._link.is_unanswered:
            message = f"{self._settings.address} did not answer in time. Check its address and the network."
            return BMCUnreachable(message, details=self._where)
        message = f"{self._settings.address} could not be asked in time."
        return DeadlineExceeded(message, details={**self._where, "is_asked": False})

    def _queued(self, pending: Pending) -> DeadlineExceeded:
        details = {**self._where, "deadline_at": pending.call.deadline}
        return DeadlineExceeded(f"Other calls to {self._settings.address} took too long.", details=details)

    def _end_current(self, error: BMCError | DeadlineExceeded) -> None:
        pending = self._current
        if pending is not None:
            self._finish(pending, NotDone(error=error, applied=pending.applied))

    def _finish(self, pending: Pending, outcome: Outcome) -> None:
        self._drop_current()
        self._pause()
        pending.end(outcome)

    def _end(self, pending: Pending, error: BMCError | DeadlineExceeded) -> None:
        pending.end(NotDone(error=copy.copy(error), applied=pending.applied))

    def _drop_current(self) -> None:
        if self._steps is not None:
            self._steps.close()
        self._current = self._steps = self._postponed = None
        self._services.counters.in_flight -= 1

    def _pause(self) -> None:
        interval_s = self._settings.min_command_interval_s
        if interval_s:
            self._ready_at = Instant(self._services.now() + interval_s)

    def _is_pausing(self) -> bool:
        return self._ready_at > 0 and self._services.now() < self._ready_at


def _is_in_the_way(pending: Pending) -> bool:
    return pending.call.gives_way and not pending.call.steps_aside
