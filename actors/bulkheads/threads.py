"""The threads of a conductor that may block: one pool, made on demand, used again the latest first, ended after a rest.

A thread carries out what one bulkhead has, piece after piece, and then looks for another. What a bulkhead has, and how
many of the threads it may hold, is the bulkhead's: the pool alone knows that there are never more than so many. No
order between bulkheads is needed, as their shares are within the number of threads.
"""

import logging
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

log = logging.getLogger(__name__)

IDLE_S: Final = 10.0
"""A thread that has had nothing to do for so long ends."""

IDLE: Final = "castiron-idle"


class Piece(Protocol):
    """One piece of work."""

    @property
    def about(self) -> object:
        """What it is, and for which node: its text is for whoever looks at threads."""
        ...

    def run(self) -> None:
        """Carry it out, and tell how it ended. Blocks; raises nothing."""
        ...


class Source(Protocol):
    """Who has work: a bulkhead."""

    name: str

    def begin(self) -> Any:
        """Return a piece that may begin now, which then holds a place; None: there is none."""
        ...

    def go_on(self, piece: Any, /) -> Any:
        """Take the place of a piece back that has ended, and return the next; None: there is none."""
        ...


class Home(Protocol):
    """Where pieces are carried out."""

    def serve(self, source: Source) -> None:
        """Have somebody begin what a source has, and go on until it has no more. Any thread; never blocks."""
        ...


class Threads:
    """The pool. Any thread; no method blocks.

    Args:
        limit: threads that there are at the most.
        idle_s: how long one rests before it ends.
    """

    def __init__(self, limit: int, *, idle_s: float = IDLE_S) -> None:
        self.limit: Final = limit
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[Source]] = []
        self._waiting: deque[Source] = deque()
        self._count = 0

    def serve(self, source: Source) -> None:
        """Have a thread begin what a source has: one that rests, a new one, or the next that is free."""
        with self._lock:
            if self._idle:
                self._idle.pop().put(source)
                return
            if self._count >= self.limit:  # shares hold fewer: one is on its way from its last piece to its rest
                self._waiting.append(source)
                return
            self._count += 1
        self._start(source)

    def counters(self) -> dict[str, int]:
        """Return how many threads there are, and how many of them rest."""
        with self._lock:
            return {"threads": self._count, "idle": len(self._idle)}

    def _start(self, source: Source) -> None:
        try:
            threading.Thread(target=self._live, args=(source,), name=IDLE, daemon=True).start()
        except RuntimeError:
            log.exception("no thread can be started: work waits for one of those that there are")
            with self._lock:
                self._count -= 1
                self._waiting.append(source)

    def _live(self, source: Source | None) -> None:
        """Carry out what there is, until there is nothing for a while. A thread of its own."""
        inbox: SimpleQueue[Source] = SimpleQueue()
        thread = threading.current_thread()
        while source is not None:
            piece: Piece | None = source.begin()
            while piece is not None:
                thread.name = name_of(source, piece)
                piece.run()
                piece = source.go_on(piece)
            thread.name = IDLE
            source = self._rest(inbox)

    def _rest(self, inbox: "SimpleQueue[Source]") -> Source | None:
        """Return who has work next; None: nobody for so long that the thread is not needed."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(inbox)
        try:
            return inbox.get(timeout=self._idle_s)
        except Empty:
            with self._lock:
                if inbox in self._idle:
                    self._idle.remove(inbox)
                    self._count -= 1
                    return None
            return inbox.get()  # it is being woken in this moment


def name_of(source: Source, piece: Piece) -> str:
    """Return what a thread is called while it is at a piece."""
    return f"castiron-{source.name} {piece.about}".rstrip()
