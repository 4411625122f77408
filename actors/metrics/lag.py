"""How long a message waits before its turn: at the actors' dispatcher, and at each thread that goes round in a loop.

The dispatcher counts every turn that was waited for. A loop is asked: twice a second a probe is put where its
messages are put, and what counts is when it comes to it; so what is measured costs the loop nothing while it is busy,
and what it does between two rounds is seen from outside. Where lag is long, the log says so, a line a minute at the
most. Must not come in: which threads there are, and what a turn does.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final, Protocol, runtime_checkable

from castiron.actors.dispatch.clock import Clock
from castiron.actors.metrics.sketch import Sketch, Spread, Window, merged, spread
from castiron.transport.vocabulary import Instant

log = logging.getLogger(__name__)

PROBE_S: Final = 0.5
"""Between two probes of a loop: 120 in a window, for some 0.03 % of a core each."""

PAUSE_S: Final = 60.0
"""Between two warnings about the same queue."""

LEAST_SAMPLES: Final = 100
"""Of fewer, the p99 is a single one, and one hiccup is no news."""

FEW_SAMPLES: Final = 10
"""Of fewer, nor is the median: a loop that is very late comes round seldom, and is told of by that."""

DISPATCHER: Final = "dispatcher"
"""What the actors' queue is called."""


@runtime_checkable
class Probed(Protocol):
    """A loop that can be asked."""

    def probe(self, done: Callable[[], None]) -> object:
        """Have `done` called on the loop's thread when it comes round. Any thread; never blocks."""
        ...


class Loop:
    """One loop, its probes and what they told. The clock's thread sends them, the loop's own takes them."""

    def __init__(self, loop: Probed, now: Callable[[], Instant]) -> None:
        self._loop = loop
        self._now = now
        self._sent_at: Instant | None = None
        self._told = Sketch()
        self._lock = threading.Lock()

    def probe(self) -> None:
        """Send a probe, unless one is on its way: then the loop is late, and that one says by how much."""
        if self._sent_at is None:
            self._sent_at = self._now()
            self._loop.probe(self._back)

    def lag(self) -> Sketch:
        """Return what the probes told; one that is on its way counts with as long as it has waited."""
        with self._lock:
            told, sent_at = merged([self._told]), self._sent_at
        if sent_at is not None and (waits_s := self._now() - sent_at) > PROBE_S:
            told.add(waits_s)
        return told

    def _back(self) -> None:
        sent_at = self._sent_at
        if sent_at is not None:
            with self._lock:
                self._told.add(self._now() - sent_at)
                self._sent_at = None


class Lags:
    """All queues of one conductor. Any thread may ask; one looks.

    Args:
        clock: sends the probes, from `start` on.
        waits: what the dispatcher has counted.
        loops: by the names that people read.
        warning_s: at p99 of a minute, how long a wait is worth a warning.
    """

    def __init__(
        self, clock: Clock, waits: Callable[[], Sketch], loops: Mapping[str, Probed], *, warning_s: float
    ) -> None:
        self._clock = clock
        self._loops = {name: Loop(loop, clock.now) for name, loop in loops.items()}
        self._sources = {DISPATCHER: waits, **{name: loop.lag for name, loop in self._loops.items()}}
        self._windows = {name: Window(clock.now()) for name in self._sources}
        self._warning_ms = warning_s * 1000
        self._warned_at: dict[str, Instant] = {}
        self._is_stopping = False

    def start(self) -> None:
        """Begin to probe."""
        self._clock.call_at(Instant(self._clock.now() + PROBE_S), self._probe)

    def stop(self) -> None:
        """Probe no more. Idempotent."""
        self._is_stopping = True

    def sketches(self) -> dict[str, Sketch]:
        """Return what each queue has told since the start."""
        return {name: told() for name, told in self._sources.items()}

    def lately(self) -> dict[str, Spread]:
        """Return what each has told in the last minute."""
        now = self._clock.now()
        return {name: spread(self._windows[name].look(told.counts, now)[1]) for name, told in self.sketches().items()}

    def look(self) -> None:
        """Keep the windows a minute long, and warn. Called once a second."""
        now = self._clock.now()
        if any(now >= window.due_at for window in self._windows.values()):
            for name, lag in self.lately().items():
                self._judge(name, lag, now)

    def _judge(self, name: str, lag: Spread, now: Instant) -> None:
        if not self._is_long(lag):
            return
        if now - self._warned_at.get(name, Instant(-PAUSE_S)) >= PAUSE_S:
            self._warned_at[name] = now
            told = "messages wait long at the %s: p50 %.0f ms, p99 %.0f ms, at the most %.0f ms in the last minute"
            log.warning(told, name, lag.p50_ms, lag.p99_ms, lag.most_ms)

    def _is_long(self, lag: Spread) -> bool:
        if lag.p50_ms is None or lag.p99_ms is None:
            return False
        is_mostly_late = lag.samples >= FEW_SAMPLES and lag.p50_ms >= self._warning_ms
        return is_mostly_late or (lag.samples >= LEAST_SAMPLES and lag.p99_ms >= self._warning_ms)

    def _probe(self) -> None:
        if self._is_stopping:
            return
        for loop in self._loops.values():
            loop.probe()
        self.start()


def probed(parts: Mapping[str, object]) -> dict[str, Probed]:
    """Return those parts that can be asked."""
    return {name: part for name, part in parts.items() if isinstance(part, Probed)}
