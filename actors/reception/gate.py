"""Who has to wait outside: how often an identity may ask, and how many requests may be open.

An identity is what the system or a key says of a sender; a socket, or a name that a client gives itself, counts for
nothing, so nobody gets more by connecting again. Every refusal is `conductor.overloaded` with the bound in `what`.

What is open may be counted twice for a moment, and is never left out: a place is reserved before a request is brought
to its node's actor, and given back when whoever asked is told what became of it; by then the board has the request, if
there is one. So what users ask for never makes more than the bounds allow. What the conductor itself begins (at
the most one request a node) is counted and not refused. After a restart the count begins with what the store has.
May come in: another bound of the fleet. Must not: a bound of one node, which its actor keeps.
"""

import threading
from collections import Counter
from typing import Final

from castiron.actors.published.board import Board
from castiron.actors.reception.draining import Draining
from castiron.actors.reception.outflow import Outflow
from castiron.actors.reception.rates import MAX_BUCKETS, Buckets, Use
from castiron.actors.settings import Settings
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.replies import Gauge, RequesterUse
from castiron.transport.verbs import AnyVerb, Hello, Ping, Status

ALWAYS: Final = (Hello, Ping, Status)
"""Verbs that cost nothing, or that tell why others are refused."""

CROWDED: Final = 0.5
"""Of a bound on open requests: from here on it is watched how fast they end."""

EVERYBODY: Final = ""
"""The line of those who wait for the bound of all; each identity has one of its own beside it."""

TOP: Final = 5
"""Identities that a status names."""


class Gate:
    """The bounds of one conductor's messages and requests. Any thread; O(1), but for what a status asks.

    Attributes:
        draining: whether it accepts nothing new at all.
    """

    def __init__(self, settings: Settings, board: Board) -> None:
        self._settings = settings
        self._board = board
        self._lock = threading.Lock()
        self._work = Buckets(settings.work_rate_per_s, settings.work_rate_burst)
        self._reads = Buckets(settings.read_rate_per_s, settings.read_rate_burst)
        self._reserved: Counter[str] = Counter()
        self._outflow = Outflow()
        self.draining = Draining()

    def admit(self, verb: AnyVerb, identity: str, now: float) -> None:
        """Let a message in.

        Raises:
            ConductorOverloaded: the identity has sent too many lately; it says when the next will be let in, if nobody
                of the same identity is faster.
            ConductorDraining: it begins something, and the conductor drains.
        """
        if isinstance(verb, ALWAYS):
            return
        self.draining.judge(verb)
        buckets, what = (self._work, "work_rate") if verb.makes_work else (self._reads, "read_rate")
        with self._lock:
            wait_s = buckets.take(identity, now)
        if wait_s:
            raise ConductorOverloaded(
                f"{identity} asks more often than {buckets.rate_per_s:g} times a second. Wait {wait_s:.3f} s.",
                details={"what": what, "limit": buckets.rate_per_s, "burst": buckets.burst, "requester": identity},
                retry_after_s=wait_s,
            )

    def reserve(self, identity: str, now: float) -> None:
        """Reserve a place for a request that is about to be brought to its node's actor; see `release`.

        Raises:
            ConductorOverloaded: as many are open as may be; nothing was reserved. It says when there will be room,
                going by how fast requests have ended lately.
        """
        settings = self._settings
        with self._lock:
            total = self._board.open_count() + self._reserved.total()
            own = self._board.open_of(identity) + self._reserved[identity]
            most, most_own = settings.max_open_requests, settings.max_open_requests_per_requester
            if total >= CROWDED * most or own >= CROWDED * most_own:
                self._outflow.count(self._board.ended_count(), now)
            if total >= most:
                raise _crowded("open_requests", total, most, self._outflow.room_after_s(EVERYBODY, 1.0, now))
            if own >= most_own:
                after_s = self._outflow.room_after_s(identity, own / total, now)
                raise _crowded("open_requests_per_requester", own, most_own, after_s)
            self._reserved[identity] += 1

    def release(self, identity: str) -> None:
        """Give the place back: the request is on the board, or will never be. Once for each `reserve`."""
        with self._lock:
            self._reserved[identity] -= 1
            if not self._reserved[identity]:
                del self._reserved[identity]

    def gauges(self, now: float) -> dict[str, Gauge]:
        """Return how full each bound is; of those that each identity has for itself, the fullest. O(identities)."""
        settings, (most, whose) = self._settings, self._board.most_open()
        with self._lock:
            work, reads = self._work.used(now), self._reads.used(now)
            buckets = max(len(self._work), len(self._reads))
        return {
            "open_requests": Gauge(
                used=self._board.open_count(), limit=settings.max_open_requests, setting="max_open_requests"
            ),
            "open_requests_per_requester": Gauge(
                used=most,
                limit=settings.max_open_requests_per_requester,
                setting="max_open_requests_per_requester",
                whose=whose,
            ),
            "work_rate": _busiest(work, settings.work_rate_burst, "work_rate_burst"),
            "read_rate": _busiest(reads, settings.read_rate_burst, "read_rate_burst"),
            "rate_buckets": Gauge(used=buckets, limit=MAX_BUCKETS),
        }

    def top(self, now: float) -> list[RequesterUse]:
        """Return the identities that have used most of what they may, at the most TOP. O(identities)."""
        with self._lock:
            work, reads = dict(self._work.used(now)), dict(self._reads.used(now))
        identities = {*work, *reads, *self._board.openers()}
        uses = (
            RequesterUse(requester=one, work=work.get(one, 0), reads=reads.get(one, 0), open=self._board.open_of(one))
            for one in identities
        )
        return sorted(uses, key=lambda use: (-use.work - use.reads, -use.open, use.requester))[:TOP]


def _busiest(uses: list[Use], burst: int, setting: str) -> Gauge:
    most = max(uses, key=lambda use: use.used, default=None)
    if most is None:
        return Gauge(used=0, limit=burst, setting=setting)
    return Gauge(used=most.used, limit=burst, setting=setting, whose=most.identity)


def _crowded(what: str, count: int, limit: int, after_s: float) -> ConductorOverloaded:
    return ConductorOverloaded(
        f"{count} requests have not ended, and the limit is {limit} ({what}). Try again in {after_s:.1f} s.",
        details={"what": what, "limit": limit},
        retry_after_s=round(after_s, 3),
    )
