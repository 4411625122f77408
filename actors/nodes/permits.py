"""How many actions may run at once, and who is next: a fair, exact bound.

A permit is asked for with a function to call when it is there, so nobody waits in a thread. Pure bookkeeping under one
lock; the functions are called outside of it. What a permit is for does not live here.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

log = logging.getLogger(__name__)


class PermitMisused(Exception):
    """Asked for twice by one owner, or released by one who does not hold it: a bug of the caller's."""


class Permits:
    """So many permits, given in the order in which they were asked for. Any thread; no method blocks.

    Args:
        limit: how many may be held at once; 1 or more.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"a limit of {limit} would let nobody in")
        self._limit = limit
        self._lock = threading.Lock()
        self._holders: set[Hashable] = set()
        self._line: OrderedDict[Hashable, Callable[[], None]] = OrderedDict()

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
        return len(self._line)

    def acquire(self, owner: Hashable, granted: Callable[[], None]) -> None:
        """Stand in line for a permit; hold it when `granted` is called. Not idempotent.

        Args:
            owner: who asks; one permit each, so an action's id rather than a node's.
            granted: called once, with the permit held: on this thread before `acquire` returns if there is room and
                nobody else is next, else on the thread that makes room. Must not block, nor call back into Permits.
                If it raises, that is logged and the permit goes to the next in line. It may still come after a
                `withdraw` on another thread that crossed it.

        Raises:
            PermitMisused: the owner holds one or stands in line already.
        """
        with self._lock:
            if owner in self._holders or owner in self._line:
                raise PermitMisused(f"{owner!r} holds a permit or waits for one already")
            self._line[owner] = granted
        self._serve()

    def release(self, owner: Hashable) -> None:
        """Give a permit back; the next in line gets it. Not idempotent.

        Raises:
            PermitMisused: the owner holds none.
        """
        with self._lock:
            if owner not in self._holders:
                raise PermitMisused(f"{owner!r} holds no permit")
            self._holders.remove(owner)
        self._serve()

    def withdraw(self, owner: Hashable) -> None:
        """Leave the line, or give the permit back, or neither. Idempotent: for the successor of an owner that died."""
        with self._lock:
            self._line.pop(owner, None)
            self._holders.discard(owner)
        self._serve()

    def _serve(self) -> None:
        while (first := self._admit()) is not None:
            owner, granted = first
            try:
                granted()
            except Exception:
                log.exception("%r could not be told that its permit is there; the next in line gets it", owner)
                with self._lock:
                    self._holders.discard(owner)

    def _admit(self) -> tuple[Hashable, Callable[[], None]] | None:
        """Let the first in line in, if there is room."""
        with self._lock:
            if not self._line or len(self._holders) >= self._limit:
                return None
            first = self._line.popitem(last=False)
            self._holders.add(first[0])
            return first
