"""Clients that ask at a set rate, whoever is slow to answer: what they are told, how soon, and what is never answered.

Raw frames, encoded beforehand, in one process, as in bench/load.py, whose `serve` runs these orders, too. A message is
sent when it is due, not when the one before it was answered, so a conductor that pauses is seen to.
"""

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import zmq

from bench.load import Socket, at_us, connected
from castiron.transport.codec import decode_reply
from castiron.transport.errors import CastironError
from castiron.transport.frames import FINAL, HEADER
from castiron.transport.replies import Pong

LAST_WORDS_S: Final = 25.0
"""For answers, after the last message was sent; what has not come by then is lost. A conductor forgets a client that
has said nothing for 30 s."""

OK: Final = "ok"
BUSY: Final = ("conductor.overloaded", "mailbox.full")
"""Codes of what is told who meets a bound."""

REFUSED: Final = b"\xa5error"
"""Stands behind the head of the map that is an error."""


class Told(NamedTuple):
    """What came of it."""

    answers: Counter[str]
    """"ok", or an error's code → how many."""
    lost: int
    p50_us: float
    p99_us: float
    max_us: float
    sent_late_p99_us: float
    """How late the clients themselves were: what a crowded machine does to all of this."""

    @property
    def busy(self) -> int:
        """How many were told that there is too much to do."""
        return sum(self.answers[code] for code in BUSY)

    @property
    def others(self) -> int:
        """How many were refused for another reason."""
        return self.answers.total() - self.answers[OK] - self.busy


@dataclass(frozen=True)
class Paced:
    """So many clients, in turn, for so long, so many messages a second in all."""

    endpoint: str
    bodies: tuple[bytes, ...]
    """Sent in turn, over and over."""
    clients: int
    per_s: float
    seconds: float

    def run(self) -> Told:
        """Ask until the time is up, then wait for what is in flight."""
        with connected(self.endpoint, self.clients) as (sockets, poller):
            return _Walk(self, sockets).run(poller)


@dataclass
class _Walk:
    """One that is under way."""

    paced: Paced
    sockets: Sequence[Socket]
    sent_at: dict[bytes, float] = field(default_factory=dict[bytes, float])
    answers: Counter[str] = field(default_factory=Counter[str])
    took_s: list[float] = field(default_factory=list[float])
    late_s: list[float] = field(default_factory=list[float])

    def run(self, poller: zmq.Poller) -> Told:
        now, paced = time.perf_counter, self.paced
        began, number, messages = now(), 0, round(paced.per_s * paced.seconds)
        while number < messages:
            due_at = began + number / paced.per_s
            if (at := now()) >= due_at:
                self._send(number, at, at - due_at)
                number += 1
            self._take(poller, max(0.0, due_at - at))
        until = now() + LAST_WORDS_S
        while self.sent_at and (left_s := until - now()) > 0:
            self._take(poller, left_s)
        self.took_s.sort()
        self.late_s.sort()
        took_s = self.took_s or [0.0]
        return Told(
            answers=self.answers,
            lost=len(self.sent_at),
            p50_us=at_us(took_s, 50),
            p99_us=at_us(took_s, 99),
            max_us=took_s[-1] * 1e6,
            sent_late_p99_us=at_us(self.late_s, 99),
        )

    def _send(self, number: int, at: float, late_s: float) -> None:
        message_id, bodies = b"%d" % number, self.paced.bodies
        self.sent_at[message_id] = at
        self.late_s.append(late_s)
        self.sockets[number % len(self.sockets)].send_multipart([HEADER, message_id, bodies[number % len(bodies)]])

    def _take(self, poller: zmq.Poller, wait_s: float) -> None:
        """Take in what has come, or comes within so long, in whole milliseconds: who spins takes a core from others."""
        ready: list[Any] = [socket for socket, _ in poller.poll(math.ceil(wait_s * 1e3))]
        for socket in ready:
            _, message_id, kind, body = socket.recv_multipart(zmq.NOBLOCK)
            if kind == FINAL:
                self.took_s.append(time.perf_counter() - self.sent_at.pop(message_id))
                self.answers[code_of(body)] += 1


def code_of(body: bytes) -> str:
    """Return "ok", or the code of the error that a reply's body tells."""
    if body[1 : 1 + len(REFUSED)] != REFUSED:
        return OK
    outcome = decode_reply(body, Pong).outcome
    return outcome.code if isinstance(outcome, CastironError) else OK
