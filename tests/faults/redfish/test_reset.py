"""A BMC that resets a connection at once leaves no socket behind, and one of two addresses is reached at the other."""

import gc
import select
import socket
import ssl
import struct
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.redfish.counters import Tally
from castiron.actors.drivers.redfish.settings import Settings, read_settings
from castiron.actors.drivers.redfish.wire.line import Line
from castiron.actors.drivers.redfish.wire.tls import Contexts
from castiron.transport.errors import BMCUnreachable
from castiron.transport.vocabulary import Instant
from tests.support.redfish_bmc import RedfishBMC

RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Late(ssl.SSLContext):
    """Begins TLS only when the BMC has been heard, if it is on a connection at all."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Wait for the reset, then go on."""
        select.select([sock], [], [], 5.0)
        return super().wrap_socket(sock, *args, **kwargs)


class LateContexts(Contexts):
    """The same for every BMC."""

    def context(self, settings: Settings) -> ssl.SSLContext:
        """Return the context."""
        del settings
        made = Late(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        return made


@pytest.fixture
def port() -> Iterator[int]:
    """Where each of three connections is taken, and reset."""

    def serve() -> None:
        for _ in range(3):
            taken, _ = listening.accept()
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            taken.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)
        assert not thread.is_alive()


def open_streams() -> set[int]:
    return {id(one) for one in gc.get_objects() if isinstance(one, ssl.SSLSocket) and one.fileno() != -1}


def test_a_connection_that_is_reset_before_tls_begins_is_closed_while_its_error_is_still_held(
    clock: SystemClock, port: int
) -> None:
    settings = read_settings({"redfish_address": f"https://127.0.0.1:{port}"})
    before, failures = open_streams(), list[pytest.ExceptionInfo[BMCUnreachable]]()

    for _ in range(3):
        line = Line(settings, LateContexts(), clock, Tally())
        with pytest.raises(BMCUnreachable) as failure:
            line.open(Instant(clock.now() + 5.0))
        assert not line.is_open
        failures.append(failure)

    assert len(failures) == 3
    assert open_streams() <= before


def test_a_host_whose_first_address_takes_no_connection_is_reached_at_its_second(
    clock: SystemClock, bmc: RedfishBMC, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_settings(bmc.driver_info)
    tcp = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    where = [(*tcp, ("127.0.0.3", 1)), (*tcp, ("127.0.0.1", settings.port)), (*tcp, ("127.0.0.3", 1))]

    def both(*_: object, **__: object) -> list[Any]:
        return where

    monkeypatch.setattr(socket, "getaddrinfo", both)
    line = Line(settings, Contexts(), clock, Tally())

    line.open(Instant(clock.now() + 5.0))

    assert line.is_open
    line.close()
    del where[1]
    with pytest.raises(BMCUnreachable, match="Connection refused"):
        line.open(Instant(clock.now() + 5.0))


def test_a_bmc_that_takes_no_connections_leaves_nothing_to_the_garbage_collector(clock: SystemClock) -> None:
    def failed() -> "weakref.ref[Line]":
        line = Line(read_settings({"redfish_address": "https://127.0.0.3:1"}), Contexts(), clock, Tally())
        with suppress(BMCUnreachable):
            line.open(Instant(clock.now() + 5.0))
        return weakref.ref(line)

    gc.disable()
    try:
        assert failed()() is None
    finally:
        gc.enable()
