"""`castiron serve` whose threads die under it: it ends with a code and one clear line, and loses nothing accepted."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest

from castiron.cli.conductor.serve import LEEWAY_S
from castiron.cli.descriptors import NEEDED
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import CastironError
from tests.support.conductor_process import Audit, opened
from tests.support.deadline import until

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30

SABOTEUR = '''
import ctypes
import threading

from castiron.actors.drivers.fake import FakeDriver


class Saboteur(FakeDriver):
    """The fake driver, whose driver_info may name a thread that is to end without a word, or keep it from stopping."""

    name = "saboteur"
    stubborn = threading.Event()

    def stop(self, timeout_s):
        if self.stubborn.is_set():
            threading.Event().wait()
        return super().stop(timeout_s)

    def check(self, driver_info):
        if "stubborn" in driver_info:
            self.stubborn.set()
        victim = driver_info.get("victim")
        for thread in threading.enumerate():
            if thread.name == victim:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
                )
        return super().check({key: value for key, value in driver_info.items() if key not in ("victim", "stubborn")})
'''

POKES: dict[str, tuple[str, Callable[[Client], object]]] = {
    "castiron-store-writer": ("the store writer has died", lambda client: client.nodes.set("n1", extra={"a": 1})),
    "castiron-archive": ("the archive has died", lambda client: client.nodes.history("n1")),
    "castiron-front-door": ("the front door has died", lambda client: client.ping()),
    "castiron-clock": ("the clock has died", lambda client: client.nodes.power("n1", "power on")),
    "castiron-ipmi": ("the ipmi driver has died", lambda client: client.nodes.power("n2", "power on")),
    "castiron-watch": ("the watch has died", lambda client: client.ping()),
}
"""What each thread's end is called, and what makes the thread run, as it ends only where it runs Python."""


class Shop:
    """Where conductors are started, with a plug-in installed."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "castiron.db"
        self.endpoint = f"ipc://{folder}/c.ipc"
        self.processes: list[subprocess.Popen[str]] = []
        plugins = folder / "plugins"
        described = plugins / "saboteur-1.0.dist-info"
        described.mkdir(parents=True)
        (plugins / "saboteur.py").write_text(SABOTEUR)
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: saboteur\nVersion: 1.0\n")
        (described / "entry_points.txt").write_text("[castiron.drivers]\nsaboteur = saboteur:Saboteur\n")
        self._environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{plugins}", "HOME": str(folder)}

    def serve(self, *changed: str, files: tuple[int, int] | None = None) -> "subprocess.Popen[str]":
        """Start a conductor; return when it listens."""
        settings = ["sync_power_state_interval_s=0", "unknown_outcome_settle_s=0.1", "graceful_shutdown_timeout_s=2"]
        settings += ["command_timeout_s=0.5", "power_state_change_timeout_s=5"]
        settings += changed
        words = [word for setting in settings for word in ("--set", setting)]
        process = subprocess.Popen(
            [sys.executable, "-m", "castiron", "serve", "--store", self.store, "--listen", self.endpoint, *words],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=None if files is None else lambda: resource.setrlimit(resource.RLIMIT_NOFILE, files),  # noqa: PLW1509 - no thread of this test holds a lock
        )
        self.processes.append(process)
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("castiron: conductor "), process.communicate()
        return process

    def client(self, timeout_s: float) -> Client:
        """Return a client of the one that runs."""
        return Client(self.endpoint, timeout_s=timeout_s)


@pytest.fixture
def shop(tmp_path: Path) -> Generator[Shop]:
    made = Shop(tmp_path)
    yield made
    for process in made.processes:
        with process:
            process.kill()


@pytest.mark.slow
def test_whichever_thread_dies_the_process_ends_with_a_reason_and_nothing_accepted_is_lost(shop: Shop) -> None:
    accepted: list[str] = []
    for victim, (reason, poke) in POKES.items():
        process = shop.serve()
        with process, shop.client(0.5) as client:
            if not accepted:
                client.nodes.create("n1", driver="saboteur", driver_info={"fake_latency_s": "0.2"})
                client.nodes.create("n2", driver="ipmi", driver_info={"ipmi_address": "127.0.0.1", "ipmi_port": 9})
            for request in client.requests.list(node="n1"):
                client.requests.wait(request.id, 10)
            accepted.append(client.nodes.power("n1", "rebooting").id)
            with suppress(CastironError):
                client.nodes.create(victim, driver="saboteur", driver_info={"victim": victim})
            with suppress(CastironError):
                poke(client)

            _, told = process.communicate(timeout=DEADLINE_S)

        last = told.strip().splitlines()[-1]
        assert last == f"castiron: The conductor failed: {reason}. Nothing that was accepted is lost.", told
        assert process.returncode == 70
        assert "Traceback" not in told

    process = shop.serve()
    with process, shop.client(5) as client:
        ended = [client.requests.wait(one, 20).state for one in accepted]
        for request in client.requests.list():
            client.requests.wait(request.id, 20)
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
    assert ended == ["succeeded"] * len(POKES)
    with opened(shop.store) as left:
        Audit(left).check()


@pytest.mark.slow
def test_a_stop_is_cut_short_when_the_time_that_the_settings_give_it_is_over(shop: Shop) -> None:
    process = shop.serve("graceful_shutdown_timeout_s=0.1", "power_check_start_spread_s=0")
    with process, shop.client(5) as client:
        client.nodes.create("n1", driver="saboteur", driver_info={"stubborn": "yes"})
        client.nodes.power("n1", "power on").wait(timeout_s=DEADLINE_S)
        until(lambda: client.nodes.show("n1").power_state == "power on")
        process.terminate()
        _, told = process.communicate(timeout=DEADLINE_S)

    (cut,) = re.findall(r"The stop took longer than ([0-9.]+) s, and was cut short", told)
    assert LEEWAY_S < float(cut) < LEEWAY_S + 5.0, "the setting is 0.1 s"
    assert process.returncode == 70


def test_serve_raises_its_limit_of_open_files_to_what_its_clients_need(shop: Shop) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < NEEDED:
        pytest.skip(f"needs a hard limit of {NEEDED} open files; it is {hard}")

    process = shop.serve(files=(256, NEEDED + 1))
    with process:
        limits = Path("/proc", str(process.pid), "limits").read_text()
        process.terminate()
        _, told = process.communicate(timeout=DEADLINE_S)

    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert line.split()[3:5] == [str(NEEDED), str(NEEDED + 1)]
    assert "files and sockets" not in told


def test_serve_says_in_one_line_when_it_may_not_open_enough(shop: Shop) -> None:
    process = shop.serve(files=(256, 512))
    with process, shop.client(5) as client:
        client.ping()
        process.terminate()
        _, told = process.communicate(timeout=DEADLINE_S)

    (line,) = [line for line in told.splitlines() if "files and sockets" in line]
    assert f"may open 512 files and sockets, where 8192 clients need {NEEDED}" in line
    assert "LimitNOFILE=" in line
