"""The watch replaces what can be replaced, and says what died where nothing can."""

import threading
from collections.abc import Generator

import pytest

from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.supervision.kin import Seat
from castiron.actors.supervision.watch import FRESH_S, Watch
from tests.support.deadline import until


class Sleeper:
    """A turn that does not end until it is woken."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.woken = threading.Event()

    def run_turn(self, messages: int) -> None:
        del messages
        self.began.set()
        self.woken.wait(20)

    def doing(self) -> tuple[str, str]:
        return "sleeper", "sleep"


class Heart:
    """A part of a conductor: a thread that takes up a piece of work and does not end it until it is told."""

    def __init__(self) -> None:
        self.is_beating = True
        self.count = 0
        self.began = threading.Event()
        self.freed = threading.Event()
        self.thread: threading.Thread | None = None

    def beats(self) -> int:
        return self.count

    def is_alive(self) -> bool:
        return self.is_beating

    def get_stuck(self) -> None:
        self.count += 1
        self.thread = threading.Thread(target=self._stand_here, args=("a-secret-value",))
        self.thread.start()
        assert self.began.wait(5)

    def get_free(self) -> None:
        self.freed.set()
        if self.thread is not None:
            self.thread.join(5)
        self.count += 1

    def _stand_here(self, password: str) -> None:
        self.began.set()
        self.freed.wait(20)
        assert password


class Mule:
    """A part that lives, and does not count its work."""

    def is_alive(self) -> bool:
        return True


class Room:
    """A pool of one thread, which may grow to two, under watch."""

    def __init__(self) -> None:
        self.dispatcher = PoolDispatcher(1, max_threads=2)
        self.failures: list[str] = []
        self.now_s = 100.0
        self.sleepers: list[Sleeper] = []
        self.heart = Heart()
        self.watch = self.watch_for("heart")

    def watch_for(self, name: str, *, hung_turn_s: float = 0.0, slow_turn_s: float = 100.0) -> Watch:
        return Watch(
            dispatcher=self.dispatcher,
            supervisor=Seat(),
            parts={name: self.heart, "mule": Mule()},
            hung_turn_s=hung_turn_s,
            slow_turn_s=slow_turn_s,
            failed=self.failures.append,
            monotonic=lambda: self.now_s,
        )

    def hang(self) -> None:
        sleeper = Sleeper()
        self.sleepers.append(sleeper)
        self.dispatcher.schedule(sleeper)
        assert sleeper.began.wait(5)


@pytest.fixture
def room() -> Generator[Room]:
    room = Room()
    yield room
    for sleeper in room.sleepers:
        sleeper.woken.set()
    room.heart.get_free()
    room.dispatcher.stop(5.0)


def test_all_is_well(room: Room) -> None:
    room.watch.look()

    assert (room.failures, room.watch.states()) == ([], {"heart": "alive", "mule": "alive"})


def test_it_is_well_while_it_looks_and_every_thread_is_at_work(room: Room) -> None:
    room.watch.look()
    assert room.watch.is_well()

    room.now_s += FRESH_S
    assert not room.watch.is_well(), "nobody has looked for long"
    room.watch.look()
    assert room.watch.is_well()
    room.heart.is_beating = False
    assert not room.watch.is_well()


@pytest.mark.parametrize(("name", "is_well"), [("front door", False), ("store writer", True)])
def test_a_thread_that_hangs_is_not_well_unless_it_waits_for_the_disk(room: Room, name: str, *, is_well: bool) -> None:
    watch = room.watch_for(name, hung_turn_s=2.0)
    room.heart.get_stuck()
    for _ in range(4):
        watch.look()

    assert watch.states()[name] == "hung"
    assert watch.is_well() is is_well


def test_a_thread_that_died_is_named(room: Room) -> None:
    room.heart.is_beating = False

    room.watch.look()

    assert (room.failures, room.watch.states()) == (["the heart has died"], {"heart": "dead", "mule": "alive"})


def test_something_else_than_a_nodes_actor_that_hangs_is_named(room: Room) -> None:
    room.hang()

    room.watch.look()

    assert room.failures[0] == "sleeper hangs in sleep"


def test_when_every_thread_hangs_that_is_said(room: Room) -> None:
    room.hang()
    room.dispatcher.replace_hung(room.dispatcher.stuck(0.0)[0])
    room.hang()

    room.watch.look()

    assert room.failures == ["all 2 dispatcher threads hang"]


def test_it_looks_by_itself_and_stops_when_told(room: Room) -> None:
    room.watch.start()
    room.heart.is_beating = False

    until(lambda: room.failures == ["the heart has died"])
    room.watch.stop()
    room.watch.stop()

    assert not [thread for thread in threading.enumerate() if thread.name == "castiron-watch"]


def test_a_slow_turn_is_counted_and_named_if_somebody_saw_it() -> None:
    dispatcher = PoolDispatcher(1, slow_turn_s=0.0)
    watch = Watch(dispatcher=dispatcher, supervisor=Seat(), parts={}, slow_turn_s=0.0, hung_turn_s=60.0, failed=print)
    seen, unseen = Sleeper(), Sleeper()
    dispatcher.schedule(seen)
    assert seen.began.wait(20)
    watch.look()

    seen.woken.set()
    until(lambda: dispatcher.counters()["slow_turns"] == 1)

    lasted = dispatcher.lasted()
    assert lasted is not None
    assert (lasted.actor, lasted.message) == ("sleeper", "sleep")
    assert lasted.lasted_s > 0.0
    unseen.woken.set()
    dispatcher.schedule(unseen)
    until(lambda: dispatcher.counters()["slow_turns"] == 2)
    assert (lasted := dispatcher.lasted()) is not None
    assert lasted.message is None, "what is unknown is called unknown"
    dispatcher.stop(5.0)


def test_a_thread_that_hangs_is_named_once_with_where_it_stands_and_no_value(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    watch = room.watch_for("heart", hung_turn_s=2.0)
    watch.look()
    room.heart.get_stuck()

    for _ in range(3):
        watch.look()
    assert watch.states()["heart"] == "hung"
    for _ in range(3):
        watch.look()
    named = [record for record in caplog.records if "hangs" in record.message]
    room.heart.get_free()
    watch.look()

    assert (len(named), named[0].levelname) == (1, "ERROR")
    assert "the heart hangs for 2 s at" in named[0].message
    assert "_stand_here" in named[0].message
    assert "a-secret-value" not in caplog.text
    assert caplog.records[-1].message == "the heart goes on"
    assert (watch.states()["heart"], watch.counters()["threads_hung_ever"], room.failures) == ("alive", 1, [])


def test_a_thread_that_is_busy_with_one_thing_after_another_does_not_hang(room: Room) -> None:
    for _ in range(20):
        room.heart.count += 2
        room.watch.look()
    room.heart.count += 1
    for _ in range(20):
        room.heart.count += 2
        room.watch.look()
    room.heart.count += 1

    assert (room.watch.counters()["threads_hung_ever"], room.failures) == (0, [])


@pytest.mark.parametrize(("name", "looks"), [("heart", 11), ("store writer", None)])
def test_a_thread_that_hangs_for_good_is_given_up_unless_it_waits_for_the_disk(
    room: Room, name: str, looks: int | None
) -> None:
    watch = room.watch_for(name)
    room.heart.get_stuck()
    took = None
    for count in range(1, 40):
        watch.look()
        took = took or (count if room.failures else None)

    assert took == looks
    assert all(reason.startswith("the heart hangs at ") for reason in room.failures)


def test_a_slow_turn_is_named_once(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    watch = room.watch_for("heart", hung_turn_s=100.0, slow_turn_s=0.0)
    room.hang()
    watch.look()
    watch.look()
    room.sleepers[0].woken.set()
    until(lambda: room.dispatcher.stuck(0.0) == [])
    room.hang()
    watch.look()

    said = [record for record in caplog.records if "is slow" in record.message]
    assert [record.levelname for record in said] == ["WARNING"], "of one actor and message a line a minute, at the most"
    assert said[0].message.startswith("sleeper is slow: ")
    assert said[0].message.endswith(" s in sleep, and not done")
