"""Which node's BMC a call belongs to, and whose turn it is.

The engine has no thread and no socket: whoever runs it hands in calls, datagrams and the passing of time, always from
one thread. The driver does so from an epoll loop, a simulation from its own clock. A fault in what one BMC caused
ends that BMC's session and calls, and nothing else.
"""

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from castiron.actors.drivers.base import Call, NotDone, Outcome, Target
from castiron.actors.drivers.generations import Generations, superseded
from castiron.actors.drivers.ipmi.bmc import BMC
from castiron.actors.drivers.ipmi.counters import Counters
from castiron.actors.drivers.ipmi.pacing.allowance import Allowance
from castiron.actors.drivers.ipmi.pacing.limits import BURST_S, LEAST_BURST, Limits
from castiron.actors.drivers.ipmi.pacing.neighbours import Neighbourhoods
from castiron.actors.drivers.ipmi.pacing.pacer import Pacer
from castiron.actors.drivers.ipmi.pending import Pending
from castiron.actors.drivers.ipmi.sessions.logins import Logins
from castiron.actors.drivers.ipmi.sessions.services import Services
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.ipmi.settings import Settings, read_settings
from castiron.actors.drivers.ipmi.wire.names import Lookup, Names, ask_resolver, start_thread
from castiron.actors.drivers.ipmi.wire.network import Network, Receiver
from castiron.actors.drivers.ipmi.wire.timers import Timers
from castiron.actors.drivers.operations import VerifyCredentials
from castiron.transport.errors import ArgumentInvalid, BMCBusy, BMCFault, BMCUnreachable
from castiron.transport.vocabulary import Applied, Instant, NodeUUID

RMCP_HEADER: Final = b"\x06\x00\xff\x07"
"""RMCP version 1.0, no acknowledge, class IPMI (IPMI v2.0, table 13-1); the second byte is reserved."""

MIN_DATAGRAM_BYTES: Final = 16
"""Shorter than the header of any answer."""

_log = logging.getLogger(__name__)


def is_ipmi(datagram: bytes) -> bool:
    """Return whether a datagram can be an IPMI answer at all."""
    return len(datagram) >= MIN_DATAGRAM_BYTES and datagram[0] == RMCP_HEADER[0] and datagram[2:4] == RMCP_HEADER[2:]


class _Owned:
    """A node's BMC, with what it was made from."""

    __slots__ = ("bmc", "settings", "target")

    def __init__(self, target: Target, settings: Settings, bmc: BMC) -> None:
        self.target = target
        self.settings = settings
        self.bmc = bmc


class Engine:
    """See the module. Every method belongs to the one thread that runs the engine.

    Args:
        now: what time it is.
        network: the sockets, or what stands for them.
        post: runs a call on the engine's thread; any thread may use it.
        timing: how long silence is borne.
        limits: how much at once.
        rng: session ids and jitter.
        lookup: resolves a host name, blocking.
        start: runs a look-up beside the engine's thread.
    """

    def __init__(
        self,
        *,
        now: Callable[[], Instant],
        network: Network,
        post: Callable[[Callable[[], None]], object],
        timing: Timing,
        limits: Limits,
        rng: random.Random,
        lookup: Lookup = ask_resolver,
        start: Callable[[Callable[[], None]], None] = start_thread,
    ) -> None:
        self.counters = Counters()
        self._timers: Timers[BMC | Pacer | Logins] = Timers()
        datagrams = Allowance(limits.datagrams_per_s, max(LEAST_BURST, limits.datagrams_per_s * BURST_S), now())
        names = Names(now=now, post=post, lookup=lookup, start=start, ended=self._count_lookup)
        self._services = Services(
            now=now,
            timing=timing,
            counters=self.counters,
            network=network,
            names=names,
            logins=Logins(now, limits, self._timers.arm),
            pacer=Pacer(now, datagrams, self._timers.arm),
            datagrams=datagrams,
            neighbourhoods=Neighbourhoods(limits, now),
            jitter=random.Random(rng.getrandbits(64)),  # noqa: S311 - no secret; asking the kernel is a call each time
            new_session_id=partial(rng.randrange, 1, 2**32 - 1),
        )
        self._owned: dict[NodeUUID, _Owned] = {}
        self._visitors: dict[NodeUUID, BMC] = {}
        """Logins beside a node's own, with other credentials. They leave by themselves."""
        self._leaving: set[BMC] = set()
        self._generations = Generations()
        self._is_stopping = False

    def take(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Take a call; its outcome comes later, or now where it is refused."""
        pending = Pending(call, done)
        if self._is_stopping:
            return pending.end(NotDone(error=stopping(), applied=Applied.NO))
        target = call.target
        if not self._generations.admit(target):
            return pending.end(NotDone(error=superseded(target), applied=Applied.NO))
        try:
            if isinstance(call.operation, VerifyCredentials):
                return self._verify(pending, call.operation)
            bmc = self._bmc(target)
        except ArgumentInvalid as invalid:
            error = BMCFault(invalid.message, details={"node": target.node, **invalid.details})
            return pending.end(NotDone(error=error, applied=Applied.NO))
        return self._guard(bmc, partial(bmc.submit, pending))

    def forget(self, node: NodeUUID) -> None:
        """End what is under way for a node and log out. Idempotent."""
        owned, visitor = self._owned.pop(node, None), self._visitors.get(node)
        error = BMCUnreachable("The node was given up.", details={"node": node})
        if owned is not None:
            self._retire(owned.bmc, error)
        if visitor is not None:
            self._retire(visitor, error)

    def receive(self, receiver: Receiver | None, datagram: bytes) -> None:
        """Take a datagram from the network, and whose it is."""
        if receiver is None or not is_ipmi(datagram):
            self.counters.stray += 1
            self.counters.stray_noise += receiver is not None
            return
        self._guard(receiver, partial(receiver.receive, datagram))

    def due_at(self) -> Instant | None:
        """Return when `expire` is to be called."""
        return self._timers.next_at()

    def expire(self, now: Instant) -> None:
        """Do all that is due.

        Args:
            now: until when silence is judged. All that arrived before must have been received: what nobody has read
                yet is no silence.
        """
        while (holder := self._timers.pop_due(now)) is not None:
            self._guard(holder, partial(holder.expire, now))

    def stop(self) -> None:
        """End all calls, begin all logouts, and take nothing more. Idempotent."""
        self._is_stopping = True
        owned, self._owned = self._owned, {}
        for bmc in (*(each.bmc for each in owned.values()), *self._visitors.copy().values()):
            self._retire(bmc, stopping())

    def snapshot(self) -> Mapping[str, int]:
        """Return what it has counted, and gauges of now. Any thread.

        logging_in: BMCs that hold a place to log in. login_queue: those that have answered, and wait for one. paced:
        those that wait for others' datagrams. datagrams_per_s: what leaves a second.
        """
        logins, pacer = self._services.logins, self._services.pacer
        return {
            **self.counters.snapshot(),
            "logging_in": logins.in_use,
            "login_queue": logins.waiting,
            "paced": pacer.waiting,
            "datagrams_per_s": round(pacer.per_s()),
        }

    @property
    def is_finished(self) -> bool:
        """Whether it was stopped and every session has ended."""
        return self._is_stopping and not self._leaving

    def _bmc(self, target: Target) -> BMC:
        """Return the BMC of a target that is not superseded; one with other settings takes the old one's place."""
        node = target.node
        owned = self._owned.get(node)
        if owned is not None and owned.target == target:
            return owned.bmc
        settings = read_settings(target.info)
        if owned is not None and owned.settings == settings:
            owned.target = target
            owned.bmc.refuse_waiting(superseded(target))
            return owned.bmc
        if owned is not None:
            self._retire(owned.bmc, superseded(target))
        bmc = BMC(node, settings, self._services, self._changed)
        self._owned[node] = _Owned(target, settings, bmc)
        return bmc

    def _verify(self, pending: Pending, operation: VerifyCredentials) -> None:
        """Log in beside the node's own session, and out again."""
        node = pending.call.target.node
        settings = replace(read_settings(operation.info), on_demand=True)
        before = self._visitors.get(node)
        if before is not None and not before.is_quiet:
            busy = BMCBusy("Other credentials are being tried at this BMC.", details={"node": node})
            return pending.end(NotDone(error=busy, applied=Applied.NO))
        visitor = self._visitors[node] = BMC(node, settings, self._services, self._changed)
        self._leaving.add(visitor)
        self._guard(visitor, partial(visitor.submit, pending))
        return self._guard(visitor, visitor.leave)

    def _retire(self, bmc: BMC, error: BMCFault | BMCUnreachable) -> None:
        self._leaving.add(bmc)
        self._guard(bmc, partial(bmc.retire, error))

    def _changed(self, bmc: BMC) -> None:
        due_at = bmc.due_at()
        if due_at is not None:
            self._timers.arm(bmc, due_at)
        if bmc.is_gone:
            self._leaving.discard(bmc)
            if self._visitors.get(bmc.node) is bmc:
                del self._visitors[bmc.node]

    def _guard(self, whose: Any, work: Callable[[], None]) -> None:
        """Run what concerns one BMC; if it fails, that BMC starts anew and its calls end."""
        try:
            work()
        except Exception:  # noqa: BLE001 - a fault at one BMC must not reach another
            _log.exception("The IPMI engine failed at one BMC; its session is given up.")
            if isinstance(whose, BMC):
                whose.crash()

    def _count_lookup(self) -> None:
        self.counters.resolved += 1


def stopping() -> BMCUnreachable:
    """Return the error of calls that meet a driver that stops."""
    return BMCUnreachable("The driver is stopping.")
