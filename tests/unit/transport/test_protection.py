"""Which endpoints need keys, and with which ones a client speaks there."""

import time
from pathlib import Path

import pytest

from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.doors.guard import open_guard
from castiron.transport.endpoint import parse_endpoint
from castiron.transport.errors import EndpointRefused, KeyUnusable
from castiron.transport.keys.allowlist import allow_list_beside
from castiron.transport.keys.certificate import make_pair
from castiron.transport.keys.protection import client_keys, needs_keys, public_key
from castiron.transport.verbs import AnyVerb
from tests.support.keyring import Keyring

OFF_THIS_MACHINE = parse_endpoint("tcp://192.0.2.7:5570")
LOOPBACK = parse_endpoint("tcp://127.0.0.1:5570")


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "ipc:///run/castiron/conductor.ipc",
        *("tcp://127.0.0.1:1", "tcp://127.255.255.254:*", "tcp://127.9.8.7:0", "tcp://[::1]:1", "tcp://localhost:1"),
    ],
)
def test_what_only_this_machine_can_reach_needs_none(text: str) -> None:
    assert not needs_keys(parse_endpoint(text))


@pytest.mark.parametrize(
    "text",
    [
        *("tcp://*:1", "tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://192.0.2.7:1", "tcp://10.0.0.1:1", "tcp://126.0.0.1:1"),
        *("tcp://128.0.0.1:1", "tcp://169.254.1.1:1", "tcp://[2001:db8::1]:1", "tcp://[fe80::1%eth0]:1"),
        *("tcp://[::ffff:192.0.2.7]:1", "tcp://[::2]:1", "tcp://eth0:1", "tcp://example.org:1", "tcp://127.1:1"),
        *("tcp://localhost.example.org:1", "tcp://LOCALHOST:1", "tcp://2130706433:1", "tcp://0x7f000001:1"),
    ],
)
def test_everything_else_does(text: str) -> None:
    assert needs_keys(parse_endpoint(text))


def test_where_none_are_needed_none_are_used_unless_they_are_named(ring: Keyring) -> None:
    assert client_keys(LOOPBACK, None, None, {}) is None
    keys = client_keys(LOOPBACK, ring.secret("alice"), ring.public("server"), {})
    assert keys == ring.keys("alice")
    assert client_keys(parse_endpoint("ipc:///a"), "/nowhere", "/nowhere", {}) is None


def test_arguments_go_before_the_environment(ring: Keyring) -> None:
    environment = {"CASTIRON_CLIENT_KEY": str(ring.secret("bob")), "CASTIRON_SERVER_KEY": ring.public("server")}

    assert client_keys(LOOPBACK, None, None, environment) == ring.keys("bob")
    assert client_keys(OFF_THIS_MACHINE, ring.secret("alice"), None, environment) == ring.keys("alice")
    assert client_keys(LOOPBACK, None, None, dict.fromkeys(environment, "")) is None


def test_off_this_machine_nobody_goes_without(ring: Keyring) -> None:
    with pytest.raises(EndpointRefused, match=r"keys only.*--key.*CASTIRON_CLIENT_KEY.*--server-key") as caught:
        client_keys(OFF_THIS_MACHINE, None, None, {})
    assert caught.value.details == {"endpoint": "tcp://192.0.2.7:5570"}


@pytest.mark.parametrize("endpoint", [LOOPBACK, OFF_THIS_MACHINE], ids=str)
def test_one_of_the_two_is_not_enough(ring: Keyring, endpoint: object) -> None:
    place = parse_endpoint(str(endpoint))
    with pytest.raises(EndpointRefused, match="Name also the conductor's public key"):
        client_keys(place, ring.secret("alice"), None, {})
    with pytest.raises(EndpointRefused, match="Name also your secret key file"):
        client_keys(place, None, ring.public("server"), {})


def test_a_public_key_is_given_as_itself_or_as_a_file(ring: Keyring) -> None:
    made = ring.made("server")

    assert public_key(made.public) == public_key(made.public_path) == public_key(str(made.secret_path)) == made.public
    for wrong in ("", made.public[1:], str(ring.folder), "/nowhere", "x" * 5000, made.public[:-1] + "~"):
        with pytest.raises(KeyUnusable):
            public_key(wrong)


def test_with_keys_there_is_a_guard_wherever_others_can_connect(ring: Keyring) -> None:
    store = ring.folder / "server.db"
    place = {"server_key_path": None, "allow_path": None, "store": store}
    for text in ("ipc:///a", "tcp://127.0.0.1:1", "tcp://[::1]:1"):
        assert open_guard(parse_endpoint(text), **place) is None
    make_pair(ring.folder, f"{store.name}.server")
    ring.allow("alice")
    ring.allow_path.rename(allow_list_beside(store))

    for text in ("tcp://0.0.0.0:5570", "tcp://[::]:5570", "tcp://192.0.2.7:5570"):
        guard = open_guard(parse_endpoint(text), **place)
        assert guard is not None
        assert [one.name for one in guard.allowed] == ["alice"]
        door = FrontDoor(text, Nobody(), now=time.monotonic, guard=guard)
        assert door.endpoint == text


class Nobody:
    """Stands behind a door that is not opened."""

    def handle(self, verb: AnyVerb, peer: PeerInfo, answer: Answer) -> None:
        raise NotImplementedError
