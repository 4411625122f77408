"""The archive answers off the caller's thread, behind the writer; pruning takes its turn there."""

import threading
from collections.abc import Callable, Generator, Iterable
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.pruning import AIM_S, FEW, MOST, PAUSE_S, SHORT_PAUSE_S, STEP, Pruning, Reading, Stride
from castiron.actors.published import archive as archive_module
from castiron.actors.published.archive import Archive, Library
from castiron.actors.services import Loaded, OnDisk
from castiron.actors.settings import Settings
from castiron.store.errors import StoreUnusable
from castiron.store.records import Change, EventDraft, NodeInsert
from castiron.store.store import Store
from castiron.store.writer import InlineWriter, ThreadedWriter
from castiron.transport.errors import ConductorOverloaded
from castiron.transport.vocabulary import EventSeq, EventType, Instant, Seconds
from tests.support.deadline import until
from tests.support.store_records import plain_node


@pytest.fixture
def store() -> Generator[Store]:
    store = Store.open(None, key_path=None, new_id=lambda: str(uuid4()))
    yield store
    store.close()


@pytest.fixture
def archive(store: Store) -> Generator[Archive]:
    archive = Archive(store, InlineWriter(store.committer))
    yield archive
    archive.stop(5.0)
    assert not archive.is_alive()


class Told(list[Loaded]):
    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Event()

    def note(self, loaded: Loaded) -> None:
        self.append(loaded)
        self.came.set()


def test_a_node_is_read_behind_what_was_submitted_before(store: Store) -> None:
    writer, told = ThreadedWriter(store.committer), Told()
    archive = Archive(store, writer)
    with store.committer._database.lock:  # the writer waits, and both stand in its line
        writer.submit(Change(node=NodeInsert(record=plain_node())), lambda _: None)
        archive.load(plain_node().uuid, told.note)

    assert told.came.wait(5)
    assert told == [OnDisk(plain_node(), [], EventSeq(0))]
    archive.stop(5.0)
    writer.stop(5.0)


def test_whoever_waits_for_a_node_that_cannot_be_read_hears_of_it(store: Store, archive: Archive) -> None:
    told = Told()
    store._reader.close()

    archive.load(plain_node().uuid, told.note)

    assert told.came.wait(5)
    assert isinstance(told[0], Exception)
    assert archive.is_alive()


def test_no_more_questions_wait_than_may(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MAX_QUESTIONS", 2)
    begun, free, done = threading.Event(), threading.Event(), list[Library]()

    def hold(library: Library) -> None:
        begun.set()
        free.wait(5)
        done.append(library)

    archive.ask(hold)
    assert begun.wait(5)
    archive.ask(done.append)
    archive.ask(done.append)
    with pytest.raises(ConductorOverloaded) as refused:
        archive.ask(done.append)
    free.set()

    until(lambda: len(done) == 3)
    assert refused.value.retry_after_s is not None


def test_a_question_that_fails_does_not_end_the_archive(archive: Archive) -> None:
    told = Told()

    def fail(_: Library) -> None:
        raise StoreUnusable("damaged")

    archive.ask(fail)
    archive.load(plain_node().uuid, told.note)

    assert told.came.wait(5)


class Inline:
    """An archive without a thread, for what happens in virtual time."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.is_full = False

    def ask(self, question: Callable[[Library], None]) -> None:
        if self.is_full:
            raise ConductorOverloaded("full", details={}, retry_after_s=1.0)
        question(self._library)


def events_in(store: Store) -> int:
    return len(store.events(since=EventSeq(0), limit=10_000))


@pytest.fixture
def old_events(store: Store) -> Store:
    draft = EventDraft(type=EventType.NODE_FAULT_SET, at=Instant(0.0))
    store.committer.commit([Change(events=(draft,) * (2 * STEP + 50))])
    return store


ZERO = Reading(0.0, 0.0)


class Clocks:
    """What pruning reads: each row of a step costs the same, on the wall and of this thread's time."""

    def __init__(self, store: Store, *, wall_s: float, cpu_s: float) -> None:
        self._store = store
        self._wall_s = wall_s
        self._cpu_s = cpu_s

    def read(self) -> Reading:
        gone = self._store.latest_seq() - events_in(self._store)
        return Reading(gone * self._wall_s, gone * self._cpu_s)


def steps_of(store: Store, count: int, clocks: Clocks) -> list[int]:
    """Return how many events each of some steps removes."""
    clock = VirtualClock(Instant(1_000_000.0))
    archive: Any = Inline(store)
    settings = Settings(event_retention_s=3600.0)
    Pruning(store, archive, clock, settings, forget, read_clocks=clocks.read).start()
    left = [events_in(store)]
    for pause_s in (PAUSE_S, *(SHORT_PAUSE_S,) * (count - 1)):
        clock.advance(Seconds(pause_s + 0.001))
        left.append(events_in(store))
    return [before - after for before, after in pairwise(left)]


def forget(keys: Iterable[str]) -> None:
    assert not list(keys)  # there are no requests here


def test_old_events_go_step_by_step_with_pauses_between(old_events: Store) -> None:
    clock = VirtualClock(Instant(1_000_000.0))
    archive: Any = Inline(old_events)
    settings = Settings(event_retention_s=3600.0)
    Pruning(old_events, archive, clock, settings, forget, read_clocks=lambda: Reading(clock.now(), 0.0)).start()

    counts: list[int] = []
    for pause_s in (PAUSE_S, SHORT_PAUSE_S, SHORT_PAUSE_S, SHORT_PAUSE_S):
        clock.advance(Seconds(pause_s + 0.01))
        counts.append(events_in(old_events))

    assert counts == [STEP + 50, 50 - STEP // 4 - 1, 1, 1]  # the latest is always kept
    assert clock.counters().waiting == 1


def test_steps_shrink_to_what_fits_into_the_time_that_others_may_wait(old_events: Store) -> None:
    row_s = AIM_S / 10.5

    assert steps_of(old_events, 3, Clocks(old_events, wall_s=row_s, cpu_s=row_s)) == [STEP, 10, 13]


def test_one_row_that_takes_long_is_the_least(old_events: Store) -> None:
    row_s = AIM_S * 2

    assert steps_of(old_events, 3, Clocks(old_events, wall_s=row_s, cpu_s=row_s)) == [STEP, 1, 1]


def test_steps_do_not_shrink_without_end_where_others_hold_them_up(old_events: Store) -> None:
    assert steps_of(old_events, 5, Clocks(old_events, wall_s=AIM_S, cpu_s=0.0)) == [
        STEP,
        STEP // 2,
        STEP // 4,
        FEW,
        FEW,
    ]


def test_steps_that_are_short_grow_up_to_a_bound() -> None:
    stride = Stride()
    for _ in range(20):
        stride.note(ZERO, Reading(AIM_S, AIM_S))

    assert stride.rows == MOST


def test_young_events_go_too_where_there_are_too_many(old_events: Store) -> None:
    clock = VirtualClock(Instant(1.0))
    archive: Any = Inline(old_events)
    Pruning(old_events, archive, clock, Settings(event_retention_count=100), forget).start()

    clock.advance(Seconds(PAUSE_S + 3 * SHORT_PAUSE_S + 0.01))

    assert (events_in(old_events), old_events.oldest_seq()) == (100, 2 * STEP + 50 - 99)


def test_pruning_lets_users_go_first_and_ends_when_stopped(old_events: Store) -> None:
    clock = VirtualClock(Instant(1_000_000.0))
    archive: Any = Inline(old_events)
    pruning = Pruning(old_events, archive, clock, Settings(event_retention_s=3600.0), forget)
    pruning.start()
    archive.is_full = True
    clock.advance(Seconds(PAUSE_S + 1))
    assert events_in(old_events) == 2 * STEP + 50

    archive.is_full = False
    clock.advance(Seconds(PAUSE_S + 1))
    assert events_in(old_events) < 2 * STEP + 50
    pruning.stop()
    left = events_in(old_events)
    clock.advance(Seconds(10 * PAUSE_S))

    assert (events_in(old_events), clock.counters().waiting) == (left, 0)


def test_pruning_that_fails_is_tried_again(old_events: Store) -> None:
    clock = VirtualClock(Instant(1_000_000.0))
    archive: Any = Inline(old_events)
    pruning = Pruning(old_events, archive, clock, Settings(event_retention_s=3600.0), forget)
    pruning.start()
    old_events._reader.close()

    clock.advance(Seconds(PAUSE_S + 1))

    assert (clock.counters().failed, clock.counters().waiting) == (1, 1)
    pruning.stop()
