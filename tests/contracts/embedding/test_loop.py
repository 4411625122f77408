"""The loop of a program that embeds a conductor is never blocked: not by a start or a stop, and by nothing between.

Three ways to see it. A start and a stop that go on only while the loop turns: on the loop they would wait for ever.
Whatever could block, and was called on the loop's thread. And the CPU that the loop's callbacks took.
"""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from castiron import Conductor, Settings
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.fake import FakeDriver
from tests.support.deadline import until

ROOT = Path(__file__).resolve().parents[3]

NODES = 1_000

CALLBACK_MOST_MS = 50.0
"""CPU of one callback: five times what the costliest takes here, which reads a list of a thousand nodes; a start and a
stop take twice as much each, and none of it is the loop's."""

LIVES_S = 150.0
"""For both lives of the conductor in the guarded process: they take some seconds, and more on a crowded machine."""

pytestmark = pytest.mark.timeout(LIVES_S + 30)

TURNS_S = 20.0
"""For the loop to come round once, on whatever machine."""


class Turns:
    """A loop's turns, as they are counted by a timer on it, and whoever waits for the next."""

    def __init__(self) -> None:
        self.count = 0
        self.waited: list[str] = []

    def turn(self) -> None:
        """Come round, and again."""
        self.count += 1
        asyncio.get_running_loop().call_later(0.001, self.turn)

    def pass_(self, who: str) -> None:
        """Hold this thread until the loop has come round twice more."""
        wanted = self.count + 2
        until(lambda: self.count >= wanted, timeout_s=TURNS_S)
        self.waited.append(f"{who} in {threading.current_thread().name}")

    def new_id(self) -> str:
        """Make an id, once the loop has come round."""
        self.pass_("new_id")
        return str(uuid4())

    def drivers(self, clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
        """Make a driver that ends only while the loop comes round."""
        del settings, shares
        self.pass_("drivers")
        return {"fake": SlowToStop(clock, self)}


class SlowToStop(FakeDriver):
    """A driver whose end waits for the loop."""

    def __init__(self, clock: Clock, turns: Turns) -> None:
        super().__init__(clock)
        self._turns = turns

    def stop(self, timeout_s: float) -> None:
        """See Driver."""
        self._turns.pass_("stop")
        super().stop(timeout_s)


def test_a_start_and_a_stop_that_need_the_loop_to_turn_come_to_their_ends(tmp_path: Path) -> None:
    turns = Turns()

    async def embed() -> None:
        turns.turn()
        conductor = Conductor(
            store=tmp_path / "c.db",
            endpoint=f"ipc://{tmp_path}/c.ipc",
            drivers=turns.drivers,
            new_id=turns.new_id,
        )
        async with conductor, conductor.client_async() as client:
            await client.nodes.create("n1", driver="fake")

    asyncio.run(embed())

    assert {"new_id in castiron-start", "drivers in castiron-start", "stop in castiron-stop"} <= set(turns.waited)


@pytest.fixture(scope="module")
def sighting(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what was seen of a conductor's life on a guarded loop; see tests.support.guarded_loop."""
    store = tmp_path_factory.mktemp("guarded") / "c.db"
    command = [sys.executable, "-m", "tests.support.guarded_loop", str(store), str(NODES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIVES_S, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_nothing_that_may_block_is_called_on_the_loops_thread(sighting: dict[str, Any]) -> None:
    assert sighting["succeeded"] == NODES
    assert sighting["blocking"] == []


def test_no_callback_of_the_loop_costs_more_than_reading_a_large_answer(sighting: dict[str, Any]) -> None:
    costliest = {phase: (ms, sighting["costliest"][phase]) for phase, ms in sighting["cpu_ms"].items()}

    assert set(costliest) == {"start", "serve", "stop"}
    assert all(ms < CALLBACK_MOST_MS for ms, _ in costliest.values()), costliest


def test_a_timer_of_the_loop_comes_round_in_each_phase(sighting: dict[str, Any]) -> None:
    assert all(beats > 0 for beats in sighting["beats"].values()), sighting["beats"]
