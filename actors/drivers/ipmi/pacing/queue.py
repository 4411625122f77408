"""Who waits: the most urgent first, and of equal ones whoever came first. No rule of what for."""

from enum import IntEnum
from typing import Generic, TypeVar


class Urgency(IntEnum):
    """For whom something is asked; the least is the most urgent."""

    USER = 0
    """Somebody waits for the answer."""
    CHECK = 1
    """Nobody does; it is to be in time."""
    READING = 2
    """It takes many exchanges, and lets everything else pass."""


W = TypeVar("W")


class Queue(Generic[W]):
    """One queue. Its length is bounded by the number of those who may wait, as each is in it once at the most."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        # Dicts are queues that one can leave from the middle.
        self._lines: tuple[dict[W, None], ...] = tuple({} for _ in Urgency)

    def __len__(self) -> int:
        """Return how many wait. Any thread."""
        return sum(map(len, self._lines))

    def put(self, who: W, urgency: Urgency) -> None:
        """Have somebody wait, behind those who are as urgent; whoever waits less urgently moves up. Idempotent."""
        for other in Urgency:
            if who in self._lines[other]:
                if other <= urgency:
                    return
                del self._lines[other][who]
        self._lines[urgency][who] = None

    def is_passed(self, urgency: Urgency) -> bool:
        """Return whether nobody waits whom so urgent a one must not pass."""
        return not any(self._lines[other] for other in Urgency if other <= urgency)

    def pop(self) -> W:
        """Take out whose turn it is.

        Raises:
            LookupError: nobody waits.
        """
        line = next((line for line in self._lines if line), None)
        if line is None:
            raise LookupError("nobody waits")
        who = next(iter(line))
        del line[who]
        return who

    def leave(self, who: W) -> None:
        """Let somebody wait no more. Idempotent."""
        for line in self._lines:
            line.pop(who, None)
