"""The load: many clients in one process, raw frames, encoded beforehand, so that the one who asks is not the limit.

Each client is a DEALER socket. `Steady` keeps them asking for a while and counts; `Burst` asks everything once, as fast
as the conductor's limits let it, and times each answer.
"""

import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

import zmq

from bench.apart import END
from castiron.transport import codec
from castiron.transport.frames import FINAL, HEADER
from castiron.transport.session import HEARTBEAT_INTERVAL_S
from castiron.transport.verbs import Hello, Ping

Socket = zmq.Socket[bytes]

WINDOW: Final = 100
"""In flight for each client of a burst, unless it says otherwise: below the conductor's limit for a peer."""

SILENCE_MS: Final = 300_000
"""After so much of it something is wrong: on a crowded machine, a conductor that deploys 250 nodes at once, ten steps
each, has nothing to say for a minute."""


ALIVE: Final = b"alive"
"""Id of the messages that only say that a client is there: a conductor forgets one that says nothing for 30 s, and with
it all that it waits for."""


class Pace(NamedTuple):
    """What steady clients saw."""

    answered: int
    """Answers, those of the greeting and of the end included."""
    per_s: float
    p50_us: float
    p99_us: float
    cpu_us: float
    """The clients' own, for each answer."""


class Wave(NamedTuple):
    """What came of a burst; seconds since each message was sent, in the order in which they were heard."""

    wall_s: float
    accepted_wall_s: float
    accepted_s: list[float]
    final_s: list[float]
    ended_at_s: list[float]
    """Since the burst began."""
    confirmed_s: list[float]
    """Since each was accepted."""
    bad: list[bytes]
    """Last answers without the proof."""


@dataclass(frozen=True)
class Steady:
    """So many clients, each with so many messages in flight, for so long."""

    endpoint: str
    bodies: tuple[bytes, ...]
    """Sent in turn, over and over."""
    proof: bytes
    """Stands in every good answer."""
    clients: int
    seconds: float
    in_flight: int = 1

    def run(self) -> Pace:
        """Ask until the time is up, then wait for what is in flight."""
        with connected(self.endpoint, self.clients) as (sockets, poller):
            return self._measure(sockets, poller)

    def _measure(self, sockets: Sequence[Socket], poller: zmq.Poller) -> Pace:
        now, bodies, proof, took_s = time.perf_counter, self.bodies, self.proof, list[float]()
        sent_at: dict[bytes, float] = {}
        number, cpu_s, began = 0, time.process_time(), now()
        ends = began + self.seconds
        for socket in [socket for socket in sockets for _ in range(self.in_flight)]:
            number += 1
            _send(socket, b"%d" % number, bodies[number % len(bodies)], sent_at)
        while sent_at:
            for socket in _ready(poller):
                for _ in range(self.in_flight):
                    try:
                        frames = socket.recv_multipart(zmq.NOBLOCK)
                    except zmq.Again:
                        break
                    at = now()
                    took_s.append(at - sent_at.pop(frames[1]))
                    if proof not in frames[-1]:
                        raise RuntimeError(f"answered with {frames!r}")
                    if at < ends:
                        number += 1
                        _send(socket, b"%d" % number, bodies[number % len(bodies)], sent_at)
        wall_s, cpu_s = now() - began, time.process_time() - cpu_s
        took_s.sort()
        return Pace(
            len(took_s) + len(sockets), len(took_s) / wall_s, at_us(took_s, 50), at_us(took_s, 99), cpu_s / number * 1e6
        )


@dataclass(frozen=True)
class Burst:
    """Every body once, spread over the clients, as many at the same time as a conductor takes."""

    endpoint: str
    bodies: tuple[bytes, ...]
    proof: bytes
    """Stands in every good last answer."""
    clients: int = 32
    window: int = WINDOW
    """In flight for each of them."""
    is_strict: bool = True
    """An answer without the proof is an error; else it is returned among the bad ones."""

    def run(self) -> Wave:
        """Send all, and wait for all last answers."""
        with connected(self.endpoint, self.clients) as (sockets, poller):
            return _Surf(self, sockets).run(poller)


@dataclass
class _Surf:
    """A burst under way."""

    burst: Burst
    sockets: Sequence[Socket]
    sent_at: dict[bytes, float] = field(default_factory=dict[bytes, float])
    accepted_at: float = 0.0
    accepted_s: list[float] = field(default_factory=list[float])
    final_s: list[float] = field(default_factory=list[float])
    ended_at: list[float] = field(default_factory=list[float])
    taken_at: dict[bytes, float] = field(default_factory=dict[bytes, float])
    confirmed_s: list[float] = field(default_factory=list[float])
    bad: list[bytes] = field(default_factory=list[bytes])
    heard_at: float = 0.0
    told_at: float = 0.0

    def run(self, poller: zmq.Poller) -> Wave:
        shares = {
            socket: deque(enumerate(self.burst.bodies[index :: self.burst.clients], index << 32))
            for index, socket in enumerate(self.sockets)
        }
        began = self.accepted_at = self.heard_at = self.told_at = time.perf_counter()
        for _ in range(self.burst.window):
            for socket, share in shares.items():
                self._send_next(socket, share)
        while self.sent_at:
            for socket in self._ready(poller):
                while self._receive(socket):
                    self._send_next(socket, shares[socket])
        if self.bad and self.burst.is_strict:
            raise RuntimeError(f"{len(self.bad)} answers were not as wished, the first: {self.bad[0]!r}")
        wall_s, ended_at_s = time.perf_counter() - began, [at - began for at in self.ended_at]
        return Wave(
            wall_s, self.accepted_at - began, self.accepted_s, self.final_s, ended_at_s, self.confirmed_s, self.bad
        )

    def _ready(self, poller: zmq.Poller) -> list[Socket]:
        """Wait for answers; meanwhile each client says now and then that it is there."""
        ready: list[Any] = [socket for socket, _ in poller.poll(round(HEARTBEAT_INTERVAL_S * 1e3))]
        now = time.perf_counter()
        if now - self.told_at >= HEARTBEAT_INTERVAL_S:
            self.told_at = now
            for socket in self.sockets:
                socket.send_multipart([HEADER, ALIVE, codec.encode_verb(Ping())])
        if now - self.heard_at > SILENCE_MS / 1e3:
            accepted, ended, open_count = len(self.accepted_s), len(self.final_s), len(self.sent_at)
            counts = f"{accepted} accepted, {ended} ended, {open_count} in flight"
            raise TimeoutError(f"no answer for {SILENCE_MS / 1e3:.0f} s: {counts}")
        return ready

    def _send_next(self, socket: Socket, share: deque[tuple[int, bytes]]) -> None:
        """Send one more of the client's share, if there is one."""
        if share:
            number, body = share.popleft()
            _send(socket, b"%d" % number, body, self.sent_at)

    def _receive(self, socket: Socket) -> bool:
        """Take in answers up to and including a last one; False where none is left."""
        while True:
            try:
                _, message_id, kind, body = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return False
            if message_id == ALIVE:
                continue
            at = self.heard_at = time.perf_counter()
            if kind == FINAL:
                self.final_s.append(at - self.sent_at.pop(message_id))
                self.ended_at.append(at)
                self.confirmed_s.append(at - self.taken_at.pop(message_id, at))
                if self.burst.proof not in body:
                    self.bad.append(body)
                return True
            self.accepted_at = at
            self.accepted_s.append(at - self.sent_at[message_id])
            self.taken_at[message_id] = at


def serve(pipe: "Connection[Any, Any]") -> None:
    """Run what is sent, Steady or Burst, and send back what came of it. For a process of its own."""
    pipe.send(None)
    while (order := pipe.recv()) != END:
        pipe.send(order.run())


def at_us(ordered_s: Sequence[float], percent: int) -> float:
    """Return a percentile of sorted seconds, in microseconds."""
    return ordered_s[min(len(ordered_s) - 1, len(ordered_s) * percent // 100)] * 1e6


@contextmanager
def connected(endpoint: str, count: int) -> Generator[tuple[list[Socket], zmq.Poller]]:
    """Connect so many clients, and say hello with each, so that connecting is not measured."""
    context = zmq.Context[Socket]()
    poller = zmq.Poller()
    sockets = [context.socket(zmq.DEALER) for _ in range(count)]
    try:
        hello = codec.encode_verb(Hello(client="castiron-bench"))
        for socket in sockets:
            socket.connect(endpoint)
            poller.register(socket, zmq.POLLIN)
            socket.send_multipart([HEADER, b"hello", hello])
        for socket in sockets:
            if not socket.poll(SILENCE_MS):
                raise TimeoutError(f"nobody answers at {endpoint}")
            socket.recv_multipart()
        yield sockets, poller
    finally:
        context.destroy(linger=0)


def _ready(poller: zmq.Poller) -> list[Socket]:
    ready: list[Any] = [socket for socket, _ in poller.poll(SILENCE_MS)]
    if not ready:
        raise TimeoutError(f"no answer for {SILENCE_MS / 1000:.0f} s")
    return ready


def _send(socket: Socket, message_id: bytes, body: bytes, sent_at: dict[bytes, float]) -> None:
    sent_at[message_id] = time.perf_counter()
    socket.send_multipart([HEADER, message_id, body])
