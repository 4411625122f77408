"""One HTTPS connection to a BMC, kept from one request to the next. Blocks, never beyond its deadline by much.

Bounded: the time to connect, the whole exchange by `abort` from another thread, an answer's size. No redirect is
followed here, nothing is sent twice, no proxy of the environment is asked. Errors are typed and carry no header and
no body.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Final

from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.redfish.counters import Tally
from castiron.actors.drivers.redfish.settings import Settings
from castiron.actors.drivers.redfish.wire.tls import Contexts, judge, untrusted
from castiron.transport.errors import BMCFault, BMCUnreachable
from castiron.transport.vocabulary import Instant

CONNECT_S: Final = 5.0
"""For a connection and its handshake: a BMC that is there answers in well under one; it frees a place early."""

LEAST_S: Final = 0.05
"""What is left to an operation whose deadline is here."""

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""Of an answer; the largest of real BMCs, a full log or a collection with its members, have some 1 MB."""


class Broken(Exception):
    """The connection ended before the answer was whole; whether the BMC has acted is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a BMC answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)


class Line:
    """One connection. One thread at a time, but `abort`, which any thread may call.

    Args:
        settings: how to reach the BMC.
        contexts: what its certificate is judged by.
        clock: whose time deadlines are in.
        tally: counts connections and requests.
    """

    def __init__(self, settings: Settings, contexts: Contexts, clock: Clock, tally: Tally) -> None:
        self._settings = settings
        self._contexts = contexts
        self._clock = clock
        self._tally = tally
        self._connection: http.client.HTTPConnection | None = None
        self._socket: ssl.SSLSocket | None = None
        self._is_aborted = False

    @property
    def is_open(self) -> bool:
        """Whether there is a connection; the BMC may have ended it meanwhile."""
        return self._connection is not None

    def open(self, deadline: Instant) -> None:
        """Connect, if there is no connection. Blocks.

        Raises:
            BMCUnreachable: nobody answers there, or nobody takes connections.
            BMCCertificate: its certificate is not to be trusted.
            BMCFault: it does not speak TLS as it should.
        """
        if self._connection is not None:
            return
        context = self._contexts.context(self._settings)
        until = Instant(min(deadline, self._clock.now() + CONNECT_S))
        try:
            self._connect(context, until)
        except ssl.SSLCertVerificationError as error:
            raise untrusted(self._settings, error) from None
        except TimeoutError:
            raise self._silent() from None
        except ssl.SSLError as error:
            # An abort looks like an end in the middle of the handshake.
            raise self._silent() if self._is_aborted else self._no_tls(error) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise BMCUnreachable(f"{self._settings.address} cannot be reached: {reason}. Check its address.") from None
        finally:
            if self._connection is None:
                self._drop_socket()

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, until: Instant
    ) -> Answer:
        """Send a request over the connection that is open, and return its answer. Blocks.

        Raises:
            Broken: the connection ended; it is closed.
            BMCUnreachable: nothing came in time; the connection is closed.
            BMCFault: the answer is no HTTP, or too large; the connection is closed.
        """
        connection, stream = self._connection, self._socket
        if connection is None or stream is None:
            raise Broken
        is_kept = False
        try:
            stream.settimeout(self._left_s(until))
            self._tally.add("asked")
            connection.request(method, path, body, dict(headers))
            answer, is_kept = self._read(connection.getresponse())
        except TimeoutError:  # silence is no end: to ask again would only take more time
            raise self._silent() from None
        except (http.client.RemoteDisconnected, http.client.IncompleteRead, OSError):
            self._tally.add("broken")
            raise Broken from None
        except (http.client.HTTPException, ValueError):
            raise BMCFault(f"{self._settings.address} does not answer in HTTP as it should.") from None
        finally:
            if not is_kept:
                self.close()
        return answer

    def close(self) -> None:
        """End the connection, if there is one. Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._drop_socket()

    def abort(self) -> None:
        """End what goes on here, and let nothing begin any more. Any thread; idempotent."""
        self._is_aborted = True
        stream = self._socket
        if stream is not None:
            with suppress(OSError):
                # The plain socket's own: whoever reads or writes wakes up at once, and the TLS layer is left alone.
                socket.socket.shutdown(stream, socket.SHUT_RDWR)

    def _connect(self, context: ssl.SSLContext, until: Instant) -> None:
        host, port = self._settings.host, self._settings.port
        stream = self._reach(context, until)
        if self._is_aborted:
            raise TimeoutError
        stream.settimeout(self._left_s(until))
        stream.do_handshake()
        judge(self._settings, stream.getpeercert(binary_form=True))
        connection = http.client.HTTPConnection(host, port)
        connection.sock = stream
        connection.auto_open = 0
        self._connection = connection
        self._tally.add("connected")

    def _reach(self, context: ssl.SSLContext, until: Instant) -> ssl.SSLSocket:
        """Connect to the first of the host's addresses that takes connections.

        The socket is put under TLS before it is connected: what the ssl module makes of one that the BMC has reset
        meanwhile, it leaves open, and nobody could close it.
        """
        host, port = self._settings.host, self._settings.port
        failure = OSError("no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            plain = socket.socket(family, kind, protocol)
            self._socket = stream = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
            try:
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                stream.settimeout(self._left_s(until))
                stream.connect(address)
            except OSError as error:
                self._drop_socket()
                failure = error
            else:
                return stream
        try:
            raise failure
        finally:
            del failure  # which would hold itself by its traceback

    def _read(self, response: http.client.HTTPResponse) -> tuple[Answer, bool]:
        with closing(response):  # it holds the socket for as long as there is more of it
            body = response.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BMCFault(f"{self._settings.address} answers with more than {MAX_BODY_BYTES // 1024**2} MB.")
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body), not response.will_close

    def _left_s(self, until: Instant) -> float:
        return max(LEAST_S, until - self._clock.now())

    def _drop_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _silent(self) -> BMCUnreachable:
        return BMCUnreachable(f"{self._settings.address} did not answer in time. Check its address and the network.")

    def _no_tls(self, error: ssl.SSLError) -> BMCFault:
        reason = (error.reason or "no TLS").replace("_", " ").lower()
        return BMCFault(
            f"{self._settings.address} does not speak TLS as it should: {reason}. Is it the BMC's https port?"
        )
