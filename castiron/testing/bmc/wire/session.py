"""The sessions that a BMC holds: a small table with slots, idle time-outs, and the sequence window of each session.

Nothing here reads a clock: what expires does so when somebody looks. Sessions belong to one BMC and are forgotten by a
cold reset, as in the firmware of real ones.
"""

from collections.abc import Callable, Iterator
from typing import Final, Self

from castiron.testing.bmc.codes import Privilege
from castiron.testing.bmc.wire.suite import SUITES, CipherSuite, Seal

SESSION_IDLE_S: Final = 60.0
"""A session that has been idle for longer than this is gone (IPMI v2.0, 6.12.15: 60 seconds, give or take 3)."""
WINDOW: Final = 16
"""Sequence numbers accepted behind the highest one seen, and one less ahead of it (IPMI v2.0, 6.12.13)."""

_SEQUENCE_MASK: Final = 0xFFFF_FFFF
_WINDOW_MASK: Final = (1 << WINDOW) - 1


class SequenceWindow:
    """Which inbound sequence numbers were seen: each is accepted once, and only near the highest one so far."""

    __slots__ = ("_highest", "_seen")

    def __init__(self) -> None:
        self._highest = 0
        self._seen = _WINDOW_MASK  # bit n: the number n below the highest. Nothing below the first one is ever new.

    def admit(self, number: int) -> bool:
        """Return whether this number is new and within the window, and remember it."""
        ahead = (number - self._highest) & _SEQUENCE_MASK
        if number and 0 < ahead < WINDOW:
            self._seen = (self._seen << ahead | 1) & _WINDOW_MASK
            self._highest = number
            return True
        behind = -ahead & _SEQUENCE_MASK
        if not number or behind >= WINDOW or self._seen >> behind & 1:
            return False
        self._seen |= 1 << behind
        return True


class Session:
    """One session, half open until both sides have proved that they know the password."""

    __slots__ = (
        "_outbound",
        "console_id",
        "console_nonce",
        "limit",
        "managed_id",
        "nonce",
        "privilege",
        "role",
        "seal",
        "source",
        "suite",
        "used_at",
        "username",
        "window",
    )

    def __init__(
        self,
        managed_id: int,
        *,
        console_id: int,
        suite: CipherSuite,
        nonce: bytes,
        source: tuple[str, int],
        now: float,
    ) -> None:
        self.managed_id = managed_id
        self.console_id = console_id
        self.suite = suite
        self.nonce = nonce
        self.source = source
        self.used_at = now
        self.console_nonce = b""
        """What RAKP 1 brought; empty before it."""
        self.role = 0
        """The role byte of RAKP 1, as every later HMAC covers it."""
        self.username = b""
        self.limit = Privilege.NONE
        self.privilege = Privilege.NONE
        self.seal: Seal | None = None
        """The session's keys; None while it is half open."""
        self.window = SequenceWindow()
        self._outbound = 0

    @classmethod
    def outside(cls, source: tuple[str, int], now: float) -> Self:
        """Return what stands for everybody who has no session: never sealed (so any suite does), without privilege."""
        return cls(0, console_id=0, suite=SUITES[3], nonce=b"", source=source, now=now)

    def establish(self, seal: Seal) -> None:
        """Begin to carry commands. A new session has the level of a user until it asks for more (6.8)."""
        self.seal = seal
        self.privilege = min(Privilege.USER, self.limit)

    def next_sequence(self) -> int:
        """Return the sequence number of the next datagram out; 0 is never one."""
        self._outbound = self._outbound + 1 & _SEQUENCE_MASK or 1
        return self._outbound


class SessionTable:
    """The sessions of one BMC, by its own ids, never more than it has slots."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._sessions: dict[int, Session] = {}

    def open(
        self,
        new_id: Callable[[], int],
        *,
        console_id: int,
        suite: CipherSuite,
        nonce: bytes,
        source: tuple[str, int],
        now: float,
    ) -> Session | None:
        """Return a new, half-open session, or None if every slot holds an established one.

        A full table gives up its oldest half-open session, so that abandoned logins do not lock a BMC for a minute
        (what IPMI v2.0, 6.12.6, asks for challenges). An established session is never given up for another.
        """
        self._expire(now)
        if len(self._sessions) >= self.slots and not self._drop_half_open():
            return None
        managed_id = new_id()
        while not managed_id or managed_id in self._sessions:
            managed_id = new_id()
        session = Session(managed_id, console_id=console_id, suite=suite, nonce=nonce, source=source, now=now)
        self._sessions[managed_id] = session
        return session

    def find(self, managed_id: int, now: float) -> Session | None:
        """Return the session with this id, if it has not been idle for too long."""
        session = self._sessions.get(managed_id)
        if session is not None and now - session.used_at > SESSION_IDLE_S:
            del self._sessions[managed_id]
            return None
        return session

    def drop(self, session: Session) -> None:
        """Forget a session. Idempotent."""
        self._sessions.pop(session.managed_id, None)

    def clear(self) -> None:
        """Forget all sessions."""
        self._sessions.clear()

    def established(self, now: float) -> list[Session]:
        """Return the sessions that can carry commands, oldest first."""
        self._expire(now)
        return [session for session in self if session.seal is not None]

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions.values())

    def _expire(self, now: float) -> None:
        for session in [session for session in self if now - session.used_at > SESSION_IDLE_S]:
            self.drop(session)

    def _drop_half_open(self) -> bool:
        oldest = next((session for session in self if session.seal is None), None)
        if oldest is not None:
            self.drop(oldest)
        return oldest is not None
