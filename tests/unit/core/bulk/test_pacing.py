"""Which node is next: never more at once than wished, never too early, none after too many failures, each once."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.actors.core.bulk.pacing import Pacing, Terms


def new(_: int) -> bool:
    return False


def pacing(count: int, *, groups: Sequence[str] | None = None, **terms: float) -> Pacing:
    return Pacing(groups or ["-"] * count, Terms(**terms))  # type: ignore[arg-type]  # whole numbers where they belong


def test_without_terms_all_are_started_in_order_as_many_at_a_time_as_are_asked_for() -> None:
    bulk = pacing(5)

    assert bulk.take(0.0, 3, new) == [0, 1, 2]
    assert bulk.take(0.0, 3, new) == [3, 4]
    assert (bulk.running, bulk.waiting, bulk.due_at()) == (5, 0, None)


def test_a_batch_is_never_exceeded_and_goes_on_as_each_ends() -> None:
    bulk = pacing(4, batch=2)

    assert bulk.take(0.0, 9, new) == [0, 1]
    assert (bulk.take(0.0, 9, new), bulk.due_at()) == ([], None)
    bulk.end(1, is_failure=False)
    assert bulk.take(0.0, 9, new) == [2]
    bulk.end(0, is_failure=True)
    assert bulk.take(0.0, 9, new) == [3]
    assert (bulk.succeeded, bulk.failed, bulk.is_over) == (1, 1, False)
    bulk.end(2, is_failure=False)
    bulk.end(3, is_failure=False)
    assert bulk.is_over


def test_starts_are_apart_and_it_says_when_the_next_is_due() -> None:
    bulk = pacing(3, stagger_s=2.0)

    assert bulk.take(10.0, 9, new) == [0]
    assert (bulk.take(11.9, 9, new), bulk.due_at()) == ([], 12.0)
    assert bulk.take(12.0, 9, new) == [1]
    assert bulk.take(20.0, 9, new) == [2]
    assert bulk.due_at() is None


def test_what_was_started_before_does_not_wait_for_its_time_and_the_next_does() -> None:
    bulk = pacing(5, stagger_s=60.0)

    assert bulk.take(0.0, 9, lambda number: number < 3) == [0, 1, 2]
    assert bulk.due_at() == 60.0
    assert bulk.take(60.0, 9, lambda number: number < 3) == [3]


def test_a_group_that_is_full_does_not_hold_the_others_up() -> None:
    bulk = pacing(5, groups=["r1", "r1", "r1", "r2", "r2"], per_limit=1)

    assert bulk.take(0.0, 9, new) == [0, 3]
    bulk.end(3, is_failure=False)
    assert bulk.take(0.0, 9, new) == [4]
    bulk.end(0, is_failure=False)
    assert bulk.take(0.0, 9, new) == [1]


def test_after_so_many_failures_none_is_started_and_what_is_left_can_be_told() -> None:
    bulk = pacing(6, batch=2, stop_after_failures=2)
    assert bulk.take(0.0, 9, new) == [0, 1]
    bulk.end(0, is_failure=True)
    assert bulk.take(0.0, 9, new) == [2]

    bulk.end(1, is_failure=True)

    assert (bulk.take(0.0, 9, new), bulk.due_at(), bulk.is_stopped) == ([], None, True)
    assert bulk.left() == [3, 4, 5]
    assert not bulk.is_over
    bulk.end(2, is_failure=False)
    assert bulk.is_over


def test_one_that_is_stopped_starts_none_and_is_over_when_nothing_runs() -> None:
    bulk = pacing(3, batch=1)
    bulk.take(0.0, 9, new)

    bulk.stop()
    bulk.end(0, is_failure=False)

    assert (bulk.take(0.0, 9, new), bulk.left(), bulk.is_over) == ([], [1, 2], True)


@pytest.mark.parametrize("groups", [None, ["a", "b"] * 5_000])
def test_ten_thousand_nodes_are_each_started_once(groups: list[str] | None) -> None:
    bulk = pacing(10_000, groups=groups, batch=100, per_limit=60)
    seen: Counter[int] = Counter()

    while not bulk.is_over:
        taken = bulk.take(0.0, 64, new)
        seen.update(taken)
        for number in taken:
            bulk.end(number, is_failure=False)

    assert seen == Counter(range(10_000))


TERMS = st.builds(
    Terms,
    batch=st.none() | st.integers(1, 5),
    stagger_s=st.sampled_from([0.0, 1.0, 2.5]),
    per_limit=st.none() | st.integers(1, 3),
    stop_after_failures=st.none() | st.integers(1, 4),
)


@settings(max_examples=60)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20), TERMS, st.data())
def test_whatever_happens_the_terms_hold_and_no_node_is_lost(
    groups: list[str], terms: Terms, data: st.DataObject
) -> None:
    bulk = Pacing(groups, terms)
    now, last_at = 0.0, float("-inf")
    running: set[int] = set()
    started: list[int] = []
    failures = 0
    for _turn in range(200):
        if bulk.is_over:
            break
        is_end, is_failure = data.draw(st.tuples(st.booleans(), st.booleans()))
        if running and is_end:
            number = data.draw(st.sampled_from(sorted(running)))
            running.remove(number)
            failures += is_failure
            bulk.end(number, is_failure=is_failure)
        else:
            now += data.draw(st.sampled_from([0.0, 0.5, 3.0]))
            taken = bulk.take(now, data.draw(st.integers(1, 4)), new)
            for _ in taken:
                assert now >= last_at + terms.stagger_s
                last_at = now
            if taken:
                assert terms.stop_after_failures is None or failures < terms.stop_after_failures
            running.update(taken)
            started += taken
        assert terms.batch is None or len(running) <= terms.batch
        in_groups = Counter(groups[number] for number in running)
        assert terms.per_limit is None or max(in_groups.values(), default=0) <= terms.per_limit
        assert (bulk.running, bulk.waiting) == (len(running), len(groups) - len(started))
        if not running and not bulk.is_over:
            assert bulk.due_at() is not None, "nothing runs, and nobody will ever ask again"
    assert len(started) == len(set(started))
    assert sorted([*started, *bulk.left()]) == list(range(len(groups)))
