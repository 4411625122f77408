"""Engines at work: a few places for turns in a bulkhead, which all engines share; one turn of an engine at a time.

A turn answers one question and waits for nobody, so a list that waits for half an hour holds no thread. What steps do
has a bulkhead of its own (`actors.steps.workers`): neither can starve the other. An engine that raises is thrown away,
and whoever asked is told; one that hangs keeps its thread and loses its place. May come in: when a turn is taken. Must
not: what an engine says.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import Ended, Forgo, NotBegun
from castiron.actors.core.provision.run import Run
from castiron.actors.executors.builtin import BuiltInEngine
from castiron.actors.executors.executor import Answer, Engine, Open
from castiron.actors.steps.results import said
from castiron.transport.errors import CastironError, StepFailed

log = logging.getLogger(__name__)

Told = Callable[[Answer | CastironError], None]
"""Told the answer, or why there is none, from any thread; must not block."""


class _Question(NamedTuple):
    run: Run
    told: Told


@dataclass(slots=True)
class _Turn:
    """A place in the line, or at work. Under the lock of the engines."""

    forgo: Forgo | None = None
    """Ends that."""
    is_unwanted: bool = False


class Engines:
    """All engines of a conductor. Any thread; no method blocks.

    Args:
        make: makes an engine.
        bulkhead: where turns are taken; None: nowhere, as nobody asks.
    """

    def __init__(self, make: Open = BuiltInEngine, bulkhead: Bulkhead | None = None) -> None:
        self.make: Final = make
        self._bulkhead = bulkhead
        self._lock = threading.Lock()
        self._courses: set[_Course] = set()
        self._under_way: dict[_Course, _Turn] = {}
        """Lists that wait for a turn, or are at one."""
        self._turns = 0
        self._is_open = bulkhead is not None

    def hand(self) -> "Hand":
        """Return what one node's owner asks its engines by."""
        return Hand(self)

    def counters(self) -> dict[str, int]:
        """Return how many engines are open, how many of them take a turn, wait for one, or hang, and all turns."""
        turns = {} if self._bulkhead is None else self._bulkhead.counters()
        with self._lock:
            return {
                "open": len(self._courses),
                **{name: turns.get(name, 0) for name in ("running", "waiting", "hung")},
                "turns": self._turns,
            }

    def stop(self) -> None:
        """Take no turn any more. What was asked is asked again at the next start. Idempotent."""
        with self._lock:
            self._is_open = False

    def queue(self, course: "_Course") -> None:
        """Put a list in the line, unless it stands there or is at work; then what is asked is looked at later."""
        with self._lock:
            self._courses.add(course)
            if course in self._under_way:
                return
            turn = self._under_way[course] = _Turn()
        self._submit(course, turn)

    def let_go(self, course: "_Course") -> None:
        """Take the place of a list back that is closed; a turn that it is at may still end, and is heard by nobody."""
        with self._lock:
            self._courses.discard(course)
            turn = self._under_way.pop(course, None)
            if turn is not None:
                turn.is_unwanted = True
        if turn is not None and turn.forgo is not None:
            turn.forgo()

    def _submit(self, course: "_Course", turn: _Turn) -> None:
        if self._bulkhead is None or not self._is_open:
            return self._ended(course, Ended(error=NotBegun("The conductor stops.")))
        forgo = self._bulkhead.submit(
            course.take_turn, partial(self._ended, course), about=course.key, whose=course, is_left=True
        )
        with self._lock:
            turn.forgo = forgo
        if turn.is_unwanted:
            forgo()
        return None

    def _ended(self, course: "_Course", ended: Ended) -> None:
        """Take in that a turn has ended, or that there is to be none."""
        is_refused = isinstance(ended.error, NotBegun)
        with self._lock:
            self._turns += not is_refused
            before, turn = self._under_way.pop(course, None), None
            if before is not None and course.is_asked and not is_refused:
                turn = self._under_way[course] = _Turn()
        if turn is not None:
            self._submit(course, turn)
        elif is_refused:
            course.refuse(StepFailed(f"No engine takes a turn. {ended.error}"))


class Hand:
    """What one owner of a node asks by: at most one engine at a time. One thread."""

    __slots__ = ("_course", "_engines")

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
        self._engines.queue(self._course)

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

    def refuse(self, error: CastironError) -> None:
        """Tell whoever has asked that there is no turn."""
        with self._lock:
            question, self._question = self._question, None
        if question is not None:
            question.told(error)

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
