"""One BMC's session from its name to its logout: where it stands, and what silence means there.

    DOWN → RESOLVING → PROBING → WAITING (for a place) → LOGGING_IN → UP → CLOSING → DOWN

The owner opens it, asks one request at a time, closes it, and is told what became of it. No calls, deadlines or
repetitions here; no I/O; everything on the engine's thread.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final

from castiron.actors.dispatch.grid import after
from castiron.actors.drivers.ipmi.pacing.allowance import Allowance
from castiron.actors.drivers.ipmi.sessions.codes import (
    APP,
    CIPHER_STATUSES,
    completion_error,
    login_error,
    nonsense,
)
from castiron.actors.drivers.ipmi.sessions.drops import Drop, reason
from castiron.actors.drivers.ipmi.sessions.exchange import GET_CHASSIS_STATUS, Answer, Request
from castiron.actors.drivers.ipmi.sessions.keeping import keepalive_at
from castiron.actors.drivers.ipmi.sessions.services import Owner, Services
from castiron.actors.drivers.ipmi.sessions.session import LoginRefused, News, PrivilegeRefused, Progress, Session
from castiron.actors.drivers.ipmi.settings import Settings
from castiron.actors.drivers.ipmi.wire.address import Address
from castiron.actors.drivers.ipmi.wire.network import Peer
from castiron.transport.errors import BMCError, BMCUnreachable, BMCUnsupported
from castiron.transport.vocabulary import Instant

_SET_PRIVILEGE: Final = 0x3B


class Phase(Enum):
    """Where a link stands."""

    DOWN = auto()
    """Nothing is kept for it, here or at the BMC."""
    RESOLVING = auto()
    """Waits for its name's addresses."""
    PROBING = auto()
    """Has sent the first datagram. Holds no place: a dead BMC stays here."""
    WAITING = auto()
    """The BMC is there; waits for a place to log in."""
    LOGGING_IN = auto()
    """Holds a place, until the BMC is slow to answer."""
    UP = auto()
    """The session is open."""
    CLOSING = auto()
    """Has asked the BMC to end the session."""


class Link:
    """See the module.

    Attributes:
        phase: where it stands.
        due_at: when silence is to be judged, by `expire`; None for never.
        heard_at: when the BMC last said something that was understood.
        next_by: when it is asked something again at the latest, as far as anybody has said.
    """

    def __init__(
        self,
        settings: Settings,
        services: Services,
        owner: Owner,
        where: Mapping[str, Any],
        allowance: Allowance,
    ) -> None:
        self.phase = Phase.DOWN
        self.due_at: Instant | None = None
        self.heard_at = Instant(0.0)
        self.next_by: Instant | None = None
        self._allowance = allowance
        self._is_forgetful = False
        self._settings = settings
        self._services = services
        self._owner = owner
        self._where = where
        self._session: Session | None = None
        self._earlier: Session | None = None
        """The login that was begun before the present one, while its answer may still come."""
        self._peer: Peer | None = None
        self._addresses: Sequence[Address] = ()
        self._suites = list(settings.cipher_suites)
        self._waits: Sequence[float] = ()
        self._tries = 0
        self._request: Request | None = None
        self._is_wanted = False
        self._has_place = False

    @property
    def is_idle(self) -> bool:
        """Whether the session is open and nothing is being asked."""
        return self.phase is Phase.UP and self._request is None

    @property
    def is_resting(self) -> bool:
        """Whether nothing is under way but, maybe, a logout."""
        return self._request is None and (
            self.phase is Phase.UP or self.phase is Phase.DOWN or self.phase is Phase.CLOSING
        )

    @property
    def is_unanswered(self) -> bool:
        """Whether the BMC owes an answer."""
        return self.phase in {Phase.PROBING, Phase.LOGGING_IN} or self._request is not None

    # What the owner asks for.

    def open(self) -> None:
        """Begin to log in. Only when down."""
        self.phase = Phase.RESOLVING
        self._services.names.resolve(self._settings.host, self._settings.port, self._owner.resolved)

    def ask(self, request: Request) -> bool:
        """Send a request; return whether it left. Only when idle. What may leave once is over if it did not."""
        left = self._session.request(request) if self._session else False
        if request.once and not left:
            return False
        self._request, self._is_wanted = request, True
        timing = self._services.timing
        self._be_patient((timing.control_wait_s,) if request.once else timing.waits_s)
        return left

    def hasten(self) -> None:
        """Ask at once what was to be asked later: somebody has come who waits for it."""
        if self.phase is Phase.WAITING:
            self._services.logins.ask(self._owner)
        elif self.phase is Phase.PROBING and self._session is not None:
            self._session.probe()
            self._be_patient(self._services.timing.waits_s)

    def disown(self) -> None:
        """Let the request, if there is one, go on to its end, and keep its answer."""
        self._is_wanted = False

    def close(self) -> None:
        """Log out, or give up logging in. Idempotent."""
        if self.phase is Phase.UP and self._session is not None:
            self.phase = Phase.CLOSING
            self._request = None
            self._services.counters.sessions -= 1
            self._session.close()
            self._be_patient(self._services.timing.close_waits_s)
        elif self.phase is not Phase.CLOSING:
            self._go_down()

    def drop(self) -> None:
        """Be down, without a word to anybody. The BMC ends the session by itself, or has already."""
        if self.phase is Phase.UP:
            self._services.counters.sessions -= 1
        self._go_down()

    # What the world tells, through the owner.

    def resolved(self, addresses: Sequence[Address]) -> None:
        """Send the first datagram to the first address."""
        if self.phase is not Phase.RESOLVING:
            return
        self._addresses = list(addresses)
        if not addresses:
            self._fail(self._unreachable("was not found by name", "Check ipmi_address and the name server."))
        elif not self._claim():
            self._fail(self._unreachable("cannot be sent to from here", "Is it IPv6, or has it too many nodes?"))
        else:
            self.phase = Phase.PROBING
            self._session = Session(self._settings, self._transmit, self._services.new_session_id)
            self._session.probe()
            self._be_patient(self._services.timing.waits_s)

    def granted(self) -> None:
        """Log in: there is a place."""
        self.phase, self._has_place = Phase.LOGGING_IN, True
        if self._session is not None:
            self._session.open(self._suites[0])
        self._be_patient(self._services.timing.login_waits_s)

    def receive(self, datagram: bytes) -> None:
        """Take a datagram from the BMC's address; count what is not its answer. Never raises."""
        counters, session = self._services.counters, self._session
        counters.received += 1
        heard = session.heard_sequence if session else None
        try:
            news = session.feed(datagram) if session else None
            if news is None and self._earlier is not None:
                news = self._feed_earlier(self._earlier, datagram)
        except Exception as error:  # noqa: BLE001 - pyghmi raises whatever a strange packet makes it raise
            counters.drop(Drop.UNREADABLE)
            if self.phase is Phase.UP:
                self._break(nonsense(f"sent what cannot be read ({type(error).__name__})", where=self._where))
            return
        if news is None:
            counters.drop(reason(datagram, session, heard))
            return
        self.heard_at = self._services.now()
        self._take(news)

    def expire(self) -> None:
        """Judge silence, once `due_at` has come: send again, give up, or keep the idle session alive."""
        if self.is_idle:
            self._keep_alive()
        elif self._tries < len(self._waits):
            self._send_again()
        elif self.phase is Phase.CLOSING:
            self._go_down()
        elif self.phase is Phase.UP:
            self._break(self._unreachable("stopped answering", "Its session is gone."))
        else:
            self._services.names.doubt(self._settings.host, self._settings.port)
            self._fail(self._unreachable("does not answer", "Check its address and the network."))

    # What follows from it.

    def _take(self, news: News) -> None:
        match news, self.phase:
            case Progress.PROBED, Phase.PROBING:
                self.phase, self.due_at = Phase.WAITING, None
                self._services.logins.ask(self._owner)
            case Progress.OUTDATED, Phase.PROBING:
                self._fail(BMCUnsupported(f"{self._where['address']} does not speak IPMI v2.0.", details=self._where))
            case Progress.STEPPED, Phase.LOGGING_IN:
                self._wait_for_answer()
            case Progress.LOGGED_IN, Phase.LOGGING_IN:
                self._be_up()
            case LoginRefused(status), Phase.LOGGING_IN:
                self._refused(status)
            case PrivilegeRefused(code), Phase.LOGGING_IN:
                self._fail(completion_error(APP, _SET_PRIVILEGE, code, where=self._where))
            case Answer(), Phase.UP:
                self._answered(news)
            case Answer(), Phase.CLOSING:
                self._go_down()
            case _:
                self._services.counters.drop(Drop.UNASKED)

    def _feed_earlier(self, earlier: Session, datagram: bytes) -> News | None:
        """Go on with the login of before if this is its late answer; the one that was begun since is forgotten then."""
        news = earlier.feed(datagram)
        if not isinstance(news, Progress):
            return None  # nothing, or a refusal, which says nothing about the present one
        self._session, self._earlier = earlier, None
        return news

    def _be_up(self) -> None:
        self.phase = Phase.UP
        self._earlier = None
        self._services.counters.logins += 1
        self._services.counters.sessions += 1
        self._be_idle()
        self._leave_place()

    def _answered(self, answer: Answer) -> None:
        if self._request is None:
            return
        is_wanted = self._is_wanted
        if self._request.ends_session and answer.code == 0:
            self.drop()
        else:
            self._be_idle()
        if is_wanted:
            self._owner.link_answered(answer)

    def _refused(self, status: int) -> None:
        if status in CIPHER_STATUSES and len(self._suites) > 1 and self._session is not None:
            # Stay with the suite that the BMC agrees to. If it ever refuses that one, all are tried again.
            self._suites = self._suites[1:]
            self._earlier = None
            self._session.open(self._suites[0])
            self._be_patient(self._services.timing.login_waits_s)
            return
        self._suites = list(self._settings.cipher_suites)
        self._fail(login_error(status, where=self._where))

    def _be_idle(self) -> None:
        self._request, self._is_wanted = None, False
        next_by = None if self._is_forgetful else self.next_by
        self.due_at = keepalive_at(self._services.now(), next_by, self._services.timing)

    def _keep_alive(self) -> None:
        self.ask(GET_CHASSIS_STATUS)
        self._is_wanted = False

    # Silence.

    def _be_patient(self, waits_s: Sequence[float]) -> None:
        """Expect an answer to what was just sent."""
        self._waits, self._tries = waits_s, 1
        self._wait_for_answer()

    def _wait_for_answer(self) -> None:
        wait_s = self._waits[self._tries - 1] * (1 + self._services.timing.jitter * self._services.jitter.random())
        self.due_at = after(Instant(self._services.now() + wait_s))

    def _send_again(self) -> None:
        self._tries += 1
        self._services.counters.retransmitted += 1
        self._leave_place()  # whoever is silent in the middle of a login costs no time of ours: others may begin theirs
        if self.phase is Phase.PROBING and len(self._addresses) > 1:
            self._claim()  # a name with many addresses: the next one
        if self.phase is Phase.LOGGING_IN:
            self._log_in_anew()
        elif self._session is not None:
            self._session.resend()
        self._wait_for_answer()

    def _log_in_anew(self) -> None:
        """Ask once more, or begin anew beside the login that is unanswered: it may only be slow."""
        session = self._session
        if session is None or session.is_keyed:
            return None if session is None else session.resend()
        self._earlier = session
        self._session = Session(self._settings, self._transmit, self._services.new_session_id)
        return self._session.open(self._suites[0])

    # Ends.

    def _fail(self, error: BMCError) -> None:
        self._services.counters.logins_failed += 1
        self._go_down()
        self._owner.link_failed(error)

    def _break(self, error: BMCError) -> None:
        self._services.counters.sessions -= 1
        timing = self._services.timing
        was_idle_s = self._services.now() - self.heard_at - timing.patience_s
        self._is_forgetful = self._is_forgetful or was_idle_s > timing.keepalive_s
        if self._session is not None:
            self._session.close()  # not waited for; if the BMC hears it, it has a free slot again
        self._go_down()
        self._owner.link_broke(error)

    def _go_down(self) -> None:
        was, self.phase = self.phase, Phase.DOWN
        self.due_at = self._request = self._session = self._earlier = None
        if self._peer is not None:
            self._services.network.release(self._peer)
            self._peer = None
        if was is Phase.WAITING:
            self._services.logins.withdraw(self._owner)
        self._leave_place()

    def _leave_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._services.logins.leave()

    # The wire.

    def _claim(self) -> bool:
        """Take the way to the next of the addresses."""
        if self._peer is not None:
            self._services.network.release(self._peer)
        address, *others = self._addresses
        self._addresses = [*others, address]
        self._peer = self._services.network.claim(address, self._owner)
        return self._peer is not None

    def _transmit(self, datagram: bytes) -> bool:
        left = self._peer is not None and self._services.network.send(self._peer, datagram)
        if left:
            self._services.counters.sent += 1
            self._services.datagrams.used += 1
            self._allowance.used += 1
        else:
            self._services.counters.unsent += 1
        return left

    def _unreachable(self, what: str, advice: str) -> BMCUnreachable:
        return BMCUnreachable(f"{self._where['address']} {what}. {advice}", details=self._where)
