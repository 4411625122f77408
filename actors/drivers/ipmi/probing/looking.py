"""One BMC asked step by step, on a socket of its own: is it there, what does it offer, does a login work.

Blocks its thread, for one who waits in front of it. The login is the drivers' own session, so what works here works in
a conductor. What is opened at the BMC is closed again.
"""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar

from castiron.actors.drivers.ipmi.probing import packets
from castiron.actors.drivers.ipmi.probing.packets import Capabilities, Presence, Reply
from castiron.actors.drivers.ipmi.sessions.codes import APP, completion_error, login_error, nonsense
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Request
from castiron.actors.drivers.ipmi.sessions.session import LoginRefused, News, PrivilegeRefused, Progress, Session
from castiron.actors.drivers.ipmi.settings import Settings
from castiron.actors.drivers.ipmi.wire.address import Address
from castiron.actors.drivers.ipmi.wire.names import ask_resolver
from castiron.actors.drivers.ipmi.wire.network import MAX_DATAGRAM_BYTES
from castiron.transport.errors import BMCError, BMCUnreachable, BMCUnsupported

WAITS_S: Final = (0.5, 1.0, 1.5)
"""How long each transmission is given; a BMC that needs longer is no good to a conductor either."""

_SET_PRIVILEGE: Final = 0x3B
_SESSION_INFO: Final = Request(APP, 0x3D, b"\x00")
"""About the asking session: slots and active sessions are told with it (IPMI v2.0, 22.20)."""

_SLOTS: Final = 0x3F
_HEADER_BYTES: Final = 16

_Read = TypeVar("_Read")


class Room(NamedTuple):
    """The sessions of a BMC; None: it does not tell."""

    slots: int | None
    active: int | None
    """That of the look among them."""


class Look:
    """A look at one BMC; a context manager.

    Args:
        settings: where it is and how to log in.
        waits_s: how long each transmission is given.
        new_id: session ids from 1 to 2**32 - 2.
        now: seconds of a clock that never goes back.

    Raises:
        BMCUnreachable: its name is not found, or this machine has no way to its address.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        new_id: Callable[[], int],
        waits_s: Sequence[float] = WAITS_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._new_id = new_id
        self._waits_s = waits_s
        self._now = now
        self._where: dict[str, Any] = {"address": settings.address}
        self._socket = _connected(_first_address(settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()

    # What needs no login.

    def presence(self) -> Presence | None:
        """Return what the BMC answers to a presence ping; None if it does not."""
        return self._ask(packets.ping(tag=1), packets.read_pong)

    def capabilities(self) -> Capabilities | None:
        """Return what the BMC offers; None if it does not answer, or with a refusal."""
        reply = self._command(packets.ask_capabilities(), packets.CAPABILITIES)
        return None if reply is None or reply.code else packets.read_capabilities(reply.data)

    def cipher_suites(self) -> list[int] | None:
        """Return the numbers of the cipher suites that the BMC offers, in its order; None if it does not tell."""
        records = b""
        for page in range(packets.MAX_PAGES):
            reply = self._command(packets.ask_cipher_suites(page), packets.CIPHER_SUITES)
            if reply is None or reply.code:
                return list(dict.fromkeys(packets.suite_ids(records))) if records else None
            records += reply.data[1:]  # the channel stands first
            if len(reply.data) <= packets.SUITES_A_PAGE:
                break
        return list(dict.fromkeys(packets.suite_ids(records)))

    # What does.

    def room(self, suite: int) -> Room:
        """Log in with a cipher suite, ask how many sessions there are and may be, and log out.

        Raises:
            BMCError: the login failed; which error says why, as for a conductor's.
        """
        session = Session(replace(self._settings, cipher_suites=(suite,)), self._send, self._new_id)
        session.probe()
        if self._news(session) is Progress.OUTDATED:
            raise BMCUnsupported(f"{self._settings.address} does not speak IPMI v2.0.", details=self._where)
        session.open(suite)
        self._logged_in(self._news(session))
        with closing(_LogOut(session, self._news)):
            session.request(_SESSION_INFO)
            told = self._news(session)
        if not isinstance(told, Answer) or told.code or len(told.data) < 3:  # noqa: PLR2004 - handle, slots, active
            return Room(None, None)
        return Room(told.data[1] & _SLOTS, told.data[2] & _SLOTS)

    def _logged_in(self, news: News) -> None:
        match news:
            case Progress.LOGGED_IN:
                return
            case LoginRefused(status):
                raise login_error(status, where=self._where)
            case PrivilegeRefused(code):
                raise completion_error(APP, _SET_PRIVILEGE, code, where=self._where)
            case _:
                raise nonsense("answered a login with something else", where=self._where)

    def _news(self, session: Session) -> News:
        """Return what the BMC says in the end to what was just sent; steps on the way start the patience anew.

        Raises:
            BMCError: it is silent, or what it says cannot be read.
        """
        tries = 0
        while tries < len(self._waits_s):
            try:
                heard = self._next(session, self._waits_s[tries])
            except Exception as error:  # noqa: BLE001 - pyghmi raises whatever a strange packet makes it raise
                raise nonsense(f"sent what cannot be read ({type(error).__name__})", where=self._where) from None
            if heard is Progress.STEPPED:
                tries = 0
            elif heard is not None:
                return heard
            elif (tries := tries + 1) < len(self._waits_s):
                session.resend()
        raise BMCUnreachable(f"{self._settings.address} stopped answering.", details=self._where)

    def _next(self, session: Session, wait_s: float) -> News | None:
        for datagram in self._datagrams(wait_s):
            if len(datagram) >= _HEADER_BYTES and (news := session.feed(datagram)) is not None:
                return news
        return None

    # The wire.

    def _command(self, datagram: bytes, command: int) -> Reply | None:
        return self._ask(datagram, lambda heard: packets.read_reply(heard, command))

    def _ask(self, datagram: bytes, read: Callable[[bytes], _Read | None]) -> _Read | None:
        for wait_s in self._waits_s:
            self._send(datagram)
            for heard in self._datagrams(wait_s):
                if (told := read(heard)) is not None:
                    return told
        return None

    def _datagrams(self, wait_s: float) -> Iterator[bytes]:
        """Yield what comes from the BMC until the time is up."""
        until = self._now() + wait_s
        while (rest_s := until - self._now()) > 0:
            self._socket.settimeout(rest_s)
            try:
                datagram = self._socket.recv(MAX_DATAGRAM_BYTES)
            except TimeoutError:
                return
            except OSError:  # the port is closed, says the machine behind it; another may be about to open it
                continue
            yield datagram

    def _send(self, datagram: bytes) -> bool:
        try:
            self._socket.send(datagram)
        except OSError:  # what came back for the datagram before it is told here
            return False
        return True


class _LogOut:
    """Ends a session, whatever became of the question; that the BMC does not answer is no failure of the look."""

    def __init__(self, session: Session, news: Callable[[Session], News]) -> None:
        self._session = session
        self._news = news

    def close(self) -> None:
        self._session.close()
        try:
            self._news(self._session)
        except BMCError:
            return


def _first_address(settings: Settings) -> Address:
    try:
        return ask_resolver(settings.host, settings.port)[0]
    except (OSError, IndexError):
        message = f"{settings.host} was not found by name. Check the name and the name server."
        raise BMCUnreachable(message, details={"address": settings.address}) from None


def _connected(address: Address) -> socket.socket:
    made = socket.socket(address.family, socket.SOCK_DGRAM)
    try:
        made.connect(address.sockaddr)
    except OSError as failure:
        made.close()
        message = f"There is no way from here to {address.sockaddr[0]}: {failure.strerror}."
        raise BMCUnreachable(message, details={"address": str(address.sockaddr[0])}) from None
    return made
