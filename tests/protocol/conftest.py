"""What every conformance test is given: a front door with a small conductor in memory, or the one at --endpoint."""

import itertools
import secrets
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from castiron.transport.clients.blocking.client import Client
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.doors.guard import Guard
from castiron.transport.session import DEFAULT_LIMITS, Limits
from tests.support.keyring import Keyring
from tests.support.manners import LoopThread, drive
from tests.support.memory_conductor import MemoryConductor
from tests.support.raw_peer import RawPeer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--endpoint", default=None, help="test the conductor that listens there, not the one in memory")


def given_endpoint(config: pytest.Config) -> str | None:
    endpoint = config.getoption("--endpoint", default=None)
    return str(endpoint) if endpoint else None


class House:
    """A front door and what stands behind it, both in this process."""

    def __init__(
        self,
        endpoint: str,
        limits: Limits,
        *,
        boot_id: str | None = None,
        conductor: MemoryConductor | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.conductor = conductor or MemoryConductor(limits=limits, boot_id=boot_id)
        publisher = self.conductor.events.publisher
        self.door = FrontDoor(
            endpoint, self.conductor, now=time.monotonic, limits=limits, publisher=publisher, guard=guard
        )
        self.door.start()
        self.conductor.events_endpoint = self.door.events_endpoint

    @property
    def endpoint(self) -> str:
        return self.door.endpoint

    def close(self) -> None:
        assert self.door.stop(5.0)
        self.conductor.stop()


Opener = Callable[..., House]


@pytest.fixture
def open_house(tmp_path: Path) -> Iterator[Opener]:
    """Open front doors; they are closed after the test."""
    houses: list[House] = []

    def open_one(
        endpoint: str = f"ipc://{tmp_path}/door",
        limits: Limits = DEFAULT_LIMITS,
        boot_id: str | None = None,
        conductor: MemoryConductor | None = None,
        guard: Guard | None = None,
    ) -> House:
        houses.append(House(endpoint, limits, boot_id=boot_id, conductor=conductor, guard=guard))
        return houses[-1]

    yield open_one
    for house in houses:
        house.close()


@pytest.fixture
def house(open_house: Opener) -> House:
    """One front door on a Unix socket: for tests that look behind it."""
    return open_house()


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    """Keys, and a list that lets nobody in yet."""
    return Keyring(tmp_path)


@pytest.fixture
def guarded(open_house: Opener, ring: Keyring) -> House:
    """A front door that takes keys."""
    return open_house("tcp://127.0.0.1:0", guard=ring.guard())


ClientOf = Callable[..., Client]


@pytest.fixture
def client_of(guarded: House, ring: Keyring) -> ClientOf:
    """Make clients of that door, by the names of their keys."""

    def client(name: str, server: str = "server", timeout_s: float = 20.0) -> Client:
        return Client(guarded.endpoint, timeout_s=timeout_s, key=ring.secret(name), server_key=ring.public(server))

    return client


class World:
    """Somewhere to test, and names that nothing else uses."""

    def __init__(self, endpoint: str, house: House | None) -> None:
        self.endpoint = endpoint
        self._house = house
        self._names = (f"t{time.time_ns()}-{number}" for number in itertools.count())

    @property
    def is_ours(self) -> bool:
        """Whether one may look behind the door."""
        return self._house is not None

    @property
    def conductor(self) -> MemoryConductor:
        """What stands behind the door; skips the test where that is another's."""
        if self._house is None:
            pytest.skip("the conductor is somebody else's process: it is held to what is seen from outside")
        return self._house.conductor

    @property
    def door(self) -> FrontDoor:
        """The door itself; skips the test where it is another's."""
        if self._house is None:
            pytest.skip("the door is in somebody else's process: it is held to what is seen from outside")
        return self._house.door

    def new_name(self) -> str:
        return next(self._names)

    def new_trait(self) -> str:
        return f"CUSTOM_{self.new_name().replace('-', '_').upper()}"

    def new_address(self) -> str:
        return f"127.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"


@pytest.fixture(params=["ipc", "tcp"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[World]:
    """The conductor under test, over each transport; at --endpoint over that one."""
    endpoint = given_endpoint(request.config)
    if endpoint is not None:
        if request.param == "ipc":
            pytest.skip("one endpoint was given")
        yield World(endpoint, None)
        return
    house = House(f"ipc://{tmp_path}/door" if request.param == "ipc" else "tcp://127.0.0.1:0", DEFAULT_LIMITS)
    yield World(house.endpoint, house)
    house.close()


@pytest.fixture
def peer(world: World) -> Iterator[RawPeer]:
    with RawPeer(world.endpoint) as one:
        yield one


@pytest.fixture(scope="module")
def house_peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawPeer]:
    """One peer of one conductor for a whole module: for messages that are refused and change nothing."""
    endpoint = given_endpoint(request.config)
    house = None if endpoint else House(f"ipc://{tmp_path_factory.mktemp('door')}/door", DEFAULT_LIMITS)
    with RawPeer(house.endpoint if house else str(endpoint)) as one:
        yield one
    if house:
        house.close()


@pytest.fixture(params=["blocking", "awaitable"])
def manner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both manners of the client in turn; the tests are the same."""
    if request.param == "blocking":
        yield "blocking"
        return
    with LoopThread() as loop:
        drive(monkeypatch, loop.run)
        yield "awaitable"
