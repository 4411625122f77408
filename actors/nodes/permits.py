"""How many actions may run at once, of all and of each class, and who is next: fair, exact bounds.

A permit is asked for with a function to call when it is there, so nobody waits in a thread. Pure bookkeeping under one
lock; the functions are called outside of it. What a permit counts for may be several classes at once. Each such set has
a line of its own, in which those who ask take turns, so a class that has as many permits as it may holds nobody else
up; of the lines that may, the one whose first asked first is next. One class may have a pace besides: then as many are
given in a second, and a timer gives the next. What a permit counts for can be lent for a while, and is taken again from
the same lines' end. What a permit is for does not live here.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import NamedTuple

from castiron.actors.nodes.pace import Pace
from castiron.actors.nodes.rounds import Rounds

log = logging.getLogger(__name__)

Kinds = tuple[str, ...]
"""The classes with a bound that a permit counts for; none: only the bound of all concerns it."""


class PermitMisused(Exception):
    """Asked for twice by one owner, or released by one who does not hold it: a bug of the caller's."""


class _Need(NamedTuple):
    kinds: Kinds
    is_more: bool
    """Whoever asks holds a permit, which is to count for these classes besides."""


class _Wish(NamedTuple):
    number: int
    granted: Callable[[], None]


class _Wait(NamedTuple):
    """Where a wish stands."""

    need: _Need
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
        self._lines: dict[_Need, Rounds[_Wish]] = {}  # as many as there are sets of classes
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
        """How many owners stand in line for a permit."""
        with self._lock:
            return sum(len(line) for need, line in self._lines.items() if not need.is_more)

    @property
    def waiting_for_more(self) -> int:
        """How many owners of a permit stand in line for a class that it is to count for again."""
        with self._lock:
            return sum(len(line) for need, line in self._lines.items() if need.is_more)

    def in_use_of(self, kind: str) -> int:
        """Return how many of a class that has a bound are held."""
        return self._held[kind]

    def waiting_of(self, kind: str) -> int:
        """Return how many stand in line for a permit of a class that has a bound or a pace. O(sets of classes)."""
        with self._lock:
            return sum(len(line) for need, line in self._lines.items() if kind in need.kinds)

    def ahead_of(self, owner: Hashable) -> int | None:
        """Return how many of its line are next before an owner; None: it does not stand in line. O(its asker's)."""
        with self._lock:
            wait = self._waits.get(owner)
            return None if wait is None else self._lines[wait.need].ahead(wait.whose, owner)

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
        kinds = self._counted(wanted)
        with self._lock:
            if owner in self._holders or owner in self._waits:
                raise PermitMisused(f"{owner!r} holds a permit or waits for one already")
            self._stand_in_line(owner, _Wait(_Need(kinds, is_more=False), whose), granted)
        self._serve()

    def acquire_at_once(self, owner: Hashable, *wanted: str) -> bool:
        """Hold a permit if there is room and nobody waits for any; return whether it is held. Else as if never asked.

        Args:
            owner, wanted: as for `acquire`.
        """
        kinds = self._counted(wanted)
        with self._lock:
            is_known = owner in self._holders or bool(self._waits)
            if (
                is_known
                or len(self._holders) >= self._limit
                or not self._has_room(kinds)
                or not self._is_in_pace(kinds)
            ):
                return False
            self._hold(owner, kinds)
            return True

    def lend(self, owner: Hashable, kind: str) -> None:
        """Let others have what a permit holds of a class, or waits for, and keep the permit. Idempotent."""
        with self._lock:
            kinds = self._holders.get(owner, ())
            if kind in kinds:
                self._holders[owner] = tuple(one for one in kinds if one != kind)
                self._held[kind] -= 1
            self._leave_line(owner, is_more=True)
        self._serve()

    def retake(self, owner: Hashable, kind: str, granted: Callable[[], None]) -> None:
        """Stand in line for what was lent, behind all who stand there, also those who want a permit. Not idempotent.

        Args:
            granted: as for `acquire`.

        Raises:
            PermitMisused: the owner holds no permit, or one that counts for the class, or stands in line already.
        """
        need = _Need((kind,) if kind in self._caps else (), is_more=True)
        with self._lock:
            if owner not in self._holders or owner in self._waits or kind in self._holders[owner]:
                raise PermitMisused(f"{owner!r} has lent nothing of {kind!r}, or waits for it already")
            self._stand_in_line(owner, _Wait(need, ""), granted)
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
            self._leave_line(owner)
            self._give_back(owner)
        self._serve()

    def _counted(self, wanted: Iterable[str]) -> Kinds:
        paced = None if self._pace is None else self._pace.kind
        return tuple(kind for kind in wanted if kind in self._caps or kind == paced)

    def _hold(self, owner: Hashable, kinds: Kinds) -> None:
        self._holders[owner] = (*self._holders.get(owner, ()), *kinds)
        self._held.update(kinds)

    def _stand_in_line(self, owner: Hashable, wait: _Wait, granted: Callable[[], None]) -> None:
        self._wishes += 1
        self._lines.setdefault(wait.need, Rounds()).add(wait.whose, owner, _Wish(self._wishes, granted))
        self._waits[owner] = wait

    def _leave_line(self, owner: Hashable, *, is_more: bool = False) -> None:
        wait = self._waits.get(owner)
        if wait is not None and (wait.need.is_more or not is_more):
            del self._waits[owner]
            self._lines[wait.need].remove(wait.whose, owner)

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
            heads = sorted((line.first().number, need) for need, line in self._lines.items() if self._may(need))
            need = next((need for _, need in heads if self._is_in_pace(need.kinds)), None)
            if need is None:
                return None
            owner, wish = self._lines[need].pop()
            del self._waits[owner]
            self._hold(owner, need.kinds)
            return owner, wish.granted

    def _may(self, need: _Need) -> bool:
        """Return whether somebody waits for just these classes, and may come in as far as all bounds go."""
        if not self._lines[need] or (len(self._holders) >= self._limit and not need.is_more):
            return False
        return self._has_room(need.kinds)

    def _has_room(self, kinds: Kinds) -> bool:
        return all(self._held[kind] < self._caps[kind] for kind in kinds if kind in self._caps)

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
