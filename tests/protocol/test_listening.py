"""Where a front door listens, and where it refuses to."""

import socket
import stat
import time
from pathlib import Path

import pytest

from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.errors import EndpointRefused
from tests.protocol.conftest import Opener
from tests.support.memory_conductor import MemoryConductor
from tests.support.raw_peer import RawPeer


def test_the_socket_is_for_its_owner_only_and_goes_with_the_door(open_house: Opener, tmp_path: Path) -> None:
    path = tmp_path / "made" / "door"
    house = open_house(f"ipc://{path}")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert house.door.stop(5.0)
    assert not path.exists()


def test_a_live_conductor_is_not_disturbed(open_house: Opener) -> None:
    house = open_house()

    with pytest.raises(EndpointRefused, match="A conductor listens there already"):
        open_house(house.endpoint)

    with RawPeer(house.endpoint) as peer:
        assert peer.ask({"verb": "ping"}).result


def test_the_socket_of_a_dead_conductor_is_replaced(open_house: Opener, tmp_path: Path) -> None:
    path = tmp_path / "door"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()

    house = open_house(f"ipc://{path}")

    with RawPeer(house.endpoint) as peer:
        assert peer.ask({"verb": "ping"}).result


def test_a_file_that_is_no_socket_is_left_alone(open_house: Opener, tmp_path: Path) -> None:
    (tmp_path / "door").write_text("precious")

    with pytest.raises(EndpointRefused, match="not a socket"):
        open_house()

    assert (tmp_path / "door").read_text() == "precious"


def test_a_socket_that_somebody_else_has_put_in_its_place_is_left_alone(open_house: Opener, tmp_path: Path) -> None:
    house = open_house()
    path = tmp_path / "door"
    path.unlink()
    path.write_text("another's")

    assert house.door.stop(5.0)
    assert path.read_text() == "another's"


def test_a_folder_that_cannot_be_made_is_told(open_house: Opener, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EndpointRefused, match="The system refuses it"):
        open_house(f"ipc://{tmp_path}/file/door")


def test_a_port_that_is_taken_is_told(open_house: Opener) -> None:
    house = open_house("tcp://127.0.0.1:0")

    with pytest.raises(EndpointRefused, match="in use"):
        open_house(house.endpoint)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:0", "tcp://127.0.0.2:*", "tcp://localhost:0", "tcp://[::1]:0"])
def test_loopback_is_listened_on(open_house: Opener, endpoint: str) -> None:
    house = open_house(endpoint)

    assert not house.endpoint.endswith((":0", ":*"))
    with socket.create_connection(
        (house.endpoint.split("//")[1].rsplit(":", 1)[0].strip("[]"), int(house.endpoint.rsplit(":", 1)[1]))
    ):
        assert house.door.is_alive()


@pytest.mark.parametrize("endpoint", ["tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://192.0.2.1:5555", "tcp://[::]:5555"])
def test_other_addresses_are_refused_with_the_reason(endpoint: str) -> None:
    conductor = MemoryConductor()
    with pytest.raises(EndpointRefused, match="without keys"):
        FrontDoor(endpoint, conductor, now=time.monotonic)
    conductor.stop()
