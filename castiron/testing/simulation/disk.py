"""The store in virtual time: the real committer and the real reads, each at a turn that the seed draws.

What the writer's thread and the archive's do in a conductor, the dispatcher gives turns for here; so a commit lands
between any two messages of any two actors. A disk that is full refuses everything but what writes nothing.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

from castiron.actors.dispatch.virtual import SimDispatcher
from castiron.actors.published.archive import Library, Question, tell_node
from castiron.actors.services import Loaded
from castiron.store.errors import StoreUnwritable
from castiron.store.records import Change
from castiron.store.sql.committer import Committer
from castiron.store.writer import Done, InlineWriter, Landed, WriterCounters, check, tell
from castiron.transport.vocabulary import NodeUUID


class SimWriter:
    """Commits one change a turn, with an InlineWriter. One thread.

    Attributes:
        is_full: the disk takes nothing more.
        is_held: turns are not asked for; whoever set it gives them.
    """

    def __init__(self, committer: Committer, dispatcher: SimDispatcher, landed: Landed) -> None:
        self._inline = InlineWriter(committer, landed=landed)
        self._dispatcher = dispatcher
        self._line: deque[tuple[Change, Done]] = deque()
        self.is_full = False
        self.is_held = False
        self.refused_count = 0

    def submit(self, change: Change, done: Done) -> None:
        """Take a change; see Writer."""
        check(change)
        self._line.append((change, done))
        if not self.is_held:
            self._dispatcher.schedule(self)

    def run_turn(self, messages: int) -> None:
        """Commit the change that has waited for longest."""
        del messages
        change, done = self._line.popleft()
        if self.is_full and change != Change():
            self.refused_count += 1
            tell(done, StoreUnwritable("the disk is full."))
        else:
            self._inline.submit(change, done)

    def doing(self) -> tuple[str, str]:
        """Return what a dispatcher's watchdog would say."""
        return "writer", "commit"

    def is_alive(self) -> bool:
        """See Writer."""
        return self._inline.is_alive()

    def backlog(self) -> int:
        """See Writer."""
        return len(self._line)

    def counters(self) -> WriterCounters:
        """See Writer."""
        return self._inline.counters()

    def state(self) -> str:
        """See Writer."""
        return "the disk is full." if self.is_full else self._inline.state()

    def stop(self, timeout_s: float) -> None:
        """See Writer."""
        self._inline.stop(timeout_s)


class Errand:
    """Something that a helper thread would do, at a turn that the seed draws."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def run_turn(self, messages: int) -> None:
        """Do it."""
        del messages
        self._call()

    def doing(self) -> tuple[str, str]:
        """Return what a dispatcher's watchdog would say."""
        return "errand", "call"


class SimArchive:
    """Asks the store, a question a turn; what Archive does with a thread. One thread."""

    def __init__(self, library: Library, writer: SimWriter, dispatcher: SimDispatcher) -> None:
        self._library = library
        self._writer = writer
        self._dispatcher = dispatcher
        self._waiting = 0

    def load(self, uuid: NodeUUID, tell: Callable[[Loaded], None]) -> None:
        """Read a node behind everything that was submitted before, and tell; see Archive."""
        self._writer.submit(Change(), lambda _: self.ask(partial(tell_node, uuid, tell)))

    def ask(self, question: Question) -> None:
        """Put a question; see Asking."""
        self._waiting += 1
        self._dispatcher.schedule(Errand(partial(self._answer, question)))

    def ease(self) -> None:
        """Do nothing; see Asking: nobody else is there who would wait."""

    def waiting(self) -> int:
        """Return how many questions wait."""
        return self._waiting

    def _answer(self, question: Question) -> None:
        self._waiting -= 1
        question(self._library)
