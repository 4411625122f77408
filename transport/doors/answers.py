"""How answers get from any thread to the front door's: one Answer for each message, one Outbox for all.

An answer is encoded by the thread that gives it; the front door's thread only sends. Which replies a client gets is
decided here, by what it wished, so that whoever answers says what happened and no more.
"""

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from castiron.transport import codec, frames
from castiron.transport.crowd import Crowd
from castiron.transport.doors.slip import Slip
from castiron.transport.doors.unread import LARGE_BYTES
from castiron.transport.errors import CastironError, InternalError
from castiron.transport.frames import MAX_REPLY_BYTES, Envelope
from castiron.transport.requester import name_of
from castiron.transport.session import overloaded
from castiron.transport.verbs import AnyVerb, BulkRun, NodeRequest, tag_of
from castiron.transport.vocabulary import ReplyWish

log = logging.getLogger(__name__)


MAX_LARGE_BYTES: Final = 2 * MAX_REPLY_BYTES
"""Of large replies that wait for the front door's thread: two of the largest, as it sends one after the other."""


class PeerInfo(NamedTuple):
    """Who asks."""

    requester: str
    """Where the message came from: "ipc:uid=" and who the system says it is, "curve:" and whose key it is in the
    allow-list, or "tcp:" and the address."""
    name: str
    """What the peer called itself in its last hello; empty if it did not. Anybody may say anything."""

    @property
    def who(self) -> str:
        """Who asks, in a line for requests, events and the log: where from, and in parentheses what it calls itself."""
        return name_of(self.requester, self.name)


class Handler(Protocol):
    """What stands behind a front door."""

    def handle(self, verb: AnyVerb, peer: PeerInfo, answer: "Answer") -> None:
        """Do, or have done, what was asked, and see to it that `answer` is given.

        Runs on the front door's thread and must not block: no I/O, no waiting for actors. An exception becomes
        InternalError for the client, unless the answer has been given.
        """
        ...


class Outgoing(NamedTuple):
    """A reply that is ready to be sent."""

    key: bytes
    """Routing id of the peer."""
    envelope: Envelope
    kind: bytes
    body: bytes
    slip: Slip | None = None
    """Of a part: where it is noted what became of it."""


class Outbox:
    """Replies on their way to the front door's thread.

    Its size is bounded by what is in flight: each message puts three replies in here at the most, as a part waits for
    the one before it, and keeps its place in flight until they have been taken out.
    """

    def __init__(self, new_error_id: Callable[[], str]) -> None:
        self._new_error_id = new_error_id
        self._waiting: deque[Outgoing] = deque()
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_awake = False
        self._is_open = True
        self._owner: int | None = None
        self._probe: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self.doubled_count = 0
        self.late_count = 0
        self.crowded_count = 0
        self.large_bytes = 0
        """Of large replies that wait to be taken."""
        self.crowd = Crowd[int](MAX_LARGE_BYTES, lambda _: self.large_bytes)
        """How many these were, at the most: of one thing only, the outbox."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when another thread has put something in."""
        return self._descriptor

    def belongs_here(self) -> None:
        """Make the calling thread the one that takes replies out: what it puts in itself wakes nobody."""
        self._owner = threading.get_ident()

    def put(self, reply: Outgoing) -> None:
        """Add a reply; a large one that finds no room gives way to an error. Any thread; never blocks."""
        self._waiting.append(reply if len(reply.body) < LARGE_BYTES else self._counted(reply))
        self.nudge()

    def nudge(self) -> None:
        """Make the descriptor readable unless it is, or its reader is the one who asks. Any thread; never blocks."""
        if not self._is_awake and threading.get_ident() != self._owner:
            self.wake()

    def wake(self) -> None:
        """Make the descriptor readable. Any thread; nothing happens once the outbox is closed."""
        with self._lock:
            if self._is_open:
                self._is_awake = True
                os.eventfd_write(self._descriptor, 1)

    def probe(self, done: Callable[[], None]) -> None:
        """Have `done` called by the owner's thread when it comes round. Any other thread; the latest one only."""
        self._probe = done
        self.nudge()

    def heed(self) -> None:
        """Make the descriptor unreadable again. The owner's thread only, when it has been seen readable."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._descriptor)
        self._is_awake = False  # before anything is taken: whoever puts something in from now on wakes us again
        probe, self._probe = self._probe, None
        if probe is not None:
            probe()

    def take(self) -> Iterator[Outgoing]:
        """Yield what has been put in until nothing is left. The owner's thread only."""
        while self._waiting:
            reply = self._waiting.popleft()
            if len(reply.body) >= LARGE_BYTES:
                with self._lock:
                    self.large_bytes -= len(reply.body)
            yield reply

    def _counted(self, reply: Outgoing) -> Outgoing:
        size_bytes = len(reply.body)
        with self._lock:
            if self.large_bytes + size_bytes <= MAX_LARGE_BYTES or reply.kind != frames.FINAL:
                self.large_bytes += size_bytes
                self.crowd.note(self._descriptor, self.large_bytes)
                return reply
            self.crowded_count += 1
        return reply._replace(body=codec.encode_reply(overloaded("unsent_bytes", MAX_LARGE_BYTES), 0))

    def close(self) -> None:
        """Let go of the descriptor; replies that come later go nowhere. Idempotent."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.close(self._descriptor)
            self._waiting.clear()

    def encode(self, outcome: Struct | CastironError, seq: int, tag: str) -> bytes:
        """Return a reply's body; a result that cannot be encoded is a fault of ours, and the client is told so."""
        try:
            return codec.encode_reply(outcome, seq)
        except Exception:  # whatever is wrong with the result, its asker gets an answer
            error_id = self._new_error_id()
            log.exception("%s: the answer to %s cannot be encoded", error_id, tag, extra={"error_id": error_id})
            return codec.encode_reply(internal_error(error_id), seq)

    def doubled(self, tag: str) -> None:
        """Count and log an answer that was given twice: a bug of whoever gave it."""
        with self._lock:
            self.doubled_count += 1
        log.error("the answer to %s was given twice; the second was dropped", tag, stack_info=True)

    def late(self) -> None:
        """Count an answer that was given after its peer had gone, or the door had closed."""
        with self._lock:
            self.late_count += 1


class Answer:
    """The way back to whoever sent one message. Any thread may give it; it never blocks, and never raises.

    Exactly one last reply is sent: `final` or `fail`, whichever comes first, or `accepted` where the client wished no
    more than that. So a handler tells everything that happens, and the client gets what it wished.

    Attributes:
        verb: what was asked.
    """

    __slots__ = ("_envelope", "_key", "_lock", "_outbox", "_state", "_when_gone", "_wish", "verb")

    def __init__(self, outbox: Outbox, key: bytes, envelope: Envelope, verb: AnyVerb) -> None:
        self._outbox = outbox
        self._key = key
        self._envelope = envelope
        self.verb = verb
        self._wish = _wish(verb)
        self._lock = threading.Lock()
        self._state = _State.OPEN
        self._when_gone: Callable[[], object] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the client still waits for its last reply."""
        return self._state in _WAITING

    def accepted(self, result: Struct, seq: int) -> None:
        """Tell that the request is on disk.

        Args:
            result: the request as it stands.
            seq: number of the last event that the answer takes into account.
        """
        with self._lock:
            if self._state is not _State.OPEN:
                self._too_late()
            elif self._wish is ReplyWish.ACCEPTED:
                self._put(frames.FINAL, result, seq, _State.CONTENT)
            elif self._wish is ReplyWish.BOTH:
                self._put(frames.ACCEPTED, result, seq, _State.ANNOUNCED)
            else:
                self._state = _State.ANNOUNCED

    def part(self, result: Struct, seq: int) -> Slip:
        """Tell a part of what was asked. One at a time: the next one only once the slip says that this one has left.

        Args:
            result: what PARTS names for the verb.
            seq: number of the last event that the part takes into account.

        Returns:
            What becomes of it; lost at once if nobody waits any more.
        """
        slip = Slip()
        with self._lock:
            if self._state in _WAITING:
                body = self._outbox.encode(result, seq, tag_of(self.verb))
                self._outbox.put(Outgoing(self._key, self._envelope, frames.PART, body, slip))
            else:
                slip.lose()
        return slip

    def final(self, result: Struct, seq: int) -> None:
        """Give the result; for a request, the request once it has ended, however it ended.

        Args:
            result: what RESULTS names for the verb.
            seq: number of the last event that the answer takes into account.
        """
        self._end(result, seq)

    def fail(self, error: CastironError, seq: int) -> None:
        """Refuse the message; nothing was accepted, or it cannot be told what became of it.

        Args:
            error: one that has a code on the wire.
            seq: number of the last event that the answer takes into account.
        """
        self._end(error, seq)

    def leave(self, error: CastironError, seq: int) -> None:
        """Say the last word where nobody has: the door closes. What comes after it is late, and no bug.

        Args:
            error: why there is no other answer.
            seq: as of `fail`.
        """
        with self._lock:
            if self._state in _WAITING:
                self._put(frames.FINAL, error, seq, _State.LEFT)

    def when_gone(self, call: Callable[[], object]) -> None:
        """Have `call` called if the peer goes before its last reply: nobody waits any more.

        It runs on the front door's thread and must not block; at once if the peer is gone already. One call at a time
        is kept, the latest.
        """
        with self._lock:
            self._when_gone = call if self._state in _WAITING else None
            is_gone = self._state is _State.GONE
        if is_gone:
            call()

    def gone(self, last_word: CastironError | None = None) -> None:
        """Note that the peer has gone. For the front door.

        Args:
            last_word: sent all the same, to a peer that is not let in any more.
        """
        with self._lock:
            if self._state not in _WAITING:
                return
            call, self._when_gone = self._when_gone, None
            if last_word is not None:
                self._put(frames.FINAL, last_word, 0, _State.GONE)
            self._state = _State.GONE
        if call is not None:
            call()

    def _end(self, outcome: Struct | CastironError, seq: int) -> None:
        with self._lock:
            if self._state in _WAITING:
                self._put(frames.FINAL, outcome, seq, _State.TOLD)
            elif self._state is _State.CONTENT:
                self._state = _State.TOLD
            else:
                self._too_late()

    def _put(self, kind: bytes, outcome: Struct | CastironError, seq: int, state: "_State") -> None:
        body = self._outbox.encode(outcome, seq, tag_of(self.verb))
        self._state = state
        if state is not _State.ANNOUNCED:
            self._when_gone = None
        self._outbox.put(Outgoing(self._key, self._envelope, kind, body))

    def _too_late(self) -> None:
        if self._state in _ENDED_BY_DOOR:
            self._outbox.late()
        else:
            self._outbox.doubled(tag_of(self.verb))


class _State(Enum):
    OPEN = auto()
    """Nothing has been said."""
    ANNOUNCED = auto()
    """Accepted, and the client waits for the end."""
    CONTENT = auto()
    """Accepted, and the client wished no more; what comes after it is no bug."""
    TOLD = auto()
    """The last word has been said."""
    GONE = auto()
    """The peer went before it."""
    LEFT = auto()
    """The door has said it, on closing."""


_WAITING = frozenset({_State.OPEN, _State.ANNOUNCED})
_ENDED_BY_DOOR = frozenset({_State.GONE, _State.LEFT})


def _wish(verb: AnyVerb) -> ReplyWish:
    if isinstance(verb, BulkRun):
        return ReplyWish.BOTH
    return verb.replies if isinstance(verb, NodeRequest) else ReplyWish.FINAL


def internal_error(error_id: str) -> InternalError:
    """Return what a client is told of a fault of ours."""
    message = f"A fault of the conductor's own. Its log has the details, under {error_id}."
    return InternalError(message, error_id=error_id)
