"""A conductor that is started anew fifty times under its client: each event comes once, and each call ends."""

import itertools
import threading
from pathlib import Path

import pytest

from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import CastironError, NodeExists
from castiron.transport.vocabulary import RequestState
from tests.protocol.conftest import House, Opener
from tests.support.deadline import until

pytestmark = pytest.mark.usefixtures("manner")

RESTARTS = 50
RESTARTS_IN_EARNEST = 20
"""Of a whole conductor with its store; a restart of it takes some tenths of a second."""
SOON_S = 60.0


class Caller(threading.Thread):
    """Creates nodes one after the other, and asks again for each until it is there."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.is_enough = threading.Event()
        self.made: list[str] = []
        self.errors: list[CastironError] = []
        self._endpoint = endpoint

    def run(self) -> None:
        with Client(self._endpoint) as client:
            for number in itertools.count():
                if self.is_enough.is_set():
                    return
                self._create(client, f"n{number}")

    def _create(self, client: Client, name: str) -> None:
        while True:
            try:
                client.nodes.create(name, driver="fake")
            except NodeExists:
                break  # the answer to an earlier attempt was lost
            except CastironError as error:
                self.errors.append(error)
            else:
                break
        self.made.append(name)


def test_no_event_is_lost_or_comes_twice_and_every_call_ends(open_house: Opener) -> None:
    house: House = open_house()
    caller = Caller(house.endpoint)
    with Client(house.endpoint) as client, client.events(timeout_s=SOON_S) as events:
        caller.start()
        seen: list[tuple[int, str | None]] = []
        for _ in range(RESTARTS):
            count = len(caller.made)
            while len(caller.made) < count + 2:
                event = next(events)
                seen.append((event.seq, event.node))
            house.close()
            house.conductor.boot()
            house = open_house(conductor=house.conductor)
        caller.is_enough.set()
        caller.join(SOON_S)
        assert not caller.is_alive()
        while len(seen) < len(caller.made):
            event = next(events)
            seen.append((event.seq, event.node))

    assert [seq for seq, _ in seen] == [*range(1, len(seen) + 1)]
    assert [node for _, node in seen] == caller.made
    assert len(caller.made) >= 2 * RESTARTS
    assert all(error.applied is not None for error in caller.errors)


class Rebooter(threading.Thread):
    """Reboots a machine again and again, and waits for the end of each."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.is_enough = threading.Event()
        self.ended: list[tuple[str, RequestState]] = []
        self._endpoint = endpoint

    def run(self) -> None:
        with Client(self._endpoint) as client:
            while not self.is_enough.is_set():
                request = client.nodes.power("n1", "rebooting").wait(SOON_S)
                self.ended.append((request.id, request.state))


def test_no_request_is_lost_or_made_twice_and_every_wait_ends(tmp_path: Path) -> None:
    store, endpoint = tmp_path / "castiron.db", f"ipc://{tmp_path}/door"
    rebooter = Rebooter(endpoint)
    kept: list[str] = []
    for round_ in range(RESTARTS_IN_EARNEST + 1):
        with running_conductor(store=store, endpoint=endpoint) as conductor:
            if round_ == 0:
                with conductor.client() as client:
                    client.nodes.create("n1", driver="fake")
                rebooter.start()
            count = len(rebooter.ended)
            until(lambda count=count: len(rebooter.ended) > count, timeout_s=SOON_S)  # type: ignore[misc] # a default
            if round_ == RESTARTS_IN_EARNEST:
                rebooter.is_enough.set()
                rebooter.join(SOON_S)
                with conductor.client() as client:
                    kept += [request.id for request in client.requests.list("n1", limit=10 * len(rebooter.ended))]

    assert not rebooter.is_alive()
    assert {state for _, state in rebooter.ended} == {RequestState.SUCCEEDED}
    assert [request for request, _ in rebooter.ended] == kept[::-1]
