"""What one side of a conversation knows about the other, without I/O and without a clock of its own.

    Limits    what a front door allows
    Caller    who sent a message
    Question  one verb of a client's, and what has come of it
    Session   one peer: when it was heard, and which of its messages (or of ours to it) have no last reply yet
    Peers     all sessions of a front door: bounded, the silent ones expire

Both sides share the rules: any traffic is a sign of life; a peer that was silent for `liveness` heartbeat intervals is
gone, and what was in flight with it is lost. Time enters as `now`, in seconds of any clock that never goes back.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from msgspec import Struct

from castiron.transport.crowd import Crowd, Fullest
from castiron.transport.errors import CastironError, ConductorOverloaded, FrameMalformed
from castiron.transport.frames import MAX_MESSAGE_BYTES
from castiron.transport.verbs import MAX_LIST, Verb
from castiron.transport.vocabulary import Role

HEARTBEAT_INTERVAL_S: Final = 10.0
"""As often as Ironic's conductors write theirs to the database, and short for a person who waits."""

LIVENESS: Final = 3
"""Intervals of silence until a peer is gone; 18/MDP recommends 3 to 5."""

RETRY_AFTER_S: Final = 1.0
"""What a refused client is told to wait: long against the milliseconds that a message takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a front door allows, and what it tells clients about it."""

    heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S
    liveness: int = LIVENESS
    in_flight: int = 4096
    """Messages of all peers without a last reply, waits included: some 2 KB each in the conductor."""
    in_flight_per_peer: int = 128
    """So that one peer with a bug leaves room for thirty others."""
    peers: int = 8192
    """Peers that are remembered. More than messages in flight, so that there is an idle one to forget."""

    @property
    def silence_s(self) -> float:
        """Return after how much silence a peer is gone."""
        return self.heartbeat_interval_s * self.liveness

    def published(self) -> dict[str, int]:
        """Return what `Welcome.limits` says about messages."""
        return {
            "max_message_bytes": MAX_MESSAGE_BYTES,
            "max_list": MAX_LIST,
            "in_flight": self.in_flight,
            "in_flight_per_peer": self.in_flight_per_peer,
        }


DEFAULT_LIMITS: Final = Limits()


class Caller(NamedTuple):
    """Who sent a message, as the system or a key says; nothing that the sender claims."""

    requester: str
    """As requests name it: "ipc:uid=1000", "tcp:127.0.0.1", or "curve:" and the name of a key in the allow-list."""
    role: Role = Role.ADMIN
    """Where no keys are in use, whoever can connect may do everything."""
    public_key: str = ""
    """Z85 text; empty where no keys are in use."""


NOBODY: Final = Caller("")
"""Who is at the other end of one's own session."""

_Result = TypeVar("_Result", bound=Struct)
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


def _nobody() -> None:
    """Be told by a question that nobody listens to."""


class Question:
    """A verb in flight and, once it is known, its outcome.

    Attributes:
        told: called when a part or the outcome has come.
        is_abandoned: whether nobody waits for it any more.
    """

    __slots__ = (
        "asked_at",
        "deadline",
        "ends_at",
        "is_abandoned",
        "message_id",
        "outcome",
        "parts",
        "seq",
        "told",
        "verb",
    )

    def __init__(self, verb: Verb, message_id: bytes, asked_at: float, deadline: float) -> None:
        self.verb = verb
        self.message_id = message_id
        self.asked_at = asked_at
        self.deadline = deadline
        self.ends_at = math.inf
        """Its deadline once it has been announced."""
        self.outcome: Struct | CastironError | None = None
        self.parts: deque[Struct] = deque()
        """What has come before the outcome, and nobody has taken yet."""
        self.seq = 0
        """Number of the last event that the outcome takes into account."""
        self.told: Callable[[], None] = _nobody
        self.is_abandoned = False

    def settle(self, outcome: Struct | CastironError) -> None:
        """Note the outcome; the first one stays."""
        if self.outcome is None:
            self.outcome = outcome
            self.told()

    def abandon(self) -> None:
        """Note that nobody waits for it any more."""
        self.is_abandoned = True
        self.told = _nobody
        self.parts.clear()


class Session(Generic[Item]):
    """One peer, as the other side sees it.

    Attributes:
        in_flight: id of each message without a last reply → what its keeper stored with it.
        name: what the peer called itself; empty until it said so.
        caller: where its messages come from.
    """

    __slots__ = ("_heard_at", "_silence_s", "caller", "in_flight", "name")

    def __init__(self, now: float, *, caller: Caller = NOBODY, silence_s: float = DEFAULT_LIMITS.silence_s) -> None:
        self.in_flight: dict[bytes, Item] = {}
        self.name = ""
        self.caller = caller
        self._heard_at = now
        self._silence_s = silence_s

    @property
    def gone_at(self) -> float:
        """When the peer will be taken for gone, if nothing is heard of it before."""
        return self._heard_at + self._silence_s

    def is_gone(self, now: float) -> bool:
        """Return whether the peer has been silent for too long."""
        return now >= self.gone_at

    @property
    def silence_s(self) -> float:
        """After how much silence a peer is gone."""
        return self._silence_s

    def allow_silence(self, silence_s: float) -> None:
        """Adopt what the other side says about when a peer is gone."""
        self._silence_s = silence_s

    def came_from(self, caller: Caller) -> None:
        """Note where a message came from; if not from where the others did, it is somebody else, without a name yet."""
        if (caller.requester, caller.public_key) != (self.caller.requester, self.caller.public_key):
            self.name = ""
        self.caller = caller

    def heard(self, now: float) -> None:
        """Note a sign of life: anything that came from the peer."""
        self._heard_at = now

    def begin(self, message_id: bytes, item: Item, *, limit: int = DEFAULT_LIMITS.in_flight_per_peer) -> None:
        """Note a message that will get a last reply.

        Raises:
            FrameMalformed: a message with that id is in flight.
            ConductorOverloaded: `limit` messages are.
        """
        if message_id in self.in_flight:
            raise FrameMalformed(
                "A message with this id is still in flight. Give each message an id of its own.",
                details={"reason": "id in flight"},
            )
        if len(self.in_flight) >= limit:
            raise overloaded("in_flight_per_peer", limit)
        self.in_flight[message_id] = item

    def end(self, message_id: bytes) -> Item | None:
        """Note the last reply; None if no such message was in flight."""
        return self.in_flight.pop(message_id, None)


class Peers(Generic[Key, Item]):
    """The sessions of a front door, those heard of last at the end."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._sessions: OrderedDict[Key, Session[Item]] = OrderedDict()
        self.in_flight_count = 0
        self.crowd = Crowd[Session[Item]](limits.in_flight_per_peer, lambda session: len(session.in_flight))
        """Those with many messages in flight."""

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, key: Key, now: float) -> Session[Item] | None:
        """Return the session of a peer that has just been heard; None if it is a stranger."""
        session = self._sessions.get(key)
        if session is not None:
            session.heard(now)
            self._sessions.move_to_end(key)
        return session

    def admit(self, key: Key, caller: Caller, now: float) -> Session[Item]:
        """Begin a session with a stranger; the idle peer that was heard of least lately makes room.

        Raises:
            ConductorOverloaded: there is no room, and no peer is idle.
        """
        if len(self._sessions) >= self._limits.peers:
            idle = next((key for key, session in self._sessions.items() if not session.in_flight), None)
            if idle is None:
                raise overloaded("peers", self._limits.peers)
            del self._sessions[idle]
        session = self._sessions[key] = Session[Item](now, caller=caller, silence_s=self._limits.silence_s)
        return session

    def begin(self, session: Session[Item], message_id: bytes, item: Item) -> None:
        """Note a message of a peer's.

        Raises:
            FrameMalformed: the peer has a message with that id in flight.
            ConductorOverloaded: the peer, or all of them together, have as many in flight as they may.
        """
        if self.in_flight_count >= self._limits.in_flight:
            raise overloaded("in_flight", self._limits.in_flight)
        session.begin(message_id, item, limit=self._limits.in_flight_per_peer)
        self.in_flight_count += 1
        self.crowd.note(session, len(session.in_flight))

    def end(self, key: Key, message_id: bytes) -> Item | None:
        """Note that a message has its last reply; None if it was not in flight, or its peer is gone."""
        session = self._sessions.get(key)
        item = session.end(message_id) if session is not None else None
        if item is not None:
            self.in_flight_count -= 1
        return item

    def expire(self, now: float, *, is_all_read: bool = True) -> list[Item]:
        """Forget the peers that are gone, and return what was in flight with them.

        Args:
            is_all_read: False: more has come, and a peer's sign of life may be in it. Only those go, then, that have
                been silent for twice as long: a flood, which is never read to its end, keeps nobody for ever.
        """
        lost: list[Item] = []
        since = now if is_all_read else now - self._limits.silence_s
        while self._sessions:
            key, session = next(iter(self._sessions.items()))
            if not session.is_gone(since):
                break
            del self._sessions[key]
            lost.extend(session.in_flight.values())
            self.in_flight_count -= len(session.in_flight)
            session.in_flight.clear()
        return lost

    def busiest(self) -> Fullest[Session[Item]]:
        """Return the peer with most messages in flight. O(peers); any thread."""
        sessions = tuple(self._sessions.values())  # at once: other threads may ask
        busiest = max(sessions, key=lambda session: len(session.in_flight), default=None)
        return Fullest(0 if busiest is None else len(busiest.in_flight), busiest)

    def in_flight_of(self, public_keys: Collection[str]) -> list[Item]:
        """Return what is in flight with the peers of these keys."""
        return [
            item
            for session in self._sessions.values()
            if session.caller.public_key in public_keys
            for item in session.in_flight.values()
        ]

    def next_expiry_at(self) -> float | None:
        """Return when the next peer will be gone if it stays silent; None without peers."""
        return next((session.gone_at for session in self._sessions.values()), None)

    def items_in_flight(self) -> Iterator[Item]:
        """Yield everything in flight, of the peer that was silent longest first."""
        for session in self._sessions.values():
            yield from session.in_flight.values()


def overloaded(what: str, limit: int) -> ConductorOverloaded:
    """Return the answer to a message that meets a limit."""
    return ConductorOverloaded(
        f"The limit of {limit} ({what}) is reached. Wait for answers, or ask again later.",
        details={"limit": limit, "what": what},
        retry_after_s=RETRY_AFTER_S,
    )


def expect(outcome: Struct | CastironError | None, result: type[_Result]) -> _Result:
    """Return the outcome if it is such a result, and raise it if it is an error."""
    if isinstance(outcome, result):
        return outcome
    raise outcome if isinstance(outcome, CastironError) else TypeError(result)
