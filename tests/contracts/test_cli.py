"""The command line against a genuine conductor, process by process: serve, farm, power, kill, keys."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from castiron.cli.main import main
from castiron.testing import BMCFarm, Faults
from tests.support.deadline import until

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30
HASTE = ("--set", "unknown_outcome_settle_s=0.2")


class Shell:
    """Types commands; every process that it starts ends with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store.db"
        self.environment = {
            "CASTIRON_ENDPOINT": f"ipc://{folder}/door",
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
        }
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        self._processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "castiron", *words],
                cwd=self.folder,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return self._processes[-1]

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=DEADLINE_S)
        return process.returncode, out, err

    def serve(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        """Start a conductor, and return when it says that it listens."""
        process = self.start("serve", "--store", str(self.store), *words, **environment)
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("castiron: conductor "), process.communicate()
        assert ready.endswith(f" listens on {self.environment['CASTIRON_ENDPOINT']}\n")
        return process

    def close(self) -> None:
        for process in self._processes:
            with process:
                if process.poll() is None:
                    process.kill()


@pytest.fixture
def shell(tmp_path: Path) -> Generator[Shell]:
    opened = Shell(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def farm() -> Generator[BMCFarm]:
    with BMCFarm(bmcs=4) as opened:
        yield opened


def enrol(shell: Shell, farm: BMCFarm) -> None:
    rows = [{"name": f"n{number}", "driver_info": dict(bmc.driver_info)} for number, bmc in enumerate(farm, start=1)]
    (shell.folder / "nodes").write_text("\n".join(map(json.dumps, rows)))
    assert shell.run("node", "create", "-f", str(shell.folder / "nodes")) == (0, f"n[1-{len(rows)}]: created\n", "")


def stopped(process: "subprocess.Popen[str]", number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    process.send_signal(number)
    _, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, err


def test_nodes_are_made_powered_shown_and_booted_and_secrets_stay_masked(shell: Shell, farm: BMCFarm) -> None:
    conductor = shell.serve("-v")
    enrol(shell, farm)

    assert shell.run("node", "power", "on", "n[1-4]", "--wait") == (0, "n[1-4]: power on\n", "")

    assert [bmc.power for bmc in farm] == ["power on"] * 4
    assert shell.run("node", "power", "status", "n[1-4]")[1] == "n[1-4]: power on\n"
    shown = shell.run("node", "show", "n1")[1] + shell.run("node", "list", "--format", "json")[1]
    assert "******" in shown
    assert f'"{farm[0].password}"' not in shown
    status = json.loads(shell.run("status", "--format", "json")[1])
    assert status["nodes"]["power on"] == 4
    assert shell.run("node", "boot-device", "set", "n[1-2]", "pxe", "--wait")[:2] == (0, "n[1-2]: pxe\n")
    assert shell.run("node", "boot-device", "show", "n1")[:2] == (0, "n1: pxe\n")
    code, log = stopped(conductor)
    assert code == 0
    assert log
    assert all(line.startswith("20") for line in log.splitlines()), "a record of the log is a line"


def test_a_dead_bmc_fails_alone(shell: Shell, farm: BMCFarm) -> None:
    shell.serve("--set", "power_state_change_timeout_s=3", "--set", "command_timeout_s=0.5", *HASTE)
    enrol(shell, farm)
    farm[2].set_faults(Faults(silent=True))

    code, out, err = shell.run("node", "power", "on", "n[1-4]", "--wait")

    assert (code, out) == (74, "n[1-2,4]: power on\n")
    assert err.startswith("n3: bmc.unreachable")
    assert err.endswith("castiron: 1 of 4 failed.\n")


def test_what_the_farm_prints_can_be_piped_into_create(shell: Shell) -> None:
    shell.serve()
    farm = shell.start("farm", "--bmcs", "3", "--port", "0", "--format", "json")
    create = subprocess.Popen(
        [sys.executable, "-m", "castiron", "node", "create", "-f", "-"],
        cwd=shell.folder,
        env=shell.environment,
        stdin=farm.stdout,
        stdout=subprocess.PIPE,
        text=True,
    )
    with create:
        assert create.stdout is not None
        assert create.stdout.readline() == "bmc[1-3]: created\n", "at once, while the farm goes on"
        farm.terminate()
        assert create.wait(DEADLINE_S) == 0
    assert len(json.loads(shell.run("node", "list", "--format", "json")[1])) == 3


def test_a_wait_outlives_kill_nine(shell: Shell, farm: BMCFarm) -> None:
    conductor = shell.serve(*HASTE)
    enrol(shell, farm)
    farm[0].set_faults(Faults(slow_s=0.2))
    waiting = shell.start("node", "power", "on", "n1", "--wait")
    until(lambda: json.loads(shell.run("request", "list", "--format", "json")[1]) != [])
    conductor.kill()
    conductor.wait()

    shell.serve(*HASTE)

    out, err = waiting.communicate(timeout=DEADLINE_S)
    assert (waiting.returncode, out) == (0, "n1: power on\n")
    assert "Waiting for it to come back" in err
    assert farm[0].power == "power on"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_conductor_in_order(shell: Shell, number: signal.Signals) -> None:
    conductor = shell.serve()
    began_at = time.monotonic()

    assert stopped(conductor, number)[0] == 0

    assert time.monotonic() - began_at < 10
    assert not (shell.folder / "door").exists()


def test_settings_come_from_the_file_the_environment_and_flags_in_rising_order(shell: Shell) -> None:
    config = shell.folder / "castiron.toml"
    config.write_text(
        f'[conductor]\nstore = "{shell.store}"\n[settings]\nmax_running_actions = 1\nnode_mailbox_limit = 2\n'
        "hung_turn_s = 3\n"
    )

    shell.serve("--config", str(config), "--set", "max_running_actions=9", CASTIRON_NODE_MAILBOX_LIMIT="8")

    limits = json.loads(shell.run("status", "--format", "json")[1])["limits"]
    assert (limits["max_running_actions"], limits["mailbox"]) == (9, 8)


@pytest.mark.parametrize(
    ("words", "environment", "refusal"),
    [
        (("--set", "comand_timeout_s=3"), {}, (78, "Did you mean command_timeout_s?")),
        (("--set", "command_timeout_s=soon"), {}, (78, "'soon' is not a number")),
        (("--set", "command_timeout_s=0"), {}, (78, "it takes 0.1 to 600")),
        (("--set", "node_queue_limit"), {}, (78, "NAME=VALUE")),
        ((), {"CASTIRON_COMAND_TIMEOUT_S": "3"}, (78, "Did you mean CASTIRON_COMMAND_TIMEOUT_S?")),
        ((), {"CASTIRON_LOG": "loud"}, (78, "CASTIRON_LOG: log_level is one of")),
        (("--config", "missing.toml"), {}, (66, "Cannot read missing.toml")),
        (("--listen", "tcp://192.0.2.1:5570"), {}, (73, "castiron keys new --server")),
        (("--listen", "ipc:///proc/door"), {}, (73, "Cannot listen at ipc:///proc/door")),
        (("--store", "/proc/store.db"), {}, (73, "/proc/store.db")),
        (("--store", "README"), {}, (73, "is not a castiron store")),
    ],
    ids=str,
)
def test_what_it_cannot_be_told_stops_the_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    environment: dict[str, str],
    refusal: tuple[int, str],
) -> None:
    code, told = refusal
    (tmp_path / "README").write_text("Somebody's own file.\n" * 100)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CASTIRON_ENDPOINT", f"ipc://{tmp_path}/door")
    threads = threading.active_count()

    result = CliRunner(env=environment).invoke(main, ["serve", "--store", "store.db", *words])

    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("castiron: ")
    assert result.stderr.count("\n") == 1
    assert told in result.stderr
    assert not (tmp_path / "door").exists(), "nothing is left behind"
    assert threading.active_count() == threads
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_second_conductor_on_the_same_store_or_socket_is_refused(shell: Shell) -> None:
    shell.serve()

    same_store = shell.run("serve", "--store", str(shell.store), "--listen", f"ipc://{shell.folder}/other")
    same_socket = shell.run("serve", "--store", str(shell.folder / "other.db"))

    assert (same_store[0], same_socket[0]) == (73, 73)
    assert str(shell.store) in same_store[2]
    assert "A conductor listens there already" in same_socket[2]
    assert shell.run("ping")[0] == 0


def test_without_a_word_it_keeps_its_store_where_state_belongs(shell: Shell) -> None:
    conductor = shell.start("serve")
    assert conductor.stdout is not None
    assert " listens on " in conductor.stdout.readline()

    store = shell.folder / ".local" / "state" / "castiron" / "castiron.db"

    assert store.exists()
    assert store.parent.stat().st_mode & 0o777 == 0o700
    assert stopped(conductor)[0] == 0


def test_keys_are_rotated_between_two_lives_of_a_conductor(shell: Shell, farm: BMCFarm) -> None:
    conductor = shell.serve()
    enrol(shell, farm)
    assert shell.run("keys", "rotate", "--store", str(shell.store))[0] == 73, "a conductor has it"
    assert stopped(conductor)[0] == 0
    key_before = (shell.folder / "store.db.key").read_bytes()

    code, out, _ = shell.run("keys", "rotate", "--store", str(shell.store))

    assert (code, out) == (0, f"{shell.store}: a new key; 4 secrets encrypted anew\n")
    assert (shell.folder / "store.db.key").read_bytes() != key_before
    shell.serve()
    assert shell.run("node", "power", "on", "n1", "--wait")[:2] == (0, "n1: power on\n")


def test_a_key_file_that_is_not_the_stores_is_denied(shell: Shell) -> None:
    assert stopped(shell.serve())[0] == 0
    other = Shell(shell.folder)
    other.store = shell.folder / "other.db"
    assert stopped(other.serve())[0] == 0
    other.close()

    found = shell.run("keys", "rotate", "--store", str(shell.store), "--key-file", str(shell.folder / "other.db.key"))

    assert found[0] == 77
    with closing(sqlite3.connect(shell.store)) as store:
        assert store.execute("PRAGMA quick_check").fetchone() == ("ok",)


def test_a_store_that_is_not_there_is_not_made_by_a_rotation(shell: Shell) -> None:
    assert shell.run("keys", "rotate", "--store", str(shell.store))[0] == 73
    assert not shell.store.exists()


def test_a_drain_is_waited_for_and_a_stop_ends_it(shell: Shell) -> None:
    conductor = shell.serve(*HASTE)
    slow = ("--driver", "fake", "--driver-info", "fake_latency_s=0.5")
    assert shell.run("node", "create", "n1", *slow)[0] == 0
    assert shell.run("node", "power", "on", "n1")[0] == 0

    code, out, err = shell.run("drain", "--wait")

    assert (code, out) == (0, "It drains, and nothing is left: it can be stopped.\n")
    assert err in {"", "castiron: 1 request left, 1 running\n", "castiron: 1 request left, 0 running\n"}
    assert shell.run("node", "power", "status", "n1")[1] == "n1: power on\n"
    code, out, err = shell.run("node", "create", "n2", "--driver", "fake")
    assert (code, out) == (75, "")
    assert "The conductor drains" in err
    assert "drain" in json.loads(shell.run("status", "--format", "json")[1])
    assert "asked by ipc:uid=" in shell.run("status")[1]
    assert shell.run("drain", "--undo")[:2] == (0, "It does not drain: new work is accepted.\n")
    assert shell.run("drain", "--undo", "--wait")[0] == 64
    assert json.loads(shell.run("drain", "--format", "json")[1])["is_draining"] is True
    assert stopped(conductor)[0] == 0
