"""I10: event numbers have no gap unless a gap is told. A real store, a real door and a client that follows, at random.

Commits, losses on the way, pruning, restarts of the door and of the client come in any order; whatever they are, the
client yields each event once, in order, as it was committed, or says that it is lost, which is true.
"""

import tempfile
import time
from collections.abc import Sequence
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import castiron
from castiron.actors.core.views import event_view
from castiron.actors.published.board import Board
from castiron.actors.published.chronicle import events_page
from castiron.actors.published.herald import Herald
from castiron.store.records import Change, Commit, NodeRecord
from castiron.store.sql.committer import Outcome
from castiron.store.store import Store
from castiron.store.writer import InlineWriter
from castiron.transport.clients.blocking.stream import EventStream
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.doors.publisher import Publisher
from castiron.transport.errors import EventsLost
from castiron.transport.events import EventView, Heartbeat
from castiron.transport.frames import SPEAKS
from castiron.transport.replies import Pong, Welcome
from castiron.transport.verbs import AnyVerb, EventList, Hello
from castiron.transport.vocabulary import EventSeq, Instant
from tests.support.store_records import counting_ids, creation, event_of, plain_node, successor, update

HEARTBEAT_S = 0.05
PATIENCE_S = 20.0


class Leaky(Publisher):
    """Loses as many of the next events as it is told, after it has counted them as sent."""

    losing = 0

    def _send(self, topic: bytes, body: EventView | Heartbeat) -> None:
        if self.losing and isinstance(body, EventView):
            self.losing -= 1
        else:
            super()._send(topic, body)


class House:
    """One start of a conductor that answers what a follower asks, from a store."""

    def __init__(self, store: Store, endpoint: str) -> None:
        self.boot_id = str(uuid4())
        self._store = store
        self.publisher = Leaky(
            conductor=store.conductor,
            boot_id=self.boot_id,
            seq=store.latest_seq(),
            heartbeat_interval_s=HEARTBEAT_S,
        )
        self.door = FrontDoor(endpoint, self, now=time.monotonic, publisher=self.publisher)
        self.door.start()

    def handle(self, verb: AnyVerb, peer: PeerInfo, answer: Answer) -> None:
        del peer
        if isinstance(verb, EventList):
            answer.final(events_page(self._store, verb, None, None), 0)
        elif isinstance(verb, Hello):
            answer.final(self._welcome(), 0)
        else:
            answer.final(Pong(boot_id=self.boot_id), 0)

    def _welcome(self) -> Welcome:
        return Welcome(
            conductor=self._store.conductor,
            boot_id=self.boot_id,
            version="0",
            speaks=list(SPEAKS),
            heartbeat_interval_s=HEARTBEAT_S,
            liveness=3,
            limits=self.door.limits.published(),
            events_endpoint=self.door.events_endpoint,
        )


class Following(RuleBasedStateMachine):
    """Committed, lost, pruned, restarted; and followed."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="castiron-")
        self.store = Store.open(None, key_path=None, new_id=counting_ids())
        self.writer = InlineWriter(self.store.committer, landed=self._landed)
        self.committed: list[EventView] = []
        self.nodes: dict[int, NodeRecord] = {}
        self.seen: list[EventView] = []
        self.told: list[range] = []
        self.house = self._open()
        self.client = castiron.connect(f"ipc://{self.folder.name}/door", timeout_s=PATIENCE_S)
        self.stream = self._follow(0)

    def _open(self) -> House:
        house = House(self.store, f"ipc://{self.folder.name}/door")
        self.herald = Herald(Board(max_waiters=1, seq=EventSeq(0)), house.publisher)
        return house

    def _follow(self, since: int) -> EventStream:
        return self.client.events(since, timeout_s=PATIENCE_S * 3)

    def _landed(self, commits: Sequence[Commit]) -> None:
        self.committed += [event_view(event) for commit in commits for event in commit.events]
        self.herald.landed(commits)

    @rule(number=st.integers(1, 3), count=st.integers(0, 5))
    def commit(self, number: int, count: int) -> None:
        node = self.nodes.get(number)
        if node is None:
            change, record = creation(plain_node(number)), plain_node(number, node_seq=1)
        else:
            record = successor(node, events=count)
            change = update(record, events=count)
        self.writer.submit(change, self._done)
        self.nodes[number] = record

    @rule(number=st.integers(1, 3))
    def commit_what_is_refused(self, number: int) -> None:
        node = self.nodes.get(number)
        if node is not None:
            self.writer.submit(Change(node=update(node).node, events=(event_of(node),)), self._refused)

    def _done(self, outcome: Outcome) -> None:
        assert isinstance(outcome, Commit)

    def _refused(self, outcome: Outcome) -> None:
        assert not isinstance(outcome, Commit)

    @rule(count=st.integers(1, 4))
    def lose(self, count: int) -> None:
        self.house.publisher.losing = count

    @rule(keep=st.integers(1, 6))
    def prune(self, keep: int) -> None:
        self.store.prune_events(Instant(0.0), keep_count=keep, history_count=2, limit=100)

    @rule()
    def restart_the_door(self) -> None:
        assert self.house.door.stop(PATIENCE_S)
        self.house = self._open()

    @rule()
    def restart_the_client(self) -> None:
        since = self.stream.seq
        assert since is not None
        self.stream.close()
        self.stream = self._follow(since)

    @rule(count=st.integers(1, 4))
    def read_some(self, count: int) -> None:
        for _ in range(count):
            if (self.stream.seq or 0) < len(self.committed):
                self._read_one()

    @rule()
    def read_all(self) -> None:
        while (self.stream.seq or 0) < len(self.committed):
            self._read_one()
        self._check()

    def _read_one(self) -> None:
        try:
            self.seen.append(next(self.stream))
        except EventsLost as lost:
            self._check_loss(lost)

    def _check_loss(self, lost: EventsLost) -> None:
        assert lost.last is not None
        assert lost.last < self.store.oldest_seq(), "it said that something is lost, which is there"
        self.told.append(range(lost.first, lost.last + 1))

    def _check(self) -> None:
        numbers = [event.seq for event in self.seen]
        lost = [number for some in self.told for number in some]
        assert numbers == sorted(set(numbers))
        assert sorted([*numbers, *lost]) == list(range(1, len(self.committed) + 1))
        assert self.seen == [self.committed[number - 1] for number in numbers]

    def teardown(self) -> None:
        if not hasattr(self, "stream"):
            return
        try:
            self.read_all()
        finally:
            self.client.close()
            self.house.door.stop(PATIENCE_S)
            self.store.close()
            self.folder.cleanup()


TestFollowing = pytest.mark.timeout(120)(Following.TestCase)
TestFollowing.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
