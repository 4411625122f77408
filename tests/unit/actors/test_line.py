"""A line gives each item to one taker, and a turn that does not end holds nobody up for long."""

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from castiron.actors.dispatch import line as lines
from castiron.actors.dispatch.line import MOST_AHEAD, STANDBY_S, Line, Taker
from tests.support.deadline import until

Work = Callable[[], None]


@contextmanager
def served(line: Line[Work | None], takers: int) -> Generator[list[Taker]]:
    """Take from a line on so many threads; each ends with a None."""
    them = [Taker() for _ in range(takers)]

    def serve(taker: Taker) -> None:
        while (work := line.take(taker)) is not None:
            work()
        line.leave(taker)

    threads = [threading.Thread(target=serve, args=(taker,), daemon=True) for taker in them]
    for thread in threads:
        thread.start()
    yield them
    for _ in threads:
        line.put(None)
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_what_is_put_is_taken_once_and_in_order() -> None:
    line: Line[Work | None] = Line()
    taken: list[int] = []

    with served(line, 1):
        for number in range(1_000):
            line.put(lambda number=number: taken.append(number))  # type: ignore[misc]  # bound at once
        until(lambda: len(taken) == 1_000)

    assert taken == list(range(1_000))


def test_what_goes_ahead_is_taken_first_and_the_rest_is_not_forgotten() -> None:
    line: Line[str] = Line()
    taker = Taker()
    for number in range(3):
        line.put(f"told {number}")
    for number in range(MOST_AHEAD + 2):
        line.put(f"due {number}", ahead=True)

    taken = [line.take(taker) for _ in range(len(line))]

    due = [f"due {number}" for number in range(MOST_AHEAD + 2)]
    assert taken == [*due[:MOST_AHEAD], "told 0", *due[MOST_AHEAD:], "told 1", "told 2"]
    assert len(line) == 0


def test_many_who_put_and_many_who_take_lose_nothing() -> None:
    line: Line[Work | None] = Line()
    taken: list[tuple[int, int]] = []

    def put(who: int) -> None:
        for number in range(2_000):
            line.put(lambda what=(who, number): taken.append(what))  # type: ignore[misc]  # bound at once

    with served(line, 4) as takers:
        putters = [threading.Thread(target=put, args=(who,)) for who in range(4)]
        for putter in putters:
            putter.start()
        for _ in range(500):
            for taker in takers:
                line.leave(taker)  # as if it waited for somebody; it comes back all the same
        for putter in putters:
            putter.join()
        until(lambda: len(taken) == 8_000)

    assert len(set(taken)) == 8_000
    for who in range(4):
        assert {number for putter, number in taken if putter == who} == set(range(2_000))


def test_others_take_over_from_turns_that_do_not_end_though_nothing_more_is_put() -> None:
    line: Line[Work | None] = Line()
    let_go, is_done = threading.Event(), threading.Event()
    hanging: list[str] = []

    def hang() -> None:
        hanging.append(threading.current_thread().name)
        let_go.wait(10)

    with served(line, 4):
        for _ in range(3):
            line.put(hang)
        line.put(is_done.set)

        assert is_done.wait(10), f"the line stands still, {STANDBY_S} s should be enough"
        assert len(set(hanging)) == 3
        let_go.set()


@pytest.fixture
def nobody_stands_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "STANDBY_S", 3_600.0)


@pytest.mark.usefixtures("nobody_stands_by")
def test_no_wake_up_is_lost_between_the_last_item_and_sleep() -> None:
    line: Line[Work | None] = Line()
    taken = threading.Semaphore(0)
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with served(line, 1):
            for _ in range(5_000):
                line.put(taken.release)
                assert taken.acquire(timeout=10)
    finally:
        sys.setswitchinterval(interval_s)


@pytest.mark.usefixtures("nobody_stands_by")
def test_whoever_leaves_is_not_counted_on() -> None:
    line: Line[Work | None] = Line()
    let_go, has_begun, is_done = threading.Event(), threading.Event(), threading.Event()

    def wait() -> None:
        has_begun.set()
        let_go.wait(10)

    with served(line, 2) as takers:
        line.put(wait)
        assert has_begun.wait(10)
        for taker in takers:
            line.leave(taker)
        line.put(is_done.set)
        assert is_done.wait(10)
        let_go.set()


def test_a_line_without_takers_keeps_what_is_put() -> None:
    line: Line[Work | None] = Line()
    taken: list[str] = []
    line.put(lambda: taken.append("early"))

    assert len(line) == 1
    with served(line, 1):
        until(lambda: taken == ["early"])
    assert len(line) == 0
