"""The fullest of many things is found among those that were noted, and what stays full stays known."""

from hypothesis import given
from hypothesis import strategies as st

from castiron.transport.crowd import FLOOR, Crowd, Fullest


def test_the_most_since_the_last_look_counts_though_it_is_over() -> None:
    now = {"a": 0, "b": 0}
    crowd = Crowd[str](10, lambda thing: now[thing])

    crowd.note("a", 8)
    crowd.note("b", 9)
    crowd.note("b", 7)

    assert crowd.look() == Fullest(9, "b")
    assert crowd.look() == Fullest(0, None)


def test_what_stays_full_is_told_at_each_look_though_nobody_notes_it_again() -> None:
    now = {"a": 9}
    crowd = Crowd[str](10, lambda thing: now[thing])
    crowd.note("a", 9)

    assert [crowd.look(), crowd.look()] == [Fullest(9, "a")] * 2
    now["a"] = 6
    assert [crowd.look(), crowd.look()] == [Fullest(9, "a"), Fullest(0, None)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10)) | st.none(), max_size=60))
def test_no_peak_over_the_floor_is_missed(steps: list[tuple[str, int] | None]) -> None:
    now = dict.fromkeys("abc", 0)
    crowd = Crowd[str](10, lambda thing: now[thing])
    peaks = dict(now)
    for step in [*steps, None]:
        if step is None:
            most = max(peaks.values())
            assert crowd.look().used == (most if most >= FLOOR * 10 else 0)
            peaks = dict(now)
        else:
            thing, used = step
            now[thing] = used
            peaks[thing] = max(peaks[thing], used)
            crowd.note(thing, used)
