"""A whole conductor whose driver, steps and periodic tasks await: together on one loop, told, named, and ended."""

import asyncio
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import castiron
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.coroutines.thread import NAME
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.registry import make_fake, places_in
from castiron.actors.settings import Settings
from castiron.actors.steps import StepContext, step
from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from tests.support.deadline import until
from tests.support.method_drivers import AwaitingRedfish
from tests.support.moving import Story
from tests.support.redfish_bmc import RedfishBMC, running_redfish_bmc
from tests.support.step_plugin import installed

QUIET = Settings(sync_power_state_interval_s=0.0)
BLOCKS_S = 0.4
GATE = threading.Event()


@step(interface="test")
async def blocks(context: StepContext) -> None:
    """Do what no coroutine may."""
    del context
    threading.Event().wait(BLOCKS_S)


@step(interface="test")
async def sleeps(context: StepContext) -> None:
    """Last until it is cancelled."""
    context.report({"asleep": True})
    await asyncio.sleep(3_600.0)


@step(interface="test", idempotent=True)
async def twice(context: StepContext) -> Mapping[str, object]:
    """Last until the conductor is another one."""
    if not GATE.is_set():
        await asyncio.sleep(3_600.0)
    return {"attempt": context.attempt}


STEPS = [blocks, sleeps, twice]


class Tasks:
    """Periodic tasks of both kinds."""

    def __init__(self) -> None:
        self.looks: list[str] = []
        self.nodes: list[str] = []

    @castiron.periodic(spacing_s=0.02)
    async def look(self) -> None:
        await asyncio.sleep(0.01)
        self.looks.append(threading.current_thread().name)

    @castiron.periodic(spacing_s=0.02)
    def block(self) -> None:
        self.looks.append(threading.current_thread().name)

    @castiron.periodic(spacing_s=1.0, per="node", run_immediately=True, when=lambda node: node.node.startswith("n"))
    async def look_at(self, node: castiron.NodeContext) -> None:
        await asyncio.sleep(0.01)
        self.nodes.append(node.node)


def drivers(clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
    del settings
    return {"fake": make_fake(clock), "redfish": AwaitingRedfish(clock, places_in(shares))}


@pytest.fixture
def bmc() -> Iterator[RedfishBMC]:
    with running_redfish_bmc() as bmc:
        yield bmc


@pytest.fixture(autouse=True)
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    GATE.clear()
    monkeypatch.setattr(sys, "path", [str(installed(tmp_path, f"{__name__}:STEPS")), *sys.path])


def share(client: Client, name: str) -> tuple[int, int]:
    one = client.status().shares[name]
    return one.busy, one.left_behind


def loops() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def test_driver_step_and_periodic_task_await_on_one_loop(bmc: RedfishBMC) -> None:
    tasks, before = Tasks(), loops()
    with (
        running_conductor(settings=QUIET, drivers=drivers, periodics=[tasks]) as conductor,
        conductor.client(timeout_s=20.0) as client,
    ):
        story = Story(client)
        client.nodes.create("n1", driver="redfish", driver_info=bmc.driver_info)
        client.nodes.power("n1", "power on").wait(timeout_s=30.0).raise_for_error()
        story.node("n2")
        asleep = story.move("n2", "deploy", ["test.sleeps"])
        until(lambda: share(client, "coroutine_steps") == (1, 0))
        until(lambda: len(tasks.looks) >= 4 and {"n1", "n2"} <= set(tasks.nodes))

        assert bmc.power == "On"
        assert NAME in tasks.looks
        assert any(name.startswith("castiron-periodics") for name in tasks.looks)
        assert loops() == before + 1
        status = client.status()
        assert status.threads["coroutines"] == "alive"
        assert status.shares["steps"].busy == 0
        assert status.shares["coroutine_steps"].oldest == "n2 test.sleeps"
        assert status.drivers["redfish"]["calls"] > 0

        client.provision.abort("n2")
        ended = story.ended(asleep, "failed")
        assert (ended.view.error or {})["code"] == "request.aborted"
        assert share(client, "coroutine_steps") == (0, 0)
    until(lambda: loops() == before)


def test_hundreds_that_await_are_ended_with_the_conductor_and_taken_up_by_the_next(tmp_path: Path) -> None:
    store, before, nodes = tmp_path / "castiron.db", loops(), [f"n{number}" for number in range(200)]
    settings = Settings(sync_power_state_interval_s=0.0, max_running_actions=1_000, max_concurrent_deploy=0)
    with running_conductor(store=store, settings=settings) as conductor, conductor.client(timeout_s=30.0) as client:
        for name in nodes:
            client.nodes.create(name, driver="fake")
            client.provision.set(name, "manage", steps=["test.twice"])
        until(lambda: share(client, "coroutine_steps")[0] == len(nodes), timeout_s=60.0)
    until(lambda: loops() == before)

    GATE.set()
    with running_conductor(store=store, settings=settings) as conductor, conductor.client(timeout_s=30.0) as client:
        until(lambda: all(one.provision_state == "manageable" for one in client.nodes.list()), timeout_s=60.0)
        assert len(client.nodes.list()) == len(nodes)


def test_a_coroutine_that_blocks_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(sync_power_state_interval_s=0.0, slow_turn_s=BLOCKS_S / 2)
    with running_conductor(settings=settings) as conductor, conductor.client(timeout_s=20.0) as client:
        story = Story(client)
        story.node("n1")
        story.ended(story.move("n1", "deploy", ["test.blocks"]))

        named = [line for line in said(caplog) if "coroutine_steps n1 test.blocks was slow" in line]
        assert len(named) == 1
        assert named[0].endswith("in a coroutine")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]
