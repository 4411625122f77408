"""Before a bound is met somebody is told: an event at four fifths, a marked gauge, and the end of it, each once."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from castiron.actors.conductor import Conductor
from castiron.actors.limits import BOUNDS
from castiron.actors.published.alarms import PACES
from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import MailboxFull
from castiron.transport.events import EventView
from castiron.transport.session import DEFAULT_LIMITS
from tests.support.conductor_plugin import Plugin
from tests.support.deadline import until
from tests.support.raw_peer import RawPeer
from tests.support.receiver import key_file

PATIENCE_S = 20.0
SETTINGS = Settings(
    sync_power_state_interval_s=0.0,
    node_queue_limit=5,
    node_mailbox_limit=5,
    max_concurrent_power=5,
    task_executor="taskflow",
    max_engines=5,
)


@pytest.fixture
def plugin() -> Plugin:
    return Plugin()


@pytest.fixture
def conductor(plugin: Plugin, tmp_path: Path) -> Generator[Conductor]:
    prefixes, key = ("https://127.0.0.1/",), str(key_file(tmp_path))
    settings = replace(SETTINGS, webhook_allowed_prefixes=prefixes, webhook_key_file=key)
    with running_conductor(settings=settings, drivers=plugin.make) as conductor:
        yield conductor


@pytest.fixture
def client(conductor: Conductor) -> Generator[Client]:
    with conductor.client(timeout_s=PATIENCE_S) as client:
        client.nodes.create("n0", driver="fake")
        client.nodes.create("n1", driver="fake")
        yield client


def warnings(client: Client) -> Iterator[EventView]:
    return iter(client.events(types=["conductor.limit.*"], timeout_s=PATIENCE_S))


def told_of(events: Iterator[EventView], what: str) -> tuple[str, dict[str, Any]]:
    event = next(event for event in events if event.payload["what"] == what)
    return event.type, dict(event.payload)


def test_the_queue_of_a_node_that_nearly_is_full_is_told_of_once_and_so_is_the_end_of_it(client: Client) -> None:
    events = warnings(client)
    client.nodes.set_maintenance("n1")
    waiting = [client.nodes.power("n1", "power on", hold=True, again=True, policy="after") for _ in range(3)]
    assert client.status().queues["node_queue"].warned is False, "three of five"

    waiting.append(client.nodes.power("n1", "power on", hold=True, again=True, policy="after"))

    expected = {"what": "node_queue", "limit": 5, "setting": "node_queue_limit"}
    assert told_of(events, "node_queue") == ("conductor.limit.warning", {**expected, "used": 4, "whose": "n1"})
    gauge = client.status().queues["node_queue"]
    assert (gauge.used, gauge.limit, gauge.whose, gauge.warned) == (4, 5, "n1", True)

    waiting.append(client.nodes.power("n1", "power on", hold=True, again=True, policy="after"))
    with Client(client.endpoint, patience_s=0) as impatient, pytest.raises(MailboxFull) as full:
        impatient.nodes.power("n1", "power on", hold=True, again=True, policy="after")
    assert full.value.details["what"] == "node_queue"
    for request in reversed(waiting[3:]):  # what depends on another would fail with it
        request.cancel()
    kind, payload = told_of(events, "node_queue")

    assert (kind, payload["used"] < 0.7 * 5) == ("conductor.limit.cleared", True)
    assert client.status().queues["node_queue"].warned is False
    kept = [event.type for event in client.events(types=["conductor.limit.*"], follow=False)]
    assert kept == ["conductor.limit.warning", "conductor.limit.cleared"], "nothing twice"


def test_a_mailbox_is_told_of_though_it_is_empty_before_anybody_looks(
    conductor: Conductor, client: Client, plugin: Plugin
) -> None:
    events = warnings(client)
    caught, freed = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        caught.set()
        freed.wait(PATIENCE_S)

    plugin.driver.bugs[client.nodes.show("n1").uuid] = hang
    client.nodes.power("n1", "power on")
    assert caught.wait(PATIENCE_S)
    with RawPeer(conductor.endpoint) as peer:
        for number in range(4):
            peer.say(b"%d" % number, {"verb": "node.maintenance.set", "node": "n1"})
        until(lambda: client.status().queues["node_mailbox"].used == 4)
        freed.set()
        for _ in range(4):
            peer.hear(PATIENCE_S)

    kind, payload = told_of(events, "node_mailbox")
    assert (kind, payload["used"], payload["whose"]) == ("conductor.limit.warning", 4, "n1")
    assert client.status().queues["node_mailbox"].used == 0


def test_a_peer_with_many_messages_in_flight_is_told_of_by_its_name(conductor: Conductor, client: Client) -> None:
    events = warnings(client)
    client.nodes.set_maintenance("n1")
    request = client.nodes.power("n1", "power on", hold=True)
    many = DEFAULT_LIMITS.in_flight_per_peer * 4 // 5 + 1
    with RawPeer(conductor.endpoint) as peer:
        peer.ask({"verb": "hello", "client": "flooder"}, b"hello")
        for number in range(many):
            peer.say(b"%d" % number, {"verb": "request.wait", "request": request.id, "timeout_s": 60.0})

        kind, payload = told_of(events, "in_flight_per_peer")
        gauge = client.status().queues["in_flight_per_peer"]

        assert (kind, payload["used"], payload["limit"]) == ("conductor.limit.warning", many, 128)
        assert payload["whose"].endswith("(flooder)")
        assert (gauge.used, gauge.whose, gauge.warned) == (many, payload["whose"], True)
        request.cancel()
        for _ in range(many):
            peer.hear(PATIENCE_S)
    assert told_of(events, "in_flight_per_peer")[0] == "conductor.limit.cleared"


def test_the_page_says_of_which_bounds_there_are_warnings(client: Client) -> None:
    gauges = client.status().queues

    watched = {name for name, gauge in gauges.items() if gauge.limit is not None and name not in PACES}
    assert watched == {bound.what for bound in BOUNDS if bound.warns}
    for bound in BOUNDS:
        if bound.warns and isinstance(bound.limit, str):
            assert gauges[bound.what].setting == bound.limit
