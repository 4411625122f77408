"""A farm takes orders from a person with `castiron farm`."""

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from castiron.cli.main import main
from castiron.testing import BMCFarm, Faults, Forgery
from castiron.testing.control import FarmControl
from castiron.testing.orders import obey
from castiron.testing.words import FAULT_WORDS
from tests.support.farm_consoles import SOON_S

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
        assert run("power", "on", "bmc1,bmc3").stdout == "bmc[1,3]: power on\n"
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
            (["power", "maybe", "bmc1"], 64, "maybe"),
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
