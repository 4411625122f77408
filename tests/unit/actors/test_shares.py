"""Shares of one workers_pool_size: that they fit, that each has its own, and that what hangs in one delays no other."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.pieces import Ended, NotBegun
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.bulkheads.threads import IDLE, Threads
from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.ipmi.wire.names import MAX_LOOKUPS
from castiron.actors.settings import SettingInvalid, Settings
from castiron.actors.settings.shares import LEAST_SPARE, LOOK_UPS, SHARES, Share, spare, taken
from castiron.actors.webhooks.lookups import look_ups
from castiron.transport.vocabulary import Seconds
from tests.support.deadline import until

THREADED = [share for share in SHARES if share.has_threads]
SMALL = Settings(
    workers_pool_size=150,
    max_workers=3,
    periodic_max_workers=2,
    periodic_max_long_runs=3,
    redfish_max_calls=3,
    redfish_max_slow_calls=2,
    driver_max_calls=3,
    driver_max_slow_calls=2,
    webhook_max_in_flight=4,
    ipmi_max_logins=8,
    sensor_data_workers=8,
)
SETTINGS = sorted({limit for share in SHARES for limit in (share.limit, share.long_limit) if isinstance(limit, str)})


@pytest.fixture
def clock() -> Iterator[SystemClock]:
    clock = SystemClock()
    yield clock
    clock.stop(5.0)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def test_the_default_shares_fit_and_leave_spare_threads() -> None:
    settings = Settings()

    assert taken(settings) + len(THREADED) * spare(settings) <= settings.workers_pool_size
    assert spare(settings) >= 64, "as many as a bulkhead of its own has"
    assert Shares(settings, VirtualClock()).threads.limit <= settings.workers_pool_size


def test_every_setting_that_bounds_what_waits_for_others_is_a_share() -> None:
    named = {item.name for item in fields(Settings)}
    bounds = {name for name in named if name.endswith(("_workers", "_threads", "_calls", "_logins", "_long_runs"))}

    assert set(SETTINGS) == (bounds - {"dispatcher_threads"}) | {"webhook_max_in_flight"}
    assert next(share for share in SHARES if share.name == LOOK_UPS).limit == MAX_LOOKUPS


@given(values=st.fixed_dictionaries({name: st.integers(1, 60) for name in SETTINGS}), size=st.integers(3, 800))
def test_shares_that_do_not_fit_are_refused_with_what_to_do_and_that_helps(values: dict[str, int], size: int) -> None:
    # Asked as a whole number of places: those of the shares, and a few spare threads of each that has threads.
    places = sum(values.values()) + values["webhook_max_in_flight"] + MAX_LOOKUPS + 1
    least = places + LEAST_SPARE * len(THREADED)
    if size >= least:
        settings = Settings(workers_pool_size=size, **values)  # type: ignore[arg-type]  # all of them are counts
        threads = sum(bulkhead_size(share, settings) for share in THREADED)
        others = sum(share.places(settings) for share in SHARES if not share.has_threads)
        assert threads + others <= size
        assert threads == Shares(settings, VirtualClock()).threads.limit
        return
    with pytest.raises(SettingInvalid, match=f"workers_pool_size: {size} is less .* Raise it to {least}, or") as raised:
        Settings(workers_pool_size=size, **values)  # type: ignore[arg-type]  # as above
    assert all(f"{name} {value}" in str(raised.value) for name, value in values.items())
    Settings(workers_pool_size=least, **values)  # type: ignore[arg-type]  # as above


def bulkhead_size(share: Share, settings: Settings) -> int:
    return share.places(settings) + share.long_places(settings) + spare(settings)


def hang(bulkhead: Bulkhead, gate: threading.Event, count: int) -> list[Ended]:
    """Fill a bulkhead with work that hangs: all of it has its time, and none of it ends."""
    ends: list[Ended] = []
    for number in range(count):
        bulkhead.submit(
            lambda: gate.wait(60.0), ends.append, timeout_s=0.01, is_long=number % 2 == 1, about=f"node {number}"
        )
    return ends


@pytest.mark.parametrize("share", THREADED, ids=[share.name for share in THREADED])
def test_a_share_full_of_work_that_hangs_delays_none_of_the_others(
    share: Share, gate: threading.Event, clock: SystemClock
) -> None:
    shares = Shares(SMALL, clock)
    full = shares[share.name]
    ends = hang(full, gate, 3 * full.size)
    until(lambda: full.standing().left_behind == full.size)
    assert full.standing().waiting > 0, "more waits than it will ever have threads for"

    for other in THREADED:
        if other is not share:
            everybody_at_once(shares[other.name], other.places(SMALL))
            everybody_at_once(shares[other.name], other.long_places(SMALL), is_long=True)

    assert full.standing().left_behind == full.size
    assert shares.threads.counters()["threads"] <= shares.threads.limit
    late: list[Ended] = []
    full.submit(lambda: None, late.append)
    assert isinstance(late[0].error, NotBegun)
    assert f"All {full.size} threads for {share.name} hang" in str(late[0].error)

    shares.stop()
    assert len(ends) == 3 * full.size, "each was told once"
    gate.set()
    until(lambda: shares.threads.counters()["idle"] == shares.threads.counters()["threads"])
    assert full.standing().left_behind == 0


def everybody_at_once(bulkhead: Bulkhead, places: int, *, is_long: bool = False) -> None:
    """Have as many pieces run as there are places, each of which ends only if all the others run."""
    together, ends = threading.Barrier(places) if places else None, list[Ended]()
    for _ in range(2 * places):
        bulkhead.submit(lambda: together and together.wait(30.0), ends.append, is_long=is_long)
    until(lambda: len(ends) == 2 * places)
    assert [ended.error for ended in ends] == [None] * (2 * places)


def test_threads_say_what_they_are_at_and_end_when_there_is_nothing(gate: threading.Event) -> None:
    threads = Threads(4, idle_s=0.05)
    bulkhead = Bulkhead("steps", 2, VirtualClock(), spare=0, home=threads)
    named: list[str] = []

    def work() -> None:
        named.append(threading.current_thread().name)
        gate.wait(30.0)

    bulkhead.submit(work, lambda _: None, about="n7 raid.build")
    until(lambda: named == ["castiron-steps n7 raid.build"])
    standing = bulkhead.standing()
    assert (standing.busy, standing.oldest) == (1, "n7 raid.build")
    assert bulkhead.stop(0.0) == ["castiron-steps n7 raid.build"]
    gate.set()
    until(lambda: threads.counters() == {"threads": 0, "idle": 0})
    assert not any(thread.name.startswith("castiron-steps n7") for thread in threading.enumerate())
    assert IDLE == "castiron-idle"


def test_where_no_thread_can_be_started_work_waits_for_those_that_there_are(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, done = Threads(4), list[Ended]()
    one, other = (Bulkhead(name, 1, VirtualClock(), home=threads) for name in ("one", "other"))
    one.submit(lambda: gate.wait(30.0), done.append)
    until(lambda: one.counters()["running"] == 1)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        other.submit(lambda: "here", done.append)
    assert done == []
    gate.set()
    until(lambda: len(done) == 2)
    assert done[1].value == "here"


def test_of_one_owner_one_piece_runs_at_a_time_and_others_pass(gate: threading.Event) -> None:
    clock = VirtualClock()
    bulkhead, order = Bulkhead("steps", 3, clock), list[str]()
    bulkhead.submit(lambda: gate.wait(30.0), lambda _: order.append("first"), whose="n1", timeout_s=5.0)
    bulkhead.submit(lambda: None, lambda _: order.append("again"), whose="n1")
    bulkhead.submit(lambda: None, lambda _: order.append("other"), whose="n2")

    until(lambda: order == ["other"])
    assert bulkhead.counters()["waiting"] == 1
    clock.advance(Seconds(6.0))  # the first has had its time
    until(lambda: order == ["other", "first", "again"])


def test_a_look_up_that_nobody_waits_for_is_left_behind_and_the_loop_ends_without_it(gate: threading.Event) -> None:
    bulkhead = Bulkhead("webhook_look_ups", 2, VirtualClock(), spare=2)

    async def look_up() -> list[object]:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(look_ups(bulkhead))
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await loop.run_in_executor(None, gate.wait, 30.0)
        until(lambda: bulkhead.counters()["hung"] == 3)
        return [
            await loop.run_in_executor(None, "found {}".format, "it"),
            *await loop.getaddrinfo("127.0.0.1", 80, type=1),
        ]

    said, *addresses = asyncio.run(look_up())  # would wait for the threads that hang, with asyncio's own executor
    assert said == "found it"
    assert addresses
    assert not gate.is_set()
    assert bulkhead.counters()["hung"] == 3


def test_what_a_look_up_raises_is_told_and_so_is_that_there_is_none() -> None:
    bulkhead = Bulkhead("webhook_look_ups", 1, VirtualClock())

    async def look_up() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(look_ups(bulkhead))
        with pytest.raises(OSError, match=r"Name or service|not known|resolution|No address"):
            await loop.getaddrinfo("no-such-host.invalid", 80)
        bulkhead.stop(0.0)
        with pytest.raises(OSError, match="The conductor stops"):
            await loop.run_in_executor(None, print)

    asyncio.run(look_up())
