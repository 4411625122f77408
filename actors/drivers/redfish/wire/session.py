"""One BMC's session: logged in once and used again, its requests and what their answers are. Blocking.

Decides what may be sent again: what only reads, once, where a kept connection turns out to have ended; and what the
BMC refused for want of a session, once, with a new one. What acts goes over a connection that has just answered, and
never twice.
"""

import json
import threading
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.redfish.counters import Tally
from castiron.actors.drivers.redfish.resources import link
from castiron.actors.drivers.redfish.settings import Settings
from castiron.actors.drivers.redfish.wire.line import Answer, Broken, Line
from castiron.actors.drivers.redfish.wire.refusals import IN_DOUBT, error_of
from castiron.actors.drivers.redfish.wire.tasks import follow, is_in_doubt
from castiron.actors.drivers.redfish.wire.tls import Contexts
from castiron.transport.errors import BMCBusy, BMCError, BMCFault, BMCUnreachable
from castiron.transport.vocabulary import Instant

ROOT: Final = "/redfish/v1/"

SESSIONS: Final = "/redfish/v1/SessionService/Sessions"
"""Where the standard has them (DSP0266, 13.3.4); the root may name another place."""

MAX_REDIRECTS: Final = 3

MAX_TOKEN_BYTES: Final = 4096
"""Of a session's token and its path; real ones have 32 to 1,000."""

NO_SESSIONS: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
"""Answers of a BMC that has none."""

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Token:
    """A session that is open at a BMC."""

    value: str = field(repr=False)
    path: str | None = field(repr=False)
    """What is deleted to end it; some BMCs' paths hold the token."""


@dataclass(frozen=True, slots=True)
class World:
    """What all sessions of a driver share."""

    clock: Clock
    contexts: Contexts
    tally: Tally


class Session:
    """See the module. One thread at a time, but `abort`.

    Attributes:
        acted: something was sent since `begin` that may have changed the machine, and no refusal came.
        token: the session that is open, if one is.
        system: the path of the machine's system, once it is known.
    """

    def __init__(self, settings: Settings, world: World, where: Mapping[str, Any]) -> None:
        self.settings = settings
        self.where = where
        self.token: Token | None = None
        self.system: str | None = settings.system
        self.acted = False
        self._world = world
        self._is_basic = settings.auth == "basic"
        self._is_known = False
        self._ended = threading.Event()
        self._is_unwanted = False
        # Orders an end from outside and the last step before something is sent: what has ended sends nothing any more.
        self._sending = threading.Lock()
        self._deadline = Instant(0.0)
        self._line = Line(settings, world.contexts, world.clock, world.tally)

    @property
    def has_line(self) -> bool:
        """Whether a connection is kept."""
        return self._line.is_open

    @property
    def has_ended(self) -> bool:
        """Whether it was aborted: only its heir is of use."""
        return self._ended.is_set()

    def begin(self, deadline: Instant) -> None:
        """Begin a call: nothing of it was sent."""
        self.acted = self._is_unwanted = False
        self._deadline = deadline

    def heir(self) -> "Session":
        """Return one that goes on where this one, which may hang, is left: the session is the same, nothing else."""
        made = Session(self.settings, self._world, self.where)
        made.token, made.system = self.token, self.system
        made._is_basic, made._is_known = self._is_basic, self._is_known
        return made

    def abort(self) -> None:
        """End what goes on, from any thread; from here on `acted` is the last word. Idempotent."""
        with self._sending:
            self._ended.set()
        self._line.abort()

    def give_way(self) -> None:
        """End the call that goes on with its exchange: nobody waits for it any more. Any thread; idempotent."""
        with self._sending:
            self._is_unwanted = True

    def beside(self, settings: Settings) -> "Session":
        """Return one of its own, with other credentials and the same deadline."""
        made = Session(settings, self._world, self.where)
        made._deadline = self._deadline
        return made

    def close(self) -> None:
        """Log out, as `log_out`."""
        self.log_out()

    def close_line(self) -> None:
        """End the connection, not the session. Idempotent."""
        self._line.close()

    def get(self, path: str) -> Resource:
        """Read a resource; redirects within the BMC are followed.

        Raises:
            BMCError: see `request`.
        """
        for _ in range(MAX_REDIRECTS + 1):
            answer = self.request("GET", path)
            if not 300 <= answer.status < 400:  # noqa: PLR2004 - HTTP's redirects
                return self._parsed(answer)
            path = self.own_path(answer.headers.get("location"), path)
        raise BMCFault(f"{self.settings.address} redirects in circles.", details=self.where)

    def send(self, method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        """Send what changes something, once. Read something first: over a connection that has just answered.

        A BMC that makes a task of it is asked until that has ended.

        Raises:
            BMCError: see `request` and `tasks.follow`; `acted` tells whether it may have been done.
        """
        answer = self.order(method, path, body, headers)
        try:
            follow(self, answer, f"{method} {path}")
        except BMCError as error:
            self.acted = is_in_doubt(error)
            raise

    def order(
        self, method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send as `send` does, and do not ask what becomes of it.

        Raises:
            BMCError: see `request`.
        """
        answer = self.request(method, path, body, headers, acts=True)
        if answer.status >= 300:  # noqa: PLR2004 - what is redirected was not done, and is not sent elsewhere
            self.acted = False
            raise self._refused(answer, f"{method} {path}")
        return answer

    def left_s(self) -> float:
        """Return how much time the call has left."""
        return self._deadline - self._world.clock.now()

    def pause(self, seconds: float) -> None:
        """Wait, until somebody ends it. Blocks.

        Raises:
            BMCUnreachable: it was ended meanwhile.
        """
        if self._ended.wait(seconds):
            self._line.close()
            raise self._silent()

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        acts: bool = False,
    ) -> Answer:
        """Ask, logging in first where there is no session.

        Raises:
            BMCUnreachable: no connection, or no answer to what must not be repeated.
            BMCCertificate, BMCCredentials: as they say.
            BMCBusy, BMCUnsupported, BMCFault: the BMC refused, or failed.
        """
        if self.token is None and not self._is_basic:
            self._log_in()
        had_token = self.token
        answer = self._exchange(method, path, body, headers, acts=acts)
        if answer.status == HTTPStatus.UNAUTHORIZED and had_token is not None:
            # The session has expired: the BMC refused, and has done nothing.
            self._forget_token()
            self._log_in()
            answer = self._exchange(method, path, body, headers, acts=acts)
        if path != ROOT:  # which is open to anybody
            self._note(answer)
        if answer.status >= 400:  # noqa: PLR2004 - HTTP's refusals
            if acts:
                self.acted = answer.status in IN_DOUBT
            raise self._refused(answer, f"{method} {path}")
        return answer

    def log_out(self) -> None:
        """Delete the session and close the connection. Never raises for the BMC's sake."""
        token = self.token
        try:
            if token is not None and token.path is not None:
                self._exchange("DELETE", token.path, None, None, acts=False)
                self._world.tally.add("logouts")
        except BMCError:
            pass  # it ends by itself, after the BMC's time
        finally:
            self._forget_token()
            self._line.close()

    # Logging in.

    def _log_in(self) -> None:
        """Open a session; where the BMC has none, go on with the password in each request, if that was not excluded."""
        try:
            root = self._parsed(self._checked("GET", ROOT, None))
            path = self._sessions_path(root)
            if path is None and self.settings.auth == "auto":
                self._is_basic = True
                return
            answer = self._exchange("POST", path or SESSIONS, self._credentials(), None, acts=False)
        except BMCError:
            self._world.tally.add("logins_failed")
            raise
        if answer.status in NO_SESSIONS and self.settings.auth == "auto":
            self._is_basic = True
            return
        self._take_token(answer)

    def _take_token(self, answer: Answer) -> None:
        value = answer.headers.get("x-auth-token", "")
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED} or not 0 < len(value) <= MAX_TOKEN_BYTES:
            self._world.tally.add("logins_failed")
            if answer.status < 300:  # noqa: PLR2004 - HTTP's successes
                raise BMCFault(f"{self.settings.address} opened a session without a token.", details=self.where)
            raise self._refused(answer, f"POST {SESSIONS}")
        location = answer.headers.get("location")
        path = None if location is None else self.own_path(location, SESSIONS)
        self.token = Token(value, path)
        self._world.tally.add("logins")

    def _sessions_path(self, root: Resource) -> str | None:
        path = link(root, "Links", "Sessions")
        if path is not None:
            return path
        return SESSIONS if "SessionService" in root else None

    def _credentials(self) -> Mapping[str, str]:
        return {"UserName": self.settings.username, "Password": self.settings.password}

    def _forget_token(self) -> None:
        self.token = None

    def _note(self, answer: Answer) -> None:
        """Count the first answer to a password that goes with each request as the login that it is."""
        if self._is_basic and not self._is_known and answer.status < 400:  # noqa: PLR2004 - HTTP's refusals
            self._is_known = True
            self._world.tally.add("logins")
        if self._is_basic and answer.status == HTTPStatus.UNAUTHORIZED:
            self._world.tally.add("logins_failed")

    # One exchange.

    def _checked(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        answer = self._exchange(method, path, body, None, acts=False, is_open=True)
        if answer.status >= 300:  # noqa: PLR2004 - HTTP's successes end here
            raise self._refused(answer, f"{method} {path}")
        return answer

    def _exchange(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        *,
        acts: bool,
        is_open: bool = False,
    ) -> Answer:
        """Send a request and return its answer; what does not act goes once more if a kept connection had ended."""
        data = None if body is None else json.dumps(body).encode()
        for has_retry in (True, False):
            was_kept = self._line.is_open
            self._open()
            self._see_that_it_is_wanted(acts=acts)
            try:
                return self._line.exchange(method, path, self._headers(data, headers, is_open), data, self._deadline)
            except Broken:
                if acts or not was_kept or not has_retry:
                    raise self._silent() from None
        raise AssertionError  # pragma: no cover - the last turn returns or raises

    def _see_that_it_is_wanted(self, *, acts: bool) -> None:
        with self._sending:
            if self._ended.is_set():
                self._line.close()
                raise self._silent()
            if self._is_unwanted:
                raise BMCBusy("Another call came first.", details=self.where)
            self.acted = self.acted or acts

    def _open(self) -> None:
        try:
            self._line.open(self._deadline)
        except BMCError as error:
            error.details = {**self.where, **error.details}
            raise

    def _headers(self, data: bytes | None, more: Mapping[str, str] | None, is_open: bool) -> Mapping[str, str]:
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        headers = {
            "Host": host if self.settings.port == 443 else self.settings.address,  # noqa: PLR2004 - https
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "OData-Version": "4.0",
            "User-Agent": "castiron",
            **(more or {}),
        }
        if data is not None:
            headers["Content-Type"] = "application/json"
        if self.token is not None:
            headers["X-Auth-Token"] = self.token.value
        elif self._is_basic and not is_open:
            pair = f"{self.settings.username}:{self.settings.password}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return headers

    def _parsed(self, answer: Answer) -> Resource:
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise BMCFault(f"{self.settings.address} answered with what is no JSON object.", details=self.where)
        return found  # pyright: ignore[reportUnknownVariableType] - whatever the BMC says; each reader looks

    def own_path(self, location: str | None, before: str, *, below: str = "/redfish/") -> str:
        """Return the path that a BMC names, if it is its own: a password must not go where another host says.

        Raises:
            BMCFault: it is another's.
        """
        parts = urlsplit(location or "")
        is_own = parts.hostname in {None, self.settings.host} and parts.scheme in {"", "https"}
        if not is_own or not parts.path.startswith(below) or len(location or "") > MAX_TOKEN_BYTES:
            message = f"{self.settings.address} sends elsewhere for {before}. Check redfish_address."
            raise BMCFault(message, details=self.where)
        return parts.path

    def _refused(self, answer: Answer, asked: str) -> BMCError:
        return error_of(answer, asked, self.where)

    def _silent(self) -> BMCUnreachable:
        message = f"{self.settings.address} did not answer. Check its address and the network."
        return BMCUnreachable(message, details=self.where)
