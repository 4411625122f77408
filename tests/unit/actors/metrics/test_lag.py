"""How long messages wait: probes of loops, the dispatcher's own counts, and when the log says so."""

import logging
import threading
from collections.abc import Callable

import pytest

from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.metrics.lag import DISPATCHER, LEAST_SAMPLES, Lags, probed
from castiron.actors.metrics.sketch import Sketch
from castiron.transport.doors.answers import Outbox
from castiron.transport.vocabulary import Instant, Seconds


class Loop:
    """A loop that comes round so long after each probe, in virtual time; None: never."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.round_s: float | None = None
        self.probes_count = 0

    def probe(self, done: Callable[[], None]) -> None:
        self.probes_count += 1
        if self.round_s is not None:
            self.clock.call_at(Instant(self.clock.now() + self.round_s), done)


class Room:
    """Lags of one loop and a dispatcher, in virtual time."""

    def __init__(self) -> None:
        self.clock = VirtualClock(Instant(1000.0))
        self.loop = Loop(self.clock)
        self.waits = Sketch()
        self.lags = Lags(self.clock, lambda: self.waits, {"loop": self.loop}, warning_s=0.25)
        self.lags.start()

    def live(self, seconds: int, *, round_s: float) -> None:
        """Let time pass, with a look each second."""
        self.loop.round_s = round_s
        for _ in range(seconds):
            self.clock.advance(Seconds(1.0))
            self.lags.look()


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_loop_is_as_late_as_its_probes(room: Room) -> None:
    room.live(10, round_s=0.02)

    lag = room.lags.lately()["loop"]
    assert lag.samples >= 15
    assert lag.p50_ms == pytest.approx(20, rel=0.07)
    assert room.lags.lately()[DISPATCHER].samples == 0


def test_a_loop_that_does_not_come_round_is_late_while_it_does_not(room: Room) -> None:
    room.clock.advance(Seconds(5.0))

    lag = room.lags.lately()["loop"]
    assert room.loop.probes_count == 1, "one probe at a time"
    assert lag.samples == 1
    assert lag.most_ms == pytest.approx(4500, rel=0.07)


def test_after_the_stop_nobody_is_probed(room: Room) -> None:
    room.lags.stop()
    room.clock.advance(Seconds(5.0))

    assert not room.loop.probes_count


def test_long_waits_are_told_once_a_minute(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.live(170, round_s=0.4)

    said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert 2 <= len(said) <= 3
    assert said[0].startswith("messages wait long at the loop: p50 39")
    assert "in the last minute" in said[0]


def test_a_loop_that_comes_round_seldom_is_told_of(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.live(50, round_s=3.0)

    said = [record.message for record in caplog.records if "wait long" in record.message]
    assert len(said) == 1
    assert said[0].startswith("messages wait long at the loop: p50 3")


def test_one_hiccup_and_short_waits_are_no_news(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.live(30, round_s=0.01)
    room.live(2, round_s=2.0)
    room.live(60, round_s=0.01)
    for number in range(LEAST_SAMPLES - 1):
        room.waits.add(1.0 if number < 4 else 0.001)
    room.live(10, round_s=0.01)

    assert not [record for record in caplog.records if "wait long" in record.message]


def test_the_dispatchers_counts_are_judged_alike(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(LEAST_SAMPLES):
        room.waits.add(1.0)
    room.live(10, round_s=0.01)

    assert [record.message.partition(":")[0] for record in caplog.records if "wait long" in record.message] == [
        "messages wait long at the dispatcher"
    ]


def test_only_parts_that_can_be_asked_are_asked() -> None:
    loop = Loop(VirtualClock())

    assert probed({"loop": loop, "other": object()}) == {"loop": loop}


def test_an_outbox_answers_its_probe_when_its_owner_comes_round() -> None:
    outbox, told = Outbox(lambda: "e"), threading.Event()
    outbox.belongs_here()
    sender = threading.Thread(target=outbox.probe, args=(told.set,))
    sender.start()
    sender.join()
    assert not told.is_set()

    outbox.heed()
    assert told.is_set()
    told.clear()
    outbox.heed()
    outbox.close()

    assert not told.is_set(), "once"
