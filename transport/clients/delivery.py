"""How a client's requests get there once: each has a key, and is sent again until the conductor has said what it is.

A reply may be lost with its connection, or with the conductor that was about to send it; then nobody here knows whether
the request was taken. The same request with the same key is the same request to a conductor, also after its restart, so
it is sent again. So is one for which there was no room, when the conductor said to ask again. May come in: when to send
again. Must not: what becomes of a request that was accepted.
"""

import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Final, TypedDict, TypeVar, Unpack

from msgspec import Struct
from msgspec.structs import replace

from castiron.transport.clients.conversation import Conversation
from castiron.transport.errors import CastironError, ConductorDraining, ConductorLost, ReplyTimeout, RequestEnded
from castiron.transport.verbs import AnyNodeRequest, NodeRequest, RequestAbort, RequestCancel, RequestShow, Verb, tag_of
from castiron.transport.vocabulary import Applied, OnRestart, Policy, ReplyWish, Retry

_Request = TypeVar("_Request", bound=AnyNodeRequest)

log = logging.getLogger(__name__)

PATIENCE_S: Final = 30.0
"""How long a request is sent again: a conductor restarts in seconds, and a full disk takes a person."""

PAUSE_S: Final = 0.2
"""Before a request is sent again whose conductor could not say when."""


class Terms(TypedDict, total=False):
    """How a request is to be treated, beside what is to be done. PROTOCOL.md has the default of what is left out."""

    key: str
    """8 to 128 visible characters: the same key is the same request, for as long as it is kept. Left out: a new one."""
    policy: Policy | str
    """If another request is in the way: "strict" (be refused), "after", "supersede"."""
    hold: bool
    """Wait while the node is in maintenance."""
    fresh: bool
    """Look at the machine first, then judge the request."""
    again: bool
    """Once more, even if an equal request has not ended."""
    deadline_at: float
    """Expire if it has not started by then; seconds since 1970-01-01 UTC."""
    on_restart: OnRestart | str
    """If the conductor restarts before it has ended: "resume", "fail"."""
    callback_url: str
    """Called once the request has ended; the conductor's settings say which URLs may be."""


def on_terms(verb: _Request, **terms: Unpack[Terms]) -> _Request:
    """Return the verb with these terms; the codec checks their words before they are sent."""
    return replace(verb, **terms)


TAKES_BACK: Final = (RequestCancel, RequestAbort)
"""Verbs without a key that are sent again all the same: twice is once."""


@dataclass(slots=True)
class _Letter:
    """A verb that is being delivered."""

    given: Verb
    sent: Verb
    """As it is sent: with a key."""
    is_sent_again: bool
    """Whether it may be sent again."""
    due_at: float = -math.inf
    """When it is to be sent."""
    ends_at: float = math.inf
    """When it is sent no more; known once it has failed."""
    has_failed: bool = False
    """Whether it was sent before."""
    may_be_taken: bool = False
    """Whether it may have been taken by a conductor whose answer was lost."""


@dataclass(slots=True)
class _Round:
    """What is sent in one go, and what is left of it."""

    due: deque[_Letter]
    source: Iterator[_Letter]
    waiting: list[_Letter]
    """To be sent again, later."""
    window: int
    flying: list[_Letter] = field(default_factory=list[_Letter])
    lost: CastironError | None = None
    """Why it broke off."""

    def letters(self) -> Iterator[Verb]:
        """Yield what is to be sent: what is due, and more of the source while less than a window waits."""
        while self.due:
            self.flying.append(self.due.popleft())
            yield self.flying[-1].sent
        while len(self.waiting) < self.window and (letter := next(self.source, None)) is not None:
            self.flying.append(letter)
            yield letter.sent

    def landed(self, sent: Verb) -> _Letter:
        """Return the letter whose verb has its outcome."""
        return self.flying.pop(next(place for place, one in enumerate(self.flying) if one.sent is sent))


class Delivery:
    """Sends verbs; who may ask at the same time is the conversation's to say."""

    def __init__(
        self,
        conversation: Conversation,
        *,
        timeout_s: float,
        patience_s: float,
        new_key: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        """Share a conversation.

        Args:
            conversation: with the conductor.
            timeout_s: for each answer.
            patience_s: for how long a request is sent again, from its first failure; 0: never.
            new_key: makes keys that nobody else makes.
            now: seconds of a clock that never goes back.
        """
        self._conversation = conversation
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._new_key = new_key
        self._now = now

    async def send(self, verb: Verb, *, timeout_s: float | None = None) -> Struct:
        """Send a verb, and return its result.

        Args:
            verb: what to send.
            timeout_s: for the answer; None: as for all.

        Raises:
            ConductorLost: no conductor answers; `applied` says whether the verb may have been accepted.
            ReplyTimeout: the conductor is there, and did not answer.
            CastironError: what the conductor answered.
        """
        outcomes = [outcome async for _, outcome in self.send_many([verb], window=1, timeout_s=timeout_s)]
        (outcome,) = outcomes
        if isinstance(outcome, CastironError):
            raise outcome
        return outcome

    async def send_many(
        self, verbs: Iterable[Verb], *, window: int, timeout_s: float | None = None
    ) -> AsyncIterator[tuple[Verb, Struct | CastironError]]:
        """Send verbs, at most `window` at a time, and yield each with its outcome; see `Client.send_many`."""
        source = (self._letter(verb) for verb in verbs)
        answer_s = self._timeout_s if timeout_s is None else timeout_s
        waiting: list[_Letter] = []
        while True:
            now = self._now()
            flight = _Round(
                deque(letter for letter in waiting if letter.due_at <= now),
                source,
                [letter for letter in waiting if letter.due_at > now],
                window,
            )
            async for outcome in self._fly(flight, answer_s):
                yield outcome
            waiting = flight.waiting
            if waiting and flight.lost is not None and not any(letter.has_failed for letter in waiting):
                raise flight.lost  # none of these has ever been sent
            if waiting:
                await self._conversation.idle(min(letter.due_at for letter in waiting) - self._now())
            elif flight.lost is None:
                return

    async def _fly(self, flight: "_Round", timeout_s: float) -> AsyncIterator[tuple[Verb, Struct | CastironError]]:
        """Yield what has its outcome in a round; what has none waits."""
        try:
            many = self._conversation.ask_many(flight.letters(), window=flight.window, timeout_s=timeout_s)
            async for sent, outcome in many:
                letter = flight.landed(sent)
                if isinstance(outcome, CastironError) and self._is_to_be_sent_again(letter, outcome):
                    flight.waiting.append(letter)
                else:
                    yield letter.given, outcome
        except CastironError as error:
            flight.lost = error
            for given, own in self._left_over((*flight.flying, *flight.due), flight.waiting, error):
                yield given, own

    def _left_over(
        self, letters: Iterable[_Letter], waiting: list[_Letter], lost: CastironError
    ) -> Iterator[tuple[Verb, CastironError]]:
        """Yield those of the letters that were to be sent next for which it is too late; the others wait."""
        for letter in letters:
            own = copy(lost)  # whether it may have been applied differs
            if self._is_to_be_sent_again(letter, own):
                waiting.append(letter)
            elif letter.has_failed:
                yield letter.given, own
            else:
                letter.due_at = self._now() + PAUSE_S
                waiting.append(letter)

    def _is_to_be_sent_again(self, letter: _Letter, error: CastironError) -> bool:
        """Note why a letter was not taken, or may not have been; return whether to try again."""
        if not letter.is_sent_again or self._conversation.is_closed:
            return False
        if isinstance(letter.sent, RequestAbort) and isinstance(error, ReplyTimeout):
            return False  # it was heard, and what it has set off goes on
        if isinstance(letter.sent, TAKES_BACK) and isinstance(error, RequestEnded) and letter.may_be_taken:
            letter.sent = RequestShow(request=letter.sent.request)  # ended by the first of them, as far as we know
            return True
        if not (_is_passing(error) or (letter.has_failed and isinstance(error, ConductorLost))):
            return False
        now = self._now()
        if not letter.has_failed:
            letter.has_failed, letter.ends_at = True, now + self._patience_s
        letter.may_be_taken = letter.may_be_taken or error.applied is Applied.UNKNOWN
        if letter.may_be_taken:
            error.applied = Applied.UNKNOWN  # of this attempt it may be known, of an earlier one it is not
        letter.due_at = now + (error.retry_after_s or PAUSE_S)
        log.info("%s To be sent again: %s", error.message, tag_of(letter.sent))
        return letter.due_at < letter.ends_at

    def _letter(self, verb: Verb) -> _Letter:
        if not isinstance(verb, NodeRequest):
            return _Letter(verb, verb, is_sent_again=isinstance(verb, TAKES_BACK))
        keyed = verb if verb.key is not None else replace(verb, key=self._new_key())
        return _Letter(verb, keyed, is_sent_again=verb.replies is ReplyWish.ACCEPTED)


def _is_passing(error: CastironError) -> bool:
    """Return whether an error says that it is not the last word."""
    return error.applied is Applied.UNKNOWN or error.retry is Retry.AFTER or isinstance(error, ConductorDraining)
