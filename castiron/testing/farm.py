"""Many simulated BMCs over real UDP on this machine's loopback addresses, for tests and for trying things out.

    with BMCFarm(bmcs=20) as farm:
        farm[0].power = PowerState.ON
        farm[3].set_faults(Faults(silent=True))

One socket and one thread serve all of them. The BMCs themselves know nothing of that: `castiron.testing.bmc` decides,
this file waits, hands datagrams over, and sends the answers when they are due.
"""

import heapq
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv4Network
from itertools import count
from random import Random
from selectors import EVENT_READ, DefaultSelector
from threading import Condition, Thread
from types import TracebackType
from typing import Final, Self

from castiron.testing.bmc import BMC, BMCSettings
from castiron.testing.loopback import LoopbackSocket
from castiron.testing.simulated import SimulatedBMC

DEFAULT_NETWORK: Final = "127.100.0.0/16"
"""Away from 127.0.0.1 and from 127.0.1.1, where real services listen; room for 65,534 BMCs."""
MAX_DUE: Final = 65_536
"""Answers that wait for their instant. Beyond it late answers are dropped, as by a full buffer; what is to happen at a
machine is not, and is not counted: it is an instant or two for each BMC."""
BATCH: Final = 128
"""Datagrams taken in a row before delayed answers get their turn."""
CLOSE_TIMEOUT_S: Final = 5.0
"""How long `close` waits for the thread, which never waits for anything but datagrams."""

_LOOPBACK: Final = IPv4Network("127.0.0.0/8")
_MAX_IDLE_S: Final = 3600.0  # epoll takes no more than some weeks at a time


class BMCFarm:
    """Simulated BMCs; `farm[i]` is one of them. Use it in a `with`, or call `start` and `close`.

    Farms are independent of each other: any number of them in one process, even on the same addresses.

    Args:
        bmcs: how many.
        port: UDP port of all of them; 0 for any that is free.
        username: the one user of each BMC; at most 16 bytes.
        password: the user's password; at most 20 bytes.
        k_g: the BMC key, as some sites set it; empty for none.
        cipher_suites: what the BMCs offer, of 3 and 17.
        session_slots: how many sessions each can hold at the same time.
        seed: what faults, nonces and session ids are drawn from, for each BMC on its own.
        network: where their addresses are, within 127.0.0.0/8: the first is the network's .1, and so on.
        now: seconds, never going backwards; the times of `controls` are by it.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        bmcs: int = 20,
        *,
        port: int = 0,
        username: str = "admin",
        password: str = "password",  # noqa: S107 (nothing real is behind it)
        k_g: bytes = b"",
        cipher_suites: tuple[int, ...] = (3, 17),
        session_slots: int = 16,
        seed: int = 0,
        network: str = DEFAULT_NETWORK,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._network = IPv4Network(network)
        if not self._network.subnet_of(_LOOPBACK):
            raise ValueError(f"network must be within {_LOOPBACK}: {network}")
        if not 1 <= bmcs <= self._network.num_addresses - 2:
            raise ValueError(f"bmcs must be within 1 and {self._network.num_addresses - 2} on {network}: {bmcs}")
        self._settings = BMCSettings(
            username=username,
            password=password,
            k_g=k_g,
            cipher_suites=cipher_suites,
            session_slots=session_slots,
        )
        self.port = port
        self._names = [f"bmc{number}" for number in range(1, bmcs + 1)]
        self._rngs = [Random(f"{seed}/{name}") for name in self._names]  # noqa: S311 (simulated secrets)
        self._now = now or _anchored_clock()
        self._bmcs: list[SimulatedBMC] = []
        self._by_address: dict[bytes, SimulatedBMC] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._is_closing = False
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> SimulatedBMC:
        if not self._bmcs:
            raise RuntimeError("the farm has not been started: use it in a `with`")
        return self._bmcs[index]

    def __iter__(self) -> Iterator[SimulatedBMC]:
        return (self[index] for index in range(len(self)))

    def start(self) -> Self:
        """Open the socket and serve. From here on `port` is the real one.

        Raises:
            OSError: the port is taken or not allowed; nothing was started.
            RuntimeError: this farm was started before.
        """
        if self._bmcs:
            raise RuntimeError("a farm starts only once; make another one")
        self._socket = LoopbackSocket(self.port)
        self.port = self._socket.port
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = DefaultSelector()
        self._selector.register(self._socket, EVENT_READ)
        self._selector.register(self._wake, EVENT_READ)
        self._make_bmcs()
        self._thread = Thread(target=self._run, name=f"bmc-farm-{self.port}", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and give the port back. Blocks up to CLOSE_TIMEOUT_S. Idempotent.

        Raises:
            TimeoutError: the thread did not end.
        """
        if self._thread is None:
            return
        self._is_closing = True
        os.eventfd_write(self._wake, 1)
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            raise TimeoutError(f"the farm on port {self.port} did not end within {CLOSE_TIMEOUT_S} s")
        self._thread = None
        self._selector.close()
        self._socket.close()
        os.close(self._wake)

    def is_alive(self) -> bool:
        """Return whether the BMCs are being served."""
        return self._thread is not None and self._thread.is_alive()

    def _make_bmcs(self) -> None:
        changed = Condition()
        for number, (name, rng) in enumerate(zip(self._names, self._rngs, strict=True), start=1):
            address = self._network[number]
            bmc = BMC(name, self._settings, rng)
            simulated = SimulatedBMC(bmc, address, self.port, changed=changed, now=self._now)
            self._bmcs.append(simulated)
            self._by_address[address.packed] = simulated

    def _run(self) -> None:
        while not self._is_closing:
            for key, _ in self._selector.select(self._idle_s()):
                if key.fileobj is self._socket:
                    self._serve()
                else:
                    os.eventfd_read(self._wake)
            self._do_what_is_due()

    def _serve(self) -> None:
        for _ in range(BATCH):
            received = self._socket.receive()
            if received is None:
                return
            bmc = self._by_address.get(received.address)
            if bmc is None:
                continue
            answers, wake_at = bmc.receive(received.datagram, received.source)
            for delay_s, datagram in answers:
                send = partial(self._socket.send, datagram, received.address, received.source)
                if not delay_s:
                    send()
                elif len(self._due) < MAX_DUE:
                    self._do_at(self._now() + delay_s, send)
            if wake_at is not None:
                self._do_at(wake_at, partial(self._rouse, bmc, wake_at))

    def _rouse(self, bmc: SimulatedBMC, at: float) -> None:
        again_at = bmc.wake(at)
        if again_at is not None:
            self._do_at(again_at, partial(self._rouse, bmc, again_at))

    def _do_at(self, at: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at, next(self._order), call))

    def _do_what_is_due(self) -> None:
        now = self._now()
        while self._due and self._due[0][0] <= now:
            _, _, call = heapq.heappop(self._due)
            call()

    def _idle_s(self) -> float | None:
        return min(max(0.0, self._due[0][0] - self._now()), _MAX_IDLE_S) if self._due else None


def _anchored_clock() -> Callable[[], float]:
    """Return a clock in seconds since 1970-01-01 UTC that a step of the wall clock does not move.

    The conductor's clock is not used: BMCs stand for the world outside, which has its own.
    """
    offset_s = time.time() - time.monotonic()
    return lambda: time.monotonic() + offset_s
