"""Virtual time stands still until it is moved, and the same seed gives the same order."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pykka import ActorRef, Timeout

from castiron.actors.dispatch.pooled import DispatchedActor, abandon
from castiron.actors.dispatch.virtual import SimDispatcher, StillBusy, VirtualClock
from castiron.transport.vocabulary import Instant, Seconds


class Doer(DispatchedActor):
    """Does whatever it is sent."""

    def on_receive(self, message: Callable[[], Any]) -> Any:
        return message()


def noting(log: list[Any], entry: Any) -> Callable[[], None]:
    return lambda: log.append(entry)


def order_of(rng: Random | None) -> list[tuple[int, int]]:
    """Run ten actors with ten messages each; return (actor, message) in the order in which they were handled."""
    simulation, log = SimDispatcher(rng), list[tuple[int, int]]()
    refs = [Doer.start(dispatcher=simulation) for _ in range(10)]
    for message in range(10):
        for who, ref in enumerate(refs):
            ref.tell(noting(log, (who, message)))
    simulation.run_until_idle()
    for ref in refs:
        ref.stop()
    return log


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_order_and_no_sender_is_overtaken(seed: int) -> None:
    order = order_of(Random(seed))

    assert order == order_of(Random(seed))
    for who in range(10):
        assert [message for actor, message in order if actor == who] == list(range(10))


def test_another_seed_gives_another_order() -> None:
    assert order_of(Random(1)) != order_of(Random(2))


def test_without_a_seed_whoever_has_been_ready_for_longest_is_next() -> None:
    assert order_of(None) == [(who, message) for message in range(10) for who in range(10)]


def test_nothing_runs_until_it_is_told_to() -> None:
    simulation, log = SimDispatcher(), list[str]()
    ref = Doer.start(dispatcher=simulation)

    ref.tell(noting(log, "told"))

    assert log == []
    assert simulation.backlog() == 1
    assert simulation.run_until_idle() > 0
    assert log == ["told"]
    ref.stop()


def test_actors_that_never_rest_are_found_out() -> None:
    simulation = SimDispatcher()
    ref = Doer.start(dispatcher=simulation)

    def again() -> None:
        ref.tell(again)

    ref.tell(again)

    with pytest.raises(StillBusy, match="after 100 turns"):
        simulation.run_until_idle(limit=100)
    abandon(ref)


def test_actors_may_ask_each_other() -> None:
    simulation = SimDispatcher(Random(0))
    chain = [Doer.start(dispatcher=simulation) for _ in range(5)]

    def pass_on(depth: int) -> int:
        if depth == len(chain):
            return depth
        answer = chain[depth].ask(lambda: pass_on(depth + 1))
        assert isinstance(answer, int)
        return answer

    assert pass_on(0) == 5
    for ref in chain:
        ref.stop()


def test_an_answer_that_nobody_can_give_is_a_timeout_at_once() -> None:
    simulation = SimDispatcher()
    ref: ActorRef[Doer] = Doer.start(dispatcher=simulation)

    future = ref.ask(lambda: ref.ask(lambda: "never: the actor is busy asking itself"), block=False)

    with pytest.raises(Timeout):
        future.get(timeout=3_600)
    abandon(ref)


def test_time_stands_still_until_it_is_moved() -> None:
    clock = VirtualClock(Instant(100.0))

    assert clock.now() == 100.0
    clock.advance(Seconds(5))
    assert clock.now() == 105.0
    clock.run_until(Instant(105.0))
    assert clock.now() == 105.0


def test_time_does_not_go_backwards() -> None:
    clock = VirtualClock(Instant(100.0))

    with pytest.raises(ValueError, match="before now"):
        clock.run_until(Instant(99.0))


def test_a_call_runs_at_its_own_instant() -> None:
    clock, seen = VirtualClock(), list[float]()
    clock.call_at(Instant(2.5), lambda: seen.append(clock.now()))

    clock.run_until(Instant(2.0))
    assert seen == []
    clock.run_until(Instant(10.0))

    assert seen == [2.5]
    assert clock.now() == 10.0


def test_a_call_ordered_on_the_way_runs_on_the_way() -> None:
    clock, seen = VirtualClock(), list[float]()

    def tick() -> None:
        seen.append(clock.now())
        clock.call_at(Instant(clock.now() + 1), tick)

    clock.call_at(Instant(1.0), tick)
    clock.run_until(Instant(4.5))

    assert seen == [1.0, 2.0, 3.0, 4.0]


def test_a_call_for_the_past_runs_at_the_next_move_and_now_stays() -> None:
    clock, seen = VirtualClock(Instant(50.0)), list[float]()
    clock.call_at(Instant(1.0), lambda: seen.append(clock.now()))

    assert seen == []
    assert clock.step()

    assert seen == [50.0]


def test_a_step_calls_one_timer() -> None:
    clock, log = VirtualClock(), list[str]()
    clock.call_at(Instant(1.0), noting(log, "a"))
    clock.call_at(Instant(1.0), noting(log, "b"))

    assert clock.step()
    assert log == ["a"]
    assert clock.step()
    assert not clock.step()
    assert log == ["a", "b"]


def test_a_call_that_raises_is_counted_and_time_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    clock, log = VirtualClock(), list[str]()

    def fails() -> None:
        raise LookupError("gone")

    clock.call_at(Instant(1.0), fails)
    clock.call_at(Instant(2.0), noting(log, "after"))
    clock.advance(Seconds(3))

    assert log == ["after"]
    assert (clock.counters().due, clock.counters().failed) == (2, 1)
    assert "gone" in caplog.text


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 1.0, 2.5, 7.0]), st.booleans()), max_size=60))
def test_timers_run_in_order_of_time_then_of_ordering_and_cancelled_ones_never(
    orders: list[tuple[float, bool]],
) -> None:
    clock, log = VirtualClock(), list[tuple[float, int]]()
    timers = [clock.call_at(Instant(at), noting(log, (at, number))) for number, (at, _) in enumerate(orders)]
    for timer, (_, is_cancelled) in zip(timers, orders, strict=True):
        if is_cancelled:
            timer.cancel()
            timer.cancel()

    clock.run_until(Instant(10.0))

    assert log == sorted((at, number) for number, (at, is_cancelled) in enumerate(orders) if not is_cancelled)
    assert clock.next_at() is None


def test_living_lets_actors_come_to_rest_before_time_moves() -> None:
    clock, simulation, log = VirtualClock(), SimDispatcher(Random(3)), list[tuple[float, str]]()
    ref = Doer.start(dispatcher=simulation)

    def check() -> None:
        log.append((clock.now(), "check"))
        ref.tell(lambda: log.append((clock.now(), "told by the check")))
        clock.call_at(Instant(clock.now() + 10), lambda: ref.tell(check))

    ref.tell(check)
    clock.run(simulation, until=Instant(25.0))

    assert log == [(at, what) for at in (0.0, 10.0, 20.0) for what in ("check", "told by the check")]
    assert clock.now() == 25.0
    ref.stop()


def test_living_without_an_end_stops_when_no_timer_is_left() -> None:
    clock, simulation, log = VirtualClock(), SimDispatcher(), list[float]()
    ref = Doer.start(dispatcher=simulation)
    clock.call_at(Instant(3.0), lambda: ref.tell(lambda: log.append(clock.now())))

    clock.run(simulation)

    assert log == [3.0]
    assert clock.now() == 3.0
    ref.stop()


def test_living_without_an_end_among_periodic_timers_is_found_out() -> None:
    clock = VirtualClock()

    def again() -> None:
        clock.call_at(Instant(clock.now() + 1), again)

    again()

    with pytest.raises(StillBusy, match="timers are left after 50"):
        clock.run(SimDispatcher(), limit=50)


def test_the_parts_that_only_threads_need_are_at_peace() -> None:
    simulation, clock = SimDispatcher(), VirtualClock()

    assert simulation.is_alive()
    assert clock.is_alive()
    assert (simulation.stuck(0), simulation.mend()) == ([], 0)
    assert (simulation.stop(0), clock.stop(0)) == ([], [])


def test_a_few_turns_are_given_and_no_more() -> None:
    dispatcher, done = SimDispatcher(), list[int]()

    class Worker:
        def __init__(self, number: int) -> None:
            self.number = number

        def run_turn(self, messages: int) -> None:
            del messages
            done.append(self.number)

        def doing(self) -> tuple[str, str]:
            return "worker", "work"

    for number in range(3):
        dispatcher.schedule(Worker(number))

    assert dispatcher.run_turns(2) == 2
    assert (done, dispatcher.backlog()) == ([0, 1], 1)
    assert dispatcher.run_turns(5) == 1
    assert dispatcher.run_turns(0) == 0
