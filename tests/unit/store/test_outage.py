"""What the log says of a store that fails and works again, at instants that a test chooses."""

import logging

import pytest

from castiron.store.outage import PAUSE_S, QUIET_S, Outage


class Log:
    """An account in a time of its own, and what it has told."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.now = 1_000.0
        self.outage = Outage("fails (%s)", "works; %d", lambda: self.now)
        self._caplog = caplog

    def fail(self, after_s: float, times: int = 1) -> list[str]:
        self.now += after_s
        for _ in range(times):
            self.outage.failed("full")
        return self.told()

    def work(self, after_s: float) -> list[str]:
        self.now += after_s
        self.outage.worked()
        return self.told()

    def told(self) -> list[str]:
        messages = [record.message for record in self._caplog.records]
        self._caplog.clear()
        return messages


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    caplog.set_level(logging.DEBUG)
    return Log(caplog)


def test_there_is_a_line_each_way(log: Log) -> None:
    assert log.fail(0.0) == ["fails (full)"]
    assert log.fail(1.0, times=1000) == []
    assert log.work(QUIET_S) == ["works; 1001"]
    assert log.work(1.0) == []
    assert log.fail(PAUSE_S) == ["fails (full)"]
    assert log.work(QUIET_S) == ["works; 1"]


def test_what_works_has_nothing_to_say(log: Log) -> None:
    assert log.work(0.0) == []


def test_a_disk_that_takes_small_changes_and_refuses_large_ones_is_told_of_once(log: Log) -> None:
    assert log.fail(0.0) == ["fails (full)"]

    for _ in range(1000):
        assert log.work(QUIET_S / 2) == []
        assert log.fail(QUIET_S / 4) == []

    assert log.work(QUIET_S) == ["works; 1001"]


def test_what_comes_and_goes_is_told_of_once_a_minute(log: Log) -> None:
    begun = 0
    for _ in range(100):
        begun += len(log.fail(QUIET_S))
        log.work(QUIET_S)

    assert begun == 2 * QUIET_S * 100 // PAUSE_S + 1


def test_what_was_not_told_to_fail_is_not_told_to_work(log: Log) -> None:
    log.fail(0.0)
    log.work(QUIET_S)

    assert log.fail(1.0) == []
    assert log.work(QUIET_S) == []


def test_what_still_fails_after_a_minute_without_a_line_is_told_then(log: Log) -> None:
    log.fail(0.0)
    log.work(QUIET_S)
    assert log.fail(1.0) == []

    assert log.fail(PAUSE_S) == ["fails (full)"]
