"""The loop in its thread: begun when it is needed, named when it is held up, replaced when it hangs, ended with all."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.executor import InBulkhead
from castiron.actors.bulkheads.pieces import Ended, Overdue
from castiron.actors.coroutines.coroutines import Coroutines
from castiron.actors.coroutines.loops import MAX_HUNG, Loops
from castiron.actors.coroutines.thread import NAME
from castiron.actors.dispatch.clock import SystemClock
from castiron.transport.vocabulary import Instant
from tests.support.deadline import until

PATIENCE_S = 30.0


class Stage:
    """Loops that are looked after by hand, on a time that is moved by hand."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.clock = SystemClock()
        self.threads = Bulkhead("threads", 4, self.clock)
        self.loops = Loops(
            slow_turn_s=1.0,
            hung_turn_s=10.0,
            executor=lambda: InBulkhead(self.threads),
            monotonic=lambda: self.time_s,
        )
        self.coroutines = Coroutines("test", 1_000, self.clock, self.loops)
        self.ends: list[Ended] = []
        self.gate = threading.Event()
        self.inside = threading.Event()

    def submit(self, make: Callable[[], Any], about: str = "x", **terms: Any) -> Callable[[], None]:
        return self.coroutines.submit(make, self.ends.append, about=about, **terms)

    async def block(self) -> str:
        self.inside.set()
        self.gate.wait(PATIENCE_S)
        return "let go"

    def hold_up(self, name: str = "n1 test.blocks", **terms: Any) -> None:
        self.inside.clear()
        self.submit(self.block, name, **terms)
        assert self.inside.wait(PATIENCE_S)

    def threads_now(self) -> int:
        return sum(thread.name == NAME for thread in threading.enumerate())

    def hang_for_good(self, name: str) -> None:
        """Hold the loop up until another takes its place."""
        self.hold_up(name)
        before = self.loops.counters()["hung_ever"]
        self.loops.look()
        self.time_s += 11.0
        self.loops.look()
        assert self.loops.counters()["hung_ever"] == before + 1


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    before = stage.threads_now()
    yield stage
    stage.gate.set()
    stage.coroutines.stop(0.0)
    stage.loops.stop(5.0)
    stage.clock.stop(5.0)
    until(lambda: stage.threads_now() <= before)


async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def test_there_is_no_thread_before_there_is_a_coroutine_and_one_for_all(stage: Stage) -> None:
    before = stage.threads_now()
    assert stage.loops.counters() == {"tasks": 0, "hung": 0, "hung_ever": 0}
    stage.loops.look()
    assert stage.threads_now() == before

    names: list[str] = []

    async def note() -> None:
        await asyncio.sleep(0.01)
        names.append(threading.current_thread().name)

    for _ in range(200):
        stage.submit(note)
    until(lambda: len(stage.ends) == 200)

    assert set(names) == {NAME}
    assert stage.threads_now() == before + 1
    assert stage.loops.is_alive()


def test_a_slow_turn_is_told_with_its_name_also_of_a_task_that_a_piece_made(stage: Stage) -> None:
    told: list[tuple[str, float]] = []
    stage.loops.tell(lambda who, lasted_s: told.append((who, lasted_s)))

    async def slow() -> None:
        async def child() -> None:
            stage.time_s += 3.0

        stage.time_s += 2.0
        await asyncio.sleep(0)
        await asyncio.create_task(child())

    stage.submit(slow, "n7 raid.build")
    until(lambda: bool(stage.ends))

    assert told == [("test n7 raid.build", 2.0), ("test n7 raid.build", 3.0)]


def test_who_holds_all_up_is_named_while_it_does_so(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.hold_up()
    stage.loops.look()
    stage.time_s += 2.0
    stage.loops.look()
    stage.loops.look()

    lines = [record.getMessage() for record in caplog.records if "holds up all coroutines" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].startswith("test n1 test.blocks holds up all coroutines: 2.0 s so far, at ")
    assert "test_loops.py" in lines[0]
    assert " block" in lines[0]
    stage.gate.set()
    until(lambda: bool(stage.ends))
    assert stage.ends[0].value == "let go"


def test_times_are_kept_while_the_loop_is_held_up(stage: Stage) -> None:
    other: list[Ended] = []
    stage.coroutines.submit(lambda: nap(100.0), other.append, timeout_s=0.2)
    until(lambda: stage.coroutines.counters()["running"] == 1)
    stage.hold_up(deadline=Instant(stage.clock.now() + 0.2))

    until(lambda: len(stage.ends) == len(other) == 1)

    assert not stage.gate.is_set()
    assert isinstance(stage.ends[0].error, Overdue)
    assert isinstance(other[0].error, Overdue)


def test_who_was_to_begin_behind_one_that_blocks_has_its_time_too(stage: Stage) -> None:
    other: list[Ended] = []

    async def both() -> None:
        stage.coroutines.submit(stage.block, other.append)
        stage.submit(lambda: nap(0.0), timeout_s=0.2)

    stage.coroutines.submit(both, other.append)

    until(lambda: len(stage.ends) == 1)
    assert isinstance(stage.ends[0].error, Overdue)
    assert not stage.gate.is_set()


def test_a_loop_that_hangs_is_left_behind_and_what_is_to_begin_goes_to_another(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.hold_up()
    stage.loops.look()
    stage.submit(lambda: nap(0.0))
    stage.time_s += 11.0

    stage.loops.look()

    until(lambda: len(stage.ends) == 1)
    assert stage.ends[0].value == 0.0
    assert stage.loops.counters()["hung"] == 1
    assert "test n1 test.blocks hangs for 11 s" in caplog.text
    stage.gate.set()
    until(lambda: len(stage.ends) == 2)
    assert stage.ends[1].value == "let go"
    until(lambda: stage.loops.counters()["hung"] == 0)
    assert stage.loops.counters()["hung_ever"] == 1


def test_what_was_on_the_loop_that_hung_goes_on_there_when_it_comes_round(stage: Stage) -> None:
    stage.submit(lambda: nap(0.05))
    until(lambda: stage.coroutines.counters()["running"] == 1)
    stage.hang_for_good("n1 test.blocks")
    stage.submit(lambda: nap(0.0))
    until(lambda: len(stage.ends) == 1)

    stage.gate.set()

    until(lambda: len(stage.ends) == 3)
    assert all(ended.error is None for ended in stage.ends)
    until(lambda: stage.loops.counters()["hung"] == 0)


def test_no_more_loops_hang_than_may(stage: Stage) -> None:
    for number in range(MAX_HUNG):
        stage.hang_for_good(f"n{number} test.blocks")
    stage.hold_up("last")
    stage.loops.look()
    stage.time_s += 60.0
    stage.loops.look()
    assert stage.loops.counters()["hung"] == MAX_HUNG

    stage.submit(lambda: nap(0.0))
    stage.gate.set()

    until(lambda: len(stage.ends) == MAX_HUNG + 2)
    assert all(ended.error is None for ended in stage.ends)


def test_the_end_cancels_hundreds_and_what_they_made_and_left(stage: Stage) -> None:
    cancelled: list[str] = []

    async def leak() -> None:
        try:
            await asyncio.sleep(1_000.0)
        except asyncio.CancelledError:
            cancelled.append("leak")
            raise

    async def leaks() -> None:
        leaks.task = asyncio.create_task(leak())  # type: ignore[attr-defined]  # kept, or it would be collected
        await asyncio.sleep(0)

    async def waits() -> None:
        try:
            await asyncio.sleep(1_000.0)
        finally:
            cancelled.append("wait")

    stage.submit(leaks)
    until(lambda: len(stage.ends) == 1)
    assert stage.loops.counters()["tasks"] == 1
    for _ in range(500):
        stage.submit(waits)
    until(lambda: stage.coroutines.counters()["running"] == 500)

    assert stage.loops.stop(5.0) == []

    assert (cancelled.count("wait"), cancelled.count("leak")) == (500, 1)
    assert not stage.loops.counters()["tasks"]
    assert len(stage.ends) == 501


def test_who_does_not_end_is_named_and_abandoned(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def stubborn() -> None:
        for _ in range(100):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(1_000.0)

    stage.submit(stubborn, "n1 test.hangs")
    until(lambda: stage.coroutines.counters()["running"] == 1)

    assert stage.loops.stop(0.2) == ["test n1 test.hangs"]
    assert "test n1 test.hangs has not ended though it was cancelled" in caplog.text
    assert stage.loops.stop(0.2) == []


def test_the_end_does_not_wait_for_who_holds_the_loop_up(stage: Stage) -> None:
    stage.hold_up()

    assert stage.loops.stop(0.1) == ["test n1 test.blocks"]
    stage.gate.set()


def test_after_the_end_nothing_is_called(stage: Stage) -> None:
    stage.submit(lambda: nap(0.0))
    until(lambda: len(stage.ends) == 1)
    stage.loops.stop(5.0)
    called: list[int] = []

    stage.loops.post(lambda: called.append(1))
    stage.loops.look()

    assert called == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_is_raised_out_of_the_loop_it_goes_on(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def leaves_a_bomb() -> None:
        async def bomb() -> None:
            raise SystemExit(3)

        leaves_a_bomb.task = asyncio.create_task(bomb())  # type: ignore[attr-defined]  # kept, or it would be collected
        await asyncio.sleep(0.01)

    async def stops_the_loop() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)

    stage.submit(leaves_a_bomb)
    stage.submit(stops_the_loop)
    stage.submit(lambda: nap(0.02))

    until(lambda: len(stage.ends) == 3)
    assert [ended.error for ended in stage.ends] == [None] * 3
    assert "raised out of the coroutines' loop" in caplog.text
    assert stage.loops.is_alive()


def test_what_nobody_awaits_is_logged_with_whose_it_was(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def forgets() -> None:
        async def fail() -> None:
            raise ValueError("nobody hears it")

        asyncio.create_task(fail())  # noqa: RUF006 - that is what is wrong with it
        await asyncio.sleep(0.01)

    with caplog.at_level(logging.ERROR):
        stage.submit(forgets, "n1 test.forgets")
        until(lambda: "test n1 test.forgets: Task exception was never retrieved" in caplog.text)
    assert "nobody hears it" in caplog.text


def test_what_it_has_done_in_threads_is_done_in_a_share(stage: Stage) -> None:
    async def in_thread() -> str:
        return await asyncio.to_thread(lambda: threading.current_thread().name)

    async def fails() -> None:
        await asyncio.to_thread(int, "x")

    stage.submit(in_thread)
    until(lambda: len(stage.ends) == 1)
    stage.submit(fails)
    until(lambda: len(stage.ends) == 2)

    assert stage.ends[0].value.startswith("castiron-threads ")
    assert isinstance(stage.ends[1].error, ValueError)


def test_where_no_thread_can_be_started_it_is_tried_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        stage.submit(lambda: nap(0.0))
    assert stage.ends == []

    stage.loops.look()

    until(lambda: len(stage.ends) == 1)
    assert stage.ends[0].value == 0.0
