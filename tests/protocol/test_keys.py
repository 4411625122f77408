"""A conductor that takes keys: who is let in, as whom, and for what. Real sockets, on loopback."""

import itertools
import os
import socket
from typing import Any

import pytest
import zmq
from msgspec.structs import fields

from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.blocking.conversation import block
from castiron.transport.clients.blocking.running import run
from castiron.transport.clients.sockets.subscription import Subscription
from castiron.transport.doors.guard import Guard
from castiron.transport.endpoint import parse_endpoint
from castiron.transport.errors import (
    ConductorLost,
    HandshakeFailed,
    KeyRefused,
    NodeNotFound,
)
from castiron.transport.keys.allowlist import includes
from castiron.transport.keys.follower import Follower
from castiron.transport.verbs import VERBS
from castiron.transport.vocabulary import Role
from tests.protocol.conftest import ClientOf, House, Opener
from tests.support.deadline import until
from tests.support.keyring import Keyring, follows
from tests.support.raw_peer import RawPeer, packed

SOON_S = 20.0


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:0", "tcp://127.7.7.7:0"])
def test_a_key_of_the_list_is_let_in_and_its_name_is_who_asks(open_house: Opener, ring: Keyring, endpoint: str) -> None:
    ring.allow("alice")
    house = open_house(endpoint, guard=ring.guard())

    with Client(
        house.endpoint, key=ring.secret("alice"), server_key=ring.made("server").public_path, name="root"
    ) as one:
        one.nodes.create("n1")

    assert {peer.requester for peer in house.conductor.requesters} == {"curve:alice"}
    assert house.conductor.requesters[-1].who == "curve:alice (root)"
    assert house.door.counters()["handshakes_denied"] == 0


def test_a_key_that_is_not_in_the_list_is_told_so_at_once_and_what_to_do(
    client_of: ClientOf, guarded: House, ring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    with client_of("mallory", timeout_s=600) as client:
        with pytest.raises(KeyRefused, match="castiron keys allow NAME") as caught:
            client.ping()
        with pytest.raises(KeyRefused):  # asked anew, and not only remembered
            client.ping()

    assert ring.public("mallory") in caught.value.message
    assert caught.value.applied == "no"
    assert guarded.door.counters()["handshakes_denied"] >= 2
    assert guarded.conductor.asked == []
    assert [ring.public("mallory") in record.getMessage() for record in caplog.records] == [True], "once in a while"


def test_a_wrong_server_key_is_told_and_nothing_is_sent(client_of: ClientOf, guarded: House, ring: Keyring) -> None:
    ring.allow("alice")
    follows(guarded.door, 1)
    with (
        client_of("alice", server="another", timeout_s=600) as client,
        pytest.raises(HandshakeFailed, match="not its public key"),
    ):
        client.nodes.create("n1")

    assert guarded.conductor.asked == []


def test_a_client_without_keys_is_told_to_name_them(guarded: House) -> None:
    with Client(guarded.endpoint, timeout_s=600) as client, pytest.raises(HandshakeFailed, match="--key") as caught:
        client.nodes.create("n1")

    assert caught.value.applied == "no"
    assert guarded.conductor.asked == []


def test_a_client_with_keys_is_told_that_a_conductor_takes_none(open_house: Opener, ring: Keyring) -> None:
    house = open_house("tcp://127.0.0.1:0")

    with (
        Client(house.endpoint, timeout_s=600, key=ring.secret("alice"), server_key=ring.public("server")) as client,
        pytest.raises(HandshakeFailed, match="does not use keys"),  # told for certain, or as what is likely
    ):
        client.ping()


def test_on_a_unix_socket_keys_are_left_alone(house: House, ring: Keyring) -> None:
    with Client(house.endpoint, key=ring.secret("alice"), server_key=ring.public("server")) as client:
        client.ping()

    assert house.conductor.requesters[-1].requester == f"ipc:uid={os.getuid()}"


def test_nobody_who_listens_is_told_as_without_keys(ring: Keyring) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with (
        Client(endpoint, timeout_s=0.5, key=ring.secret("alice"), server_key=ring.public("server")) as client,
        pytest.raises(ConductorLost, match="Nothing listens there"),
    ):
        client.ping()


ARGUMENTS: dict[str, Any] = {
    "name": "n9",
    "node": "n9",
    "target": "power on",
    "boot_device": "pxe",
    "request": "none",
    "timeout_s": 1,
    "order": {"verb": "node.boot_device.get"},
    "bulk": "none",
    "periodic": "none",
    "runbook": "none",
    "steps": [{"step": "power_on"}],
    "allocation": "none",
    "resource_class": "none",
    "token": "none",
}
"""Of verbs that nothing is known about: a node and a request that do not exist."""


def least(tag: str) -> dict[str, Any]:
    """Return a verb with what it cannot do without."""
    required = [field.encode_name for field in fields(VERBS[tag]) if field.required]
    own: dict[str, dict[str, Any]] = {"bulk.run": {"nodes": ["n9"]}, "node.provision.set": {"target": "manage"}}
    chosen = own.get(tag, {})
    return {"verb": tag, **{name: ARGUMENTS[name] for name in required}, **chosen}


@pytest.mark.parametrize("role", Role)
def test_each_role_may_use_its_verbs_and_no_others(guarded: House, ring: Keyring, role: Role) -> None:
    ring.allow("someone", role)
    follows(guarded.door, 1)
    numbers = itertools.count(1)
    with RawPeer(guarded.endpoint, keys=ring.keys("someone")) as peer:
        for tag, verb in VERBS.items():
            asked = len(guarded.conductor.asked)
            answer = peer.ask(least(tag), str(next(numbers)).encode())
            is_forbidden = answer.body.get("error", {}).get("code") == "verb.forbidden"
            assert is_forbidden != includes(role, verb.role), (tag, answer.body)
            if is_forbidden:
                assert answer.error["details"] == {"verb": tag, "role": role.value, "needs": verb.role.value}
                assert len(guarded.conductor.asked) == asked, "it did not get that far"
    forbidden = [verb for verb in VERBS.values() if not includes(role, verb.role)]
    assert guarded.door.counters()["verbs_forbidden"] == len(forbidden)


@pytest.mark.parametrize("role", Role)
def test_only_an_admin_takes_somebody_elses_lock_away(guarded: House, ring: Keyring, role: Role) -> None:
    ring.allow("someone", role)
    follows(guarded.door, 1)
    with RawPeer(guarded.endpoint, keys=ring.keys("someone")) as peer:
        answer = peer.ask({"verb": "node.lock.unset", "node": "n9", "force": True})

    expected = "node.not_found" if role is Role.ADMIN else "verb.forbidden"
    assert answer.error["code"] == expected
    if role is not Role.ADMIN:
        assert answer.error["details"] == {"verb": "node.lock.unset", "role": role.value, "needs": "admin"}


def test_events_are_for_those_who_are_let_in(client_of: ClientOf, guarded: House, ring: Keyring) -> None:
    ring.allow("alice")
    follows(guarded.door, 1)
    assert guarded.door.events_endpoint is not None
    place = parse_endpoint(guarded.door.events_endpoint)
    strangers = [
        Subscription(place, block, (b"",)),
        Subscription(place, block, (b"",), keys=ring.keys("mallory")),
        Subscription(place, block, (b"",), keys=ring.keys("alice", server="another")),
    ]
    with client_of("alice") as alice:
        stream = alice.events()
        alice.nodes.create("n1")
        event = stream.within(SOON_S)

        assert event is not None
        assert event.node == "n1"
    for stranger in strangers:
        assert [run(stranger.receive(0.1)) for _ in range(3)] == [None] * 3
        stranger.close()
    until(lambda: guarded.door.counters()["handshakes_denied"] >= 1, timeout_s=SOON_S)


def test_bytes_that_are_no_handshake_disturb_nobody(client_of: ClientOf, guarded: House, ring: Keyring) -> None:
    ring.allow("alice")
    follows(guarded.door, 1)
    place = parse_endpoint(guarded.endpoint)
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE".ljust(22, b"\0") + bytes(32)
    hello = b"\x04\xc8\x05HELLO\x01\x00" + bytes(192)
    with client_of("alice") as alice:
        for noise in (
            os.urandom(4096),
            greeting,
            greeting + hello,
            greeting + b"\x04\xff" + os.urandom(300),
            b"GET / HTTP",
        ):
            with socket.create_connection((place.address, place.port)) as stranger:
                stranger.sendall(noise)
            assert alice.ping()
    assert guarded.door.is_alive()


def test_somebody_with_the_routing_id_of_another_is_not_taken_for_them(guarded: House, ring: Keyring) -> None:
    ring.allow("alice", Role.ADMIN)
    ring.allow("bob", Role.READER)
    follows(guarded.door, 2)
    with RawPeer(guarded.endpoint, identity=b"same", keys=ring.keys("alice")) as alice:
        alice.ask({"verb": "hello", "client": "alice's"})

    def forbidden() -> bool:
        """Ask as a peer with the same id; nobody answers while the last one has not quite gone."""
        with RawPeer(guarded.endpoint, identity=b"same", keys=ring.keys("bob")) as bob:
            bob.say(b"1", {"verb": "node.create", "name": "n1"})
            return not bob.is_quiet(0.5) and bob.hear().code == "verb.forbidden"

    until(forbidden, timeout_s=SOON_S)
    assert guarded.conductor.nodes == {}


def test_a_door_without_a_handler_lets_nobody_in(guarded: House, ring: Keyring) -> None:
    ring.allow("alice")
    context = zmq.Context[zmq.Socket[bytes]]()
    router = context.socket(zmq.ROUTER)
    for option, value in Guard(ring.keys("server").pair, Follower(ring.allow_path)).options().items():
        router.setsockopt(option, value)
    port = router.bind_to_random_port("tcp://127.0.0.1")

    with RawPeer(f"tcp://127.0.0.1:{port}", keys=ring.keys("alice")) as peer:
        peer.socket.send_multipart([b"castiron/1", b"1", packed({"verb": "ping"})])
        assert not router.poll(300)
    router.close(linger=0)
    context.term()


def test_a_refusal_of_the_conductors_is_not_one_of_the_door(client_of: ClientOf, guarded: House, ring: Keyring) -> None:
    ring.allow("alice", Role.READER)
    follows(guarded.door, 1)
    with client_of("alice") as alice, pytest.raises(NodeNotFound):
        alice.nodes.show("n1")


def test_what_is_not_of_the_protocol_is_answered_as_everywhere(guarded: House, ring: Keyring) -> None:
    ring.allow("alice", Role.READER)
    follows(guarded.door, 1)
    with RawPeer(guarded.endpoint, keys=ring.keys("alice")) as peer:
        assert peer.ask({"verb": "ping"}).result
        peer.send(b"castiron/1", b"1", b"x" * 100_000)
        assert peer.hear().code == "frame.too_large"
        assert peer.ask({"verb": "nonsense"}).code == "verb.unknown"
