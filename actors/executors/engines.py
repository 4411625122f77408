"""Engines at work: a few threads on which all engines take their turns, one turn of an engine at a time.

A turn answers one question and waits for nobody, so a list that waits for half an hour holds no thread. What steps do
runs elsewhere (`actors.steps.workers`): neither can starve the other. An engine that raises is thrown away, and whoever
asked is told; one that hangs keeps its thread and loses its place. May come in: when a turn is taken. Must not: what an
engine says.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from castiron.actors.core.provision.run import Run
from castiron.actors.executors.builtin import BuiltInEngine
from castiron.actors.executors.executor import Answer, Engine, Open
from castiron.actors.steps.results import said
from castiron.transport.errors import CastironError, StepFailed

log = logging.getLogger(__name__)

MAX_LEFT_BEHIND: Final = 64
"""Threads of engines that hang; beyond it no turn is taken, as each keeps memory for ever."""

Told = Callable[[Answer | CastironError], None]
"""Told the answer, or why there is none, from any thread; must not block."""


Start = Callable[[Callable[[], None]], None]
"""Has turns taken: calls what it is given, once, and not on its caller's thread."""


def on_a_thread(work: Callable[[], None]) -> None:
    """Take turns on a thread of their own, for as long as there are any."""
    threading.Thread(target=work, name="castiron-engine", daemon=True).start()


class _Question(NamedTuple):
    run: Run
    told: Told


class Engines:
    """All engines of a conductor. Any thread; no method blocks.

    Args:
        make: makes an engine.
        threads: how many turns are taken at once.
        start: has turns taken; by default on a thread.
    """

    def __init__(self, make: Open = BuiltInEngine, threads: int = 1, *, start: Start = on_a_thread) -> None:
        self.make: Final = make
        self._threads: Final = threads
        self._start = start
        self._lock = threading.Lock()
        self._courses: set[_Course] = set()
        self._waiting: dict[_Course, None] = {}  # in the order in which they came
        self._at_work: set[_Course] = set()
        self._left_behind: set[_Course] = set()
        self._turns = 0
        self._is_open = True

    def hand(self) -> "Hand":
        """Return what one node's owner asks its engines by."""
        return Hand(self)

    def counters(self) -> dict[str, int]:
        """Return how many engines are open, how many of them take a turn, wait for one, or hang, and all turns."""
        with self._lock:
            return {
                "open": len(self._courses),
                "running": len(self._at_work),
                "waiting": len(self._waiting),
                "hung": len(self._left_behind),
                "turns": self._turns,
            }

    def stop(self) -> None:
        """Take no turn any more. What was asked is asked again at the next start. Idempotent."""
        with self._lock:
            self._is_open = False
            self._waiting.clear()

    def queue(self, course: "_Course") -> bool:
        """Put a list in the line, unless it stands there or is at work; return whether turns are taken at all."""
        with self._lock:
            if not self._is_open or len(self._left_behind) >= MAX_LEFT_BEHIND:
                return False
            self._courses.add(course)
            if course not in self._at_work:
                self._waiting[course] = None
        self._begin()
        return True

    def let_go(self, course: "_Course") -> None:
        """Take the place of a list back that is closed; a turn that it is at may still end, and is heard by nobody."""
        with self._lock:
            self._courses.discard(course)
            self._waiting.pop(course, None)
            if course in self._at_work:
                self._at_work.discard(course)
                self._left_behind.add(course)
        self._begin()

    def _begin(self) -> None:
        with self._lock:
            course = self._take()
        if course is not None:
            self._start(partial(self._work, course))

    def _work(self, course: "_Course | None") -> None:
        """Take turns for as long as somebody waits for one, on a thread of its own."""
        while course is not None:
            course.take_turn()
            course = self._after(course)

    def _after(self, course: "_Course") -> "_Course | None":
        with self._lock:
            self._turns += 1
            if course in self._left_behind:  # its place is somebody else's already
                self._left_behind.discard(course)
                return None
            self._at_work.discard(course)
            if course.is_asked and self._is_open:
                self._waiting[course] = None
            return self._take()

    def _take(self) -> "_Course | None":
        """Return whose turn it is now, if there is a place; under the lock."""
        if not self._waiting or len(self._at_work) >= self._threads:
            return None
        course = next(iter(self._waiting))
        del self._waiting[course]
        self._at_work.add(course)
        return course


class Hand:
    """What one owner of a node asks by: at most one engine at a time. One thread."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._course: _Course | None = None

    def ask(self, key: str, run: Run, told: Told) -> None:
        """Ask what is next of a list; a question that nobody has begun to answer is replaced.

        Args:
            key: which list it is; the engine of another one is closed.
        """
        if self._course is None or self._course.key != key:
            self.close()
            self._course = _Course(key, self._engines.make)
        self._course.put(_Question(run, told))
        if not self._engines.queue(self._course):
            told(StepFailed("Too many engines hang, or the conductor stops: none takes a turn."))

    def close(self) -> None:
        """Forget the list and the question. Idempotent; an answer under way may still be told."""
        course, self._course = self._course, None
        if course is not None:
            self._engines.let_go(course)
            course.close()


class _Course:
    """One list on its way through an engine, which is made with its first turn. The parts are under its lock."""

    def __init__(self, key: str, make: Open) -> None:
        self.key = key
        self._make = make
        self._lock = threading.Lock()
        self._question: _Question | None = None
        self._engine: Engine | None = None
        self._is_at_work = False
        self._is_closed = False

    @property
    def is_asked(self) -> bool:
        """Whether there is a question that nobody has begun to answer."""
        return self._question is not None

    def put(self, question: _Question) -> None:
        """Ask, instead of what was asked before and not begun."""
        with self._lock:
            self._question = question

    def take_turn(self) -> None:
        """Answer the question, if there is one."""
        with self._lock:
            question, self._question = self._question, None
            self._is_at_work = not self._is_closed
        if question is not None and self._is_at_work:
            question.told(self._answer(question.run))
        with self._lock:
            self._is_at_work = False
            is_over = self._is_closed
        if is_over:
            self._drop()

    def close(self) -> None:
        """Forget the list; an engine that is at work is closed once its turn has ended."""
        with self._lock:
            self._question, self._is_closed = None, True
            is_over = not self._is_at_work
        if is_over:
            self._drop()

    def _answer(self, run: Run) -> Answer | CastironError:
        try:
            if self._engine is None:
                self._engine = self._make(self.key, run)
            return self._engine.moves(run)
        except BaseException as error:
            log.exception("the engine of %s has failed; what was done is taken back without it", self.key)
            self._drop()
            words = f"The engine raised {type(error).__name__}: {said(error)}"
            return StepFailed(f"{words}. What was done is taken back without it.")

    def _drop(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
