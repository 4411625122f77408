"""The watch replaces what can be replaced, and says what died where nothing can."""

import threading
from collections.abc import Callable, Generator

import pytest

from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.supervision.kin import Seat
from castiron.actors.supervision.watch import TELL_ROUNDS, Watch
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


class Room:
    """A pool of one thread, which may grow to two, under watch."""

    def __init__(self) -> None:
        self.dispatcher = PoolDispatcher(1, max_threads=2)
        self.failures: list[str] = []
        self.sleepers: list[Sleeper] = []
        self.is_alive: dict[str, Callable[[], bool]] = {"heart": lambda: True}
        self.watch = Watch(
            dispatcher=self.dispatcher,
            supervisor=Seat(),
            threads=self.is_alive,
            hung_turn_s=0.0,
            failed=self.failures.append,
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
    room.dispatcher.stop(5.0)


def test_all_is_well(room: Room) -> None:
    room.watch.look()

    assert (room.failures, room.watch.states()) == ([], {"heart": "alive"})


def test_a_thread_that_died_is_named(room: Room) -> None:
    room.is_alive["heart"] = lambda: False

    room.watch.look()

    assert (room.failures, room.watch.states()) == (["the heart has died"], {"heart": "dead"})


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
    room.is_alive["heart"] = lambda: False

    until(lambda: room.failures == ["the heart has died"])
    room.watch.stop()
    room.watch.stop()

    assert not [thread for thread in threading.enumerate() if thread.name == "castiron-watch"]


def test_a_slow_turn_is_counted_and_named_if_somebody_saw_it(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = PoolDispatcher(1, slow_turn_s=0.0)
    watch = Watch(dispatcher=dispatcher, supervisor=Seat(), threads={}, slow_turn_s=0.0, hung_turn_s=60.0, failed=print)
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
    for _ in range(TELL_ROUNDS):
        watch.look()
    slow = [record.getMessage() for record in caplog.records if "slow turns" in record.getMessage()]
    assert len(slow) == 1, "a line a minute at the most"
    assert slow[0].startswith("2 slow turns since the last such line; the latest was sleeper in a message that ended")
    dispatcher.stop(5.0)
