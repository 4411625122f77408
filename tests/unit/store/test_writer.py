"""The writer's thread: it groups what waits, keeps within its bounds, and ends in order."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from castiron.store.errors import StoreClosed, StoreUnwritable
from castiron.store.records import Change, Commit, EventDraft
from castiron.store.sql.committer import Outcome
from castiron.store.store import Store
from castiron.store.writer import ThreadedWriter
from castiron.transport.vocabulary import EventType, Instant
from tests.support.store_records import counting_ids, creation, plain_node

DEADLINE_S = 10
TEN_ROWS = Change(events=(EventDraft(type=EventType.NODE_UPDATE_END, at=Instant(1.0)),) * 10)


class Told:
    """Collects outcomes, and waits for a number of them."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._changed = threading.Condition()

    def __call__(self, outcome: Outcome) -> None:
        with self._changed:
            self.outcomes.append(outcome)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[Outcome]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.outcomes) >= count, DEADLINE_S)
        return self.outcomes


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "castiron.db", key_path=None, new_id=counting_ids())
    yield store
    store.close()


def slow_disk(store: Store) -> AbstractContextManager[object]:
    """While this is held the writer waits in the midst of a group, as it does for a slow disk."""
    return store.committer._database.lock


class Noticed(Mapping[str, Any]):
    """A map that tells when the writer has it in hand."""

    def __init__(self) -> None:
        self.taken = threading.Event()

    def __getitem__(self, key: str) -> Any:
        return {"a": 1}[key]

    def __iter__(self) -> Iterator[str]:
        self.taken.set()
        return iter("a")

    def __len__(self) -> int:
        return 1


def wait_until_busy(writer: ThreadedWriter, told: Told) -> None:
    """Submit one change and wait until the writer has it in hand; needs a slow disk."""
    extra = Noticed()
    writer.submit(creation(plain_node(1, extra=extra)), told)
    assert extra.taken.wait(DEADLINE_S)


def test_what_waits_is_written_in_one_transaction(store: Store) -> None:
    writer, told = ThreadedWriter(store.committer), Told()
    with slow_disk(store):
        wait_until_busy(writer, told)
        for number in range(2, 102):
            writer.submit(creation(plain_node(number)), told)
        assert writer.backlog() == 101

    told.wait_for(101)
    writer.stop(DEADLINE_S)

    assert (writer.counters().groups, writer.counters().commits, writer.counters().changes) == (2, 2, 101)
    assert writer.backlog() == 0


def test_a_transaction_is_bounded_by_its_rows(store: Store) -> None:
    writer, told = ThreadedWriter(store.committer, max_group_rows=25), Told()
    with slow_disk(store):
        wait_until_busy(writer, told)
        for _ in range(10):
            writer.submit(TEN_ROWS, told)

    told.wait_for(11)
    writer.stop(DEADLINE_S)

    assert writer.counters().groups == 1 + 4


def test_beyond_the_limit_a_change_is_turned_away_at_once_and_nothing_else_is_lost(store: Store) -> None:
    writer, told, late = ThreadedWriter(store.committer, max_backlog=3), Told(), Told()
    with slow_disk(store):
        wait_until_busy(writer, told)
        for number in range(2, 5):
            writer.submit(creation(plain_node(number)), told)
        writer.submit(creation(plain_node(5)), late)

        (refusal,) = late.outcomes
        assert isinstance(refusal, StoreUnwritable)
        assert "overloaded: 3 changes wait" in str(refusal)

    assert [type(outcome) for outcome in told.wait_for(4)] == [Commit] * 4
    writer.submit(creation(plain_node(5)), late)
    assert [type(outcome) for outcome in late.wait_for(2)] == [StoreUnwritable, Commit]
    writer.stop(DEADLINE_S)
    assert writer.counters().overloads == 1


def test_a_stop_that_runs_out_of_time_tells_those_who_wait(store: Store) -> None:
    writer, told, late = ThreadedWriter(store.committer), Told(), Told()
    with slow_disk(store):
        wait_until_busy(writer, told)
        writer.submit(creation(plain_node(2)), late)

        writer.stop(timeout_s=0.01)

        assert [type(outcome) for outcome in late.outcomes] == [StoreClosed]
        assert told.outcomes == []

    assert [type(outcome) for outcome in told.wait_for(1)] == [Commit]
    writer.stop(DEADLINE_S)
    assert [node.name for node in store.nodes()] == ["n1"]


def test_outcomes_come_on_the_writers_thread(store: Store) -> None:
    writer, told = ThreadedWriter(store.committer), Told()
    names: list[str] = []

    def done(outcome: Outcome) -> None:
        names.append(threading.current_thread().name)
        told(outcome)

    writer.submit(creation(plain_node()), done)
    told.wait_for(1)
    writer.stop(DEADLINE_S)

    assert names == ["castiron-store-writer"]


def test_many_threads_may_submit_and_each_keeps_its_order(store: Store) -> None:
    writer = ThreadedWriter(store.committer)
    told = [Told() for _ in range(4)]

    def submit(which: int) -> None:
        for number in range(50):
            writer.submit(creation(plain_node(1 + 1000 * which + number)), told[which])

    threads = [threading.Thread(target=submit, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)

    for one in told:
        seqs = [outcome.seq for outcome in one.wait_for(50) if isinstance(outcome, Commit)]
        assert len(seqs) == 50
        assert seqs == sorted(seqs)
    writer.stop(DEADLINE_S)
    assert store.latest_seq() == 200


def test_an_unforeseen_fault_is_told_and_the_writer_lives(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    writer, told = ThreadedWriter(store.committer), Told()
    nonsense: Any = "not a request"

    writer.submit(replace(creation(plain_node(1)), requests=(nonsense,)), told)
    told.wait_for(1)
    writer.submit(creation(plain_node(2)), told)

    assert [type(outcome) for outcome in told.wait_for(2)] == [StoreUnwritable, Commit]
    assert "not written" in caplog.text
    writer.stop(DEADLINE_S)


def test_a_reader_does_not_wait_for_the_writer(store: Store) -> None:
    store.committer.commit([creation(plain_node(1))])

    with slow_disk(store), store.committer._database.transaction():
        store.committer._database.execute("UPDATE nodes SET name = 'not committed yet'")
        assert run_elsewhere(lambda: [node.name for node in store.nodes()]) == ["n1"]


def run_elsewhere(call: Callable[[], object]) -> object:
    """Run a call on another thread, so that a lock of this one would show."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(DEADLINE_S)


class Order:
    """Collects what is announced and what is told, in their order."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.told = Told()

    def landed(self, commits: Sequence[Commit]) -> None:
        self.heard += [("landed", event.seq) for commit in commits for event in commit.events]

    def done(self, outcome: Outcome) -> None:
        self.heard.append(("told", outcome.seq if isinstance(outcome, Commit) else 0))
        self.told(outcome)


def test_a_group_is_announced_in_order_before_anybody_is_told_of_it(store: Store) -> None:
    order = Order()
    writer = ThreadedWriter(store.committer, landed=order.landed)
    with slow_disk(store):
        for change in (creation(plain_node(1)), Change(), creation(plain_node(1)), creation(plain_node(2))):
            writer.submit(change, order.done)
    order.told.wait_for(4)
    writer.stop(DEADLINE_S)

    landed = [heard for heard in order.heard if heard[0] == "landed"]
    assert landed == [("landed", 1), ("landed", 2)], "each event once; nothing of what was refused or had none"
    assert all(order.heard.index(("landed", seq)) < order.heard.index(("told", seq)) for seq in (1, 2))


def test_an_announcement_that_fails_costs_nobody_his_outcome(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def landed(commits: Sequence[Commit]) -> None:
        raise ZeroDivisionError(len(commits))

    told = Told()
    writer = ThreadedWriter(store.committer, landed=landed)
    writer.submit(creation(plain_node(1)), told)

    assert isinstance(told.wait_for(1)[0], Commit)
    assert "announcing 1 commits failed" in caplog.text
    writer.stop(DEADLINE_S)
