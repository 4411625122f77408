"""A thousand clients that connect and never read: bounded memory, others served, and everything comes back."""

import contextlib
import resource
import socket
from collections.abc import Generator
from pathlib import Path

import pytest
import zmq

from castiron.transport.clients.blocking.client import Client
from castiron.transport.doors.unread import MAX_UNREAD_BYTES
from castiron.transport.endpoint import parse_endpoint
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.frames import HEADER
from castiron.transport.keys.protection import ClientKeys
from castiron.transport.replies import StatusView
from tests.fuzz.corpus import NODES
from tests.fuzz.fortress import Footprint, Fortress
from tests.fuzz.vandals import GREETING, connected
from tests.support.deadline import until
from tests.support.keyring import Keyring
from tests.support.raw_peer import packed

CROWD = 1_000
DESCRIPTORS = 4 * CROWD + 500
"""Each ZeroMQ socket has its own and one for its connection."""

ROOM_BYTES = MAX_UNREAD_BYTES + (450 << 20)
"""What large replies may take, a thousand connections, and the answers that are being made."""


@pytest.fixture(autouse=True)
def descriptors() -> Generator[None]:
    """Let this process, and those that it starts, open enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        pytest.skip(f"a crowd of {CROWD} needs {DESCRIPTORS} descriptors; the hard limit here is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    ring = Keyring(tmp_path)
    ring.allow("alice")
    return ring


@pytest.fixture(params=["ipc", "tcp with keys"])
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fortress(tmp_path: Path, ring: Keyring, door: str) -> Generator[Fortress]:
    here = (f"ipc://{tmp_path}/c.ipc", None) if door == "ipc" else ("tcp://127.0.0.1:0", ring)
    with Fortress(tmp_path, *here) as one:
        yield one


@contextlib.contextmanager
def crowd(endpoint: str, kind: int, keys: ClientKeys) -> Generator[list["zmq.Socket[bytes]"]]:
    """A thousand sockets that will take one message each, or not even that; with keys where it is tcp."""
    context = zmq.Context[zmq.Socket[bytes]]()
    context.set(zmq.MAX_SOCKETS, CROWD + 10)
    sockets = [context.socket(kind) for _ in range(CROWD)]
    try:
        for one in sockets:
            one.setsockopt(zmq.LINGER, 0)
            one.setsockopt(zmq.RCVHWM, 1)
            one.setsockopt(zmq.RCVBUF, 4096)
            if endpoint.startswith("tcp"):
                one.setsockopt(zmq.CURVE_SERVERKEY, keys.server.encode())
                one.setsockopt(zmq.CURVE_PUBLICKEY, keys.pair.public.encode())
                one.setsockopt(zmq.CURVE_SECRETKEY, keys.pair.secret)
            if kind == zmq.SUB:
                one.subscribe(b"")
            one.connect(endpoint)
        yield sockets
    finally:
        for one in sockets:
            one.close()
        context.term()


def unexpected(fortress: Fortress) -> list[str]:
    """Return what the log tells beside bounds that are nearly reached, which a crowd is to be told of."""
    return [line for line in fortress.log.splitlines() if "conductor.limit." not in line]


def serves(client: Client, fortress: Fortress) -> None:
    """Check that somebody who reads is served, and the conductor is of a size."""
    client.ping()
    assert client.nodes.power(NODES[0], "power on").wait(timeout_s=20).state == "succeeded"
    assert fortress.footprint().rss_bytes < ROOM_BYTES
    assert patient_status(client).threads["front door"] == "alive"


def warm(client: Client, fortress: Fortress) -> Footprint:
    """Return what the conductor takes once it has opened what it opens when it is first needed."""
    serves(client, fortress)
    return fortress.footprint()


def patient_status(client: Client) -> StatusView:
    """Ask how it is until it says so: a thousand long lists may stand before it, and then it says that they do."""
    found: list[StatusView] = []

    def asked() -> bool:
        with contextlib.suppress(ConductorOverloaded):
            found.append(client.status())
        return bool(found)

    until(asked, timeout_s=40)
    return found[0]


def can_list(client: Client) -> bool:
    """Return whether a large answer comes."""
    try:
        return bool(client.nodes.list()[0].extra["ballast"])
    except ConductorOverloaded:
        return False


def come_back(fortress: Fortress, before: int) -> None:
    """Wait until the conductor has as few descriptors as before."""
    until(lambda: fortress.footprint().descriptors <= before + 5, timeout_s=30)


def test_a_thousand_clients_that_ask_for_long_lists_and_never_read(
    fortress: Fortress, ring: Keyring, door: str
) -> None:
    rounds, ballast = (4, 60_000) if door == "ipc" else (1, 25_000)  # what is sealed costs ten times as much
    with fortress.client() as client:
        for name in NODES:
            client.nodes.create(name, driver="fake", extra={"ballast": "x" * ballast})
        before = warm(client, fortress)
        ask = packed({"verb": "node.list"})

        with crowd(fortress.endpoint, zmq.DEALER, ring.keys("alice")) as sockets:
            for number in range(rounds):  # thousands of lists, each of a megabyte or half of one
                for one in sockets:
                    one.send_multipart([HEADER, b"%d" % number, ask])
                client.ping()
            until(lambda: patient_status(client).transport["received"] > rounds * CROWD, timeout_s=40)
            until(lambda: patient_status(client).transport["peers"] > CROWD, timeout_s=40)  # not only who asks this
            serves(client, fortress)
            counts = patient_status(client).transport
            assert counts["unread_bytes"] <= MAX_UNREAD_BYTES
            assert counts["unread_refused"] > 100 or door != "ipc"  # the kernel's buffers for tcp have room for them
            assert counts["answered"] + counts["dropped"] + counts["in_flight"] == counts["received"]

        come_back(fortress, before.descriptors)
        serves(client, fortress)
        until(lambda: can_list(client), timeout_s=40)  # there is room again
        assert unexpected(fortress) == []


def test_a_thousand_subscribers_that_never_read(fortress: Fortress, ring: Keyring) -> None:
    with fortress.client() as client:
        client.nodes.create(NODES[0], driver="fake")
        before = warm(client, fortress)
        events = client.hello().events_endpoint
        assert events is not None

        with crowd(events, zmq.SUB, ring.keys("alice")):
            until(lambda: fortress.footprint().descriptors >= before.descriptors + CROWD, timeout_s=30)
            # Whoever has not ended its handshake, which takes its time with a thousand keys, is told of nothing yet.
            while client.status().transport["events_published"] <= 80:
                client.nodes.power(NODES[0], "power on").wait(timeout_s=20)
                client.nodes.power(NODES[0], "power off").wait(timeout_s=20)
            serves(client, fortress)

        come_back(fortress, before.descriptors)
        serves(client, fortress)
        assert unexpected(fortress) == []


@pytest.mark.parametrize("door", ["ipc"], indirect=True)
def test_a_thousand_that_never_finish_their_handshake(fortress: Fortress) -> None:
    with fortress.client() as client, contextlib.ExitStack() as stack:
        client.nodes.create(NODES[0], driver="fake")
        before = warm(client, fortress)
        door = parse_endpoint(fortress.endpoint)
        half: list[socket.socket] = []
        for number in range(CROWD):
            half.append(stack.enter_context(connected(door)))
            half[-1].sendall(GREETING[: number % len(GREETING)])

        until(lambda: fortress.footprint().descriptors >= before.descriptors + CROWD, timeout_s=30)
        serves(client, fortress)
        assert client.status().transport["peers"] < 10

        stack.close()
        come_back(fortress, before.descriptors)
        with fortress.client() as newcomer:
            newcomer.ping()
        assert unexpected(fortress) == []
