"""An actor's mailbox: two lanes, one bound, and no wake-up lost.

The control lane (driver results, timers, commits) is never refused and goes first. The work lane (users' messages, and
everything that does not say otherwise) is bounded. A message tells its lane by a class attribute, `is_control = True`,
so the messages need to import nothing. One that `goes_ahead` has its owner, if it sleeps, woken before others. Each
lane keeps the order of each sender; between the lanes there is none. What messages mean does not live here, nor Pykka's
loop (pooled.py).
"""

import threading
from contextlib import suppress
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final, cast

from pykka import ActorDeadError
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from castiron.actors.dispatch.dispatcher import Dispatcher, Runnable

INBOX_LIMIT: Final = 1_000
"""Users' messages that one actor may have waiting, unless told otherwise: a second's work of a slow handler."""

UNLIMITED: Final = -1
"""A turn that ends only when nothing waits."""


WORTH_S: Final = 0.0003
"""A message that took less need not be named: no turn of 32 such messages is slow, whatever `slow_turn_s`."""


class InboxFull(Exception):
    """An actor has as many users' messages waiting as it may have; nothing was put.

    Attributes:
        limit: that many.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} messages are waiting, which is the limit")
        self.limit = limit


class TurnOver(BaseException):
    """Raised by `get` when the turn's messages are used up or none waits.

    Pykka's loop asks for the next message outside of its try block, so this unwinds the loop back to whoever runs the
    turn. A BaseException, so that no `except Exception` on the way takes it for a failure.
    """


class Mailbox:
    """What Pykka calls an actor's inbox. `put` is for any thread, the rest for the thread that has the actor's turn."""

    # 10,000 of them are idle most of the time.
    __slots__ = (
        "_budget",
        "_control",
        "_dispatcher",
        "_envelope",
        "_is_asleep",
        "_is_closed",
        "_limit",
        "_lock",
        "_longest",
        "_longest_s",
        "_owner",
        "_since_s",
        "_work",
    )

    def __init__(self) -> None:
        # An empty SimpleQueue takes 170 bytes, an empty deque 770.
        self._control: SimpleQueue[Envelope[Any]] = SimpleQueue()
        self._work: SimpleQueue[Envelope[Any]] = SimpleQueue()
        self._lock = threading.RLock()  # a signal handler may tell the actor that its thread is telling
        self._limit = INBOX_LIMIT
        self._budget = 0
        self._envelope: Envelope[Any] | None = None
        self._longest: Envelope[Any] | None = None
        self._longest_s, self._since_s = WORTH_S, inf
        self._dispatcher: Dispatcher | None = None
        self._owner: Runnable | None = None
        self._is_asleep = False  # an owner that has not been started is not asleep: nobody may wake it
        self._is_closed = False

    def attach(self, dispatcher: Dispatcher, *, limit: int) -> None:
        """Say who gives turns, and how many users' messages may wait. Once, before `open`."""
        self._dispatcher = dispatcher
        self._limit = limit

    def is_attached_to(self, dispatcher: Dispatcher) -> bool:
        """Return whether it is this dispatcher that gives turns."""
        return self._dispatcher is dispatcher

    def open(self, owner: Runnable) -> None:
        """Owe `owner` its first turn, whether or not a message waits. Keeps it alive until `close`."""
        self._owner = owner
        self._schedule()

    def put(self, envelope: Envelope[Any], /) -> None:
        """Put a message into its lane, and wake the owner if it sleeps. Any thread; never blocks.

        A stop is never refused, and keeps its place behind the users' messages that came before it: so Pykka promises.

        Raises:
            InboxFull: it is a user's message and the limit is reached.
            ActorDeadError: the owner is gone, and nobody waits on a future that could tell so.
        """
        message: object = envelope.message
        is_control: bool = getattr(type(message), "is_control", False)
        with self._lock:
            if self._is_closed:
                self._put_to_dead(envelope)
                return
            if is_control:
                self._control.put(envelope)
            elif self._work.qsize() < self._limit or isinstance(message, _ActorStop):
                self._work.put(envelope)
            else:
                raise InboxFull(self._limit)
            was_asleep, self._is_asleep = self._is_asleep, False
        if envelope.reply_to is not None and self._dispatcher is not None:
            self._dispatcher.will_answer(envelope.reply_to)
        if was_asleep:
            self._schedule(ahead=getattr(type(message), "goes_ahead", False))

    def begin(self, messages: int) -> None:
        """Let the next turn take up to so many messages, or UNLIMITED."""
        self._budget = messages
        self._longest_s, self._since_s = WORTH_S, inf  # nothing is in hand, for however long

    def get(self) -> Envelope[Any]:
        """Return the next message.

        Raises:
            TurnOver: none waits, or the turn has had its messages.
        """
        now_s = monotonic()
        if now_s - self._since_s > self._longest_s:
            self._longest, self._longest_s = self._envelope, now_s - self._since_s
        self._since_s = now_s
        if self._budget == 0:
            raise TurnOver
        self._budget -= 1
        lane = self._work if self._control.empty() else self._control
        if lane.empty():  # as each turn ends, where an exception less is worth a look
            raise TurnOver
        try:
            envelope = lane.get_nowait()
        except Empty:  # somebody has taken all out of an actor that hangs
            raise TurnOver from None
        self._envelope = envelope
        return envelope

    def take_all(self) -> list[Any]:
        """Refuse everything from now on, and take out and return all that was told and waits, control first.

        For an actor that has failed, is stopping or hangs: whoever tells it something from now on gets ActorDeadError,
        so nothing is lost between here and `close`. Whoever asked and waits gets that now. Any thread.
        """
        taken: list[Any] = []
        with self._lock:
            self._is_closed = True
            for lane in (self._control, self._work):
                with suppress(Empty):
                    while True:
                        envelope = lane.get_nowait()
                        if envelope.reply_to is None:
                            taken.append(envelope.message)
                        else:
                            _answer_dead(envelope)
        return taken

    def empty(self) -> bool:
        """Return whether no message waits. Any thread."""
        return self._control.empty() and self._work.empty()

    def waiting(self) -> int:
        """Return how many messages wait in both lanes. Any thread."""
        return self._control.qsize() + self._work.qsize()

    def users_waiting(self) -> int:
        """Return how many users' messages wait, which are what is bounded. Any thread."""
        return self._work.qsize()

    def in_hand(self) -> Envelope[Any] | None:
        """Return the message being handled, if any. Any thread."""
        return self._envelope

    def take_longest(self) -> Any:
        """Return the message of this turn that took longest, and forget it; None: none took WORTH_S. Before `rest`."""
        envelope = self._longest
        if envelope is None:
            return None
        self._longest = None
        return envelope.message

    def rest(self) -> None:
        """End a turn: sleep, or owe the owner another turn if messages wait."""
        self._envelope = None
        with self._lock:
            self._is_asleep = is_asleep = self.empty()
        if not is_asleep:
            self._schedule()

    def refuse_waiting(self) -> None:
        """Answer whoever asked and waits with ActorDeadError; tells are dropped. Any thread, also during a turn."""
        for lane in (self._control, self._work):
            with suppress(Empty):
                while True:
                    _answer_dead(lane.get_nowait())

    def close(self) -> bool:
        """Refuse everything from now on and let the owner go, if no message waits; return whether it was so."""
        self._envelope = None
        with self._lock:
            if not self.empty():
                return False
            self._is_closed = True
        self._owner = None
        return True

    @staticmethod
    def _put_to_dead(envelope: Envelope[Any]) -> None:
        """Pykka looks whether the actor lives before it puts; this is for who came in between."""
        error = _answer_dead(envelope)
        if envelope.reply_to is None:
            raise error

    def _schedule(self, *, ahead: bool = False) -> None:
        # Both are there: whoever is asleep or has a turn has been opened, and who is opened has been attached.
        cast("Dispatcher", self._dispatcher).schedule(cast("Runnable", self._owner), ahead=ahead)


def _answer_dead(envelope: Envelope[Any]) -> ActorDeadError:
    error = ActorDeadError("the actor stopped before handling the message")
    if envelope.reply_to is not None:
        envelope.reply_to.set_exception((ActorDeadError, error, None))
    return error
