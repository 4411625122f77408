"""How many actions may run at once, of all and of each class, and who is next: fair, exact bounds.

A permit is asked for with a function to call when it is there, so nobody waits in a thread. Pure bookkeeping under one
lock; the functions are called outside of it. What a permit counts for may be several classes at once. Each such set has
a line of its own, in which those who ask take turns, so a class that has as many permits as it may holds nobody else
up; of the lines that may, the one whose first asked first is next. One class may have a pace besides: then as many are
given in a second, and a timer gives the next. What a permit is for does not live here.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

from castiron.actors.nodes.pace import Pace
from castiron.actors.nodes.rounds import Rounds

log = logging.getLogger(__name__)

Kinds = tuple[str, ...]
"""The classes with a bound that a permit counts for; none: only the bound of all concerns it."""


class PermitMisused(Exception):
    """Asked for twice by one owner, or released by one who does not hold it: a bug of the caller's."""


class _Wish(NamedTuple):
    number: int
    granted: Callable[[], None]


class _Wait(NamedTuple):
    """Where a wish stands."""

    kinds: Kinds
    whose: str


class Permits:
    """So many permits, given to those who ask in turn. Any thread; no method blocks.

    Args:
        limit: how many may be held at once; 1 or more.
        caps: class → how many of it may be held at once; one that is not in it, or is 0, has no bound of its own.
        pace: how many of one class are given in a second; None: as many as there is room for.
    """

    def __init__(self, limit: int, caps: Mapping[str, int] | None = None, *, pace: Pace | None = None) -> None:
        if limit < 1:
            raise ValueError(f"a limit of {limit} would let nobody in")
        self._limit = limit
        self._caps = {kind: cap for kind, cap in (caps or {}).items() if cap}
        self._pace = pace
        self._is_waking = False
        self._lock = threading.Lock()
        self._holders: dict[Hashable, Kinds] = {}
        self._held: Counter[str] = Counter()
        self._lines: dict[Kinds, Rounds[_Wish]] = {}  # as many as there are sets of classes
        self._waits: dict[Hashable, _Wait] = {}
        self._wishes = 0

    @property
    def limit(self) -> int:
        """How many may be held at once."""
        return self._limit

    @property
    def in_use(self) -> int:
        """How many are held."""
        return len(self._holders)

    @property
    def waiting(self) -> int:
        """How many owners stand in line."""
        return len(self._waits)

    def in_use_of(self, kind: str) -> int:
        """Return how many of a class that has a bound are held."""
        return self._held[kind]

    def waiting_of(self, kind: str) -> int:
        """Return how many stand in line for a permit of a class that has a bound or a pace. O(sets of classes)."""
        with self._lock:
            return sum(len(line) for kinds, line in self._lines.items() if kind in kinds)

    def ahead_of(self, owner: Hashable) -> int | None:
        """Return how many of its line are next before an owner; None: it does not stand in line. O(its asker's)."""
        with self._lock:
            wait = self._waits.get(owner)
            return None if wait is None else self._lines[wait.kinds].ahead(wait.whose, owner)

    def acquire(self, owner: Hashable, granted: Callable[[], None], *wanted: str, whose: str = "") -> None:
        """Stand in line for a permit; hold it when `granted` is called. Not idempotent.

        Args:
            owner: who asks; one permit each, so an action's id rather than a node's.
            granted: called once, with the permit held: on this thread before `acquire` returns if there is room and
                nobody else is next, else on the thread that makes room. Must not block, nor call back into Permits.
                If it raises, that is logged and the permit goes to the next in line. It may still come after a
                `withdraw` on another thread that crossed it.
            wanted: the classes that it counts for.
            whose: who wants it; those of one are given in the order in which they were asked for.

        Raises:
            PermitMisused: the owner holds one or stands in line already.
        """
        paced = None if self._pace is None else self._pace.kind
        kinds = tuple(kind for kind in wanted if kind in self._caps or kind == paced)
        with self._lock:
            if owner in self._holders or owner in self._waits:
                raise PermitMisused(f"{owner!r} holds a permit or waits for one already")
            self._wishes += 1
            self._lines.setdefault(kinds, Rounds()).add(whose, owner, _Wish(self._wishes, granted))
            self._waits[owner] = _Wait(kinds, whose)
        self._serve()

    def release(self, owner: Hashable) -> None:
        """Give a permit back; the next in line gets it. Not idempotent.

        Raises:
            PermitMisused: the owner holds none.
        """
        with self._lock:
            if owner not in self._holders:
                raise PermitMisused(f"{owner!r} holds no permit")
            self._give_back(owner)
        self._serve()

    def withdraw(self, owner: Hashable) -> None:
        """Leave the line, or give the permit back, or neither. Idempotent: for the successor of an owner that died."""
        with self._lock:
            wait = self._waits.pop(owner, None)
            if wait is not None:
                self._lines[wait.kinds].remove(wait.whose, owner)
            self._give_back(owner)
        self._serve()

    def _give_back(self, owner: Hashable) -> None:
        for kind in self._holders.pop(owner, ()):
            self._held[kind] -= 1

    def _serve(self) -> None:
        while (first := self._admit()) is not None:
            owner, granted = first
            try:
                granted()
            except Exception:
                log.exception("%r could not be told that its permit is there; the next in line gets it", owner)
                with self._lock:
                    self._give_back(owner)

    def _admit(self) -> tuple[Hashable, Callable[[], None]] | None:
        """Let whoever is next in, if there is room. O(sets of classes)."""
        with self._lock:
            if len(self._holders) >= self._limit:
                return None
            heads = sorted((line.first().number, kinds) for kinds, line in self._lines.items() if self._may(kinds))
            kinds = next((kinds for _, kinds in heads if self._is_in_pace(kinds)), None)
            if kinds is None:
                return None
            owner, wish = self._lines[kinds].pop()
            del self._waits[owner]
            self._holders[owner] = kinds
            self._held.update(kinds)
            return owner, wish.granted

    def _may(self, kinds: Kinds) -> bool:
        """Return whether somebody waits for just these classes, and may come in as far as their bounds go."""
        return bool(self._lines[kinds]) and all(
            self._held[kind] < self._caps[kind] for kind in kinds if kind in self._caps
        )

    def _is_in_pace(self, kinds: Kinds) -> bool:
        """Return whether a permit for these classes may be given now, which then counts; else see to it later."""
        pace = self._pace
        if pace is None or pace.kind not in kinds:
            return True
        next_at = pace.next_at()
        if next_at is not None and not self._is_waking:
            self._is_waking = True
            pace.clock.call_at(next_at, self._go_on)
        return next_at is None

    def _go_on(self) -> None:
        with self._lock:
            self._is_waking = False
        self._serve()
