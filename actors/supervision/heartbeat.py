"""Which of the conductor's threads do not come back from what they do, and where they stand.

A thread counts the beginnings and the ends of its work, so its count is odd while it is at work; one whose odd count is
the same at look after look hangs. Time is counted in looks and not by a clock: a process that was stopped for a while
has not been looked at meanwhile. Looks only; what follows is the watch's.
"""

import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol, runtime_checkable

FRAMES: Final = 6
"""Of where a thread stands, the innermost ones: enough to name the call and who made it."""


@runtime_checkable
class Beating(Protocol):
    """A part of the conductor with one thread. Any thread may ask."""

    @property
    def thread(self) -> threading.Thread | None:
        """The thread."""
        ...

    def beats(self) -> int:
        """Return how often the thread has begun or ended its work: odd while at work."""
        ...


class Stay(NamedTuple):
    """A thread that has been at the same piece of work for some looks."""

    name: str
    """Of the part."""
    looks: int
    """At how many looks in a row, the first one not counted."""
    where: str
    """Where it stands now, the outermost call first; names of files and functions only."""


class Heartbeats:
    """Remembers what was seen at the last look. One thread."""

    def __init__(self, parts: Mapping[str, Beating]) -> None:
        self._parts = parts
        self._seen: dict[str, tuple[int, int]] = {}

    def look(self) -> list[Stay]:
        """Look once; return who is at work as at the look before."""
        stays: list[Stay] = []
        for name, part in self._parts.items():
            beats = part.beats()
            before, looks = self._seen.get(name, (0, 0))
            looks = looks + 1 if beats % 2 and beats == before else 0
            self._seen[name] = (beats, looks)
            if looks:
                stays.append(Stay(name, looks, where(part.thread)))
        return stays


def where(thread: threading.Thread | None) -> str:
    """Say where a thread stands: "frontdoor.py:180 _turn > reception.py:77 handle"; never a value."""
    frame = None if thread is None or thread.ident is None else sys._current_frames().get(thread.ident)  # noqa: SLF001 - the one way to see another thread's stack; documented for debugging
    if frame is None:
        return "nowhere"
    calls = list(traceback.walk_stack(frame))[:FRAMES]
    return " > ".join(
        f"{Path(call.f_code.co_filename).name}:{line} {call.f_code.co_name}" for call, line in calls[::-1]
    )
