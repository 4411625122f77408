"""A conductor in a program with an event loop: however its life ends, and wherever it breaks off, nothing is left."""

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import pytest

import castiron
from castiron import Conductor, Settings
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.bulkheads.threads import IDLE
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.embedding.errands import run_aside
from tests.support.conductor_plugin import Plugin
from tests.support.deadline import until

SOON_S = 30.0

Maker = Callable[..., Conductor]


def driven(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a coroutine, on a loop of its own."""

    def drive(**given: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(SOON_S):
                await test(**given)

        asyncio.run(bounded())

    return wraps(test)(drive)


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    """Make conductors of one store; each further one has another."""

    def make(name: str = "c", **given: Any) -> Conductor:
        return Conductor(store=tmp_path / f"{name}.db", endpoint=f"ipc://{tmp_path}/{name}.ipc", **given)

    return make


def left_over(folder: Path) -> list[str]:
    """Return what a conductor has left behind: threads of its own, and sockets.

    A thread that rests belongs to none: it ends by itself in a while, and may be that of a conductor before.
    """
    names = {one.name for one in threading.enumerate()} - {IDLE}
    threads = [name for name in names if name.startswith("castiron")]
    return [*threads, *(str(path) for path in folder.iterdir() if path.is_socket())]


def can_start(conductor: Conductor) -> bool:
    """Return whether its store and its endpoint are free."""
    with conductor, conductor.client() as client:
        return bool(client.ping().boot_id)


class Halting(Plugin):
    """Makes drivers once it is told to go on; in the middle of a start."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def make(self, clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
        self.reached.set()
        assert self.go_on.wait(SOON_S)
        return super().make(clock, settings, shares)


async def soon(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    while not condition():  # noqa: ASYNC110 - what it looks at tells nobody
        await asyncio.sleep(0.002)


@driven
async def test_what_is_asked_inside_is_done_and_nothing_is_left(make: Maker, tmp_path: Path) -> None:
    async with make() as conductor, conductor.client_async() as client:
        await client.nodes.create("n1", driver="fake")
        request = await client.nodes.power("n1", "power on")
        assert (await request.wait(SOON_S)).state == "succeeded"
        assert not await conductor.wait_async(0.01)

    assert left_over(tmp_path) == []
    assert (conductor.failure, await conductor.wait_async()) == (None, True)


def test_both_manners_of_clients_speak_to_an_embedded_conductor(make: Maker) -> None:
    async def embed() -> list[str]:
        async with make() as conductor:
            with conductor.client() as client:
                await asyncio.to_thread(client.nodes.create, "n1", driver="fake")
            async with conductor.client_async() as client:
                return [view.name for view in await client.nodes.list()]

    assert asyncio.run(embed()) == ["n1"]


@driven
async def test_a_task_that_is_cancelled_in_the_middle_of_a_start_leaves_nothing(make: Maker, tmp_path: Path) -> None:
    plugin = Halting()
    conductor = make(drivers=plugin.make)
    starting = asyncio.create_task(conductor.start_async())
    await soon(plugin.reached.is_set)
    starting.cancel()
    await asyncio.sleep(0.02)
    assert not starting.done(), "it was left alone with what had started"
    starting.cancel()  # once more, as an impatient person does
    plugin.go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await starting
    assert left_over(tmp_path) == []
    assert not plugin.driver.is_alive()
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = conductor.endpoint  # it gave up after the part that it was at
    assert await asyncio.to_thread(can_start, conductor)


@driven
async def test_a_start_that_is_given_up_before_it_has_its_turn_touches_nothing(make: Maker, tmp_path: Path) -> None:
    plugin = Halting()
    conductor = make(drivers=plugin.make)
    first = asyncio.create_task(conductor.start_async())
    await soon(plugin.reached.is_set)
    second = asyncio.create_task(conductor.start_async())
    await asyncio.sleep(0.02)
    first.cancel()
    second.cancel()
    plugin.go_on.set()

    outcomes = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(one) for one in outcomes] == [asyncio.CancelledError, asyncio.CancelledError]
    assert left_over(tmp_path) == []


@driven
async def test_whenever_a_start_is_cancelled_nothing_is_left(make: Maker, tmp_path: Path) -> None:
    conductor = make()
    ends = set[str]()
    for number in range(25):
        task = asyncio.create_task(conductor.start_async())
        await asyncio.sleep(number * 0.002)
        task.cancel()
        try:
            await task
            ends.add("started")
            await conductor.stop_async()
        except asyncio.CancelledError:
            ends.add("cancelled")
        assert left_over(tmp_path) == []

    assert "cancelled" in ends
    assert await asyncio.to_thread(can_start, conductor)


@driven
async def test_a_time_limit_around_a_start_is_a_time_out(make: Maker, tmp_path: Path) -> None:
    plugin = Halting()
    threading.Timer(0.1, plugin.go_on.set).start()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02), make(drivers=plugin.make):
            pytest.fail("it has started")
    assert left_over(tmp_path) == []


@driven
async def test_a_task_that_is_cancelled_while_it_stops_ends_when_it_has_stopped(make: Maker, tmp_path: Path) -> None:
    conductor = make()
    await conductor.start_async()
    stopping = asyncio.create_task(conductor.stop_async())
    await asyncio.sleep(0)
    for _ in range(3):
        stopping.cancel()
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert left_over(tmp_path) == []


@driven
async def test_what_is_raised_inside_comes_out_and_nothing_is_left(make: Maker, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with make():
            raise ZeroDivisionError
    assert left_over(tmp_path) == []


@driven
async def test_a_task_that_fails_in_a_group_beside_it_ends_it_in_order(make: Maker, tmp_path: Path) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async def embed() -> None:
        async with asyncio.TaskGroup() as group, make() as conductor, conductor.client_async() as client:
            await client.nodes.create("n1", driver="fake")
            group.create_task(fail())
            await asyncio.sleep(SOON_S)

    with pytest.raises(ExceptionGroup) as caught:
        await embed()
    assert caught.group_contains(ZeroDivisionError)
    assert left_over(tmp_path) == []


@driven
async def test_a_store_that_another_holds_is_a_typed_error_and_the_other_goes_on(make: Maker, tmp_path: Path) -> None:
    async with make() as first:
        second = Conductor(store=tmp_path / "c.db", endpoint=f"ipc://{tmp_path}/other.ipc")
        with pytest.raises(castiron.StoreUnusable, match=r"c\.db"):
            await second.start_async()
        async with first.client_async() as client:
            assert (await client.ping()).boot_id
    await second.start_async()
    await second.stop_async()

    assert left_over(tmp_path) == []


@driven
async def test_an_endpoint_that_is_taken_is_a_typed_error_and_nothing_of_it_is_left(
    make: Maker, tmp_path: Path
) -> None:
    async with make() as first:
        second = Conductor(store=tmp_path / "other.db", endpoint=first.endpoint)
        with pytest.raises(castiron.EndpointRefused):
            async with second:
                pytest.fail("it has started")
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(("raised", "told"), [(StopIteration, RuntimeError), (KeyError, KeyError)])
@driven
async def test_whatever_a_factory_of_drivers_raises_is_told(
    make: Maker, tmp_path: Path, raised: type[Exception], told: type[Exception]
) -> None:
    def fail(*_: object) -> NoReturn:
        raise raised("of no use")

    with pytest.raises(told):
        await make(drivers=fail).start_async()
    assert left_over(tmp_path) == []


@driven
async def test_calls_that_cannot_be_signed_are_a_typed_error_and_nothing_is_left(make: Maker, tmp_path: Path) -> None:
    settings = Settings(
        webhook_allowed_prefixes=("https://hooks.example/",), webhook_key_file=str(tmp_path / "missing")
    )

    with pytest.raises(castiron.SecretsUnreadable, match="missing"):
        await make(settings=settings).start_async()
    assert left_over(tmp_path) == []


@driven
async def test_it_is_started_once_and_may_be_started_again(make: Maker) -> None:
    conductor = make()
    with pytest.raises(RuntimeError, match="has not been started"):
        conductor.client_async()
    async with conductor, conductor.client_async() as client:
        first = await client.hello()
        with pytest.raises(RuntimeError, match="runs already"):
            await conductor.start_async()
        assert (await client.ping()).boot_id == first.boot_id, "who came second has ended it"
    await conductor.stop_async()
    async with conductor, conductor.client_async() as client:
        assert (await client.hello()).conductor == first.conductor


@driven
async def test_who_asks_a_conductor_that_has_stopped_is_told_that_it_is_gone(make: Maker) -> None:
    async with make() as conductor:
        client = conductor.client_async(timeout_s=0.5)
        await client.ping()

    with pytest.raises(castiron.ConductorLost, match="Nothing listens there"):
        await client.ping()
    await client.close()


@driven
async def test_two_conductors_live_in_one_process(make: Maker, tmp_path: Path) -> None:
    async with make("a") as a, make("b") as b, a.client_async() as to_a, b.client_async() as to_b:
        async with asyncio.TaskGroup() as group:
            group.create_task(to_a.nodes.create("of-a", driver="fake"))
            group.create_task(to_b.nodes.create("of-b", driver="fake"))
        listed = [[view.name for view in await client.nodes.list()] for client in (to_a, to_b)]

    assert listed == [["of-a"], ["of-b"]]
    assert left_over(tmp_path) == []


@driven
async def test_who_waits_hears_of_a_stop_and_of_a_failure(make: Maker) -> None:
    conductor = make()
    async with conductor:
        waiting = asyncio.create_task(conductor.wait_async())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await conductor.stop_async()
        assert await waiting
    async with conductor:
        conductor._fail("a part of it has died")
        assert await conductor.wait_async()
        assert conductor.failure == "a part of it has died"


@driven
async def test_settings_change_while_the_loop_goes_on(make: Maker) -> None:
    async with make() as conductor:
        outcome = await conductor.reload_async(Settings(sync_power_state_interval_s=40.0))

    assert outcome.settings.sync_power_state_interval_s == 40.0


@driven
async def test_threads_that_the_program_keeps_busy_hold_nothing_up(make: Maker) -> None:
    held = threading.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    busy = asyncio.create_task(asyncio.to_thread(held.wait, SOON_S))
    async with make() as conductor, conductor.client_async() as client:
        await client.ping()

    held.set()
    await busy


@driven
async def test_what_runs_aside_has_the_tasks_context() -> None:
    who = contextvars.ContextVar("who", default="nobody")
    who.set("a task")

    assert await run_aside(who.get, "castiron-test") == "a task"


@pytest.mark.parametrize("is_starting", [True, False], ids=["starting", "running"])
def test_a_loop_that_is_closed_under_it_leaves_nothing(make: Maker, tmp_path: Path, is_starting: bool) -> None:
    plugin = Halting()
    conductor = make(drivers=plugin.make)

    async def embed() -> None:
        async with conductor:
            await asyncio.sleep(SOON_S)

    loop = asyncio.new_event_loop()
    life = embed()
    task = loop.create_task(life)
    if not is_starting:
        plugin.go_on.set()
    loop.run_until_complete(soon(plugin.reached.is_set if is_starting else conductor.is_well))
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # that it is so is what is tested
    loop.close()
    life.close()
    del task
    gc.collect()
    plugin.go_on.set()

    until(lambda: left_over(tmp_path) == [], timeout_s=SOON_S)
    assert can_start(conductor)
