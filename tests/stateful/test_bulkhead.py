"""A bulkhead without threads or time of its own: whatever comes, its bounds hold and each piece is told of once."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import LONG_S, Ended, Forgo, NotBegun, Overdue, Piece
from castiron.actors.bulkheads.threads import Source
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.transport.vocabulary import Instant, Seconds


class Hands:
    """A home in which a piece ends when it is told to: as many threads as it takes, and none."""

    def __init__(self) -> None:
        self.at_work: list[Piece] = []

    def serve(self, source: Source) -> None:
        piece = source.begin()
        if piece is not None:
            self.at_work.append(piece)

    def finish(self, number: int, source: Source) -> None:
        piece = self.at_work.pop(number % len(self.at_work))
        piece.run()
        following = source.go_on(piece)
        if following is not None:
            self.at_work.append(following)


class Bulkheads(RuleBasedStateMachine):
    """Pieces come, end, take too long, are forgone, and hang."""

    @initialize(limit=st.integers(1, 3), long_limit=st.integers(0, 2), spare=st.integers(0, 3))
    def open(self, limit: int, long_limit: int, spare: int) -> None:
        self.clock, self.hands = VirtualClock(Instant(100.0)), Hands()
        self.limit, self.long_limit = limit, long_limit
        self.bulkhead = Bulkhead("test", limit, self.clock, long_limit=long_limit, spare=spare, home=self.hands)
        self.told: dict[int, list[Ended]] = {}
        self.ran = Counter[int]()
        self.forgo: list[Forgo] = []
        self.is_open = True

    @rule(
        whose=st.sampled_from([None, "a", "b"]),
        is_long=st.booleans(),
        timeout_s=st.sampled_from([None, 1.0]),
        deadline_s=st.sampled_from([None, 2.0]),
        is_left=st.booleans(),
    )
    def submit(
        self, *, whose: str | None, is_long: bool, timeout_s: float | None, deadline_s: float | None, is_left: bool
    ) -> None:
        number = len(self.told)
        told = self.told[number] = []

        def work() -> int:
            self.ran[number] += 1
            return number

        self.forgo.append(
            self.bulkhead.submit(
                work,
                told.append,
                deadline=None if deadline_s is None else Instant(self.clock.now() + deadline_s),
                timeout_s=timeout_s,
                is_long=is_long,
                about=(number, whose),
                whose=whose,
                is_left=is_left,
            )
        )

    @precondition(lambda self: self.hands.at_work)
    @rule(number=st.integers(0, 100))
    def end(self, number: int) -> None:
        self.hands.finish(number, self.bulkhead)

    @precondition(lambda self: self.forgo)
    @rule(number=st.integers(0, 100))
    def take_back(self, number: int) -> None:
        self.forgo[number % len(self.forgo)]()

    @rule(seconds=st.sampled_from([LONG_S, 1.0, 2.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(Seconds(seconds))

    @rule()
    def stop(self) -> None:
        self.is_open = False
        self.bulkhead.stop(0.0)

    @invariant()
    def bounds_hold(self) -> None:
        counters, standing = self.bulkhead.counters(), self.bulkhead.standing()
        assert len(self.hands.at_work) <= self.bulkhead.size
        assert counters["running"] <= self.limit
        assert standing.busy + standing.left_behind >= len(self.hands.at_work)
        assert standing.left_behind == sum(piece.is_overdue for piece in self.hands.at_work)
        mine = Counter(piece.whose for piece in self.hands.at_work if not piece.is_overdue and piece.whose is not None)
        assert set(mine.values()) <= {1}, "of each one at a time, those left behind aside"

    @invariant()
    def nobody_waits_beside_a_free_place(self) -> None:
        if self.is_open and not any(piece.whose for piece in self.hands.at_work):
            assert self.bulkhead.begin() is None
        if self.is_open and not self.hands.at_work:
            assert self.bulkhead.counters()["waiting"] == 0

    @invariant()
    def each_is_told_of_once_at_the_most_and_runs_once(self) -> None:
        assert all(len(ends) <= 1 for ends in self.told.values())
        assert all(count == 1 for count in self.ran.values())
        for number, ends in self.told.items():
            if ends and isinstance(ends[0].error, NotBegun):
                assert self.ran[number] == 0

    def teardown(self) -> None:
        if not hasattr(self, "hands"):
            return
        while self.hands.at_work:
            self.hands.finish(0, self.bulkhead)
        self.bulkhead.stop(0.0)
        assert all(len(ends) == 1 for ends in self.told.values()), "each is told of in the end"
        for number, (ended,) in self.told.items():
            assert isinstance(ended.error, NotBegun | Overdue) or ended.value == number
        assert self.bulkhead.counters() == {"running": 0, "long": 0, "waiting": 0, "hung": 0}


TestBulkheads = Bulkheads.TestCase
TestBulkheads.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
