"""The stream of a whole conductor under load: replay and live without a gap, snapshots that fit, bounded memory."""

import os
import threading
from collections import defaultdict
from itertools import islice
from pathlib import Path
from typing import Self

import pytest

import castiron
from castiron.actors.conductor import Conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.nodes import Snapshot
from castiron.transport.errors import CastironError
from castiron.transport.events import PAYLOADS, EventView
from castiron.transport.replies import NodeView
from castiron.transport.verbs import NodeSet
from castiron.transport.vocabulary import EventType
from tests.support.deadline import until
from tests.support.raw_subscriber import RawSubscriber

NODES = 50
CLIENTS = 8
ROUNDS = 12
PATIENCE_S = 40.0

pytestmark = pytest.mark.castiron(
    nodes=0, stored=True, settings={"sync_power_state_interval_s": 0.0}
)  # the events of checks would be among those that are counted


class Load:
    """Eight clients that change fifty nodes at once, and make and forget others."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        with conductor.client() as client:
            for number in range(NODES):
                client.nodes.create(f"n{number}", driver="fake")
        self._threads = [threading.Thread(target=self._change, args=(number,)) for number in range(CLIENTS)]
        self.failed: list[CastironError] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(PATIENCE_S)
        assert self.failed == []

    def _change(self, mine: int) -> None:
        try:
            with self._conductor.client(timeout_s=PATIENCE_S) as client:
                for turn in range(ROUNDS):
                    for number in range(mine, NODES, CLIENTS):
                        client.nodes.set(f"n{number}", extra={"turn": turn})
                    client.nodes.create(f"extra-{mine}-{turn}", driver="fake")
                    client.nodes.delete(f"extra-{mine}-{turn}")
        except CastironError as error:
            self.failed.append(error)


EVENTS = NODES + ROUNDS * (NODES + 2 * CLIENTS)


def followed(conductor: Conductor, since: int, count: int) -> list[EventView]:
    with conductor.client() as client, client.events(since, timeout_s=PATIENCE_S) as events:
        return list(islice(events, count))


def test_replay_and_live_have_no_gap_and_no_double_while_eight_clients_change_fifty_nodes(
    castiron_conductor: Conductor,
) -> None:
    seen: list[list[EventView]] = []

    def follow(since: int) -> None:
        seen.append(followed(castiron_conductor, since, EVENTS - since))

    with Load(castiron_conductor):
        followers = [threading.Thread(target=follow, args=(since,)) for since in (0, 25, 40)]
        for follower in followers:
            follower.start()
    for follower in followers:
        follower.join(PATIENCE_S)

    assert sorted(len(events) for events in seen) == [EVENTS - 40, EVENTS - 25, EVENTS]
    for events in seen:
        assert [event.seq for event in events] == list(range(EVENTS - len(events) + 1, EVENTS + 1))
    with castiron_conductor.client() as client:
        stored = list(client.events(0, follow=False))
    assert max(seen, key=len) == stored
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_node(stored).values())
    assert all(set(event.payload) <= set(PAYLOADS[EventType(event.type)]) for event in stored)


def by_node(events: list[EventView]) -> dict[str | None, list[int | None]]:
    numbers: dict[str | None, list[int | None]] = defaultdict(list)
    for event in events:
        numbers[event.node_uuid].append(event.node_seq)
    return numbers


def names_after(snapshot: Snapshot, events: list[EventView]) -> set[str | None]:
    """Return which nodes there are if the snapshot was true at its number, and the events happened since."""
    names: set[str | None] = {node.name for node in snapshot.nodes}
    for event in events:
        if event.type == EventType.NODE_CREATE_END:
            names.add(event.node)
        elif event.type == EventType.NODE_DELETE_END:
            names.discard(event.node)
    return names


def changes_missing(snapshot: Snapshot, events: list[EventView], final: dict[str, int]) -> dict[str, int]:
    """Return by how many changes each node is ahead of its snapshot beyond what the events tell."""
    told: dict[str, int] = defaultdict(int)
    for event in events:
        if event.type == EventType.NODE_UPDATE_END:
            told[str(event.node)] += 1
    have = {node.name: node.revision for node in snapshot.nodes}
    return {name: revision - have[name] - told[name] for name, revision in final.items()}


def test_a_snapshot_and_the_events_since_its_number_have_everything_also_under_load(
    castiron_conductor: Conductor,
) -> None:
    snapshots: list[Snapshot] = []
    with Load(castiron_conductor) as load, castiron_conductor.client() as client:
        while any(thread.is_alive() for thread in load._threads):
            snapshots.append(client.nodes.snapshot())
    with castiron_conductor.client() as client:
        final = {node.name: node.revision for node in client.nodes.list()}
        events = list(client.events(0, follow=False))

    assert len(snapshots) > 5
    for snapshot in snapshots:
        since = events[snapshot.seq :]
        assert names_after(snapshot, since) == set(final)
        missing = changes_missing(snapshot, since, final)
        assert max(missing.values()) <= 0, f"changes between the snapshot and its number are told nowhere: {missing}"


def test_everything_that_was_asked_for_says_who_asked(castiron_conductor: Conductor) -> None:
    with castiron_conductor.client() as client:
        client.nodes.create("n1", driver="fake")
        client.nodes.set("n1", extra={"a": 1})
        client.nodes.power("n1", "power on").wait(PATIENCE_S)
        client.nodes.set_boot_device("n1", "pxe").wait(PATIENCE_S)
        uuid = client.nodes.show("n1").uuid
        client.nodes.delete("n1")
        history = client.nodes.history(uuid)

    assert [event.type for event in reversed(history)] == [
        "node.create.end",
        "node.update.end",
        "node.power_set.start",
        "node.power_set.end",
        "node.boot_device_set.start",
        "node.boot_device_set.end",
        "node.delete.end",
    ]
    who = f"ipc:uid={os.getuid()} (castiron-python/{castiron.__version__})"
    assert [event.payload["requester"] for event in history] == [who] * 7


def test_events_are_counted_and_none_is_skipped(castiron_conductor: Conductor) -> None:
    with castiron_conductor.client() as client, client.events() as events:
        client.nodes.create("n1", driver="fake")
        next(events)
        counted = client.status().transport

    assert (counted["events_published"], counted["events_waiting"], counted["events_skipped"]) == (1, 0, 0)


def test_a_subscriber_that_never_reads_does_not_make_the_conductor_grow(castiron_conductor: Conductor) -> None:
    with castiron_conductor.client() as client:
        endpoint = str(client.hello().events_endpoint)
        for number in range(NODES):
            client.nodes.create(f"n{number}", driver="fake")
        subscribers = [RawSubscriber(endpoint, b"events/", b"heartbeat", receive_hwm=1) for _ in range(20)]
        until(lambda: all(subscriber.socket.poll(0) for subscriber in subscribers))
        change(client, 3000)  # three times what may wait for each, and what the kernel's buffers take
        before = resident_bytes()
        change(client, 3000)
        grown = resident_bytes() - before
        with client.events(since=NODES, follow=False) as events:
            assert sum(1 for _ in events) == 6000
        for subscriber in subscribers:
            subscriber.__exit__(None, None, None)

    assert grown < 8 * 1024 * 1024, grown


def change(client: Client, count: int) -> None:
    """Change all nodes, round by round: answers overtake each other, and a node takes one change at a time."""
    for begin in range(0, count, NODES):
        verbs = [NodeSet(node=f"n{number}", extra={"turn": begin}) for number in range(NODES)]
        outcomes = [outcome for _, outcome in client.send_many(verbs, window=32)]
        assert [outcome for outcome in outcomes if not isinstance(outcome, NodeView)] == []


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096
