"""A farm takes orders from a program over its socket."""

import json
import socket
import stat
import threading
from pathlib import Path
from typing import Any, Final

import pytest

from castiron.testing import BMCFarm
from castiron.testing import control as control_module
from castiron.testing.control import MAX_ORDER_BYTES, FarmControl
from tests.support.farm_consoles import SOON_S


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
