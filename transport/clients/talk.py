"""A client's side of the talk, without sockets and without a clock: what to send, and what has come of it.

Before anything else is asked over a new connection, `hello` is: it proves that a conductor is there, and brings its
limits and its boot_id. A verb whose reply cannot come any more (the connection broke, the conductor restarted or fell
silent) ends with ConductorLost, and nothing is ever sent a second time: whether to ask again is the caller's decision.

May come in: frames, and `now`. Must not: how somebody waits; that is the conversation's.
"""

import logging
import math
from collections.abc import Iterable
from itertools import count
from typing import Final

from msgspec import Struct

from castiron.transport import codec, frames
from castiron.transport.endpoint import Endpoint, unanswered
from castiron.transport.errors import CastironError, FrameMalformed, ReplyTimeout
from castiron.transport.replies import Pong, Welcome
from castiron.transport.session import DEFAULT_LIMITS, HEARTBEAT_INTERVAL_S, Question, Session
from castiron.transport.verbs import Ping, Verb, tag_of
from castiron.transport.vocabulary import Applied

log = logging.getLogger(__name__)

PING_ID: Final = b"ping"
"""Of every ping: nobody waits for a certain one, and questions have numbers."""

SPARE: Final = 2
"""Places in flight that are left free: one for a ping, one for another question."""

PINGS_PER_TIMEOUT: Final = 3
"""A wait that is shorter than the heartbeat pings this often, to tell a silent conductor from a slow answer."""

Message = list[bytes]
"""The frames of one message."""


class Talk:
    """What one client and one conductor have said to each other.

    Attributes:
        endpoint: where the conductor listens.
        welcome: what it said of itself; None: it is to be greeted first.
    """

    def __init__(self, endpoint: Endpoint, now: float, *, may_block: bool = True) -> None:
        """Begin it.

        Args:
            endpoint: where the conductor listens.
            now: seconds of a clock that never goes back.
            may_block: whether the thread may be held up for a moment, to see why nobody answers.
        """
        self.endpoint: Final = endpoint
        self._may_block = may_block
        self.welcome: Welcome | None = None
        self._ids = count(1)
        self._session = Session[Question](now)
        self._heartbeat_s = HEARTBEAT_INTERVAL_S
        self._heard_at = self._pinged_at = self._sent_at = now

    def welcomed(self, welcome: Welcome) -> None:
        """Go by what the conductor says of itself."""
        log.info("%s: conductor %s (castiron %s) answers", self.endpoint, welcome.conductor, welcome.version)
        self._heartbeat_s = welcome.heartbeat_interval_s
        self._session.allow_silence(welcome.heartbeat_interval_s * welcome.liveness)
        self.welcome = welcome

    def window(self, wish: float = math.inf) -> int:
        """Return how many questions may be in flight at a time: no more than somebody wishes, or a peer may have."""
        limits = {} if self.welcome is None else self.welcome.limits
        allowed = limits.get("in_flight_per_peer", DEFAULT_LIMITS.in_flight_per_peer)
        return int(max(1, min(wish, allowed - SPARE)))

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for an answer."""
        return any(not question.is_abandoned for question in self._session.in_flight.values())

    @property
    def waiting(self) -> list[Question]:
        """The questions that have no outcome yet, in the order in which they were asked."""
        return list(self._session.in_flight.values())

    @property
    def room(self) -> int:
        """How many more questions may be asked now."""
        return max(0, self.window() - len(self._session.in_flight))

    def question(self, verb: Verb, now: float, deadline: float) -> tuple[Question, Message]:
        """Return a question, and what to send for it; of one that cannot be encoded, the outcome is known."""
        question = Question(verb, str(next(self._ids)).encode(), now, deadline)
        try:
            return question, frames.build_request(question.message_id, codec.encode_verb(verb))
        except CastironError as error:
            question.outcome = error
            return question, []

    def begin(self, question: Question, *, is_sent: bool) -> None:
        """Note that a question was sent, or could not be."""
        self._sent_at = question.asked_at
        if not is_sent:
            what = f"{tag_of(question.verb)} was not sent: no conductor answers"
            self._settle(question, self.unanswered(what, Applied.NO))
            return
        if not self._session.in_flight:
            self._session.heard(question.asked_at)  # silence counts from the moment when an answer is due
        self._session.begin(question.message_id, question)

    def end(self, question: Question) -> None:
        """Note that nobody waits for a question any more. Idempotent.

        Its place stays taken until it is answered, late or lost: to the conductor it is still in flight.
        """
        question.abandon()

    def _settle(self, question: Question, outcome: Struct | CastironError) -> None:
        self._session.end(question.message_id)
        question.settle(outcome)

    def take_in(self, message: Message, now: float) -> None:
        """Take in what has come."""
        self._heard_at = now
        self._session.heard(now)
        try:
            self._read(frames.parse_reply(message))
        except FrameMalformed as error:
            log.warning("%s: %s", self.endpoint, error.message)

    def wake_at(self) -> float:
        """Return until when nothing is to be done unless something comes; infinity where nobody waits."""
        waiting = self.waiting
        if not waiting:
            return math.inf
        due_at = (self._ping_at(waiting), self._sent_at + self._heartbeat_s, self._session.gone_at)
        return min(*due_at, *(question.deadline for question in waiting))

    def show_life(self, now: float) -> list[Message]:
        """Return what to send as a sign of life after an interval without one, however much has come."""
        silent_s = now - self._sent_at if self._session.in_flight else 0.0
        if silent_s >= self._session.silence_s:
            self.lose("This client was silent for so long that the conductor has forgotten it")
        elif silent_s >= self._heartbeat_s:
            return [self._ping(now)]
        return []

    def look_at_clock(self, now: float) -> list[Message]:
        """End what is too late, and return what to send to hear whether the conductor is there."""
        waiting = self.waiting
        for question in waiting:
            if now >= question.deadline:
                self._settle(question, self._late(question))
        if self._session.is_gone(now):
            self.lose("The conductor has fallen silent")
        elif waiting and now >= self._ping_at(waiting):
            return [self._ping(now)]
        return []

    def lose(self, what: str) -> None:
        """Give up on what is in flight: its answers went with the connection.

        Args:
            what: has happened, as the beginning of a sentence.
        """
        self.welcome = None
        for question in self.waiting:
            applied = Applied.UNKNOWN if question.verb.makes_work else None
            told = f"{what} before {tag_of(question.verb)} was answered"
            self._settle(question, self.unanswered(told, applied))

    def unanswered(self, what: str, applied: Applied | None) -> CastironError:
        """Return the failure of a question that nobody answers any more; see `endpoint.unanswered`."""
        return unanswered(self.endpoint, what, applied, may_block=self._may_block)

    def _ping_at(self, waiting: Iterable[Question]) -> float:
        """Return when a sign of life is to be asked for."""
        first = next(iter(waiting))
        shortest_s = min(one.deadline - one.asked_at for one in waiting)
        since = max(self._heard_at, self._pinged_at, first.asked_at)
        return since + min(self._heartbeat_s, shortest_s / PINGS_PER_TIMEOUT)

    def _ping(self, now: float) -> Message:
        """Ask for a sign of life, and give one. Nobody waits for the answer; a later one replaces it."""
        self._pinged_at = self._sent_at = now
        self._session.end(PING_ID)
        return frames.build_request(PING_ID, codec.encode_verb(Ping()))

    def _read(self, reply: frames.ReplyEnvelope) -> None:
        if reply.id == PING_ID:
            self._recognise(codec.decode_reply(reply.body, Pong).outcome)
            return
        question = self._session.in_flight.get(reply.id)
        if question is None:
            return  # it was given up
        try:
            if reply.kind == frames.FINAL:
                outcome, question.seq = codec.decode_reply(reply.body, codec.result_of(question.verb))
                self._settle(question, outcome)
                self._tell(question)
            elif codec.has_parts(question.verb):
                self._keep_part(question, reply)
        except FrameMalformed as error:
            self._settle(question, error)

    def _tell(self, question: Question) -> None:
        """Say how a question was answered; not what was in it, which may be a secret."""
        how = question.outcome.code if isinstance(question.outcome, CastironError) else "answered"
        after_ms = (self._heard_at - question.asked_at) * 1000
        log.debug("%s: %s after %.1f ms", tag_of(question.verb), how, after_ms)

    def _keep_part(self, question: Question, reply: frames.ReplyEnvelope) -> None:
        """Keep what precedes the outcome; with the first of it, the deadline is another one."""
        kinds = {frames.ACCEPTED: codec.result_of, frames.PART: codec.part_of}
        if reply.kind not in kinds:
            return
        part = codec.decode_reply(reply.body, kinds[reply.kind](question.verb)).outcome
        question.deadline = question.ends_at
        if isinstance(part, Struct) and not question.is_abandoned:
            question.parts.append(part)
            question.told()

    def _recognise(self, pong: Struct | CastironError) -> None:
        if isinstance(pong, Pong) and self.welcome is not None and pong.boot_id != self.welcome.boot_id:
            self.lose("The conductor has restarted")

    def _late(self, question: Question) -> CastironError:
        applied = Applied.UNKNOWN if question.verb.makes_work else None
        waited_s = question.deadline - question.asked_at
        if self._heard_at < question.asked_at:
            what = f"{tag_of(question.verb)} was not answered within {waited_s:g} s"
            return self.unanswered(what, applied)
        return ReplyTimeout(
            f"The conductor at {self.endpoint} is there, and did not answer {tag_of(question.verb)} within "
            f"{waited_s:g} s. Allow more time, or look with `castiron status`.",
            applied=applied,
        )
