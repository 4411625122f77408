"""The first story: twenty machines, one silent BMC, and a conductor that is killed in the middle of its work.

The BMCs speak IPMI over UDP, the conductor is a process of its own on a SQLite file, and SIGKILL is SIGKILL.
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from castiron.cli.stories.narrator import Narrator, StoryBroken, check
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import CastironError
from castiron.transport.ranges import fold
from castiron.transport.replies import RequestView
from castiron.transport.verbs import NodePowerSet, RequestWait
from castiron.transport.vocabulary import PowerState, PowerTarget, RequestState

if TYPE_CHECKING:
    from castiron.testing import BMCFarm, SimulatedBMC

BMCS: Final = 20
SILENT: Final = 7
"""The BMC, counted from one, that never answers."""

WAITS: Final = f"waiting for {PowerState.OFF}"
"""What the conductor says of a machine that shuts down."""

PATIENCE_S: Final = 4.0
"""How long the story gives a machine to reach a power state: the silent one is given up after this."""

START_S: Final = 15.0
"""How long a conductor may take to start on a slow machine."""

SHUTDOWN_S: Final = 2.0
"""How long the simulated operating system takes to shut down: time enough to kill a conductor."""


def tell_successor(narrator: Narrator) -> None:
    """Tell it from beginning to end.

    Raises:
        StoryBroken: a step did not hold.
    """
    from castiron.testing import BMCFarm, Faults  # noqa: PLC0415 - loaded when it is told

    narrator.begin("A conductor is killed in the middle of its work")
    with tempfile.TemporaryDirectory(prefix="castiron-demo-") as folder, BMCFarm(bmcs=BMCS) as farm:
        farm[SILENT - 1].set_faults(Faults(silent=True))
        _Story(narrator, farm, Path(folder)).tell()


class _Story:
    """The story and its props."""

    def __init__(self, narrator: Narrator, farm: "BMCFarm", folder: Path) -> None:
        self._narrator = narrator
        self._say = narrator.say
        self._note = narrator.note
        self._farm = farm
        self._store = folder / "castiron.db"
        self._log = folder / "conductor.log"
        self._endpoint = f"ipc://{folder}/conductor.ipc"
        self._names = [f"n{number:02d}" for number in range(1, BMCS + 1)]
        self._silent_name = self._names[SILENT - 1]

    def tell(self) -> None:
        """Tell it from beginning to end."""
        self._say(f"{BMCS} BMCs speak IPMI 2.0 on UDP port {self._farm.port}; {self._silent_name}'s is silent.")
        with self._conductor() as process, Client(self._endpoint) as client:
            self._say(f"A conductor runs as process {process.pid}, with its store in one SQLite file.")
            self._enrol(client)
            self._power_on(client)
            self._show(client)
            request_id = self._begin_shutdown(client)
            process.send_signal(signal.SIGKILL)
            process.wait()
            self._say(f"SIGKILL to process {process.pid}, in the middle of it.")
        with self._conductor() as process, Client(self._endpoint) as client:
            self._say(f"A new conductor, process {process.pid}, starts on the same file …")
            self._finish_shutdown(client, request_id)

    def _enrol(self, client: Client) -> None:
        began_at = time.monotonic()
        for name, bmc in zip(self._names, self._farm, strict=True):
            client.nodes.create(name, driver="ipmi", driver_info=bmc.driver_info)
        took_ms = (time.monotonic() - began_at) * 1000
        check(len(client.nodes.list()) == BMCS, "all nodes are known")
        self._say(f"{fold(self._names)} are enrolled, {BMCS} commits to disk in {took_ms:.0f} ms.")

    def _power_on(self, client: Client) -> None:
        self._say(f"castiron node power on '{fold(self._names)}' --wait")
        began_at = time.monotonic()
        ended: dict[str, tuple[float, RequestView]] = {}
        requests = self._submit(client)
        with self._narrator.progress(BMCS) as advance:
            waits = (RequestWait(request=request_id, timeout_s=60.0) for request_id in requests)
            for _, view in client.send_many(waits):
                if not isinstance(view, RequestView):
                    raise StoryBroken(f"a wait was answered with {view}")
                ended[view.node] = (time.monotonic() - began_at, view)
                advance()
        took_s, silent = ended.pop(self._silent_name)
        slowest_s = max(at for at, _ in ended.values())
        succeeded = [view for _, view in ended.values() if view.state is RequestState.SUCCEEDED]
        check(len(succeeded) == BMCS - 1, "every other node is powered on")
        check(all(bmc.power == "power on" for bmc in self._others()), "and its BMC says the same")
        error = silent.error or {}
        check(error.get("code") == "bmc.unreachable", f"{self._silent_name} ends as bmc.unreachable")
        check(error.get("applied") == "no", "and is known not to have been touched")
        check(slowest_s < took_s, "and nobody waited for it")
        self._note(f"{BMCS - 1} nodes: power on, the slowest after {slowest_s * 1000:.0f} ms, confirmed by its BMC")
        self._note(f"{self._silent_name}: {error.get('message')} (given up after {took_s:.1f} s)")

    def _submit(self, client: Client) -> list[str]:
        verbs = [NodePowerSet(node=name, target=PowerTarget.ON, timeout_s=PATIENCE_S) for name in self._names]
        requests: list[str] = []
        for verb, view in client.send_many(verbs):
            if not isinstance(view, RequestView):
                raise StoryBroken(f"{verb} was refused: {view}")
            requests.append(view.id)
        return requests

    def _show(self, client: Client) -> None:
        from rich.table import Table  # noqa: PLC0415 - loaded with the console

        table = Table("name", "power state", "provision state", "last error", box=None, padding=(0, 2, 0, 4))
        nodes = client.nodes.list()
        for node in (*nodes[:2], nodes[SILENT - 1], *nodes[-2:]):
            table.add_row(node.name, node.power_state or "unknown", node.provision_state, node.last_error or "")
        self._say(f"castiron node list (5 of {len(nodes)})")
        self._narrator.console.print(table)

    def _begin_shutdown(self, client: Client) -> str:
        bmc = self._farm[0]
        bmc.soft_off_s = SHUTDOWN_S
        sent = len(bmc.controls)
        request = client.nodes.power(self._names[0], PowerTarget.SOFT_OFF)
        bmc.wait_for_controls(sent + 1, timeout_s=PATIENCE_S)
        self._wait_for_step(client, WAITS)
        self._say(f"{self._names[0]} was asked to shut down; its conductor is {WAITS}.")
        return request.id

    def _wait_for_step(self, client: Client, wanted: str) -> None:
        """Wait until the first node's request is at a step: its BMC has the control before its conductor knows that."""
        until = time.monotonic() + PATIENCE_S
        while True:
            active = client.nodes.show(self._names[0]).active_request
            check(active is not None, f"{self._names[0]} is at work")
            if active is not None and active.step == wanted:
                return
            check(time.monotonic() < until, f"{self._names[0]}'s conductor is {wanted}")

    def _finish_shutdown(self, client: Client, request_id: str) -> None:
        request = client.requests.wait(request_id, timeout_s=30.0)
        bmc = self._farm[0]
        presses = [control.action.name for control in bmc.controls].count("SOFT_SHUTDOWN")
        check(request.state is RequestState.SUCCEEDED, "the request that was under way is finished")
        check(request.view.attempts > 1, "by a successor of the conductor that began it")
        check(bmc.power == "power off", "the machine is off")
        check(presses == 1, "and its power button was pressed exactly once")
        self._note(f"{self._names[0]}: {request.state}, taken up on attempt {request.view.attempts}, one control sent.")

    def _others(self) -> "list[SimulatedBMC]":
        return [bmc for number, bmc in enumerate(self._farm, start=1) if number != SILENT]

    @contextmanager
    def _conductor(self) -> Generator["subprocess.Popen[bytes]"]:
        """Run `castiron serve` until the end of the `with`, however that comes."""
        command = [sys.executable, "-m", "castiron", "serve", "--store", str(self._store), "--listen", self._endpoint]
        with self._log.open("w") as log, subprocess.Popen(command, stderr=log, stdout=log) as process:  # noqa: S603 - ours
            try:
                self._until_it_answers(process)
                yield process
            finally:
                if process.poll() is None:
                    process.terminate()

    def _until_it_answers(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                with Client(self._endpoint, timeout_s=0.5) as client:
                    client.hello()
            except CastironError:
                self._pause(process)
            else:
                return
        raise StoryBroken(f"the conductor did not answer within {START_S:.0f} s; its log: {self._log.read_text()}")

    def _pause(self, process: "subprocess.Popen[bytes]") -> None:
        """Give a conductor that starts a moment, and notice if it has ended instead."""
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            return
        raise StoryBroken(f"the conductor did not start: {self._log.read_text().strip()}")
