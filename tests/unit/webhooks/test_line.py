"""The lines of calls that are owed, in virtual time: order, retries, bounds, and what is given up."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.actors.settings import Settings
from castiron.actors.webhooks.line import Call, GivenUp, Line, Owed
from castiron.actors.webhooks.policy import Fate, Pacing, fate_of
from castiron.store.records import CallbackRecord
from castiron.transport.vocabulary import DeliveryID, Instant, RequestID
from castiron.transport.webhooks.answer import Answered

PACING = replace(
    Pacing.of(Settings()), first_s=1.0, most_s=64.0, give_up_after_s=1000.0, max_waiting=50, max_in_flight=4
)
TAKEN = Answered(204, "status 204")
REFUSED = Answered(500, "status 500")
UNHEARD = Answered(None, "no answer within 10 s")
AWAY = Answered(None, "no connection", is_away=True)
UNSENT = Answered(None, "it may not be called any more", is_unsent=True)


def callback(number: int, owed_since: float = 0.0) -> CallbackRecord:
    return CallbackRecord(
        id=DeliveryID(f"d{number}"),
        request_id=RequestID(f"r{number}"),
        url=f"https://a/{number}?token=hush",
        owed_since=Instant(owed_since),
    )


@dataclass
class World:
    """A line, and time that passes only when it is told to."""

    pacing: Pacing = PACING
    seed: int = 1
    now: Instant = Instant(0.0)
    line: Line = field(init=False)

    def __post_init__(self) -> None:
        self.line = Line(self.pacing, Random(self.seed))

    def add(self, *numbers: int, to: str = "a") -> list[GivenUp]:
        return [dropped for n in numbers if (dropped := self.line.add(callback(n, self.now), to)) is not None]

    def take(self) -> Call:
        call = self.line.take(self.now)
        assert call is not None
        return call

    def settle(self, call: Call, answered: Answered) -> Owed | GivenUp | None:
        return self.line.settle(call, answered, self.now)

    def due(self) -> Call:
        """Let time pass until a call is due, and take it."""
        at = self.line.next_at()
        assert at is not None
        self.now = max(self.now, at)
        return self.take()

    def tries(self, answered: Answered) -> Iterator[tuple[float, Call]]:
        """Answer whatever is due in the same way, for as long as anything is."""
        while len(self.line):
            call = self.due()
            yield self.now, call
            self.settle(call, answered)


def names(calls: list[Call]) -> list[str]:
    return [call.callback.id for call in calls]


def test_calls_to_one_place_are_made_one_by_one_in_their_order() -> None:
    world = World()
    world.add(1, 2, 3)

    first = world.take()
    assert world.line.take(world.now) is None
    world.settle(first, TAKEN)

    assert names([first, world.take()]) == ["d1", "d2"]


def test_more_than_one_may_be_under_way_where_a_setting_says_so() -> None:
    world = World(replace(PACING, per_destination=3))
    world.add(1, 2, 3, 4)

    assert names([world.take() for _ in range(3)]) == ["d1", "d2", "d3"]
    assert world.line.take(world.now) is None


def test_order_holds_over_an_outage() -> None:
    world = World(replace(PACING, per_destination=2))
    world.add(1, 2, 3, 4)
    one, two = world.take(), world.take()
    world.settle(two, AWAY)
    world.settle(one, AWAY)
    for _ in range(3):
        world.settle(world.due(), AWAY)

    order: list[Call] = []
    while len(world.line):
        order.append(world.due())
        world.settle(order[-1], TAKEN)

    assert names(order) == ["d1", "d2", "d3", "d4"]


def test_a_call_that_is_refused_holds_up_no_other() -> None:
    world = World()
    world.add(1, 2)
    world.settle(world.take(), REFUSED)

    assert world.take().callback.id == "d2"


def test_a_call_that_was_not_sent_says_nothing_about_its_receiver() -> None:
    """The settings allow it no more; others, to the same place, may be allowed."""
    world = World()
    world.add(1, 2)
    world.settle(world.take(), UNSENT)
    assert world.line.figures()["failing"] == 0

    second = world.take()
    assert second.callback.id == "d2"
    world.settle(second, UNHEARD)
    for _ in range(3):
        world.settle(world.due(), UNSENT)
    assert world.line.figures()["failing"] == 1


def test_one_that_is_never_heard_does_not_keep_the_others_waiting_for_good() -> None:
    world = World()
    world.add(1, 2, 3)
    world.settle(world.take(), UNHEARD)
    tried = world.due()

    assert tried.callback.id == "d2"
    world.settle(tried, TAKEN)
    assert world.take().callback.id == "d3"


def test_pauses_double_up_to_a_bound_and_are_spread() -> None:
    world = World()
    world.add(1)
    times = [at for at, _ in world.tries(UNHEARD)]

    pauses = [later - earlier for earlier, later in pairwise(times)]
    for number, pause_s in enumerate(pauses):
        assert min(2.0**number, 64.0) / 2 <= pause_s <= 2 * min(2.0**number, 64.0)
    other = World(seed=2)
    other.add(1)
    assert times != [at for at, _ in other.tries(UNHEARD)]


@pytest.mark.parametrize("answered", [REFUSED, UNHEARD, AWAY])
def test_a_call_is_given_up_after_its_time_and_not_before(answered: Answered) -> None:
    world = World()
    world.add(1)
    call = world.due()
    while not isinstance(settled := world.settle(call, answered), GivenUp):
        call = world.due()

    assert 1000.0 <= world.now <= 1064.0
    assert settled.reason == answered.reason
    assert settled.callback.attempts == call.callback.attempts + 1
    assert (len(world.line), world.line.given_up) == (0, 1)


def test_those_that_wait_for_a_place_that_stays_away_are_given_up_with_it() -> None:
    world = World()
    world.add(1, 2, 3)
    world.settle(world.take(), AWAY)
    world.now = Instant(1000.0)

    assert [one.callback.id for one in world.line.overdue(world.now)] == ["d1", "d2", "d3"]
    assert len(world.line) == 0


def test_what_is_old_is_tried_once_where_nobody_knows_that_its_place_fails() -> None:
    """After a conductor was down for days."""
    world = World(now=Instant(9999.0))
    world.line.add(callback(1, 0.0), "a")

    assert not world.line.overdue(world.now)
    assert isinstance(world.settle(world.take(), AWAY), GivenUp)


def test_a_receiver_that_wants_it_no_more_is_believed() -> None:
    world = World()
    world.add(1)

    assert isinstance(world.settle(world.take(), Answered(410, "status 410")), GivenUp)


@pytest.mark.parametrize(("asked_s", "waits_s"), [(30.0, 30.0), (10_000.0, 64.0), (0.0, 0.5)])
def test_a_receiver_that_asks_to_be_left_alone_is_left_alone(asked_s: float, waits_s: float) -> None:
    world = World()
    world.add(1, 2)
    world.settle(world.take(), Answered(429, "status 429", retry_after_s=asked_s))

    at = world.line.next_at()
    assert at is not None
    assert waits_s <= at <= max(waits_s, 1.0)


def test_what_is_owed_already_is_not_owed_twice() -> None:
    world = World()
    world.add(1, 1)

    world.settle(world.take(), TAKEN)
    assert len(world.line) == 0


def test_receivers_that_fail_hold_half_of_the_places_at_the_most() -> None:
    world = World()
    for number in range(8):
        world.add(number, to=f"dead{number}")
    for _ in range(8):
        world.settle(world.take(), UNHEARD)
    world.now = Instant(100.0)
    dead = [world.take() for _ in range(2)]
    assert world.line.take(world.now) is None

    world.add(90, 91, to="alive")
    world.add(92, to="alive too")
    assert names([world.take(), world.take()]) == ["d90", "d92"]
    world.settle(dead[0], TAKEN)


def test_too_many_cost_the_longest_line_its_oldest() -> None:
    world = World()
    world.add(1000, 1001, to="small")
    world.add(*range(48))

    assert [one.callback.id for one in world.add(2000, 2001, to="small")] == ["d0", "d1"]
    assert (len(world.line), world.line.dropped) == (50, 2)


def test_the_bound_holds_while_everything_is_tried_again() -> None:
    world = World(replace(PACING, max_waiting=3))
    world.add(1, 2, 3)
    for _ in range(3):
        world.settle(world.due(), REFUSED)

    assert [one.callback.id for one in world.add(4)] == ["d1"]


@pytest.mark.parametrize(
    ("answered", "fate"),
    [
        (TAKEN, Fate.TAKEN),
        (Answered(200, ""), Fate.TAKEN),
        (Answered(301, ""), Fate.REFUSED),
        (Answered(307, ""), Fate.REFUSED),
        (Answered(404, ""), Fate.REFUSED),
        (REFUSED, Fate.REFUSED),
        (Answered(503, ""), Fate.HELD_OFF),
        (Answered(410, ""), Fate.GONE),
        (UNHEARD, Fate.UNHEARD),
        (AWAY, Fate.AWAY),
        (UNSENT, Fate.REFUSED),
    ],
)
def test_an_outcome_means_one_thing(answered: Answered, fate: Fate) -> None:
    assert fate_of(answered) is fate


OUTCOMES = st.sampled_from(
    [TAKEN, TAKEN, REFUSED, UNHEARD, AWAY, UNSENT, Answered(429, "", retry_after_s=5.0), Answered(410, "")]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(["a", "b", "c"])),
        st.tuples(st.just("take"), st.none()),
        st.tuples(st.just("settle"), st.tuples(st.integers(0, 9), OUTCOMES)),
        st.tuples(st.just("pass"), st.floats(0, 400)),
    ),
    max_size=80,
)


@settings(max_examples=150)
@given(steps=STEPS, per_destination=st.integers(1, 3))
def test_whatever_happens_each_call_is_accounted_for(steps: list[tuple[str, object]], per_destination: int) -> None:
    world = World(replace(PACING, max_waiting=5, max_in_flight=3, per_destination=per_destination))
    flying: list[Call] = []
    added = ended = 0
    for what, value in steps:
        match what, value:
            case "add", str(place):
                added += 1
                ended += len(world.add(added, to=place))
            case "take", _:
                call = world.line.take(world.now)
                flying += [] if call is None else [call]
            case "settle", (int(number), Answered() as answered) if flying:
                call = flying.pop(number % len(flying))
                settled = world.settle(call, answered)
                ended += not isinstance(settled, Owed)
                if isinstance(settled, Owed):
                    assert settled.callback.attempts == call.callback.attempts + 1
                    assert settled.next_at > world.now
            case "pass", float(seconds):
                world.now = Instant(world.now + seconds)
                ended += len(world.line.overdue(world.now))
            case _:
                pass
        assert len(world.line) == added - ended
        assert len(world.line) <= max(5, len(flying) + 1)
        assert world.line.in_flight == len(flying) <= 3
    for call in flying:
        ended += world.settle(call, TAKEN) is None
    for _, call in world.tries(TAKEN):
        assert call is not None
        ended += 1
    assert ended == added
    assert world.line.delivered + world.line.given_up == added
