"""A client's side of the talk: asks, waits, pings while it waits, and says plainly when nobody answers.

Before anything else is asked over a new connection, `hello` is: it proves that a conductor is there, and brings its
limits and its boot_id. A verb whose reply cannot come any more (the connection broke, the conductor restarted or fell
silent) ends with ConductorLost, and nothing is ever sent a second time: whether to ask again is the caller's decision.
"""

import logging
import math
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import count
from typing import Final, TypeVar

from msgspec import Struct

from castiron.transport import codec, frames
from castiron.transport.clients.sockets.link import Link
from castiron.transport.endpoint import Endpoint, unanswered
from castiron.transport.errors import CastironError, ConductorLost, FrameMalformed, ReplyTimeout
from castiron.transport.keys.protection import ClientKeys
from castiron.transport.replies import Pong, Welcome
from castiron.transport.session import DEFAULT_LIMITS, HEARTBEAT_INTERVAL_S, Question, Session, expect
from castiron.transport.verbs import Hello, Ping, Verb, tag_of
from castiron.transport.vocabulary import Applied

_Result = TypeVar("_Result", bound=Struct)

log = logging.getLogger(__name__)

PING_ID: Final = b"ping"
"""Of every ping: nobody waits for a certain one, and questions have numbers."""

SPARE: Final = 2
"""Places in flight that `ask_many` leaves free: one for a ping, one for another question."""

PINGS_PER_TIMEOUT: Final = 3
"""A wait that is shorter than the heartbeat pings this often, to tell a silent conductor from a slow answer."""


class Conversation:
    """Questions and answers with one conductor. Any thread may ask; they take turns."""

    def __init__(
        self, endpoint: Endpoint, *, name: str, now: Callable[[], float], keys: ClientKeys | None = None
    ) -> None:
        """Open the link; nothing is sent yet.

        Args:
            endpoint: where the conductor listens.
            name: what the client calls itself, for the conductor's log.
            now: seconds of a clock that never goes back.
            keys: with what to speak there; None: without keys.
        """
        self._endpoint = endpoint
        self._keys = keys
        self._name = name
        self._now = now
        self._link = Link(endpoint, keys)
        self._ids = count(1)
        self._turn = threading.RLock()
        self._session = Session[Question](now())
        self._heartbeat_s = HEARTBEAT_INTERVAL_S
        self._heard_at = self._pinged_at = self._sent_at = now()
        self._welcome: Welcome | None = None
        self._is_closed = False

    def close(self) -> None:
        """End the conversation. Idempotent; the conductor is not told."""
        with self._turn:
            self._is_closed = True
            self._link.close()

    @property
    def endpoint(self) -> Endpoint:
        """Where the conductor is reached."""
        return self._endpoint

    @property
    def keys(self) -> ClientKeys | None:
        """With what it speaks; None: without keys."""
        return self._keys

    @property
    def is_closed(self) -> bool:
        """Whether it has been ended."""
        return self._is_closed

    def greet(self, timeout_s: float) -> Welcome:
        """Say hello, and return who answers. Raises as `ask`."""
        with self._turn:
            self._welcome = None
            return self._greeted(self._now() + timeout_s)

    def ask(self, verb: Verb, result: type[_Result], timeout_s: float) -> _Result:
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
        return self.ask_with_seq(verb, result, timeout_s)[0]

    def ask_with_seq(self, verb: Verb, result: type[_Result], timeout_s: float) -> tuple[_Result, int]:
        """Send a verb and return its result, and the number of the last event that it takes into account.

        Raises as `ask`.
        """
        with self._turn:
            deadline = self._now() + timeout_s
            self._greeted(deadline)
            question = self._exchange(verb, deadline)
        return expect(question.outcome, result), question.seq

    def ask_many(
        self, verbs: Iterable[Verb], *, window: int, timeout_s: float
    ) -> Iterator[tuple[Verb, Struct | CastironError]]:
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
                with self._turn:
                    lost = lost or self._fill(source, flying, window, timeout_s)
                    done = self._first_done(flying)
                if not done:
                    break
                for question, outcome in done:
                    flying.remove(question)
                    self._session.end(question.message_id)
                    yield question.verb, outcome
        finally:
            for question in flying:
                self._session.end(question.message_id)
        if lost is not None:
            raise lost

    def ask_in_parts(
        self,
        verb: Verb,
        result: type[_Result],
        timeout_s: float,
        *,
        ends_at: float = math.inf,
        pace_s: float = math.inf,
    ) -> Generator[Struct | None, None, _Result]:
        """Send a verb that is answered in parts, and yield what is announced, then the parts, as they come.

        Nothing is read ahead: what is not taken waits in the socket, then with the conductor. What an iteration that
        is abandoned has set off goes on.

        Args:
            verb: what to ask.
            result: the Struct that answers it.
            timeout_s: for the announcement.
            ends_at: on the clock; what comes after the announcement may take until then.
            pace_s: yield None where nothing has come for so long, so that whoever iterates can do something else.

        Returns:
            The result.

        Raises:
            As `ask`.
        """
        with self._turn:
            deadline = self._now() + timeout_s
            self._greeted(deadline)
            question = self._send(verb, deadline)
            question.ends_at = ends_at
        try:
            while True:
                with self._turn:
                    idle_at = self._now() + pace_s
                    while question.outcome is None and not question.parts and self._now() < idle_at:
                        self._step(idle_at)
                while question.parts:
                    yield question.parts.popleft()
                if question.outcome is not None:
                    return expect(question.outcome, result)
                yield None
        finally:
            self._session.end(question.message_id)

    def idle(self, seconds: float) -> None:
        """Let time pass, taking in what comes, until `seconds` are over."""
        with self._turn:
            until = self._now() + seconds
            while (rest := until - self._now()) > 0:
                self._take_in(rest)

    def _fill(
        self, source: Iterator[Verb], flying: list[Question], window: int, timeout_s: float
    ) -> CastironError | None:
        """Send until the window is full or there is no more to send; return why nothing more can be sent."""
        while len(flying) < self._window(window):
            verb = next(source, None)
            if verb is None:
                return None  # before greeting: with nothing more to send, nobody waits for a conductor that is gone
            deadline = self._now() + timeout_s
            try:
                self._greeted(deadline)
            except CastironError as unwelcome:
                return unwelcome
            flying.append(self._send(verb, deadline))
        return None

    def _window(self, wish: int) -> int:
        limits = {} if self._welcome is None else self._welcome.limits
        return max(1, min(wish, limits.get("in_flight_per_peer", DEFAULT_LIMITS.in_flight_per_peer) - SPARE))

    def _first_done(self, flying: list[Question]) -> list[tuple[Question, Struct | CastironError]]:
        """Wait until at least one question has its outcome; none where nothing is in flight."""
        while flying:
            if done := [(question, question.outcome) for question in flying if question.outcome is not None]:
                return done
            self._step()
        return []

    def _greeted(self, deadline: float) -> Welcome:
        if self._is_closed:
            raise ConductorLost("This client is closed. Open another with castiron.connect().", applied=Applied.NO)
        while self._take_in(0):
            """What came while nobody asked; a broken connection is noticed, too."""
        if self._welcome is not None:
            return self._welcome
        try:
            welcome = expect(self._exchange(Hello(client=self._name), deadline).outcome, Welcome)
        except CastironError as error:
            error.applied = Applied.NO  # what the caller wants to ask has not been sent yet
            raise
        self._heartbeat_s = welcome.heartbeat_interval_s
        self._session.allow_silence(welcome.heartbeat_interval_s * welcome.liveness)
        self._welcome = welcome
        return welcome

    def _exchange(self, verb: Verb, deadline: float) -> Question:
        """Send a verb, and wait for its outcome."""
        question = self._send(verb, deadline)
        try:
            while question.outcome is None:
                self._step()
        finally:
            self._session.end(question.message_id)
        return question

    def _send(self, verb: Verb, deadline: float) -> Question:
        """Send a verb; one that cannot be encoded, or sent before the deadline, has its outcome at once."""
        now = self._now()
        question = Question(verb, str(next(self._ids)).encode(), now, deadline)
        try:
            request = frames.build_request(question.message_id, codec.encode_verb(verb))
            is_connected = self._is_connected(deadline)
        except CastironError as error:
            question.outcome = error
            return question
        self._show_life()
        self._sent_at = now
        if not (is_connected and self._link.send(request)):
            what = f"{tag_of(verb)} was not sent: no conductor answers"
            question.outcome = unanswered(self._endpoint, what, Applied.NO)
            return question
        if not self._session.in_flight:
            self._session.heard(now)  # silence counts from the moment when an answer is due
        self._session.begin(question.message_id, question)
        return question

    def _is_connected(self, deadline: float) -> bool:
        """Return whether there is a connection, waiting for one until the deadline.

        Raises:
            KeyRefused, HandshakeFailed: the conductor is there, and takes none from us.
        """
        if not self._link.is_connected(0):
            self._link.refusal()  # of attempts before this question: they are made anew
        while not self._link.is_connected(deadline - self._now()):
            if (refusal := self._link.refusal()) is not None:
                raise refusal
            if self._now() >= deadline:
                return False
            self._link.has_broken()  # a connection that somebody accepted and closed; nothing had been sent over it
        return True

    def _step(self, until: float = math.inf) -> None:
        """Take in one message, or find out that none will come: pings, deadlines, silence, broken connections."""
        self._show_life()
        waiting = [question for question in self._session.in_flight.values() if question.outcome is None]
        if not waiting:
            return
        shortest_s = min(one.deadline - one.asked_at for one in waiting)
        ping_at = max(self._heard_at, self._pinged_at, waiting[0].asked_at)
        ping_at += min(self._heartbeat_s, shortest_s / PINGS_PER_TIMEOUT)
        shown_until = self._sent_at + self._heartbeat_s
        until = min(until, ping_at, shown_until, self._session.gone_at, *(question.deadline for question in waiting))
        if self._take_in(until - self._now()):
            return
        now = self._now()
        for question in waiting:
            if question.outcome is None and now >= question.deadline:
                question.outcome = self._late(question)
        if self._session.is_gone(now):
            self._lose("The conductor has fallen silent")
        elif now >= ping_at:
            self._ping(now)

    def _show_life(self) -> None:
        """Give a sign of life after an interval without one, however much has come."""
        now = self._now()
        silent_s = now - self._sent_at if self._session.in_flight else 0.0
        if silent_s >= self._session.silence_s:
            self._lose("This client was silent for so long that the conductor has forgotten it")
        elif silent_s >= self._heartbeat_s:
            self._ping(now)

    def _ping(self, now: float) -> None:
        """Ask for a sign of life, and give one. Nobody waits for the answer; a later one replaces it."""
        self._pinged_at = self._sent_at = now
        self._session.end(PING_ID)
        self._link.send(frames.build_request(PING_ID, codec.encode_verb(Ping())))

    def _take_in(self, timeout_s: float) -> bool:
        """Take in the next message, and return whether there was one before the time was up."""
        received = self._link.receive(timeout_s)
        if received is None:
            if self._link.has_broken():
                self._lose("The connection to the conductor broke")
            return False
        self._heard_at = self._now()
        self._session.heard(self._heard_at)
        try:
            reply = frames.parse_reply(received)
            self._settle(reply)
        except FrameMalformed as error:
            log.warning("%s: %s", self._endpoint, error.message)
        return True

    def _settle(self, reply: frames.ReplyEnvelope) -> None:
        if reply.id == PING_ID:
            self._recognise(codec.decode_reply(reply.body, Pong).outcome)
            return
        question = self._session.in_flight.get(reply.id)
        if question is None:
            return  # it was given up
        try:
            if reply.kind == frames.FINAL:
                question.outcome, question.seq = codec.decode_reply(reply.body, codec.result_of(question.verb))
            elif codec.has_parts(question.verb):
                self._keep_part(question, reply)
        except FrameMalformed as error:
            question.outcome = error

    def _keep_part(self, question: Question, reply: frames.ReplyEnvelope) -> None:
        """Keep what precedes the outcome; with the first of it, the deadline is another one."""
        kinds = {frames.ACCEPTED: codec.result_of, frames.PART: codec.part_of}
        if reply.kind not in kinds:
            return
        part = codec.decode_reply(reply.body, kinds[reply.kind](question.verb)).outcome
        question.deadline = question.ends_at
        if isinstance(part, Struct):
            question.parts.append(part)

    def _recognise(self, pong: Struct | CastironError) -> None:
        if isinstance(pong, Pong) and self._welcome is not None and pong.boot_id != self._welcome.boot_id:
            self._lose("The conductor has restarted")

    def _lose(self, what: str) -> None:
        """Give up on what is in flight: its answers went with the connection."""
        self._welcome = None
        for question in self._session.in_flight.values():
            if question.outcome is None:
                applied = Applied.UNKNOWN if question.verb.makes_work else None
                told = f"{what} before {tag_of(question.verb)} was answered"
                question.outcome = unanswered(self._endpoint, told, applied)

    def _late(self, question: Question) -> CastironError:
        applied = Applied.UNKNOWN if question.verb.makes_work else None
        waited_s = question.deadline - question.asked_at
        if self._heard_at < question.asked_at:
            what = f"{tag_of(question.verb)} was not answered within {waited_s:g} s"
            return unanswered(self._endpoint, what, applied)
        return ReplyTimeout(
            f"The conductor at {self._endpoint} is there, and did not answer {tag_of(question.verb)} within "
            f"{waited_s:g} s. Allow more time, or look with `castiron status`.",
            applied=applied,
        )
