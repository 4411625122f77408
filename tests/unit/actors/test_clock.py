"""The system clock counts on, calls in order, and is hard to kill."""

import math
import threading
from collections.abc import Generator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.actors.dispatch.clock import COMPACT_ABOVE, HeapTimer, SystemClock, TimerHeap
from castiron.transport.vocabulary import Instant

PATIENCE_S = 10.0


class Hands:
    """A wall clock and a monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.wall_s = 1_700_000_000.0
        self.monotonic_s = 50.0

    def wall(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.monotonic_s


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def clock() -> Generator[SystemClock]:
    clock = SystemClock()
    yield clock
    assert clock.stop(PATIENCE_S) == []


def soon(clock: SystemClock, by_s: float = 0.01) -> Instant:
    return Instant(clock.now() + by_s)


def test_now_is_the_wall_clock_at_the_start_and_the_monotonic_one_from_then_on(hands: Hands) -> None:
    clock = SystemClock(wall=hands.wall, monotonic=hands.monotonic)

    at_first = clock.now()
    hands.monotonic_s += 7.5

    assert at_first == 1_700_000_000.0
    assert clock.now() == 1_700_000_007.5
    clock.stop(PATIENCE_S)


@pytest.mark.parametrize("step_s", [-86_400.0, 86_400.0])
def test_a_step_of_the_wall_clock_changes_nothing(hands: Hands, step_s: float) -> None:
    clock, called = SystemClock(wall=hands.wall, monotonic=hands.monotonic), threading.Event()
    clock.call_at(Instant(clock.now() + 60), called.set)

    hands.wall_s += step_s
    passed = threading.Event()
    clock.call_at(clock.now(), passed.set)

    assert passed.wait(PATIENCE_S)
    assert clock.now() == 1_700_000_000.0
    assert not called.is_set()
    clock.stop(PATIENCE_S)


def test_calls_run_in_order_of_time_then_of_ordering(clock: SystemClock) -> None:
    log, is_over, at = list[str](), threading.Event(), soon(clock, 0.03)

    clock.call_at(Instant(at + 0.02), is_over.set)
    clock.call_at(Instant(at + 0.01), lambda: log.append("later"))
    for name in "abc":
        clock.call_at(at, lambda name=name: log.append(name))  # type: ignore[misc]  # mypy has no type for such a lambda

    assert is_over.wait(PATIENCE_S)
    assert log == ["a", "b", "c", "later"]


def test_a_call_is_never_early(clock: SystemClock) -> None:
    seen, is_over = list[float](), threading.Event()
    due = [soon(clock, number / 1_000) for number in range(1, 30)]
    for at in due:
        clock.call_at(at, lambda: seen.append(clock.now()))
    clock.call_at(soon(clock, 0.05), is_over.set)

    assert is_over.wait(PATIENCE_S)
    assert all(now >= at for now, at in zip(seen, due, strict=True))


def test_an_earlier_timer_wakes_the_clock_from_a_longer_sleep(clock: SystemClock) -> None:
    called = threading.Event()
    clock.call_at(soon(clock, 3_600), lambda: None)

    clock.call_at(soon(clock), called.set)

    assert called.wait(PATIENCE_S)


def test_a_call_for_the_past_runs_at_once(clock: SystemClock) -> None:
    called = threading.Event()

    clock.call_at(Instant(0.0), called.set)

    assert called.wait(PATIENCE_S)
    assert clock.counters().late_max_ms < 60_000, "lateness counts from when it was ordered"


def test_a_cancelled_call_is_not_made(clock: SystemClock) -> None:
    log, is_over = list[str](), threading.Event()
    timer = clock.call_at(soon(clock), lambda: log.append("cancelled"))
    clock.call_at(soon(clock, 0.02), is_over.set)

    timer.cancel()
    timer.cancel()

    assert is_over.wait(PATIENCE_S)
    assert log == []
    timer.cancel()


def test_a_call_may_cancel_one_that_is_due_at_the_same_instant(clock: SystemClock) -> None:
    log, is_over, at = list[str](), threading.Event(), soon(clock)
    timers: list[HeapTimer] = []
    clock.call_at(at, lambda: timers[0].cancel())  # noqa: PLW0108 - the list is empty as yet
    second = clock.call_at(at, lambda: log.append("cancelled by the first"))
    assert isinstance(second, HeapTimer)
    timers.append(second)
    clock.call_at(at, is_over.set)

    assert is_over.wait(PATIENCE_S)
    assert log == []


@pytest.mark.parametrize("error", [LookupError("gone"), SystemExit(1)], ids=repr)
def test_a_call_that_raises_is_logged_counted_and_survived(
    clock: SystemClock, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise error

    called = threading.Event()
    clock.call_at(soon(clock), fails)
    clock.call_at(soon(clock, 0.02), called.set)

    assert called.wait(PATIENCE_S)
    assert clock.is_alive()
    assert clock.counters().failed == 1
    assert "a timer's call failed" in caplog.text


def test_a_call_may_order_the_next(clock: SystemClock) -> None:
    left, is_over = [5], threading.Event()

    def again() -> None:
        left[0] -= 1
        if left[0]:
            clock.call_at(clock.now(), again)
        else:
            is_over.set()

    clock.call_at(clock.now(), again)

    assert is_over.wait(PATIENCE_S)


@pytest.mark.parametrize("at", [math.inf, 1e300])
def test_a_timer_that_is_never_due_harms_nobody(clock: SystemClock, at: float) -> None:
    called = threading.Event()
    clock.call_at(Instant(at), lambda: None)

    clock.call_at(soon(clock), called.set)

    assert called.wait(PATIENCE_S)


def test_a_timer_at_nan_is_refused(clock: SystemClock) -> None:
    with pytest.raises(ValueError, match="never due"):
        clock.call_at(Instant(math.nan), lambda: None)


def test_the_counters_tell_what_was_due_and_how_late(clock: SystemClock) -> None:
    is_over = threading.Event()
    for number in range(20):
        clock.call_at(soon(clock, number / 1_000), lambda: None)
    clock.call_at(soon(clock, 0.05), is_over.set)
    clock.call_at(soon(clock, 3_600), lambda: None)
    assert is_over.wait(PATIENCE_S)
    passed = threading.Event()
    clock.call_at(clock.now(), passed.set)
    assert passed.wait(PATIENCE_S)

    counters = clock.counters()

    assert counters.due >= 21
    assert counters.waiting == 1
    assert 0 <= counters.late_p99_ms <= counters.late_max_ms < PATIENCE_S * 1_000


def test_a_stopped_clock_calls_nobody_and_says_so() -> None:
    clock, called = SystemClock(), threading.Event()
    clock.call_at(soon(clock, 3_600), called.set)

    assert clock.stop(PATIENCE_S) == []
    assert clock.stop(PATIENCE_S) == []

    assert not clock.is_alive()
    assert not called.is_set()


def test_a_clock_that_hangs_in_a_call_is_named() -> None:
    clock, let_go, has_begun = SystemClock(name="hanging"), threading.Event(), threading.Event()

    def hang() -> None:
        has_begun.set()
        assert let_go.wait(PATIENCE_S)

    clock.call_at(clock.now(), hang)
    assert has_begun.wait(PATIENCE_S)

    assert clock.stop(0.01) == ["hanging"]
    let_go.set()
    assert clock.stop(PATIENCE_S) == []


def test_orders_from_many_threads_all_come_up(clock: SystemClock) -> None:
    threads_count, each = 8, 500
    seen, is_over = list[int](), threading.Event()

    def note(number: int) -> None:
        seen.append(number)
        if len(seen) == threads_count * each // 2:
            is_over.set()

    def order(who: int) -> None:
        for number in range(each):
            timer = clock.call_at(soon(clock, number % 10 / 1_000), lambda number=number: note(number))  # type: ignore[misc]  # as above
            if number % 2:
                clock.call_at(soon(clock, 3_600), lambda: None).cancel()
                timer.cancel()

    threads = [threading.Thread(target=order, args=(who,)) for who in range(threads_count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert is_over.wait(PATIENCE_S)


def test_cancelled_timers_do_not_pile_up() -> None:
    heap = TimerHeap()
    kept = heap.push(Instant(5.0), lambda: None)

    for number in range(10 * COMPACT_ABOVE):
        heap.push(Instant(10.0 + number), lambda: None).cancel()

    assert len(heap) <= 2 * COMPACT_ABOVE + 2
    assert heap.pop_due(Instant(1e9)) == [kept]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())), st.integers(0, 6))
def test_a_heap_gives_what_is_due_in_order(orders: list[tuple[int, bool]], now: int) -> None:
    heap = TimerHeap()
    timers = [heap.push(Instant(float(at)), lambda: None) for at, _ in orders]
    for timer, (_, is_cancelled) in zip(timers, orders, strict=True):
        if is_cancelled:
            timer.cancel()

    due = heap.pop_due(Instant(float(now)))

    numbered = sorted(
        (at, number) for number, (at, is_cancelled) in enumerate(orders) if at <= now and not is_cancelled
    )
    assert due == [timers[number] for _, number in numbered]
