"""Parts stop in reverse, share their time, and none keeps the others from stopping."""

import pytest

from castiron.actors.parts import LEAST_S, SHARE, Parts


class Stopped(list[tuple[str, float]]):
    """Who was stopped, with how many seconds; each takes `lasts_s`."""

    now_s = 0.0

    def part(self, name: str, lasts_s: float = 0.0) -> "Part":
        return Part(self, name, lasts_s)

    def monotonic(self) -> float:
        return self.now_s


class Part:
    def __init__(self, stopped: Stopped, name: str, lasts_s: float) -> None:
        self._stopped, self._name, self._lasts_s = stopped, name, lasts_s

    def stop(self, timeout_s: float) -> None:
        self._stopped.append((self._name, round(timeout_s, 6)))
        self._stopped.now_s += min(self._lasts_s, timeout_s)

    def fail(self, timeout_s: float) -> None:
        self.stop(timeout_s)
        raise RuntimeError(self._name)


def test_parts_stop_in_reverse_and_one_that_hangs_leaves_the_others_their_time() -> None:
    stopped = Stopped()
    parts = Parts(8.0, monotonic=stopped.monotonic)
    for name, lasts_s in (("a", 100.0), ("b", 100.0), ("c", 0.0), ("d", 100.0), ("e", 100.0), ("f", 0.0)):
        parts.add(name, stopped.part(name, lasts_s).stop)
    parts.add("g", stopped.part("g").stop, 1.0)
    parts.add_quick("h", lambda: stopped.append(("h", 0.0)))

    parts.stop()

    share_s = 8.0 * SHARE
    assert stopped == [("h", 0.0), ("g", 1.0), *((name, share_s) for name in "fedcba")]
    assert stopped.now_s == 8.0


def test_when_the_time_is_up_each_is_given_a_little() -> None:
    stopped = Stopped()
    parts = Parts(1.0, monotonic=stopped.monotonic)
    for name in "abcdef":
        parts.add(name, stopped.part(name, 100.0).stop)

    parts.stop()

    assert [seconds for _, seconds in stopped] == [0.25, 0.25, 0.25, 0.25, LEAST_S, LEAST_S]


def test_the_whole_stop_is_bounded_by_the_time_and_what_each_part_has_in_any_case() -> None:
    stopped = Stopped()
    parts = Parts(10.0, monotonic=stopped.monotonic)
    for name in "abcdefg":
        parts.add(name, stopped.part(name, 100.0).stop, least_s=2.5 if name in "ab" else LEAST_S)
    most_s = parts.most_s

    parts.stop()

    assert stopped.now_s == 10.0 + 2 * 2.5 + LEAST_S
    assert stopped.now_s <= most_s == pytest.approx(10.0 + 2 * 2.5 + 5 * LEAST_S)
    assert parts.most_s == 10.0, "nothing is left to stop"


def test_one_that_raises_does_not_keep_the_others_from_stopping() -> None:
    stopped = Stopped()
    parts = Parts(1.0, monotonic=stopped.monotonic)
    parts.add("a", stopped.part("a").stop)
    parts.add("b", stopped.part("b").fail)
    parts.add("c", stopped.part("c").stop)

    with pytest.raises(RuntimeError, match="b"):
        parts.stop()

    assert [name for name, _ in stopped] == ["c", "b", "a"]
    parts.stop()
    assert len(stopped) == 3


def test_one_that_takes_all_its_time_is_named_in_the_log_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    stopped = Stopped()
    parts = Parts(8.0, monotonic=stopped.monotonic)
    parts.add_quick("disk", lambda: stopped.part("disk", 1.5).stop(100.0))
    parts.add_quick("swift", lambda: stopped.part("swift", 0.9).stop(100.0))
    parts.add("writer", stopped.part("writer", 100.0).stop)
    parts.add("clock", stopped.part("clock", 1.9).stop)

    assert parts.stop() == pytest.approx(1.5 + 0.9 + 2.0 + 1.9)

    assert [record.getMessage() for record in caplog.records] == [
        "the writer took 2.0 s to stop, where it has 2.0 s; it may not have ended",
        "the disk took 1.5 s to stop, where it has 1.0 s; it may not have ended",
    ]
