"""The `ipmi` driver without a thread or a socket: the same engine, run by a clock, for simulations in virtual time.

Everything happens in the clock's calls, so under a virtual clock, a seeded generator and a simulated network the same
seed sends the same requests at the same instants. (Keys and nonces are the operating system's randomness all the same,
because pyghmi draws them; nothing that is decided depends on them.)
"""

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from castiron.actors.dispatch.clock import Clock, Timer
from castiron.actors.drivers.base import Call, DriverInfo, Outcome
from castiron.actors.drivers.ipmi.engine import Engine
from castiron.actors.drivers.ipmi.pacing.limits import Limits
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.ipmi.settings import check
from castiron.actors.drivers.ipmi.wire.names import Lookup
from castiron.actors.drivers.ipmi.wire.network import Network, Receiver
from castiron.transport.vocabulary import Instant, NodeUUID


def _no_names(host: str, port: int) -> list[Any]:  # noqa: ARG001 - the shape of a look-up
    return []


def _at_once(work: Callable[[], None]) -> None:
    work()


class InlineIPMIDriver:
    """Speaks IPMI v2.0 over a simulated network. One thread: the one that runs the clock.

    Args:
        clock: what runs everything.
        network: where datagrams go; it hands what comes back to `deliver`.
        rng: session ids and jitter.
        limits: how much at once.
        timing: how long silence is borne.
        lookup: resolves a host name, at once; none is known unless given.
    """

    name = "ipmi"
    takes_orders = True

    def __init__(
        self,
        clock: Clock,
        network: Network,
        *,
        rng: random.Random,
        limits: Limits | None = None,
        timing: Timing | None = None,
        lookup: Lookup = _no_names,
    ) -> None:
        self._clock = clock
        self._engine = Engine(
            now=clock.now,
            network=network,
            post=self._post,
            timing=timing or Timing(),
            limits=limits or Limits(),
            rng=rng,
            lookup=lookup,
            start=_at_once,
        )
        self._timer: Timer | None = None
        self._timer_at: Instant | None = None

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """Check driver_info whole; see base.Driver. Pure.

        Raises:
            ArgumentInvalid: a value is missing, unknown, of the wrong type or out of range; details: path.
        """
        return check(driver_info)

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Take a call; see base.Driver."""
        self._post(partial(self._engine.take, call, done))

    def forget(self, node: NodeUUID) -> None:
        """Log out of the node's BMC and end its calls; see base.Driver. Idempotent."""
        self._post(partial(self._engine.forget, node))

    def deliver(self, receiver: Receiver | None, datagram: bytes) -> None:
        """Take a datagram that arrived, and who claimed its sender."""
        self._post(partial(self._engine.receive, receiver, datagram))

    def counters(self) -> Mapping[str, int]:
        """Return the engine's counts and gauges; see Engine.snapshot."""
        return self._engine.snapshot()

    def is_alive(self) -> bool:
        """Return True: there is no thread that could die."""
        return True

    def stop(self, timeout_s: float) -> None:  # noqa: ARG002 - the contract's; virtual time does not pass meanwhile
        """End all calls and begin all logouts; they end as the clock goes on. Idempotent."""
        self._engine.stop()
        self._arm()

    def _post(self, work: Callable[[], None]) -> None:
        self._clock.call_at(self._clock.now(), partial(self._do, work))

    def _do(self, work: Callable[[], None]) -> None:
        work()
        self._engine.expire(self._clock.now())
        self._arm()

    def _arm(self) -> None:
        due_at = self._engine.due_at()
        if due_at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due_at
        self._timer = None if due_at is None else self._clock.call_at(due_at, self._tick)

    def _tick(self) -> None:
        self._timer = self._timer_at = None
        self._engine.expire(self._clock.now())
        self._arm()
