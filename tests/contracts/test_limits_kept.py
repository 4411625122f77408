"""Bounds hold where they matter: at the machines, over a restart, and for whoever comes back as told."""

import os
import threading
import time
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

import pytest

from castiron.actors.settings import Settings
from castiron.testing import BMCFarm, running_conductor
from castiron.testing.bmc import Faults
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.vocabulary import FINAL_REQUEST_STATES
from tests.support.conductor_process import ConductorProcess
from tests.support.deadline import until

BMCS = 12
AT_ONCE = 3
TAKES_S = 0.15
"""A machine's power follows its control so much later."""

PATIENCE_S = 30.0


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """Return how many spans overlap at the most; one that ends as another begins does not."""
    edges = sorted(edge for begin, end in spans for edge in ((begin, 1), (end, -1)))
    return max(accumulate(step for _, step in edges))


def test_no_more_machines_than_may_see_a_power_action_at_once() -> None:
    settings = Settings(max_concurrent_power=AT_ONCE, power_poll_initial_s=0.02, power_poll_max_s=0.05)
    with (
        BMCFarm(bmcs=BMCS) as farm,
        running_conductor(settings=settings) as conductor,
        conductor.client(timeout_s=PATIENCE_S) as client,
    ):
        for number, bmc in enumerate(farm):
            bmc.set_faults(Faults(late_power_s=TAKES_S))
            client.nodes.create(f"n{number}", driver_info=bmc.driver_info)

        for target in ("power on", "power off"):
            requests = [client.nodes.power(f"n{number}", target) for number in range(BMCS)]
            assert {request.wait(PATIENCE_S).state for request in requests} == {"succeeded"}

        # The action goes on for at least as long as the machine takes, by the machine's own clock.
        spans = [(control.at, control.at + TAKES_S) for bmc in farm for control in bmc.controls]
        assert len(spans) == 2 * BMCS
        assert most_at_once(spans) == AT_ONCE
        assert client.status().queues["power_actions"].used == 0


def test_power_actions_that_wait_for_the_rate_say_how_many_begin_before_them() -> None:
    settings = Settings(power_action_rate_per_s=0.01, power_action_rate_burst=1)
    with running_conductor(settings=settings) as conductor, conductor.client(timeout_s=PATIENCE_S) as client:
        for number in range(5):
            client.nodes.create(f"n{number}", driver="fake")
        first, *others = [client.nodes.power(f"n{number}", "power on") for number in range(5)]
        assert first.wait(PATIENCE_S).state == "succeeded"

        until(lambda: client.status().queues["power_actions_waiting"].used == 4)
        assert [client.requests.show(one.id).view.ahead for one in (first, *others)] == [None, 0, 1, 2, 3]
        told = [finding.text for finding in client.nodes.explain("n4").findings if finding.code == "request.queued"]
        assert "3 power actions begin before it" in told[0]
        assert "so it begins in some 400 s" in told[0]

        others[0].cancel()
        until(lambda: client.requests.show(others[-1].id).view.ahead == 2)
        assert client.status().queues["power_actions"].used == 0, "what waits holds no permit"
        for one in others[1:]:
            one.cancel()


def held(client: Client, node: str, count: int) -> list[str]:
    """Have so many requests wait at a node until its maintenance is over."""
    return [client.nodes.power(node, "power on", hold=True, policy="after", again=True).id for _ in range(count)]


def opened_by(client: Client) -> dict[str, int]:
    """Return how many requests each identity has open, as the conductor counts."""
    view = client.status()
    counts = {use.requester.partition(":")[0]: use.open for use in view.requesters if use.open}
    assert view.queues["open_requests"].used == sum(counts.values())
    assert view.queues["open_requests_per_requester"].used == max(counts.values(), default=0)
    return counts


def address_of_our_own() -> str:
    """Return where no other process of these tests listens, and no connection of anybody's begins."""
    number = os.getpid()
    return f"tcp://127.201.{number >> 8 & 0xFF}.{number & 0xFF}:48761"


@pytest.mark.parametrize("is_killed", [True, False], ids=["kill -9", "stop"])
def test_what_each_has_open_is_counted_again_after_a_restart(tmp_path: Path, *, is_killed: bool) -> None:
    store, ipc = tmp_path / "castiron.db", f"ipc://{tmp_path}/c.ipc"
    tcp = address_of_our_own()
    most = {"max_open_requests_per_requester": 5, "max_open_requests": 8, "sync_power_state_interval_s": 0}

    with ConductorProcess(store, tcp, **most) as server, server.client(PATIENCE_S) as client:
        client.nodes.create("n1", driver="fake")
        client.nodes.set_maintenance("n1")
        mine, *_ = held(client, "n1", 3)
        assert opened_by(client) == {"tcp": 3}
        if not is_killed:
            server.stop()
    with ConductorProcess(store, ipc, **most) as server, server.client(PATIENCE_S) as client:
        assert opened_by(client) == {"tcp": 3}, "those of before are still theirs"
        held(client, "n1", 5)
        assert opened_by(client) == {"tcp": 3, "ipc": 5}
        if not is_killed:
            server.stop()
    with ConductorProcess(store, ipc, **most) as server, Client(ipc, timeout_s=PATIENCE_S, patience_s=0) as client:
        assert opened_by(client) == {"tcp": 3, "ipc": 5}
        with pytest.raises(ConductorOverloaded) as refused:
            held(client, "n1", 1)
        assert refused.value.details["what"] == "open_requests"
        for request in client.requests.list(limit=100):
            if request.id != mine and request.state not in FINAL_REQUEST_STATES:
                client.requests.cancel(request.id, force=True)
                break
        client.nodes.unset_maintenance("n1")
        client.requests.wait(mine, PATIENCE_S)
        for request in client.requests.list(limit=100):
            client.requests.wait(request.id, PATIENCE_S)
        assert opened_by(client) == {}, "no place is lost, and none counted twice"
        server.kill()


class Polite(threading.Thread):
    """A client that never has more than one message under way, and comes back as it is told."""

    def __init__(self, endpoint: str, nodes: list[str], enough: threading.Event) -> None:
        super().__init__()
        self.busy: list[ConductorOverloaded] = []
        self.refusals: list[int] = []
        """For each request that was refused at first: how often it was, in all."""
        self._endpoint, self._nodes, self._enough = endpoint, nodes, enough

    def run(self) -> None:
        with Client(self._endpoint, timeout_s=PATIENCE_S, patience_s=0) as client:
            while not self._enough.is_set():
                for node in self._nodes:
                    self._insist(client, node)

    def _insist(self, client: Client, node: str) -> None:
        refused = 0
        while not self._enough.is_set():
            try:
                client.nodes.power(node, "rebooting", policy="after", again=True)
            except ConductorOverloaded as error:
                refused += 1
                self.busy.append(error)
                self._enough.wait(error.retry_after_s)
            else:
                if refused:
                    self.refusals.append(refused)
                return


def test_who_comes_back_when_told_finds_room_while_requests_end_steadily() -> None:
    settings = Settings(
        max_open_requests_per_requester=20,
        max_concurrent_power=4,
        sync_power_state_interval_s=0.0,
        node_queue_limit=100,
    )
    with running_conductor(settings=settings) as conductor, conductor.client() as client:
        names = [f"n{number}" for number in range(8)]
        for name in names:
            client.nodes.create(name, driver="fake", driver_info={"fake_power_delay_s": 0.05})
        enough = threading.Event()
        clients = [Polite(conductor.endpoint, names, enough) for _ in range(8)]
        for one in clients:
            one.start()
        until_s = time.monotonic() + PATIENCE_S
        while sum(len(one.refusals) for one in clients) < 60 and time.monotonic() < until_s:
            client.status()
        enough.set()
        for one in clients:
            one.join(PATIENCE_S)

        refusals = [count for one in clients for count in one.refusals]
        busy = [error for one in clients for error in one.busy]
        assert {error.details["what"] for error in busy} == {"open_requests_per_requester"}
        assert len(refusals) >= 60
        assert refusals.count(1) * 3 >= len(refusals) * 2, "most need to come back once"
