"""The `ipmi` driver: any thread hands calls in, one thread carries them out.

Only what crosses threads is here: the inbox, the eventfd that wakes the thread, the epoll loop. What a call means is
the engine's.
"""

import logging
import math
import os
import random
import select
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import Any, Final

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Call, DriverInfo, NotDone, Outcome
from castiron.actors.drivers.ipmi.engine import Engine, stopping
from castiron.actors.drivers.ipmi.pacing.limits import Limits
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.ipmi.settings import check
from castiron.actors.drivers.ipmi.wire.names import Lookup, ask_resolver, start_in, start_thread
from castiron.actors.drivers.ipmi.wire.network import SocketFactory, UDPNetwork
from castiron.transport.vocabulary import Applied, NodeUUID

MAX_INBOX_BATCH: Final = 256
"""Calls taken from the inbox before datagrams and timers have their turn. The inbox itself holds what callers have in
flight, which their own limits bound; the engine moves it on to queues of at most MAX_WAITING for each BMC."""

MAX_PUT_OFF: Final = 64
"""Turns in a row in which silence is not judged because there is more to read: with MAX_BATCH datagrams a turn, 4,096
of each socket. More than 10,000 BMCs have to say at once; and a flood puts time-outs off by no more than that."""

_log = logging.getLogger(__name__)


class IPMIDriver:
    """Speaks IPMI v2.0 to BMCs, on one thread, which starts with the object.

    Args:
        clock: whose time deadlines are in.
        limits: how much at once.
        timing: how long silence is borne.
        make_socket: makes the UDP sockets.
        lookup: resolves a host name, blocking.
        look_ups: whose threads that is done on; None: one of its own for each.
        rng: session ids and jitter; the keys' randomness is always the operating system's.
    """

    name = "ipmi"
    takes_orders = True

    def __init__(
        self,
        clock: Clock,
        *,
        limits: Limits | None = None,
        timing: Timing | None = None,
        make_socket: SocketFactory | None = None,
        lookup: Lookup = ask_resolver,
        look_ups: Bulkhead | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._clock = clock
        self._network = UDPNetwork(make_socket) if make_socket else UDPNetwork()
        self._engine = Engine(
            now=clock.now,
            network=self._network,
            post=self._post,
            timing=timing or Timing(),
            limits=limits or Limits(),
            rng=rng or random.SystemRandom(),
            lookup=lookup,
            start=start_thread if look_ups is None else partial(start_in, look_ups),
        )
        self._inbox: deque[Callable[[], None]] = deque()
        self._is_awake = False
        self._beats = self._put_off = 0
        # Guards the inbox's end: what is in it when the thread ends is told so, and nothing comes in afterwards.
        self._ending = threading.Lock()
        self._has_ended = False
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._sockets = self._network.filenos()
        self._epoll = select.epoll()
        # Told of each write to the eventfd, and only then: so nobody need read it.
        self._epoll.register(self._eventfd, select.EPOLLIN | select.EPOLLET)
        for fileno in self._sockets:
            self._epoll.register(fileno, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="castiron-ipmi", daemon=True)
        self._thread.start()

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """Check driver_info whole; see base.Driver. Pure.

        Raises:
            ArgumentInvalid: a value is missing, unknown, of the wrong type or out of range; details: path.
        """
        return check(driver_info)

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        """Take a call; see base.Driver. Any thread. After `stop`, the outcome comes before this returns."""
        if not self._post(partial(self._engine.take, call, done)):
            done(NotDone(error=stopping(), applied=Applied.NO))

    def forget(self, node: NodeUUID) -> None:
        """Log out of the node's BMC and end its calls; see base.Driver. Any thread; idempotent."""
        self._post(partial(self._engine.forget, node))

    def probe(self, done: Callable[[], None]) -> None:
        """Have `done` called by the engine's thread when it comes round. Any thread; never once it has ended."""
        self._post(done)

    def counters(self) -> Mapping[str, int]:
        """Return the engine's counts and gauges, and the network's; see both. Any thread."""
        return {**self._engine.snapshot(), **self._network.counters()}

    @property
    def thread(self) -> threading.Thread:
        """The engine's thread."""
        return self._thread

    def beats(self) -> int:
        """Return how often the engine has begun or ended its work after a wait: odd while at work. Any thread."""
        return self._beats

    def is_alive(self) -> bool:
        """Return whether the engine's thread lives. Any thread."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float) -> None:
        """End all calls, log out of every BMC, and end the thread. Blocks up to timeout_s seconds; idempotent.

        A BMC that does not answer its logout in time ends the session by itself, a minute later.
        """
        until = self._clock.now() + timeout_s
        self._post(partial(self._leave_by, until))
        self._thread.join(timeout_s)

    def _post(self, work: Callable[[], None]) -> bool:
        """Run work on the engine's thread; return whether there still is one."""
        with self._ending:
            if self._has_ended:
                return False
            self._inbox.append(work)
            if not self._is_awake:
                self._is_awake = True
                os.eventfd_write(self._eventfd, 1)
            return True

    # The engine's thread.

    _until = math.inf

    def _leave_by(self, until: float) -> None:
        # A little of the time is left for the thread's own end.
        self._until = min(self._until, until - 0.05)
        self._engine.stop()

    def _run(self) -> None:
        try:
            while not self._engine.is_finished and self._clock.now() < self._until:
                self._turn()
        except Exception:  # noqa: BLE001 - said, and told by is_alive
            _log.critical("The IPMI engine's thread ends.", exc_info=True)
        finally:
            self._end()

    def _turn(self) -> None:
        ready = self._epoll.poll(self._patience_s())
        self._beats += 1
        arrived = [self._network.read(self._sockets[fileno]) for fileno, _ in ready if fileno in self._sockets]
        for receiver, datagram in chain.from_iterable(arrived):
            self._engine.receive(receiver, datagram)
        # First awake, then the inbox: what is put in from here on wakes the next turn.
        self._is_awake = False
        for _ in range(min(len(self._inbox), MAX_INBOX_BATCH)):
            self._inbox.popleft()()
        self._judge_silence()
        self._beats += 1

    def _judge_silence(self) -> None:
        """Do what is due, but not while there may be answers that nobody has read.

        However long this thread was held up, and wherever: what has arrived before `now` is seen by the look that
        follows, and is read first; what arrives after it is not silence of before.
        """
        now = self._clock.now()
        due_at = self._engine.due_at()
        if due_at is None or due_at > now:
            return
        if self._put_off < MAX_PUT_OFF and any(fileno in self._sockets for fileno, _ in self._epoll.poll(0)):
            self._put_off += 1
            return
        self._put_off = 0
        self._engine.expire(now)

    def _patience_s(self) -> float | None:
        if self._inbox:
            return 0
        due_at = self._engine.due_at()
        ends_at = min(self._until, math.inf if due_at is None else due_at)
        return None if ends_at == math.inf else max(0.0, ends_at - self._clock.now())

    def _end(self) -> None:
        with self._ending:
            self._has_ended = True
        self._engine.stop()
        while self._inbox:
            self._inbox.popleft()()
        self._epoll.close()
        self._network.close()
        os.close(self._eventfd)
