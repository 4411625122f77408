"""The `direct` driver: the commands of IPMI without its packets, for simulations of many machines over much time.

Commands and their answers are those of the real driver and of the real simulated BMC; sealing and opening packets,
which takes nine tenths of the processor's time, is left out. A lost question is asked again as the engine does; a
chassis control leaves once. No session, so nothing to log in to: a wrong password or a full table shows at each call.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from castiron.actors.dispatch.clock import Clock, Timer
from castiron.actors.drivers.base import Call, Done, DriverInfo, NotDone, Outcome
from castiron.actors.drivers.fields import Field, checked, text
from castiron.actors.drivers.generations import Generations, superseded
from castiron.actors.drivers.ipmi.operations.table import steps
from castiron.actors.drivers.ipmi.sessions.codes import completion_error
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Nonsense, Refused, Request, Steps, Unable
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.testing.simulation.machines import ADDRESS, Machine
from castiron.testing.simulation.network import TRIP_S
from castiron.transport.errors import (
    BMCBusy,
    BMCCredentials,
    BMCError,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    DeadlineExceeded,
)
from castiron.transport.vocabulary import Applied, Instant, NodeUUID

FIELDS: Final[Mapping[str, Field]] = {ADDRESS: Field(text(64), required=True)}
TIMING: Final = Timing()


@dataclass(slots=True, eq=False)
class _Pending:
    call: Call
    done: Callable[[Outcome], None]
    machine: Machine | None
    timers: list[Timer] = field(default_factory=list[Timer])
    steps: Steps | None = None
    acted: bool = False
    tries: int = 0


class DirectDriver:
    """See the module, and base.Driver. One thread: the clock's.

    Args:
        clock: what runs everything.
        machines: by bmc_address.
    """

    name = "direct"

    def __init__(self, clock: Clock, machines: Mapping[str, Machine]) -> None:
        self._clock = clock
        self._machines = machines
        self._generations = Generations()
        self._lines: dict[NodeUUID, deque[_Pending]] = {}
        self._submitted = self._ended = 0

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """Check driver_info whole; see base.Driver.

        Raises:
            ArgumentInvalid: a value is missing, unknown or of the wrong type; details: path.
        """
        info = checked(FIELDS, driver_info)
        return DriverInfo(info=info, secret_keys=frozenset(), bmc_address=info[ADDRESS])

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Take a call; see base.Driver."""
        self._submitted += 1
        pending = _Pending(call, done, self._machines.get(call.target.info[ADDRESS]))
        if not self._generations.admit(call.target):
            self._tell(pending, NotDone(error=superseded(call.target), applied=Applied.NO))
            return
        line = self._lines.setdefault(call.target.node, deque())
        for other in [waiting for waiting in reversed(line) if waiting.call.gives_way]:
            self._fail(other, BMCBusy("Somebody asks for more than a look."))
        line.append(pending)
        pending.timers.append(self._clock.call_at(call.deadline, partial(self._be_late, pending)))
        if len(line) == 1:
            self._begin(pending)

    def forget(self, node: NodeUUID) -> None:
        """End the node's calls; see base.Driver. Idempotent."""
        for pending in reversed(list(self._lines.get(node, ()))):  # so that no other one is begun
            self._fail(pending, BMCUnreachable("The node was given up."))
        self._lines.pop(node, None)

    def counters(self) -> Mapping[str, int]:
        """Return calls since the start, and those that have no outcome yet."""
        return {"submitted": self._submitted, "in_flight": self._submitted - self._ended}

    def is_alive(self) -> bool:
        """Return True: there is no thread that could die."""
        return True

    def stop(self, timeout_s: float) -> None:
        """End all calls. Idempotent."""
        del timeout_s
        for node in list(self._lines):
            self.forget(node)

    def _begin(self, pending: _Pending) -> None:
        faults = None if pending.machine is None else pending.machine.bmc.faults
        if faults is not None and not faults.silent and faults.wrong_password:
            self._fail(pending, BMCCredentials("The BMC refused the password."))
        elif faults is not None and not faults.silent and faults.table_full:
            self._fail(pending, BMCBusy("The BMC has no slot for another session."))
        else:
            pending.steps = steps(pending.call.operation)
            self._ask(pending, next(pending.steps))

    def _ask(self, pending: _Pending, request: Request) -> None:
        now = self._clock.now()
        pending.tries += 1
        pending.acted = pending.acted or request.acts
        machine = pending.machine
        came = None if machine is None else machine.ask(request.netfn, request.command, request.data, now)
        if came is not None:
            self._later(pending, TRIP_S + came[0], partial(self._answered, pending, request, came[1]))
        waits_s = (TIMING.control_wait_s,) if request.once else TIMING.waits_s
        patience_s = waits_s[min(pending.tries, len(waits_s)) - 1]
        if came is not None and came[0] + TRIP_S < patience_s:
            return
        if pending.tries < len(waits_s):
            self._later(pending, patience_s, partial(self._ask, pending, request))
        else:
            self._later(pending, patience_s, partial(self._fail, pending, BMCUnreachable("The BMC does not answer.")))

    def _answered(self, pending: _Pending, request: Request, answer: bytes) -> None:
        self._cancel(pending, keep=1)
        pending.tries = 0
        if pending.steps is None:
            return
        try:
            following = pending.steps.send(Answer(answer[0], answer[1:]))
        except StopIteration as end:
            self._end(pending, Done(value=end.value))
        except Refused as refused:
            where = {"node": pending.call.target.node, "address": pending.call.target.info[ADDRESS]}
            error = completion_error(request.netfn, request.command, refused.code, where=where)
            in_doubt = refused.is_in_doubt or (pending.acted and not refused.request.acts)
            self._end(pending, NotDone(error=error, applied=Applied.UNKNOWN if in_doubt else Applied.NO))
        except Nonsense as what:
            self._fail(pending, BMCFault(f"The BMC {what}."))
        except Unable as what:
            self._fail(pending, BMCUnsupported(f"The BMC {what}."))
        else:
            if following.after_s:
                self._later(pending, following.after_s, partial(self._ask, pending, following))
            else:
                self._ask(pending, following)

    def _be_late(self, pending: _Pending) -> None:
        is_first = self._lines[pending.call.target.node][0] is pending
        late = DeadlineExceeded("Other calls took too long.")
        self._fail(pending, BMCUnreachable("The BMC did not answer in time.") if is_first else late)

    def _fail(self, pending: _Pending, error: BMCError | DeadlineExceeded) -> None:
        self._end(pending, NotDone(error=error, applied=Applied.UNKNOWN if pending.acted else Applied.NO))

    def _end(self, pending: _Pending, outcome: Outcome) -> None:
        line = self._lines[pending.call.target.node]
        was_first = line[0] is pending
        line.remove(pending)
        self._cancel(pending, keep=0)
        if pending.steps is not None:
            pending.steps.close()
        self._tell(pending, outcome)
        if was_first and line:
            self._begin(line[0])

    def _tell(self, pending: _Pending, outcome: Outcome) -> None:
        self._ended += 1
        self._clock.call_at(self._clock.now(), partial(pending.done, outcome))

    def _later(self, pending: _Pending, after_s: float, call: Callable[[], None]) -> None:
        pending.timers.append(self._clock.call_at(Instant(self._clock.now() + after_s), call))

    @staticmethod
    def _cancel(pending: _Pending, *, keep: int) -> None:
        """Cancel what was ordered for a call, but for the first timers: that of its deadline is the first."""
        for timer in pending.timers[keep:]:
            timer.cancel()
        del pending.timers[keep:]
