"""One RMCP+ session: pyghmi's probe and login (RAKP), driven from outside, and from there a channel of our own.

What is overridden is its I/O and its patience: this class has no socket, thread, timer or
callback. Requests go out through `transmit`, datagrams come in through `feed`, which says what they meant; when to
send again is the caller's business. pyghmi's global tables stay empty, so sessions of two engines share nothing.

Of what a peer sends without authentication, only what a login step waits for reaches pyghmi: right kind, right tag,
our session id, whole. The rest is dropped here, because pyghmi would believe some of it (a forged IPMI v1.5 header
moves its sequence window, a forged status ends its login) or raise.

Source: IPMI v2.0, 13.17 to 13.24 (session set-up), 22.13, 22.18, 22.19.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Self

from pyghmi.ipmi.private import session as pyghmi_session

from castiron.actors.drivers.ipmi.sessions.channel import Channel, Keys
from castiron.actors.drivers.ipmi.sessions.codes import APP, STATUS_CIPHER_SUITE, STATUS_INTEGRITY
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Request
from castiron.actors.drivers.ipmi.settings import Settings

_NOBODY: Final = (None, None, None)
"""pyghmi looks here whether the datagram is for a BMC in the same process."""

_HEADER_BYTES: Final = 16
"""RMCP, authentication type, payload type, session id, sequence number, length (table 13-8)."""

_V15_HEADER_BYTES: Final = 14
"""RMCP, authentication type, sequence number, session id, length: how a probe is answered (figure 13-4)."""

_MIN_V15_BYTES: Final = 8
"""An answer with a completion code and nothing else."""

_REFUSAL_BYTES: Final = 2
"""Tag and status. Two reserved bytes and our session id should follow also in a refusal; ipmi_sim's has neither."""

_SET_PRIVILEGE: Final = 0x3B
_CLOSE_SESSION: Final = 0x3C
_IPMI_V2: Final = 0x02

_SUITES: Final = {17: (256, bytes([3, 4, 1]), 32, 16, "sha256"), 3: (1, bytes([1, 1, 1]), 20, 12, "sha1")}
"""Cipher suite → pyghmi's name of it; its authentication, integrity and confidentiality; bytes of a key exchange code
and of an integrity check value; the hash."""

_EXPECTED: Final = {"OPENSESSION": 0x11, "EXPECTINGRAKP2": 0x13, "EXPECTINGRAKP4": 0x15}
"""pyghmi's state → payload type of the answer that a login step waits for (table 13-16)."""


class Progress(Enum):
    """What a datagram did, other than answer a request."""

    PROBED = auto()
    """The BMC is there and speaks IPMI v2.0."""
    OUTDATED = auto()
    """The BMC is there and does not speak IPMI v2.0."""
    STEPPED = auto()
    """A login step was answered, and the next one was sent."""
    LOGGED_IN = auto()
    """The session is open at the privilege level asked for."""


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """The BMC refused a login step, or failed to prove that it knows the password."""

    status: int
    """RMCP+ status."""


@dataclass(frozen=True, slots=True)
class PrivilegeRefused:
    """The BMC let the user in, but not at the privilege level."""

    code: int
    """Completion code of Set Session Privilege Level."""


News = Progress | LoginRefused | PrivilegeRefused | Answer


class Session(pyghmi_session.Session):  # type: ignore[misc]  # pyghmi ships no types
    """A session that does nothing by itself. Not thread-safe.

    Args:
        settings: user, keys and privilege.
        transmit: sends a datagram; returns whether it left.
        new_id: gives a session id from 1 to 2**32 - 2, never one of the recent ones.
    """

    netpacket: bytearray
    k1: bytes
    aeskey: bytes

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        """Make an object; pyghmi's own __new__ resolves names and looks for a session to share."""
        return object.__new__(cls)

    def __init__(self, settings: Settings, transmit: Callable[[bytes], bool], new_id: Callable[[], int]) -> None:
        # What pyghmi's __init__ sets, less what serves its sockets, threads and waits.
        self.userid = settings.username
        self.password = settings.password
        self.kg = settings.k_g or settings.password
        self.privlevel = settings.privilege
        self.autopriv = False
        self.nameonly = 0x10  # look the user up by name alone (13.20)
        self.servermode = False
        self.maxtimeout = 2
        self.logontries = 0
        self.pendingpayloads = ()  # never filled, because each request clears the way; an empty deque is 760 bytes
        self.request_entry: list[Any] = []
        self._transmit = transmit
        self._new_id = new_id
        self._suite = 0
        self._news: News | None = None
        self._has_left = False
        self._again: Callable[[Session], None] = Session.probe  # not bound to this one: it would be its own garbage
        self._channel: Channel | None = None
        self._is_let_in = False
        self._initsession()

    def probe(self) -> None:
        """Ask whether the BMC is there (Get Channel Authentication Capabilities). It keeps nothing for it."""
        self._again = Session.probe
        self._clear()
        self._get_channel_auth_cap()

    def open(self, suite: int) -> None:
        """Begin a login with a cipher suite, under a new session id. Starts over if one is under way."""
        self._again = Session._open_again
        self._suite = suite
        self._channel = None
        self._is_let_in = False
        self._initsession()
        self.ipmiversion = 2.0
        self.attemptedhash = _SUITES[suite][0]
        self._clear()
        self._open_rmcpplus_request()

    def request(self, request: Request) -> bool:
        """Send a request; return whether it left. One at a time, in an open session."""
        self._ask(request.netfn, request.command, request.data)
        return self._has_left

    def close(self) -> None:
        """Ask the BMC to end the session."""
        self._ask(APP, _CLOSE_SESSION, struct.pack("<I", self.sessionid))

    def resend(self) -> None:
        """Send again what was not answered, or start the login over: BMCs take no RAKP message twice.

        A request goes out with its old request number and a new sequence number, so the BMC may execute it twice and
        either answer will do. Never call it for a request that must leave once.
        """
        self._again(self)

    @property
    def is_keyed(self) -> bool:
        """Whether the keys are agreed, and what is asked may be asked again."""
        return self._channel is not None

    @property
    def heard_sequence(self) -> int | None:
        """The session sequence number that was heard last; None: nothing is numbered yet."""
        return self.remseqnumber if self._channel is None else self._channel.heard_sequence or None

    def feed(self, datagram: bytes) -> News | None:
        """Take a datagram from the BMC's address; return what it meant, or None if it is to be dropped.

        Never sends a request's successor: pyghmi would forget it. Raises anything at all on an answer that passed
        authentication and makes no sense; the session is then of no more use if it was open, unharmed if not.
        """
        if self._channel is not None:
            return self._hear(self._channel, datagram)
        self._news = None
        self._has_left = False
        if self._is_expected(datagram):
            self._handle_ipmi_packet(bytearray(datagram), qent=_NOBODY)  # pyright: ignore[reportUnknownMemberType]
        return self._news or (Progress.STEPPED if self._has_left else None)

    def _hear(self, channel: Channel, datagram: bytes) -> News | None:
        """Take what comes once the keys are agreed: the answer to Set Session Privilege Level, then all others."""
        is_message = datagram[4] == self.authtype and datagram[5] & 0x3F == 0
        answer = channel.open(datagram) if is_message else None
        if answer is None or self._is_let_in:
            return answer
        self._is_let_in = answer.code == 0
        return Progress.LOGGED_IN if self._is_let_in else PrivilegeRefused(answer.code)

    def _ask(self, netfn: int, command: int, data: bytes) -> None:
        if self._channel is not None:
            self._again = Session._ask_again
            self._has_left = self._transmit(self._channel.seal(netfn, command, data))

    def _open_again(self) -> None:
        self.open(self._suite)

    def _ask_again(self) -> None:
        if self._channel is not None:
            self._has_left = self._transmit(self._channel.seal_again())

    def _is_expected(self, datagram: bytes) -> bool:
        if datagram[4] == 0:
            is_whole = _MIN_V15_BYTES <= datagram[13] <= len(datagram) - _V15_HEADER_BYTES
            if self.sessioncontext is None:
                self.remseqnumber = None  # nothing is numbered outside a session, and pyghmi would believe a forged one
            return self.sessioncontext is None and is_whole
        if datagram[4] != self.authtype:
            return False
        kind = datagram[5] & 0x3F
        return kind == _EXPECTED.get(self.sessioncontext or "") and self._is_login_step(kind, datagram[_HEADER_BYTES:])

    def _is_login_step(self, kind: int, body: bytes) -> bool:
        """Return whether pyghmi may have the body of a login step's answer; a refusal becomes news instead."""
        if len(body) < _REFUSAL_BYTES or body[0] != self.rmcptag:
            return False
        if body[4:8] not in {struct.pack("<I", self.localsid), b""}:
            return False
        if body[1]:
            self._news = LoginRefused(body[1])
            return False
        _, algorithms, exchange_bytes, check_bytes, _ = _SUITES[self._suite]
        if len(body) < {0x11: 36, 0x13: 40 + exchange_bytes, 0x15: 8 + check_bytes}[kind]:
            return False
        if kind == _EXPECTED["OPENSESSION"] and bytes([body[16], body[24], body[32]]) != algorithms:
            self._news = LoginRefused(STATUS_CIPHER_SUITE)
            return False
        return True

    def _clear(self) -> None:
        # pyghmi keeps what was never answered, and would queue behind it.
        self.request_entry.clear()
        self.lastpayload = None

    # What follows is used by pyghmi.

    @property
    def ipmicallback(self) -> Callable[[dict[str, Any]], None]:
        """Return what takes the answer to a probe; nothing else is asked through pyghmi.

        pyghmi keeps a bound method here, by which a session holds itself: those of silent BMCs, one an attempt, would
        be left to the garbage collector, which stops everybody for as long as it looks.
        """
        return self._got_channel_auth_cap

    @ipmicallback.setter
    def ipmicallback(self, _: object) -> None: ...

    def _initsession(self) -> None:
        super()._initsession()
        self.localsid = self._new_id()
        # Not always the same, so that a refusal is not to be had by guessing. Three tags follow, each in a byte.
        self.rmcptag = self.localsid & 0x7F
        self.seqlun = self.localsid >> 8 & 0x3F

    def _xmit_packet(self, retry: bool = True, delay_xmit: float | None = None, timeout: float | None = None) -> None:  # noqa: ARG002 - pyghmi's signature
        if self.sequencenumber:
            self.sequencenumber += 1
        self._has_left = self._transmit(bytes(self.netpacket))

    def _got_channel_auth_cap(self, response: dict[str, Any]) -> None:
        data = response["data"]
        speaks = response["code"] == 0 and data[1] & 0x80 and data[3] & _IPMI_V2
        self._news = Progress.PROBED if speaks else Progress.OUTDATED

    def _req_priv_level(self) -> None:
        """Go on without pyghmi: the keys are agreed, and all that follows is a message of the session."""
        _, _, check_bytes, name = _SUITES[self._suite][1:]
        keys = Keys(self.sessionid, self.localsid, name, check_bytes, self.k1, self.aeskey)
        self._channel = Channel(keys, self.seqlun)
        self._ask(APP, _SET_PRIVILEGE, bytes([self.privlevel]))

    def onlogon(self, parameter: dict[str, Any]) -> None:  # noqa: ARG002 - pyghmi's text is not to be relied on
        """Take pyghmi's verdict on a login: only failures to prove the keys arrive here."""
        self._news = LoginRefused(STATUS_INTEGRITY)
