"""kill -9 again and again: each key is one execution, each accepted request ends once, no machine is driven twice.

Each client drives one machine, off and on in turn, with a new key for each turn, and asks with that key until it has
the end. So a machine has been sent one control for each turn, whatever was killed meanwhile. `STORM_KILLS=1000` in
the environment makes a longer run.
"""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from castiron.testing import BMCFarm
from castiron.transport.errors import CapacityError, ConductorDraining, ConductorLost, ReplyTimeout
from castiron.transport.replies import NodeView, RequestView
from castiron.transport.verbs import NodeCreate, NodePowerSet, RequestWait, Verb
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, PowerState, PowerTarget
from tests.support.conductor_process import Audit, opened
from tests.support.talking import Talking

CLIENTS: Final = 8
KILLS: Final = int(os.environ.get("STORM_KILLS", "30"))
LONGEST_LIFE_S: Final = 0.5
PATIENCE_S: Final = 60.0
TRANSIENT: Final = (ConductorLost, ReplyTimeout, CapacityError, ConductorDraining)
SETTINGS: Final = ("sync_power_state_interval_s=0", "unknown_outcome_settle_s=0.3", "power_poll_max_s=0.1")


class Driver(threading.Thread):
    """One client: it drives a machine off and on until it is told to stop, and notes what became of each key."""

    def __init__(self, endpoint: str, number: int) -> None:
        super().__init__(name=f"client {number}")
        self.ended: dict[str, RequestView] = {}
        self.asked_again = 0
        self.failure: Exception | None = None
        """Why it gave up in the midst of a turn: its machine may have had the control, and nobody counted the turn."""
        self._endpoint = endpoint
        self._number = number
        self._enough = threading.Event()

    def stop(self) -> None:
        self._enough.set()

    def run(self) -> None:
        try:
            self._drive()
        except Exception as failure:  # noqa: BLE001 - whatever it is, the test must hear of it before it counts
            self.failure = failure

    def _drive(self) -> None:
        turn = 0
        with Talking(self._endpoint, name=self.name) as conductor:
            while not self._enough.is_set():
                target = PowerTarget.OFF if turn % 2 else PowerTarget.ON
                key = f"client-{self._number}-turn-{turn}"
                power = NodePowerSet(node=f"n{self._number}", target=target, key=key)
                accepted = self._insist(conductor, power)
                view = accepted
                while view.state not in FINAL_REQUEST_STATES:
                    view = self._insist(conductor, RequestWait(request=accepted.id, timeout_s=5.0))
                again = self._insist(conductor, power)
                if again.id != accepted.id:
                    raise RuntimeError(f"one key, two requests: {again.id}, {accepted.id}")
                self.ended[key] = view
                turn += 1

    def _insist(self, conductor: Talking, verb: Verb) -> RequestView:
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return conductor.ask(verb, RequestView, 2.0)
            except TRANSIENT:
                self.asked_again += 1
                if time.monotonic() >= until_s:
                    raise
                conductor.idle(0.02)


@contextmanager
def served(store: Path, endpoint: str) -> "Generator[subprocess.Popen[str]]":
    words = [word for setting in SETTINGS for word in ("--set", setting)]
    process = subprocess.Popen(
        [sys.executable, "-m", "castiron", "serve", "--store", str(store), "--listen", endpoint, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("castiron: conductor ")
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.timeout(120 + 4 * KILLS)
def test_one_key_is_one_execution_however_often_the_conductor_is_killed(tmp_path: Path) -> None:
    store, endpoint = tmp_path / "castiron.db", f"ipc://{tmp_path}/c.ipc"
    moments = random.Random(9)
    clients = [Driver(endpoint, number) for number in range(CLIENTS)]
    never = threading.Event()
    with BMCFarm(bmcs=CLIENTS) as farm:
        with served(store, endpoint):
            with Talking(endpoint) as conversation:
                create(conversation, farm)
            for client in clients:
                client.start()
        for _ in range(KILLS - 1):
            with served(store, endpoint):
                never.wait(moments.uniform(0.0, LONGEST_LIFE_S))
        with served(store, endpoint) as process:
            for client in clients:
                client.stop()
            for client in clients:
                client.join(PATIENCE_S)
            assert not any(client.is_alive() for client in clients)
            process.terminate()
            assert process.wait(PATIENCE_S) == 0

        assert [client.failure for client in clients] == [None] * CLIENTS
        for client, bmc in zip(clients, farm, strict=True):
            assert client.ended, "no turn came to its end"
            states = {view.state for view in client.ended.values()}
            assert states == {"succeeded"}, client.ended
            assert len({view.id for view in client.ended.values()}) == len(client.ended)
            told = [(control.action.name, round(control.at, 3)) for control in bmc.controls], client.ended
            assert len(bmc.controls) == len(client.ended), f"a machine was driven twice, or not at all: {told}"
            assert bmc.power is (PowerState.ON if len(client.ended) % 2 else PowerState.OFF)
    with opened(store) as left:
        audit = Audit(left)
    audit.check()
    assert {request.id for request in audit.requests} == {
        view.id for client in clients for view in client.ended.values()
    }
    assert sum(client.asked_again for client in clients) > 0


def create(conversation: Talking, farm: BMCFarm) -> None:
    for number in range(CLIENTS):
        conversation.ask(NodeCreate(name=f"n{number}", driver_info=farm[number].driver_info), NodeView, 5.0)
