"""Who runs when: the contract between actors and the threads that run them.

A dispatcher hands turns to `Runnable`s: one turn at a time each, up to so many messages a turn, then to the back of the
line. `PoolDispatcher` (pool.py) is that of real conductors, `SimDispatcher` (virtual.py) runs the same actors inline.
Nothing here knows messages, mailboxes or nodes, and two dispatchers share nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pykka import Future


class Piece(NamedTuple):
    """A message that an actor has worked at, for logs: never its contents."""

    message: str
    """Its class's name."""
    request: str | None = None
    """The id of the request that it is about; None: of none, or unknown."""


class Runnable(Protocol):
    """What takes turns: an actor."""

    def run_turn(self, messages: int) -> Piece | None:
        """Handle up to so many messages, then schedule another turn if more wait. Raises nothing.

        Returns:
            The one that took longest, if any took long.
        """
        ...

    def doing(self) -> tuple[str, str]:
        """Return who it is and the kind of message in hand, for logs: never a message's contents. Any thread."""
        ...


@dataclass(frozen=True, slots=True)
class SlowTurn:
    """A turn that has not ended yet."""

    worker: str
    """The thread's name."""
    turn: int
    """Which of the worker's turns, so that `replace_hung` can tell this one from the next."""
    runnable: Runnable
    """Whose turn it is: the actor."""
    actor: str
    """What the actor is known as: "node n1", or its class and urn."""
    message: str
    """The kind of message in hand."""
    lasts_s: float
    """For how long the turn has been going on."""


@dataclass(frozen=True, slots=True)
class Lasted:
    """A slow turn that has ended."""

    actor: str
    """What the actor is known as: "node n1", or its class and urn."""
    message: str | None
    """The kind of message that took longest; None: unknown."""
    lasted_s: float
    """The whole turn."""
    request: str | None = None
    """The request that the message was about; None: none, or unknown."""


class Dispatcher(Protocol):
    """Gives turns. Any thread may call any method."""

    def schedule(self, runnable: Runnable, *, ahead: bool = False) -> None:
        """Owe `runnable` one turn. The caller sees to it that at most one is owed or going on at any time.

        Args:
            runnable: the actor.
            ahead: it has something to do that is due now, and goes before those that have been told something.
        """
        ...

    def will_answer(self, future: Future[Any]) -> None:
        """Take note that one of this dispatcher's actors is going to answer `future`."""
        ...

    def crashed(self, error: BaseException) -> None:
        """Take note that an actor was ended by something that is not an Exception."""
        ...

    def backlog(self) -> int:
        """Return how many actors wait for a turn."""
        ...

    def awake(self) -> Iterable[Runnable]:
        """Return those that are owed a turn or have one, some of them perhaps twice. O(those)."""
        ...

    def counters(self) -> Mapping[str, int]:
        """Return what it has counted since its start, for `status`."""
        ...

    def is_alive(self) -> bool:
        """Return whether none of its threads has died and it has not been stopped."""
        ...

    def stuck(self, longer_than_s: float) -> list[SlowTurn]:
        """Return the turns that have been going on for so long, the longest first."""
        ...

    def lasted(self) -> Lasted | None:
        """Return the latest slow turn that has ended; None: there has been none."""
        ...

    def replace_hung(self, turn: SlowTurn) -> bool:
        """Let another thread take over from the one that hangs in `turn`. Idempotent.

        Returns:
            Whether the pool has as many working threads as before the hang; False if the turn has ended meanwhile, has
            been replaced already, or the pool is at its bound.
        """
        ...

    def mend(self) -> int:
        """Start threads in place of those that died; return how many."""
        ...

    def stop(self, timeout_s: float) -> list[str]:
        """End the threads once the ready actors have had a turn. Blocks up to timeout_s seconds. Idempotent.

        Returns:
            The names of threads that hang.
        """
        ...
