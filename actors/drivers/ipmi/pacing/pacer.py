"""The allowance of datagrams of all BMCs together: who may begin to ask now, and who waits for it.

What waits has not begun, so nothing is lost by it but time: a user's request goes before all checks. Whoever has been
told to wait is told when it may begin; it may have lost its wish meanwhile. One thread: the engine's.
"""

from collections.abc import Callable
from typing import Final, Protocol

from castiron.actors.drivers.ipmi.pacing.allowance import Allowance, Meter
from castiron.actors.drivers.ipmi.pacing.queue import Queue, Urgency
from castiron.transport.vocabulary import Instant

TICK_S: Final = 0.005
"""Between two looks at those who wait: what is due within it goes together, or each would wake the engine."""


class Beginner(Protocol):
    """Somebody who has something to ask."""

    def turn(self) -> None:
        """Begin, if there is still something to begin with."""
        ...


class Pacer:
    """See the module.

    Args:
        now: what time it is.
        allowance: of datagrams; whoever sends one counts it there.
        arm: has `expire` called at an instant.

    Attributes:
        entries_at: kept by the engine's timers.
        is_clear: nobody waits.
    """

    def __init__(
        self, now: Callable[[], Instant], allowance: Allowance, arm: Callable[["Pacer", Instant], None]
    ) -> None:
        self.entries_at: list[Instant] = []
        self._now = now
        self._allowance = allowance
        self._arm = arm
        self._meter = Meter(allowance)
        self._queue: Queue[Beginner] = Queue()
        self._chosen: Beginner | None = None
        self.is_clear = True

    def may_begin(self, who: Beginner, urgency: Urgency) -> bool:
        """Return whether it may begin; otherwise its `turn` is called when it may."""
        if who is self._chosen:
            return True
        now = self._now()
        wait_s = self._allowance.wait_s(now)
        if not wait_s and self._queue.is_passed(urgency):
            return True
        self.is_clear = False
        self._queue.put(who, urgency)
        self._arm(self, Instant(now + max(wait_s, TICK_S)))
        return False

    def expire(self, now: Instant) -> None:
        """Let begin who may by then, in their order. Each counts what it sends."""
        try:
            while self._queue and not self._allowance.wait_s(now):
                self._chosen = self._queue.pop()
                self._chosen.turn()
        finally:
            self._chosen = None
            self.is_clear = not self._queue
            if not self.is_clear:
                self._arm(self, Instant(now + max(self._allowance.wait_s(now), TICK_S)))

    @property
    def waiting(self) -> int:
        """How many wait. Any thread."""
        return len(self._queue)

    def per_s(self) -> float:
        """Return how many datagrams leave a second. Any thread; one that is read at a bad moment is a little off."""
        return self._meter.per_s(self._now())
