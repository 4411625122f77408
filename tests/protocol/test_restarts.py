"""A conductor that is started anew fifty times under its client: each event comes once, and each call ends."""

import itertools
import threading

import pytest

from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import CastironError, NodeExists
from tests.protocol.conftest import House, Opener

pytestmark = pytest.mark.usefixtures("manner")

RESTARTS = 50
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
