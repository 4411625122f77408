"""Bulkheads with real threads: so many at once, each with its time, and what hangs keeps nobody's place."""

import threading
from collections.abc import Callable, Iterator

import pytest

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import Ended, NotBegun, Overdue
from castiron.actors.dispatch.clock import SystemClock
from castiron.transport.vocabulary import Instant
from tests.support.deadline import until


class Ends:
    """What was told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Ended]] = []

    def of(self, name: str) -> Callable[[Ended], None]:
        return lambda ended: self.told.append((name, ended))

    def __getitem__(self, name: str) -> Ended:
        until(lambda: any(who == name for who, _ in self.told))
        return next(ended for who, ended in self.told if who == name)


@pytest.fixture
def clock() -> Iterator[SystemClock]:
    clock = SystemClock()
    yield clock
    clock.stop(5.0)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def test_so_many_run_at_once_and_the_others_in_their_order(clock: SystemClock, gate: threading.Event) -> None:
    bulkhead, ends = Bulkhead("test", 2, clock), Ends()
    order: list[int] = []

    def work(number: int) -> int:
        order.append(number)
        gate.wait(30.0)
        return number

    for number in range(6):
        bulkhead.submit(lambda number=number: work(number), ends.of(str(number)))  # type: ignore[misc]
    until(lambda: len(order) == 2)
    assert bulkhead.counters() == {"running": 2, "long": 0, "waiting": 4, "hung": 0}
    gate.set()
    assert [ends[str(number)].value for number in range(6)] == [*range(6)]
    assert sorted(order) == [*range(6)]
    assert bulkhead.stop(5.0) == []


def test_what_is_raised_is_told(clock: SystemClock) -> None:
    bulkhead, ends = Bulkhead("test", 1, clock), Ends()
    bulkhead.submit(lambda: 1 // 0, ends.of("zero"))
    bulkhead.submit(exit, ends.of("exit"))
    bulkhead.submit(lambda: "still here", ends.of("next"))
    assert isinstance(ends["zero"].error, ZeroDivisionError)
    assert isinstance(ends["exit"].error, SystemExit)
    assert ends["next"].value == "still here"


def test_what_hangs_loses_its_place_and_its_say(clock: SystemClock, gate: threading.Event) -> None:
    bulkhead, ends = Bulkhead("test", 1, clock), Ends()
    bulkhead.submit(lambda: gate.wait(30.0), ends.of("hangs"), timeout_s=0.05)
    bulkhead.submit(lambda: "let in", ends.of("next"))
    assert isinstance(ends["hangs"].error, Overdue)
    assert ends["next"].value == "let in"
    assert bulkhead.counters()["hung"] == 1
    gate.set()
    until(lambda: bulkhead.counters()["hung"] == 0)
    assert sorted(name for name, _ in ends.told) == ["hangs", "next"]


def test_what_had_not_begun_by_its_deadline_is_told_so_and_never_begins(
    clock: SystemClock, gate: threading.Event
) -> None:
    bulkhead, ends = Bulkhead("test", 1, clock), Ends()
    begun: list[str] = []
    bulkhead.submit(lambda: gate.wait(30.0), ends.of("first"))
    bulkhead.submit(lambda: begun.append("late"), ends.of("late"), deadline=Instant(clock.now() + 0.05))
    forgo = bulkhead.submit(lambda: begun.append("forgone"), ends.of("forgone"))
    forgo()
    assert isinstance(ends["forgone"].error, NotBegun)
    assert isinstance(ends["late"].error, NotBegun)
    gate.set()
    assert ends["first"].value is True
    assert bulkhead.stop(5.0) == []
    assert not begun


def test_a_stop_ends_what_waits_and_names_what_runs_on(clock: SystemClock, gate: threading.Event) -> None:
    bulkhead, ends = Bulkhead("test", 1, clock), Ends()
    bulkhead.submit(lambda: gate.wait(30.0), ends.of("runs"))
    bulkhead.submit(lambda: None, ends.of("waits"))
    until(lambda: bulkhead.counters()["running"] == 1)
    assert bulkhead.stop(0.01) == ["castiron-test"]
    assert isinstance(ends["waits"].error, NotBegun)
    bulkhead.submit(lambda: None, ends.of("too late"))
    assert isinstance(ends["too late"].error, NotBegun)
    gate.set()
    assert ends["runs"].value is True


def test_many_from_many_threads_are_all_told_once(clock: SystemClock) -> None:
    bulkhead, ends = Bulkhead("test", 4, clock), Ends()
    most: list[int] = []

    def work() -> None:
        most.append(bulkhead.counters()["running"])

    def ask() -> None:
        for _ in range(200):
            bulkhead.submit(work, ends.of("one"))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(ends.told) == 1_000)
    assert max(most) <= 4
    assert all(ended.error is None for _, ended in ends.told)
    assert bulkhead.stop(5.0) == []


def test_what_takes_long_gives_its_place_to_the_quick_and_keeps_its_say(
    clock: SystemClock, gate: threading.Event
) -> None:
    bulkhead, ends = Bulkhead("test", 1, clock, long_limit=2), Ends()
    for number in range(3):
        bulkhead.submit(lambda: gate.wait(30.0), ends.of(f"long {number}"), is_long=number == 0)
    bulkhead.submit(lambda: "quick", ends.of("quick"))
    assert ends["quick"].value == "quick"
    assert bulkhead.counters() == {"running": 0, "long": 3, "waiting": 0, "hung": 0}
    bulkhead.submit(lambda: "known", ends.of("known"), is_long=True)
    assert bulkhead.counters()["waiting"] == 1
    gate.set()
    assert [ends[f"long {number}"].value for number in range(3)] == [True, True, True]
    assert ends["known"].value == "known"
    assert bulkhead.stop(5.0) == []


def test_the_quick_pass_what_is_known_to_take_long(clock: SystemClock, gate: threading.Event) -> None:
    bulkhead, ends = Bulkhead("test", 1, clock, long_limit=1), Ends()
    for number in range(5):
        bulkhead.submit(lambda: gate.wait(30.0), ends.of(f"long {number}"), is_long=True)
    for number in range(5):
        bulkhead.submit(lambda: "quick", ends.of(f"quick {number}"))
    assert {ends[f"quick {number}"].value for number in range(5)} == {"quick"}
    assert bulkhead.counters() == {"running": 0, "long": 1, "waiting": 4, "hung": 0}
    gate.set()
    assert bulkhead.stop(5.0) == []
