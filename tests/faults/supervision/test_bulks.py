"""A bulk's actor that hangs costs its own client an error, and nobody else anything."""

import threading
from pathlib import Path
from uuid import uuid4

import pytest

from castiron.actors.conductor import Conductor
from castiron.actors.settings import Settings
from castiron.transport.errors import InternalError
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import Applied, PowerTarget
from tests.support.deadline import until

ON = NodePowerSet(node="", target=PowerTarget.ON)
SETTINGS = Settings(hung_turn_s=0.3, sync_power_state_interval_s=0.0, graceful_shutdown_timeout_s=2.0)


class Ids:
    """Makes ids; once it is armed, the next one that a dispatcher's thread wants does not come until it is freed."""

    def __init__(self) -> None:
        self.is_armed = False
        self.caught, self._freed, self.left = threading.Event(), threading.Event(), threading.Event()

    def make(self) -> str:
        if self.is_armed and threading.current_thread().name.startswith("castiron-dispatcher"):
            self.is_armed = False
            self.caught.set()
            self._freed.wait(30)
            self.left.set()
        return str(uuid4())

    def free(self) -> None:
        self._freed.set()


def test_a_bulk_that_hangs_is_ended_its_client_told_and_the_conductor_goes_on(tmp_path: Path) -> None:
    ids = Ids()
    conductor = Conductor(endpoint=f"ipc://{tmp_path}/c.ipc", settings=SETTINGS, new_id=ids.make)
    with conductor, conductor.client(timeout_s=10) as client:
        for number in range(3):
            client.nodes.create(f"n{number}", driver="fake")
        ids.is_armed = True

        with pytest.raises(InternalError, match="The bulk failed") as told:
            list(client.nodes.bulk(ON, "n[0-2]", timeout_s=20))  # it hangs while it asks the first node

        assert ids.caught.is_set()
        assert (told.value.applied, conductor.failure) == (Applied.UNKNOWN, None)
        until(lambda: client.status().queues["bulks"].used == 0)
        assert [one.error for one in client.nodes.bulk(ON, "n[1-2]", timeout_s=20)] == [None, None]
        ids.free()
        assert ids.left.wait(5)
        assert [one.error for one in client.nodes.bulk(ON, "n[1-2]", timeout_s=20)] == [None, None]
        asked = [request.view.node for request in client.requests.list()]
        assert asked.count("n0") <= 1, "the turn that hung goes on with the node that it was at, and with no other"
        assert conductor.failure is None
