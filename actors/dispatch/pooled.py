"""A Pykka actor that needs no thread of its own.

`DispatchedActor` takes part in Pykka through its three hooks for new kinds of actors, and runs Pykka's own loop, turn
by turn, wherever its dispatcher says. Ask, tell, stop, proxies, `on_start`, `on_stop`, `on_failure` and the registry
are Pykka's, untouched, with one exception that is on purpose: a BaseException (SystemExit, KeyboardInterrupt) ends the
actor that raised it, and nobody else. What actors do does not live here.
"""

import sys
from contextlib import suppress
from typing import Any, cast

from pykka import Actor, ActorRef, ActorRegistry, Future

from castiron.actors.dispatch.dispatcher import Dispatcher, Piece
from castiron.actors.dispatch.future import DispatchedFuture
from castiron.actors.dispatch.mailbox import INBOX_LIMIT, UNLIMITED, Mailbox, TurnOver
from castiron.actors.dispatch.stopped import Stopped


class ActorCrashed(Exception):
    """An actor's code raised something that is not an Exception; `__cause__` has it. The actor is dead."""


class DispatchedActor(Actor):
    """An actor on a dispatcher.

    A subclass hands the dispatcher on: `super().__init__(dispatcher=dispatcher)`, and is started as any Pykka actor:
    `NodeActor.start(…, dispatcher=dispatcher)`. `on_start`, `on_receive`, `on_stop` and `on_failure` run on the
    dispatcher's threads, never two of them at a time.

    Args:
        dispatcher: who gives it turns.
        inbox_limit: how many users' messages may wait; beyond it `tell` and `ask` raise InboxFull.
    """

    def __init__(self, *_args: Any, dispatcher: Dispatcher, inbox_limit: int = INBOX_LIMIT, **_kwargs: Any) -> None:
        super().__init__()
        self.actor_stopped = self.actor_ref.actor_stopped = Stopped()
        self._dispatcher = dispatcher
        self._is_set_up = False
        self.mailbox.attach(dispatcher, limit=inbox_limit)

    @property
    def mailbox(self) -> Mailbox:
        """The inbox, by its own type."""
        return cast("Mailbox", self.actor_inbox)

    @staticmethod
    def _create_actor_inbox() -> Mailbox:
        return Mailbox()

    @staticmethod
    def _create_future() -> Future[Any]:
        return DispatchedFuture()

    def _start_actor_loop(self) -> None:
        self.mailbox.open(self)

    def run_turn(self, messages: int) -> Piece | None:
        """Handle up to so many messages; return the one that took longest, if any took long. For the dispatcher only.

        Pykka's loop ends by itself once the actor is stopped; until then the mailbox's TurnOver unwinds it.
        """
        mailbox = self.mailbox
        mailbox.begin(messages)
        try:
            if not self._is_set_up:
                self._is_set_up = True
                self._actor_loop_setup()
            self._actor_loop_running()
        except TurnOver:
            pass
        except BaseException as error:  # noqa: BLE001 - from on_start or on_failure: Pykka lets it pass there
            self._dispatcher.crashed(error)
            self._handle_failure(*sys.exc_info())
        longest = mailbox.take_longest()
        piece = None if longest is None else Piece(type(longest).__name__, self.about(longest))
        if self.actor_stopped.is_set():
            self._bury()
        else:
            mailbox.rest()
        return piece

    @property
    def known_as(self) -> str:
        """What people know it as. Any thread."""
        return str(self)

    def about(self, message: Any) -> str | None:
        """Return the id of the request that a message is about; None: of none, or unknown. Any thread."""
        return getattr(message, "request_id", None)

    def doing(self) -> tuple[str, str]:
        """Return who this is and the kind of message in hand, "on_start" before the first."""
        envelope = self.mailbox.in_hand()
        return self.known_as, "on_start" if envelope is None else type(envelope.message).__name__

    def _handle_receive(self, message: Any) -> Any:
        """Keep a BaseException from Pykka's loop, which would stop every actor of the process."""
        try:
            return super()._handle_receive(message)
        except Exception:
            raise
        except BaseException as error:  # noqa: BLE001 - the point
            return self._crash(error)

    def _crash(self, error: BaseException) -> None:
        """Fail as under `tell`, whether asked or told: after SystemExit nobody knows what holds in this actor."""
        self._dispatcher.crashed(error)
        if self.actor_stopped.is_set():  # raised by on_stop: as with an Exception there, the stop stands
            self._handle_failure(*sys.exc_info())
            return
        crash = ActorCrashed(f"{type(error).__name__} in {self}")
        crash.__cause__ = error
        envelope = self.mailbox.in_hand()
        if envelope is not None and envelope.reply_to is not None:
            # Pykka answers the caller and would let the actor live.
            self._handle_failure(ActorCrashed, crash, error.__traceback__)
            self._call_on_failure(crash)
        raise crash

    def _call_on_failure(self, crash: ActorCrashed) -> None:
        try:
            self.on_failure(ActorCrashed, crash, crash.__traceback__)
        except BaseException:  # noqa: BLE001 - whatever it is, the actor is dead already, and the caller is answered
            self._handle_failure(*sys.exc_info())

    def _bury(self) -> None:
        """Answer what waits with ActorDeadError, also what comes in meanwhile, and shut the mailbox."""
        self.mailbox.begin(UNLIMITED)
        while not self.mailbox.close():
            with suppress(TurnOver):
                self._actor_loop_teardown()


def failure_text(kind: type[BaseException] | None, error: BaseException | None) -> str:
    """Return what `on_failure` is told, in words for the log: "KeyError: 'n1'"."""
    return f"{getattr(kind, '__name__', 'unknown')}: {error}"


def abandon(ref: ActorRef[Any]) -> None:
    """Give an actor up whose turn hangs. Any thread; never blocks; idempotent.

    From now on it is dead to everybody: it is not registered, `tell` and `ask` fail, and asks that wait in its mailbox
    are answered with ActorDeadError. Its present message goes on for as long as it hangs; after it, nothing of the
    actor runs, neither `on_stop` nor `on_failure`.
    """
    ActorRegistry.unregister(ref)
    ref.actor_stopped.set()
    cast("Mailbox", ref.actor_inbox).refuse_waiting()


def abandon_all(dispatcher: Dispatcher) -> None:
    """Give up every actor of a dispatcher that gives no more turns, as if their process had ended. O(all actors)."""
    for ref in ActorRegistry.get_all():
        if isinstance(ref.actor_inbox, Mailbox) and ref.actor_inbox.is_attached_to(dispatcher):
            abandon(ref)


def leftovers_of(ref: ActorRef[Any]) -> list[Any]:
    """Shut the mailbox of an actor that has failed, is stopping, or hangs, and return what it has not looked at.

    Only for whoever sees to the messages in its place; nobody may be waiting on a future for them. The control lane's
    come first, each lane's oldest first. Of an actor that hangs, call it before `abandon`, which drops what it finds.
    """
    return cast("Mailbox", ref.actor_inbox).take_all()
