"""Questions and answers with one conductor, as coroutines: what to wait for is said here, how to wait is not.

One client, two manners. A subclass says how: the blocking one waits in the calling thread and never suspends its
coroutines, so they run without a loop; the awaitable one lets its loop go on. Whatever a client can do stands on this.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from msgspec import Struct

from castiron.transport.clients.sockets.link import Link, Readable
from castiron.transport.clients.talk import Message, Talk
from castiron.transport.endpoint import Endpoint
from castiron.transport.errors import CastironError, ConductorLost
from castiron.transport.keys.protection import ClientKeys
from castiron.transport.replies import Welcome
from castiron.transport.session import Question, expect
from castiron.transport.verbs import Hello, Verb
from castiron.transport.vocabulary import Applied

_Result = TypeVar("_Result", bound=Struct)


@dataclass(frozen=True, slots=True)
class Last(Generic[_Result]):
    """The result of a verb that is answered in parts: nothing comes after it."""

    result: _Result


class Conversation(ABC):
    """A conversation. Whoever may ask, and from where, is its subclass's to say.

    Attributes:
        may_block: whether the thread may be held up for a moment, to see why nobody answers.
    """

    may_block: ClassVar[bool]

    def __init__(
        self,
        endpoint: Endpoint,
        readable: Readable,
        *,
        name: str,
        now: Callable[[], float],
        keys: ClientKeys | None = None,
    ) -> None:
        """Open the link; nothing is sent yet.

        Args:
            endpoint: where the conductor listens.
            readable: how to wait for a socket.
            name: what the client calls itself, for the conductor's log.
            now: seconds of a clock that never goes back.
            keys: with what to speak there; None: without keys.
        """
        self.readable = readable
        self.keys = keys
        self._name = name
        self._now = now
        self._link = Link(endpoint, readable, keys)
        self._talk = Talk(endpoint, now(), may_block=self.may_block)
        self._is_closed = False

    @property
    def endpoint(self) -> Endpoint:
        """Where the conductor is reached."""
        return self._talk.endpoint

    @property
    def is_closed(self) -> bool:
        """Whether it has been ended."""
        return self._is_closed

    @abstractmethod
    async def end_waits(self) -> None:
        """End whatever is waited for: its sockets are about to be closed. Idempotent."""

    def close(self) -> None:
        """End the conversation, of which nothing is waited for. Idempotent; the conductor is not told."""
        self._is_closed = True
        self._link.close()

    async def greet(self, timeout_s: float) -> Welcome:
        """Say hello, and return who answers. Raises as `ask`."""
        with self._turn():
            self._talk.welcome = None
            return await self._greeted(self._now() + timeout_s)

    async def ask(self, verb: Verb, result: type[_Result], timeout_s: float) -> _Result:
        """Send a verb and return its result.

        Args:
            verb: what to ask.
            result: the Struct that answers it, as RESULTS has it.
            timeout_s: from now, greeting and sending included.

        Raises:
            ConductorLost: no conductor answers; `applied` says whether the verb may have been accepted.
            ReplyTimeout: the conductor is there, and did not answer this within `timeout_s`.
            CastironError: what the conductor answered.
        """
        return (await self.ask_with_seq(verb, result, timeout_s))[0]

    async def ask_with_seq(self, verb: Verb, result: type[_Result], timeout_s: float) -> tuple[_Result, int]:
        """Send a verb and return its result, and the number of the last event that it takes into account.

        Raises as `ask`.
        """
        with self._turn():
            deadline = self._now() + timeout_s
            await self._greeted(deadline)
            question = await self._exchange(verb, deadline)
        return expect(question.outcome, result), question.seq

    async def ask_many(
        self, verbs: Iterable[Verb], *, window: int, timeout_s: float
    ) -> AsyncIterator[tuple[Verb, Struct | CastironError]]:
        """Send verbs, at most `window` at a time, and yield each with its outcome as the answers come.

        Args:
            verbs: any number; read as places become free.
            window: cut to what the conductor allows a peer, less a few.
            timeout_s: for each verb, from the moment when it is sent.

        Raises:
            ConductorLost: no conductor could be reached for the next verb; those before it have been yielded.
        """
        source = iter(verbs)
        flying: list[Question] = []
        lost: CastironError | None = None
        try:
            while True:
                with self._turn():
                    lost = lost or await self._fill(source, flying, window, timeout_s)
                    done = await self._first_done(flying)
                if not done:
                    break
                for question, outcome in done:
                    flying.remove(question)
                    yield question.verb, outcome
        finally:
            for question in flying:
                self._end(question)
        if lost is not None:
            raise lost

    async def ask_in_parts(
        self,
        verb: Verb,
        result: type[_Result],
        timeout_s: float,
        *,
        ends_at: float = math.inf,
        pace_s: float = math.inf,
    ) -> AsyncIterator[Struct | Last[_Result] | None]:
        """Send a verb that is answered in parts; yield what is announced, the parts as they come, and the result last.

        Nothing is read ahead: what is not taken waits in the socket, then with the conductor. What an iteration that
        is abandoned has set off goes on.

        Args:
            verb: what to ask.
            result: the Struct that answers it.
            timeout_s: for the announcement.
            ends_at: on the clock; what comes after the announcement may take until then.
            pace_s: yield None where nothing has come for so long, so that whoever iterates can do something else.

        Raises:
            As `ask`.
        """
        with self._turn():
            deadline = self._now() + timeout_s
            await self._greeted(deadline)
            question = await self._send(verb, deadline)
            question.ends_at = ends_at
        try:
            while True:
                with self._turn():
                    idle_at = self._now() + pace_s
                    while question.outcome is None and not question.parts and self._now() < idle_at:
                        await self._news([question], idle_at)
                while question.parts:
                    yield question.parts.popleft()
                if question.outcome is not None:
                    yield Last(expect(question.outcome, result))
                    return
                yield None
        finally:
            self._end(question)

    @abstractmethod
    async def idle(self, seconds: float) -> None:
        """Let time pass, taking in what comes, until `seconds` are over."""

    @abstractmethod
    def _turn(self) -> AbstractContextManager[object]:
        """Return what keeps others from asking at the same time, where that must not be."""

    @abstractmethod
    def _greeting(self) -> AbstractAsyncContextManager[object]:
        """Return what keeps others from greeting at the same time."""

    @abstractmethod
    async def _news(self, questions: Sequence[Question], until: float) -> None:
        """Wait until something has come of a question, or something else has happened; at most `until`."""

    @abstractmethod
    async def _catch_up(self) -> None:
        """Take in what came while nobody asked; a broken connection is noticed, too."""

    async def _fill(
        self, source: Iterator[Verb], flying: list[Question], window: int, timeout_s: float
    ) -> CastironError | None:
        """Send until the window is full or there is no more to send; return why nothing more can be sent."""
        while len(flying) < self._talk.window(window):
            verb = next(source, None)
            if verb is None:
                return None  # before greeting: with nothing more to send, nobody waits for a conductor that is gone
            deadline = self._now() + timeout_s
            try:
                await self._greeted(deadline)
            except CastironError as unwelcome:
                return unwelcome
            flying.append(await self._send(verb, deadline))
        return None

    async def _first_done(self, flying: list[Question]) -> list[tuple[Question, Struct | CastironError]]:
        """Wait until at least one question has its outcome; none where nothing is in flight."""
        while flying:
            if done := [(question, question.outcome) for question in flying if question.outcome is not None]:
                return done
            await self._news(flying, math.inf)
        return []

    async def _greeted(self, deadline: float) -> Welcome:
        self._refuse_if_closed()
        await self._catch_up()
        if self._talk.welcome is None:
            async with self._greeting():
                if self._talk.welcome is None:
                    await self._say_hello(deadline)
        return self._talk.welcome or expect(None, Welcome)

    async def _say_hello(self, deadline: float) -> None:
        try:
            welcome = expect((await self._exchange(Hello(client=self._name), deadline)).outcome, Welcome)
        except CastironError as error:
            error.applied = Applied.NO  # what the caller wants to ask has not been sent yet
            raise
        self._talk.welcomed(welcome)

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise ConductorLost("This client is closed. Open another with castiron.connect().", applied=Applied.NO)

    async def _exchange(self, verb: Verb, deadline: float) -> Question:
        """Send a verb, and wait for its outcome."""
        question = await self._send(verb, deadline)
        try:
            while question.outcome is None:
                await self._news([question], math.inf)
        finally:
            self._end(question)
        return question

    async def _send(self, verb: Verb, deadline: float) -> Question:
        """Send a verb; one that cannot be encoded, or sent before the deadline, has its outcome at once."""
        now = self._now()
        question, message = self._talk.question(verb, now, deadline)
        if question.outcome is not None:
            return question
        try:
            is_connected = await self._is_connected(deadline)
        except CastironError as error:
            question.settle(error)
            return question
        self._send_all(self._talk.show_life(self._now()))
        self._talk.begin(question, is_sent=is_connected and self._link.send(message))
        return question

    def _send_all(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._link.send(message)

    def _end(self, question: Question) -> None:
        self._talk.end(question)

    async def _is_connected(self, deadline: float) -> bool:
        """Return whether there is a connection, waiting for one until the deadline.

        Raises:
            KeyRefused, HandshakeFailed: the conductor is there, and takes none from us.
        """
        if not await self._link.is_connected(0):
            self._link.refusal()  # of attempts before this question: they are made anew
        while not await self._link.is_connected(deadline - self._now()):
            if (refusal := self._link.refusal()) is not None:
                raise refusal
            if self._now() >= deadline:
                return False
            self._notice_break()  # a connection that somebody accepted and closed
        return True

    async def _step(self, until: float = math.inf) -> None:
        """Take in one message, or find out that none will come: pings, deadlines, silence, broken connections."""
        self._send_all(self._talk.show_life(self._now()))
        if not self._talk.waiting:
            return
        if not await self._take_in(min(until, self._talk.wake_at()) - self._now()):
            self._send_all(self._talk.look_at_clock(self._now()))

    async def _take_in(self, timeout_s: float) -> bool:
        """Take in the next message, and return whether there was one before the time was up."""
        received = await self._link.receive(timeout_s)
        if received is None:
            self._notice_break()
            return False
        self._talk.take_in(received, self._now())
        return True

    def _notice_break(self) -> None:
        if self._link.has_broken():
            self._talk.lose("The connection to the conductor broke")
