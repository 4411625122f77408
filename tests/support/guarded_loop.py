"""An event loop on which a conductor lives, and what was seen on its thread: whatever could have held it up.

    python -m tests.support.guarded_loop STORE NODES

prints a `Sighting` as JSON. In a process of its own, because an audit hook stays for good, and so do the locks that
are watched: they have to be there before anything else is imported.

What is seen: each event of Python's audit on the loop's thread, as a file or a database that is opened, a socket that
is connected, a module that is imported; each lock that is taken there, contended or not, and each thread that is
joined; and how much CPU the thread used for each callback of the loop, but for the garbage collector, which is as slow
as the whole process is large.
"""

import sys
import threading
from types import FrameType
from typing import Any, Final

QUIET_EVENTS: Final = frozenset(
    {
        "_thread.start_new_thread",  # the thread that does the work
        "builtins.id",
        "object.__getattr__",
        "sys._getframe",
    }
)
"""What Python tells of that waits for nothing."""

QUIET_PLACES: Final = ("/logging/__init__.py", "/asyncio/mixins.py")
"""Whose locks are not ours: those of log handlers, and the one with which asyncio's events find their loop."""

PROJECT: Final = "/castiron/"


class Guard:
    """Notes what happens on one thread while it is on watch."""

    def __init__(self) -> None:
        self.is_on = False
        self.thread = threading.get_ident()
        self.seen: list[str] = []

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """See an event of the audit."""
        if self.is_on and threading.get_ident() == self.thread and event not in QUIET_EVENTS:
            self.note(f"{event} {arguments!r:.60}", sys._getframe(1))

    def took(self, what: str) -> None:
        """See something that may block."""
        if self.is_on and threading.get_ident() == self.thread:
            self.note(what, sys._getframe(2))

    def note(self, what: str, frame: FrameType | None) -> None:
        """Note it with where it was called, unless it is a thread's own start."""
        places: list[str] = []
        while frame is not None:
            code = frame.f_code
            if code is threading.Thread.start.__code__ or code.co_filename.endswith(QUIET_PLACES):
                return
            places.append(f"{code.co_filename}:{frame.f_lineno}")
            frame = frame.f_back
        self.is_on = False  # what looking at it does is not seen
        own = next((place for place in places if PROJECT in place), places[0] if places else "")
        self.seen.append(f"{what} at {own}")
        self.is_on = True


GUARD: Final = Guard()


class WatchedLock:
    """A lock of Python's that says who takes it."""

    def __init__(self, made: Any) -> None:
        self._lock = made
        self.release = made.release

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it."""
        if blocking:
            GUARD.took("lock")
        taken: bool = self._lock.acquire(blocking, timeout)
        return taken

    def __enter__(self) -> bool:
        GUARD.took("lock")
        taken: bool = self._lock.acquire()
        return taken

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


def watch_threading() -> None:
    """Have every lock that is made from now on say who takes it, and every join."""
    lock, rlock, join = threading.Lock, threading.RLock, threading.Thread.join

    def joined(self: threading.Thread, timeout: float | None = None) -> None:
        GUARD.took("join")
        join(self, timeout)

    threading.Lock = lambda: WatchedLock(lock())  # type: ignore[assignment,return-value]  # a probe in the library's place
    threading.RLock = lambda: WatchedLock(rlock())  # type: ignore[assignment,return-value]  # as above
    threading.Thread.join = joined  # type: ignore[method-assign]  # as above


if __name__ == "__main__":
    watch_threading()
    sys.addaudithook(GUARD.hook)
    from tests.support.guarded_life import main  # after the probes: what it imports makes locks

    main(GUARD, sys.argv[1:])
