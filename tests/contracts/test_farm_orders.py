"""A farm that runs takes orders: from a program over its socket, from a person with `castiron farm`."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from castiron.cli.main import main
from castiron.testing import BMCFarm, Faults, Forgery
from castiron.testing import control as control_module
from castiron.testing.control import MAX_ORDER_BYTES, FarmControl
from castiron.testing.orders import obey
from castiron.testing.words import FAULT_WORDS
from castiron.transport.vocabulary import PowerState
from tests.support.console import Console, Silent
from tests.support.farm_consoles import SOON_S, over_udp

ROOT: Final = Path(__file__).resolve().parents[2]
SILENCE_S: Final = 0.2


@pytest.fixture
def farm() -> Iterator[BMCFarm]:
    with BMCFarm(bmcs=5) as farm:
        yield farm


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands look for farms."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "castiron"


@pytest.fixture
def path(runtime: Path, farm: BMCFarm) -> Path:
    return runtime / f"farm-{farm.port}.sock"


@pytest.fixture
def control(farm: BMCFarm, path: Path) -> Iterator[FarmControl]:
    with FarmControl(farm, path) as control:
        yield control


def refusal(farm: BMCFarm, order: object) -> tuple[str, str]:
    """Give an order that is refused, see that nothing was done, and return why."""
    before = [(bmc.faults, bmc.power) for bmc in farm]
    error = obey(farm, order)["error"]
    assert [(bmc.faults, bmc.power) for bmc in farm] == before
    return error["code"], error["message"]


class TestOrders:
    def test_set_changes_some_faults_of_some_bmcs_and_answers_how_they_are(self, farm: BMCFarm) -> None:
        farm[3].set_faults(Faults(loss_percent=5))

        answer = obey(farm, {"order": "set", "bmcs": "bmc[3-4]", "faults": {"silent": "true", "slow": "0.1,0.5"}})

        assert [bmc.faults for bmc in farm] == [
            Faults(),
            Faults(),
            Faults(silent=True, slow_s=(0.1, 0.5)),
            Faults(silent=True, slow_s=(0.1, 0.5), loss_percent=5),
            Faults(),
        ]
        assert [(bmc["name"], bmc["faults"]) for bmc in answer["bmcs"]] == [
            ("bmc3", {"silent": "true", "slow": "0.1,0.5"}),
            ("bmc4", {"silent": "true", "slow": "0.1,0.5", "loss": "5"}),
        ]

    def test_values_may_be_what_json_has_for_them(self, farm: BMCFarm) -> None:
        obey(farm, {"order": "set", "bmcs": "bmc1", "faults": {"silent": True, "loss": 2.5, "flood": 3}})

        assert farm[0].faults == Faults(silent=True, loss_percent=2.5, flood_count=3)

    def test_heal_takes_all_faults(self, farm: BMCFarm) -> None:
        farm[0].set_faults(Faults(silent=True, forgeries=tuple(Forgery)))

        obey(farm, {"order": "heal", "bmcs": "bmc[1-5]"})

        assert {bmc.faults == Faults() for bmc in farm} == {True}

    def test_reset_makes_a_bmc_forget_its_sessions_and_be_silent_for_a_while(self, farm: BMCFarm) -> None:
        console = Console(over_udp(farm[0]))
        console.login()

        (shown,) = obey(farm, {"order": "reset", "bmcs": "bmc1", "silent_s": 3600})["bmcs"]

        assert (shown["restarting"], shown["sessions"], shown["logins"]) == (True, 0, 1)
        with pytest.raises(Silent):
            Console(over_udp(farm[0], SILENCE_S)).login()
        obey(farm, {"order": "reset", "bmcs": "bmc1", "silent_s": 0})
        Console(over_udp(farm[0])).login()

    def test_power_is_a_hand_on_the_button(self, farm: BMCFarm) -> None:
        obey(farm, {"order": "power", "bmcs": "bmc[2,5]", "state": "power on"})

        assert [bmc.power is PowerState.ON for bmc in farm] == [False, True, False, False, True]
        assert farm[1].controls == []

    def test_show_tells_all_but_secrets(self, farm: BMCFarm) -> None:
        Console(over_udp(farm[1])).login()
        answer = obey(farm, {"order": "show"})

        assert [bmc["name"] for bmc in answer["bmcs"]] == [bmc.name for bmc in farm]
        assert answer["bmcs"][1] == {
            "name": "bmc2",
            "address": "127.100.0.2",
            "port": farm.port,
            "power": "power off",
            "restarting": False,
            "sessions": 1,
            "logins": 1,
            "commands": 1,
            "controls": 0,
            "faults": {},
        }
        assert "password" not in json.dumps(answer)

    @pytest.mark.parametrize(
        ("order", "code", "said"),
        [
            ({"order": "set", "bmcs": "bmc[4-7]", "faults": {"silent": "true"}}, "bmc.not_found", "no bmc[6-7]"),
            ({"order": "show", "bmcs": "n1"}, "bmc.not_found", "this farm has bmc[1-5]"),
            ({"order": "heal", "bmcs": "bmc[1-"}, "argument.invalid", "is not a host range"),
            ({"order": "heal", "bmcs": "bmc[1-999999999]"}, "argument.invalid", "is not a host range"),
            ({"order": "set", "bmcs": "bmc1", "faults": {"silnt": "true"}}, "argument.invalid", "Did you mean silent?"),
            (
                {"order": "set", "bmcs": "bmc1", "faults": {"silent": "true", "loss": "101"}},
                "argument.invalid",
                "loss=101 cannot be",
            ),
            ({"order": "reset", "bmcs": "bmc1", "silent_s": -1}, "argument.invalid", "silent_s must be seconds"),
            ({"order": "reset", "bmcs": "bmc1", "silent_s": float("nan")}, "argument.invalid", "cannot restart so"),
            ({"order": "power", "bmcs": "bmc1", "state": "rebooting"}, "argument.invalid", "neither"),
            ({"order": "set", "bmcs": "bmc1"}, "argument.invalid", "This is no order"),
            ({"order": "set", "bmcs": "bmc1", "faults": ["silent"]}, "argument.invalid", "This is no order"),
            ({"order": "show", "bmcs": 1}, "argument.invalid", "This is no order"),
            ({"order": "dance"}, "argument.invalid", "There are show, set, heal, reset and power"),
            (["show"], "argument.invalid", "This is no order"),
            (None, "argument.invalid", "This is no order"),
        ],
        ids=str,
    )
    def test_what_cannot_be_done_is_refused_whole_and_in_words(
        self, farm: BMCFarm, order: object, code: str, said: str
    ) -> None:
        refused, message = refusal(farm, order)

        assert refused == code
        assert said in message


def sent(path: Path, line: bytes) -> dict[str, Any]:
    """Send bytes to a farm as any program may, and read the answer."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(SOON_S)
        stream.connect(str(path))
        stream.sendall(line)
        with stream.makefile("rb") as answer:
            return dict(json.loads(answer.read()))


SHOW: Final = b'{"order": "show", "bmcs": "bmc1"}\n'


class TestSocket:
    def test_one_line_in_one_line_out(self, control: FarmControl) -> None:
        assert sent(control.path, SHOW)["bmcs"][0]["name"] == "bmc1"

    def test_only_this_user_may_connect(self, control: FarmControl) -> None:
        assert stat.S_IMODE(control.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(control.path.parent.stat().st_mode) == 0o700

    @pytest.mark.parametrize(
        "line", [b"\n", b"{\n", b"\xff\n", b"[" * 50_000 + b"\n", b'{"a":"' + b"x" * MAX_ORDER_BYTES + b'"}\n']
    )
    def test_a_line_that_is_no_order_is_refused(self, control: FarmControl, line: bytes) -> None:
        try:
            answer = sent(control.path, line)
        except (ConnectionError, ValueError):
            assert len(line) > MAX_ORDER_BYTES  # what it has not read takes the answer with it, as TCP does
        else:
            assert answer["error"]["code"] == "argument.invalid"
        assert "bmcs" in sent(control.path, SHOW)

    @pytest.mark.parametrize("half", [b"", b'{"order": '])
    def test_a_client_that_does_not_go_on_is_given_up(
        self, farm: BMCFarm, path: Path, monkeypatch: pytest.MonkeyPatch, half: bytes
    ) -> None:
        monkeypatch.setattr(control_module, "PATIENCE_S", 0.1)
        with FarmControl(farm, path), socket.socket(socket.AF_UNIX) as idle:
            idle.connect(str(path))
            idle.sendall(half)

            assert "bmcs" in sent(path, SHOW)

    def test_a_client_that_goes_away_is_forgotten(self, control: FarmControl) -> None:
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as gone:
                gone.connect(str(control.path))
                gone.sendall(b'{"order": "show"}\n')

        assert "bmcs" in sent(control.path, SHOW)

    def test_a_fault_of_the_farm_s_own_is_told_and_the_next_order_taken(
        self, control: FarmControl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_farm: BMCFarm, _order: object) -> dict[str, Any]:
            raise ZeroDivisionError

        with monkeypatch.context() as broken:
            broken.setattr(control_module, "obey", fail)
            assert sent(control.path, SHOW)["error"]["code"] == "internal"

        assert "ZeroDivisionError" in caplog.text
        assert "bmcs" in sent(control.path, SHOW)

    def test_the_socket_goes_with_the_farm(self, farm: BMCFarm, path: Path) -> None:
        before = threading.active_count()
        with FarmControl(farm, path) as control:
            assert path.is_socket()

        assert not path.exists()
        assert threading.active_count() == before
        control.close()

    def test_what_a_dead_farm_left_is_replaced(self, farm: BMCFarm, path: Path) -> None:
        path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))

        with FarmControl(farm, path):
            assert "bmcs" in sent(path, SHOW)

    def test_a_living_farm_is_not_disturbed(self, farm: BMCFarm, control: FarmControl) -> None:
        with pytest.raises(OSError, match="another farm takes orders"):
            FarmControl(farm, control.path).start()

        assert "bmcs" in sent(control.path, SHOW)

    def test_a_file_that_is_no_socket_is_left_alone(self, farm: BMCFarm, path: Path) -> None:
        path.parent.mkdir()
        path.write_text("mine")

        with pytest.raises(OSError, match="is no socket"):
            FarmControl(farm, path).start()

        assert path.read_text() == "mine"

    def test_somebody_else_s_socket_at_the_same_place_is_left_alone(self, farm: BMCFarm, path: Path) -> None:
        with FarmControl(farm, path), socket.socket(socket.AF_UNIX) as other:
            path.unlink()
            other.bind(str(path))

        assert path.is_socket()


Run = Callable[..., Result]


@pytest.fixture
def run(farm: BMCFarm, control: FarmControl) -> Run:
    """Run `castiron farm --port PORT …`."""
    assert control.path.is_socket()

    def run_one(*words: str) -> Result:
        return CliRunner().invoke(main, ["farm", "--port", str(farm.port), *words])

    return run_one


class TestCommands:
    def test_set_says_what_is_wrong_now_one_line_for_all_that_are_the_same(self, farm: BMCFarm, run: Run) -> None:
        farm[4].set_faults(Faults(loss_percent=5))

        result = run("set", "bmc[3-5]", "silent=true", "slow=0.1,0.5")

        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == "bmc[3-4]: silent=true slow=0.1,0.5\nbmc5: silent=true slow=0.1,0.5 loss=5\n"
        assert farm[3].faults == Faults(silent=True, slow_s=(0.1, 0.5))

    def test_heal_reset_and_power(self, farm: BMCFarm, run: Run) -> None:
        farm[0].set_faults(Faults(silent=True))

        assert run("heal", "bmc[1-2]").stdout == "bmc[1-2]: nothing is wrong\n"
        assert run("power", "bmc1,bmc3", "on").stdout == "bmc[1,3]: power on\n"
        assert run("reset", "bmc2", "--silent", "3600").stdout == "bmc2: restarting\n"

        assert farm[0].faults == Faults()
        assert [bmc.power for bmc in farm][:3] == ["power on", "power off", "power on"]
        assert farm[1].is_restarting

    def test_show_is_a_table(self, farm: BMCFarm, run: Run) -> None:
        farm[1].set_faults(Faults(forgeries=(Forgery.SESSION,), forge_percent=50))
        farm[2].cold_reset(3600)

        lines = run("show", "bmc[1-3]").stdout.splitlines()

        assert [line.split()[0] for line in lines] == ["name", "bmc1", "bmc2", "bmc3"]
        assert [line.split()[-1] for line in lines] == ["faults", "-", "forge=session@50", "restarting"]
        assert len(run("show").stdout.splitlines()) == 6

    @pytest.mark.parametrize("where", ["after", "before"])
    def test_json_is_what_the_farm_answered(self, farm: BMCFarm, control: FarmControl, where: str) -> None:
        order = ["farm", "set", "bmc1", "silent=true", "--control", str(control.path)]
        words = [*order, "--format", "json"] if where == "after" else ["--format", "json", *order]

        result = CliRunner().invoke(main, words)

        assert json.loads(result.stdout) == obey(farm, {"order": "show", "bmcs": "bmc1"})["bmcs"]

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (["set", "bmc1"], 64, "FAULT=VALUE"),
            (["set", "bmc1", "silent"], 64, "'silent' is not FAULT=VALUE"),
            (["set", "bmc1", "silent=true", "silent=false"], 64, "silent is given twice"),
            (["set", "bmc1", "silnt=true"], 65, "Did you mean silent?"),
            (["set", "bmc9", "silent=true"], 66, "There is no bmc9; this farm has bmc[1-5]."),
            (["power", "bmc1", "maybe"], 64, "maybe"),
            (["reset", "bmc1", "--silent", "-1"], 64, "--silent"),
            (["dance", "bmc1"], 64, "dance"),
        ],
        ids=str,
    )
    def test_a_slip_is_told(self, run: Run, words: list[str], code: int, said: str) -> None:
        result = run(*words)

        assert (result.exit_code, result.stdout) == (code, "")
        assert said in result.stderr

    def test_options_that_start_a_farm_are_refused_before_an_order(self, run: Run) -> None:
        result = run("--bmcs", "3", "show")

        assert result.exit_code == 64
        assert "--bmcs before an order is for a farm that starts" in result.stderr

    def test_no_farm_is_told_with_those_that_run(self, control: FarmControl, runtime: Path) -> None:
        result = CliRunner().invoke(main, ["farm", "show", "--port", "1"])

        assert result.exit_code == os.EX_UNAVAILABLE
        assert f"No farm takes orders at {runtime}/farm-1.sock" in result.stderr
        assert f"Name another with --port or --control: {control.path}." in result.stderr

    def test_no_farm_at_all_is_told_with_what_to_do(self, runtime: Path) -> None:
        result = CliRunner().invoke(main, ["farm", "show"])

        assert result.exit_code == os.EX_UNAVAILABLE
        assert f"No farm takes orders at {runtime}/farm-6230.sock" in result.stderr
        assert "Start one with `castiron farm`" in result.stderr

    def test_something_else_at_the_socket_is_told(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(tmp_path / "other"))
            other.listen()

            def answer() -> None:
                stream, _ = other.accept()
                with stream:
                    stream.recv(1024)
                    stream.sendall(b"220 welcome\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            result = CliRunner().invoke(main, ["farm", "show", "--control", str(tmp_path / "other")])
            thread.join(SOON_S)

        assert result.exit_code == os.EX_PROTOCOL
        assert "is no farm" in result.stderr

    def test_help_lists_every_fault(self) -> None:
        result = CliRunner().invoke(main, ["farm", "set", "--help"])

        assert result.exit_code == 0
        assert all(f"  {name}=" in result.stdout for name in FAULT_WORDS)


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
            self.ended("power", "--port", port, "bmc2", "on")
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
