"""A farm in a process of its own: what it prints, how it ends, and orders from other processes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from castiron.testing import BMCFarm
from tests.support.console import Console
from tests.support.farm_consoles import SOON_S

ROOT = Path(__file__).resolve().parents[3]
SILENCE_S = 0.3
"""How long a test listens for an answer that must not come."""
PING = bytes.fromhex("0600ff06000011be80000000")


class TestCommand:
    @pytest.fixture(autouse=True)
    def runtime(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Where farms have their sockets for orders."""
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        return tmp_path / "castiron"

    def run(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", "from castiron.cli.commands.farm import farm; farm()", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_prints_a_line_per_bmc_and_stays_until_told(self, runtime: Path, number: signal.Signals) -> None:
        with self.run("--bmcs", "2", "--port", "0", "--password", "secret", "--silent", "1") as process:
            assert process.stdout is not None
            lines = [process.stdout.readline().split() for _ in range(2)]
            name, address, port, username, password = lines[0]
            answers = [self.answers(line[1], int(line[2])) for line in lines]
            process.send_signal(number)
            rest, said = process.communicate(timeout=SOON_S)

        assert (name, address, username, password) == ("bmc1", "127.100.0.1", "admin", "secret")
        assert answers == [True, False]
        assert rest == ""
        assert said.splitlines() == [
            f"2 BMCs on UDP port {port}. Ctrl-C ends them.",
            f"It takes orders at {runtime}/farm-{port}.sock: castiron farm set --port {port} bmc1 silent=true",
        ]
        assert process.returncode == 0

    def test_json_is_one_line(self) -> None:
        with self.run("--bmcs", "1", "--port", "0", "--format", "json", "--loss", "5", "--slow", "0.1,0.2") as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            process.terminate()
            process.communicate(timeout=SOON_S)

        assert line.startswith('[{"name": "bmc1", "address": "127.100.0.1", "port": ')
        assert process.returncode == 0

    def test_a_busy_port_is_refused_by_its_number(self) -> None:
        with BMCFarm(bmcs=1) as farm, self.run("--port", str(farm.port)) as process:
            out, said = process.communicate(timeout=SOON_S)

        assert (out, process.returncode) == ("", os.EX_UNAVAILABLE)
        assert f"UDP port {farm.port} is taken" in said

    @pytest.mark.parametrize("wrong", [("--slow", "soon"), ("--slow", "2,1"), ("--loss", "101"), ("--username", "")])
    def test_a_wrong_option_is_a_usage_error(self, wrong: tuple[str, str]) -> None:
        with self.run("--port", "0", *wrong) as process:
            _, said = process.communicate(timeout=SOON_S)

        assert process.returncode == 2
        assert "Error:" in said

    def answers(self, address: str, port: int) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            mine.settimeout(SILENCE_S)
            mine.connect((address, port))
            mine.send(PING)
            try:
                return bool(mine.recv(2048))
            except TimeoutError:
                return False


class TestARealFarm:
    """The whole way: a process that runs BMCs, and others that give it orders."""

    @contextmanager
    def running(self, *words: str) -> Generator["subprocess.Popen[str]"]:
        command = [sys.executable, "-m", "castiron", "farm", "--bmcs", "3", "--port", "0", "--format", "json", *words]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def ended(self, *words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "castiron", "farm", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SOON_S * 2, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout

    def test_a_bmc_is_made_to_fail_and_healed_while_it_runs(self, runtime: Path) -> None:
        with self.running() as process:
            assert process.stdout is not None
            assert process.stderr is not None
            bmcs = json.loads(process.stdout.readline())
            process.stderr.readline()
            said = process.stderr.readline()
            port = str(bmcs[0]["port"])
            address = (bmcs[1]["address"], bmcs[1]["port"])

            assert f"{runtime}/farm-{port}.sock" in said
            assert self.ended("set", "--port", port, "bmc2", "wrong_power=1") == (0, "bmc2: wrong_power=1\n")
            console = self.console(address)
            assert [console.command(0, 1)[1] & 1 for _ in range(2)] == [1, 0]
            assert json.loads(self.ended("show", "--port", port, "bmc2", "--format", "json")[1])[0]["faults"] == {}
            self.ended("power", "--port", port, "on", "bmc2")
            assert console.command(0, 1)[1] & 1 == 1

            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=SOON_S)
            assert process.returncode == 0
            assert list(runtime.iterdir()) == []

    def test_a_socket_that_was_asked_for_and_cannot_be_ends_the_farm(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        with self.running("--control", str(tmp_path / "file")) as process:
            out, said = process.communicate(timeout=SOON_S)

        assert (process.returncode, out) == (os.EX_CANTCREAT, "")
        assert "is no socket" in said

    def test_a_farm_whose_own_socket_cannot_be_runs_without(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("long" * 40)))
        with self.running() as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert len(json.loads(process.stdout.readline())) == 3
            process.stderr.readline()
            assert "The farm cannot take orders at" in process.stderr.readline()

    def console(self, address: tuple[str, int]) -> Console:
        def exchange(datagram: bytes) -> bytes | None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
                mine.settimeout(SOON_S)
                mine.connect(address)
                mine.send(datagram)
                return mine.recv(2048)

        console = Console(exchange)
        console.login()
        return console
