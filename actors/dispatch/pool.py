"""Many actors on few threads: a bounded pool that outlives turns that never end, and threads that die.

Each ready actor stands in one line, is run by one thread, and goes to the back of the line after its turn. Nothing here
knows messages, mailboxes or nodes.
"""

import logging
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pykka import Future

from castiron.actors.dispatch.dispatcher import Lasted, Piece, Runnable, SlowTurn
from castiron.actors.dispatch.line import Line, Taker
from castiron.actors.metrics.sketch import Sketch, merged

log = logging.getLogger(__name__)

THROUGHPUT: Final = 32
"""Messages a turn. More turns cost more hand-overs, fewer make neighbours wait longer behind a busy actor."""

MAX_THREADS: Final = 64
"""How far a pool grows while its workers wait for answers or hang; beyond it more threads cure nothing."""

SLOW_TURN_S: Final = 0.5
"""A turn is some 0.1 ms; one that takes this long has met a bug, or a machine without time for us."""


class Worker(threading.Thread):
    """A thread of a pool, and what it does now. Its fields are written by itself, `is_replaced` by its pool."""

    def __init__(self, pool: "PoolDispatcher", name: str) -> None:
        # A hung turn must not keep the process from ending: hence daemon.
        super().__init__(name=name, daemon=True)
        self.pool = pool
        self.taker = Taker()
        self.turns = 0
        self.waits = Sketch()
        self.runnable: Runnable | None = None
        self.since_s = 0.0
        self.is_blocked = False
        self.is_replaced = False
        self.seen: tuple[int, str] = (-1, "")  # a turn of its own, and the message in hand when somebody looked

    def run(self) -> None:
        """Serve the pool until it says to leave."""
        self.pool.serve(self)

    @property
    def is_working(self) -> bool:
        """Whether this thread can be counted on to take a turn."""
        return self.is_alive() and not (self.is_blocked or self.is_replaced)

    @contextmanager
    def blocked(self) -> Generator[None]:
        """Tell the pool that this thread waits for somebody inside; called by the thread itself. May be nested."""
        was_blocked = self.is_blocked
        self.pool.set_blocked(self, is_blocked=True)
        try:
            yield
        finally:
            self.pool.set_blocked(self, is_blocked=was_blocked)


class PoolDispatcher:
    """A bounded pool of threads, started at once.

    It keeps `threads` of them working: while one waits in a future's `get` another takes its place, up to
    `max_threads`, and the surplus leaves afterwards.

    Args:
        threads: how many work at the same time; 1 or more.
        throughput: messages a turn; 1 or more.
        max_threads: how many there may ever be, with those that wait and those that hang.
        slow_turn_s: seconds from which on a turn counts as slow.
        slow_turn: told of each slow turn that has ended, on the thread that gave it; must not block. None: nobody is.
        name: what the threads' names begin with.
        monotonic: seconds, never going backwards; measures turns.
    """

    def __init__(
        self,
        threads: int = 4,
        *,
        throughput: int = THROUGHPUT,
        max_threads: int = MAX_THREADS,
        slow_turn_s: float = SLOW_TURN_S,
        slow_turn: Callable[[Lasted], object] | None = None,
        name: str = "castiron-dispatcher",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= threads <= max_threads or throughput < 1:
            raise ValueError(f"threads={threads}, max_threads={max_threads}, throughput={throughput} make no pool")
        self._threads = threads
        self._throughput = throughput
        self._max_threads = max_threads
        self._slow_turn_s = slow_turn_s
        self._slow_turn = slow_turn
        self._name = name
        self._monotonic = monotonic
        # Each with the moment from which on it waits. None: one worker is to ask whether it may leave.
        self._ready: Line[tuple[Runnable, float] | None] = Line()
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._is_stopping = False
        self._started_count = self._peak_count = self._starved_count = 0
        self._replaced_count = self._mended_count = self._crash_count = self._slow_count = 0
        self._lasted: Lasted | None = None
        self._turns_of_those_who_left = 0
        self._waits_of_those_who_left = Sketch()
        with self._lock:
            self._fill()

    def schedule(self, runnable: Runnable, *, ahead: bool = False) -> None:
        """Owe `runnable` one turn."""
        self._ready.put((runnable, self._monotonic()), ahead=ahead)

    def will_answer(self, future: Future[Any]) -> None:
        """Do nothing: the pool's own threads will answer."""

    def crashed(self, error: BaseException) -> None:  # noqa: ARG002 - the contract's
        """Count it."""
        with self._lock:
            self._crash_count += 1

    def backlog(self) -> int:
        """Return how many actors wait for a turn."""
        return len(self._ready)

    def awake(self) -> list[Runnable]:
        """Return those that are owed a turn or have one, some of them perhaps twice. O(those)."""
        with self._lock:
            running = [worker.runnable for worker in self._workers]
        return [owed[0] for owed in self._ready.items() if owed] + [one for one in running if one is not None]

    def counters(self) -> Mapping[str, int]:
        """Return threads as they are now, and the rest since the start.

        `slow_turns` counts turns that took slow_turn_s or more; `lasted` tells of the latest. `starved` counts waits
        that began when the pool could grow no further; `crashes` actors ended by something that is not an Exception.
        """
        with self._lock:
            return {
                "threads": len(self._workers),
                "threads_blocked": sum(worker.is_blocked for worker in self._workers),
                "threads_hung": sum(worker.is_replaced for worker in self._workers),
                "threads_peak": self._peak_count,
                "ready": len(self._ready),
                "slow_turns": self._slow_count,
                "turns": self._turns_of_those_who_left + sum(worker.turns for worker in self._workers),
                "starved": self._starved_count,
                "replaced": self._replaced_count,
                "mended": self._mended_count,
                "crashes": self._crash_count,
            }

    def is_alive(self) -> bool:
        """Return whether none of the threads has died and the pool has not been stopped."""
        with self._lock:
            return not self._is_stopping and all(worker.is_alive() for worker in self._workers)

    def stuck(self, longer_than_s: float) -> list[SlowTurn]:
        """Return the turns that have been going on for so long, the longest first."""
        now_s = self._monotonic()
        with self._lock:
            workers = list(self._workers)
        slow: list[SlowTurn] = []
        for worker in workers:
            # In this order, which is the worker's: what it began later cannot look as if it had begun long ago.
            turn, runnable, since_s = worker.turns, worker.runnable, worker.since_s
            if runnable is not None and now_s - since_s >= longer_than_s:
                slow.append(SlowTurn(worker.name, turn, runnable, *runnable.doing(), now_s - since_s))
                worker.seen = (turn, slow[-1].message)
        return sorted(slow, key=lambda turn: -turn.lasts_s)

    def replace_hung(self, turn: SlowTurn) -> bool:
        """Let another thread take over from the one that hangs in `turn`; that one leaves the pool if it ever ends."""
        with self._lock:
            for worker in self._workers:
                hangs_in_it = worker.turns == turn.turn and worker.runnable is turn.runnable
                if worker.name == turn.worker and hangs_in_it and not worker.is_replaced:
                    worker.is_replaced = self._fill(without=worker)
                    self._ready.leave(worker.taker)
                    self._replaced_count += worker.is_replaced
                    return worker.is_replaced
        return False

    def mend(self) -> int:
        """Start threads in place of those that died; return how many died. An actor that was in hand gets its turn."""
        with self._lock:
            dead = [worker for worker in self._workers if not worker.is_alive()]
            for worker in dead:
                self._drop(worker)
                if worker.runnable is not None:
                    self.schedule(worker.runnable)
            self._fill()
            self._mended_count += len(dead)
        return len(dead)

    def stop(self, timeout_s: float) -> list[str]:
        """End the threads once the ready actors have had a turn; return the names of those that hang."""
        deadline_s = self._monotonic() + timeout_s
        with self._lock:
            self._is_stopping = True
            workers = [worker for worker in self._workers if worker is not threading.current_thread()]
        for _ in workers:
            self._ready.put(None)
        for worker in workers:
            worker.join(max(0.0, deadline_s - self._monotonic()))
        return [worker.name for worker in workers if worker.is_alive()]

    def serve(self, worker: Worker) -> None:
        """Give turns on the worker's own thread until it may leave. For `Worker` only."""
        while True:
            owed = self._ready.take(worker.taker)
            if owed is None:
                if self._may_leave(worker):
                    return
                continue
            runnable, owed_since_s = owed
            worker.since_s = since_s = self._monotonic()
            worker.runnable = runnable
            worker.waits.add(since_s - owed_since_s)
            longest = None
            try:
                longest = runnable.run_turn(self._throughput)
            except BaseException:
                log.exception("a turn of %s raised, which turns must not", runnable.doing()[0])
            if (lasted_s := self._monotonic() - since_s) >= self._slow_turn_s:
                self._note(worker, runnable, longest, lasted_s)
            worker.runnable = None
            del runnable, owed  # the actor, and what waits in it, live no longer for the sake of an idle thread
            worker.turns += 1
            if worker.is_replaced and self._may_leave(worker):
                return

    def lasted(self) -> Lasted | None:
        """Return the latest slow turn that has ended; None: there has been none. Any thread."""
        return self._lasted

    def waits(self) -> Sketch:
        """Return how long those who were owed a turn have waited for it, since the start. Any thread."""
        with self._lock:
            return merged([self._waits_of_those_who_left, *(worker.waits for worker in self._workers)])

    def _note(self, worker: Worker, runnable: Runnable, longest: Piece | None, lasted_s: float) -> None:
        """Note a slow turn that has ended. Who does not say what took long may have been seen at it."""
        turn, message = worker.seen
        if longest is not None:
            lasted = Lasted(runnable.doing()[0], longest.message, lasted_s, longest.request)
        else:
            lasted = Lasted(runnable.doing()[0], message if turn == worker.turns else None, lasted_s)
        with self._lock:
            self._slow_count += 1
            self._lasted = lasted
        if self._slow_turn is not None:
            self._slow_turn(lasted)

    def set_blocked(self, worker: Worker, *, is_blocked: bool) -> None:
        """Grow while the worker waits; let a surplus worker go afterwards. For `Worker` only."""
        with self._lock:
            worker.is_blocked = is_blocked
            self._ready.leave(worker.taker)
            is_full = self._fill()
            self._starved_count += is_blocked and not is_full
            has_surplus = self._working() > self._threads
        if has_surplus:
            self._ready.put(None)

    def _working(self) -> int:
        return sum(worker.is_working for worker in self._workers)

    def _fill(self, without: Worker | None = None) -> bool:
        """Start what is missing, not counting on `without`; return whether all are there. Holds the lock."""
        missing = self._threads - self._working() + (without is not None and without.is_working)
        while missing > 0 and not self._is_stopping and len(self._workers) < self._max_threads:
            self._started_count += 1
            worker = Worker(self, f"{self._name}-{self._started_count}")
            self._workers.append(worker)
            worker.start()
            missing -= 1
        self._peak_count = max(self._peak_count, len(self._workers))
        return missing <= 0

    def _may_leave(self, worker: Worker) -> bool:
        with self._lock:
            is_surplus = self._working() > self._threads
            if self._is_stopping or worker.is_replaced or is_surplus:
                self._drop(worker)
                return True
        return False

    def _drop(self, worker: Worker) -> None:
        self._workers.remove(worker)
        self._ready.leave(worker.taker)
        self._turns_of_those_who_left += worker.turns
        self._waits_of_those_who_left.take_in(worker.waits)
