"""A real `castiron serve`, killed again and again under a client: each thing that was asked for is done once."""

import random
import subprocess
import sys
import threading
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

import castiron
from castiron.testing import BMCFarm
from castiron.testing.bmc import Faults
from castiron.transport.clients.blocking.client import Client
from castiron.transport.vocabulary import PowerState
from tests.support.conductor_process import Audit, opened
from tests.support.deadline import until

ROOT = Path(__file__).parents[2]
SETTINGS = ("sync_power_state_interval_s=0", "unknown_outcome_settle_s=0.2", "power_poll_max_s=0.2")
BMCS = 4
KILLS = 6
TARGETS = ("rebooting", "power on", "power on")
SLOW = Faults(slow_s=0.03)


class Server:
    """`castiron serve`, started anew whenever it was killed."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "castiron.db"
        self.endpoint = f"ipc://{folder}/c.ipc"
        self._words = [word for setting in SETTINGS for word in ("--set", setting)]
        self._process = self._started()

    def _started(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "castiron", "serve", "--store", str(self.store), "--listen", self.endpoint]
        process = subprocess.Popen([*command, *self._words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("castiron: conductor ")
        return process

    def restart(self) -> None:
        """Kill it between any two instructions, and start its successor."""
        self.kill()
        self._process = self._started()

    def kill(self) -> None:
        with self._process:
            self._process.kill()

    def audit(self) -> Audit:
        self.kill()
        with opened(self.store) as store:
            audit = Audit(store)
        audit.check()
        return audit


@pytest.fixture
def server(tmp_path: Path) -> Generator[Server]:
    one = Server(tmp_path)
    yield one
    one.kill()


class Impatient:
    """Somebody who asks for a machine's power over and over, and never looks whether the conductor is there.

    Each answer waits for a look at the machine, so about half of the kills come between a request and its answer.
    """

    def __init__(self, server: Server, node: str) -> None:
        self.accepted: list[str] = []
        self.is_enough = threading.Event()
        self.errors: list[Exception] = []
        self._server = server
        self._node = node
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        try:
            with Client(self._server.endpoint) as client:
                while not self.is_enough.is_set():
                    target = TARGETS[len(self.accepted) % len(TARGETS)]
                    request = client.nodes.power(self._node, target, fresh=True)
                    self.accepted.append(request.id)
                    request.wait(timeout_s=60).raise_for_error()
        except castiron.CastironError as error:
            self.errors.append(error)


def have_asked(crowd: list[Impatient], count: int) -> bool:
    """Return whether so many requests have been accepted, or it has gone wrong."""
    return sum(len(one.accepted) for one in crowd) >= count or any(one.errors for one in crowd)


@pytest.mark.timeout(120)
def test_a_client_outlives_kills_and_each_of_its_requests_is_carried_out_once(server: Server) -> None:
    rng = random.Random(5)
    with BMCFarm(bmcs=BMCS) as farm:
        with Client(server.endpoint) as client:
            for number in range(BMCS):
                client.nodes.create(f"n{number}", driver_info=farm[number].driver_info)
                farm[number].set_faults(SLOW)

        crowd = [Impatient(server, f"n{number}") for number in range(BMCS)]
        for _ in range(KILLS):
            count = sum(len(one.accepted) for one in crowd) + BMCS
            until(partial(have_asked, crowd, count), timeout_s=30)
            threading.Event().wait(rng.uniform(0.0, 0.2))  # into anything that they may be waiting for
            server.restart()
        for one in crowd:
            one.is_enough.set()
        for one in crowd:
            one.thread.join(60)

        assert [one.errors for one in crowd] == [[]] * BMCS
        asked = {request.id: request.verb for request in server.audit().requests}
        assert sorted(asked) == sorted(id_ for one in crowd for id_ in one.accepted)
        for bmc, one in zip(farm, crowd, strict=True):
            reboot_count = len(one.accepted[:: len(TARGETS)])
            controls = [control.action.name for control in bmc.controls]
            assert controls == ["POWER_UP", *["POWER_DOWN", "POWER_UP"] * (reboot_count - 1)]  # it was off at first
            assert bmc.power == PowerState.ON
