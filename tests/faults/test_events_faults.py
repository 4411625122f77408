"""Followers of a conductor that is killed, restarted, or has forgotten: nothing is missed, or it is told."""

import threading
from itertools import islice
from pathlib import Path

import pytest

from castiron.store.records import EventRecord
from castiron.store.store import Store
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import CastironError, EventsLost
from castiron.transport.events import EventView
from castiron.transport.vocabulary import EventSeq, Instant
from tests.support.conductor_process import ConductorProcess, opened
from tests.support.deadline import until

PATIENCE_S = 40.0
LAST = "last"
WITHOUT_CHECKS = {"sync_power_state_interval_s": 0.0}
"""Their events would come at any moment."""


class Follower:
    """Reads a stream on a thread of its own, until the node `LAST` is made."""

    def __init__(self, endpoint: str) -> None:
        self.seen: list[EventView] = []
        self.told: list[str] = []
        self._client = Client(endpoint)
        self._stream = self._client.events(0, timeout_s=PATIENCE_S, told=self.told.append)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for event in self._stream:
            self.seen.append(event)
            if event.node == LAST:
                break

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        self._client.close()
        assert not self._thread.is_alive()


def make_nodes(endpoint: str, prefix: str) -> None:
    """Make nodes until the conductor is gone."""
    number = 0
    with Client(endpoint, timeout_s=2.0) as client:
        while True:
            try:
                client.nodes.create(f"{prefix}-{number}", driver="fake")
            except CastironError:
                return
            number += 1


def stored(path: Path) -> list[tuple[int, str | None, str]]:
    with opened(path) as store:
        return [(one.seq, one.draft.node_name, one.draft.type.value) for one in all_of(store)]


def all_of(store: Store) -> list[EventRecord]:
    return store.events(since=EventSeq(0), limit=1_000_000)


@pytest.mark.parametrize("end", ["kill", "stop"])
@pytest.mark.parametrize("count", [1, 40, 200])
def test_a_follower_misses_nothing_and_hears_nothing_twice_when_the_conductor_is_restarted(
    tmp_path: Path, end: str, count: int
) -> None:
    path, endpoint = tmp_path / "castiron.db", f"ipc://{tmp_path}/c.ipc"
    with ConductorProcess(path, endpoint, **WITHOUT_CHECKS) as first:
        follower = Follower(endpoint)
        makers = [threading.Thread(target=make_nodes, args=(endpoint, f"n{number}")) for number in range(3)]
        for maker in makers:
            maker.start()
        until(lambda: len(follower.seen) >= count, timeout_s=PATIENCE_S)
        getattr(first, end)()
        for maker in makers:
            maker.join(PATIENCE_S)
    with ConductorProcess(path, endpoint, **WITHOUT_CHECKS) as second:
        with second.client() as client:
            client.nodes.create(LAST, driver="fake")
        follower.join()
        second.stop()

    kept = stored(path)
    assert [(event.seq, event.node, event.type) for event in follower.seen] == kept
    assert [seq for seq, _, _ in kept] == list(range(1, len(kept) + 1))
    assert len(kept) > count
    assert [text.split(";")[0] for text in follower.told[1:]] == ["The conductor is back"]


def test_a_follower_of_a_conductor_that_has_forgotten_is_told_which_events_are_lost(tmp_path: Path) -> None:
    path, endpoint, elsewhere = tmp_path / "castiron.db", f"ipc://{tmp_path}/c.ipc", f"ipc://{tmp_path}/d.ipc"
    with Client(endpoint) as follower:
        with ConductorProcess(path, endpoint, **WITHOUT_CHECKS) as first, first.client() as client:
            events = follower.events(0, timeout_s=PATIENCE_S)
            for number in range(3):
                client.nodes.create(f"a{number}", driver="fake")
            assert [event.seq for event in islice(events, 3)] == [1, 2, 3]
            first.stop()
        with ConductorProcess(path, elsewhere, **WITHOUT_CHECKS) as second, second.client() as client:
            for number in range(20):
                client.nodes.create(f"b{number}", driver="fake")
            second.stop()
        with opened(path) as store:
            assert store.prune_events(Instant(0.0), keep_count=5, history_count=300, limit=100) == 18
        with ConductorProcess(path, endpoint, **WITHOUT_CHECKS):
            with pytest.raises(EventsLost) as caught:
                next(events)

            assert (caught.value.first, caught.value.last) == (4, 18)
            assert [event.seq for event in islice(events, 5)] == [19, 20, 21, 22, 23]
            assert [event.node_seq for event in follower.nodes.history("a1")] == [1], "a node keeps its own events"
