"""A conductor that takes keys: who is let in, as whom, for what, and for how long. Real sockets, on loopback."""

import itertools
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from castiron.transport import verbs
from castiron.transport.clients.client import Client
from castiron.transport.clients.subscription import Subscription
from castiron.transport.doors.guard import Guard
from castiron.transport.endpoint import parse_endpoint
from castiron.transport.errors import (
    CastironError,
    ConductorLost,
    HandshakeFailed,
    KeyRefused,
    NodeNotFound,
    VerbForbidden,
)
from castiron.transport.keys.allowlist import includes
from castiron.transport.keys.certificate import KeyPair
from castiron.transport.keys.follower import Follower
from castiron.transport.session import DEFAULT_LIMITS
from castiron.transport.verbs import VERBS, Ping, RequestWait
from castiron.transport.vocabulary import Role
from tests.protocol.conftest import House, Opener
from tests.support.deadline import until
from tests.support.keyring import Keyring
from tests.support.raw_peer import RawPeer, packed

ENDPOINTS = ("tcp://127.0.0.1:0", "tcp://127.7.7.7:0")
SOON_S = 20.0


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path)


@pytest.fixture
def guarded(open_house: Opener, ring: Keyring) -> House:
    return open_house(ENDPOINTS[0], guard=ring.guard())


@pytest.fixture
def client_of(guarded: House, ring: Keyring) -> Callable[..., Client]:
    def client(name: str, server: str = "server", timeout_s: float = SOON_S) -> Client:
        return Client(guarded.endpoint, timeout_s=timeout_s, key=ring.secret(name), server_key=ring.public(server))

    return client


def follows(house: House, count: int) -> None:
    """Wait until the conductor has so many keys in its list."""
    until(lambda: house.door.counters()["keys_allowed"] == count, timeout_s=SOON_S)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
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
    client_of: Callable[..., Client], guarded: House, ring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    with client_of("mallory", timeout_s=600) as client:
        for _ in range(2):
            with pytest.raises(KeyRefused, match="castiron keys allow NAME") as caught:
                client.ping()

    assert ring.public("mallory") in caught.value.message
    assert caught.value.applied == "no"
    assert guarded.door.counters()["handshakes_denied"] >= 2
    assert guarded.conductor.asked == []
    assert [ring.public("mallory") in record.getMessage() for record in caplog.records] == [True], "once in a while"


def test_a_key_that_is_allowed_later_is_let_in_without_a_restart_by_the_same_client(
    client_of: Callable[..., Client], guarded: House, ring: Keyring
) -> None:
    with client_of("bob", timeout_s=600) as client:
        with pytest.raises(KeyRefused):
            client.ping()
        ring.allow("bob", Role.READER)
        follows(guarded, 1)

        assert client.ping().boot_id == guarded.conductor.boot_id


def test_a_wrong_server_key_is_told_and_nothing_is_sent(
    client_of: Callable[..., Client], guarded: House, ring: Keyring
) -> None:
    ring.allow("alice")
    follows(guarded, 1)
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
        pytest.raises(HandshakeFailed, match="does not use keys"),
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


def test_a_revoked_key_is_cut_off_while_it_is_connected_and_the_others_go_on(
    client_of: Callable[..., Client], guarded: House, ring: Keyring
) -> None:
    ring.allow("alice")
    ring.allow("mallory")
    follows(guarded, 2)
    with client_of("alice") as alice, client_of("mallory") as mallory:
        alice.nodes.create("n1")
        mallory.ping()
        asked = len(guarded.conductor.asked)

        ring.revoke("mallory")
        follows(guarded, 1)

        for verb in (mallory.ping, lambda: mallory.nodes.delete("n1")):
            with pytest.raises(KeyRefused, match="any more"):
                verb()
        assert len(guarded.conductor.asked) == asked, "nothing of it reached the conductor"
        assert [node.name for node in alice.nodes.list()] == ["n1"]
    with client_of("mallory") as again, pytest.raises(KeyRefused, match="not in the allow-list"):
        again.ping()


def test_what_a_revoked_key_waits_for_ends_at_once(guarded: House, ring: Keyring) -> None:
    ring.allow("mallory")
    follows(guarded, 1)
    guarded.conductor.held.add("n1")
    keys = ring.keys("mallory")
    with RawPeer(guarded.endpoint, keys=keys) as peer:
        created = peer.ask({"verb": "node.create", "name": "n1", "driver_info": {"ipmi_address": "127.0.0.1"}})
        assert created.result["name"] == "n1"
        request = peer.ask({"verb": "node.power.set", "node": "n1", "target": "power on"}, b"2").result["id"]
        peer.say(b"3", {"verb": "request.wait", "request": request, "timeout_s": 600})
        until(lambda: any(isinstance(verb, RequestWait) for verb in guarded.conductor.asked), timeout_s=SOON_S)

        ring.revoke("mallory")

        refused = peer.hear(SOON_S)
        assert (refused.id, refused.kind, refused.code) == (b"3", b"final", "key.refused")
        until(lambda: guarded.door.counters()["in_flight"] == 0, timeout_s=SOON_S)
        guarded.conductor.let_go("n1")
        assert guarded.conductor.requests[request] is not None
    until(lambda: guarded.conductor.requests[request].state == "succeeded", timeout_s=SOON_S)
    assert guarded.door.counters()["doubled"] == 0


def test_a_role_that_is_taken_away_holds_for_the_next_message(
    client_of: Callable[..., Client], guarded: House, ring: Keyring
) -> None:
    ring.allow("alice", Role.ADMIN)
    follows(guarded, 1)
    with client_of("alice") as client:
        client.nodes.create("n1")
        ring.allow("alice", Role.READER)
        until(lambda: guarded.door.counters()["allow_list_changes"] == 2, timeout_s=SOON_S)

        with pytest.raises(VerbForbidden) as caught:
            client.nodes.create("n2")

        assert caught.value.details == {"verb": "node.create", "role": "reader", "needs": "admin"}
        assert "reader" in caught.value.message
        assert "admin" in caught.value.message
        assert [node.name for node in client.nodes.list()] == ["n1"]


ARGUMENTS: dict[str, Any] = {
    "name": "n9",
    "node": "n9",
    "target": "power on",
    "boot_device": "pxe",
    "request": "none",
    "timeout_s": 1,
}
"""Of verbs that nothing is known about: a node and a request that do not exist."""


def least(tag: str) -> dict[str, Any]:
    """Return a verb with what it cannot do without."""
    required = [field.encode_name for field in verbs_fields(tag) if field.required]
    return {"verb": tag, **{name: ARGUMENTS[name] for name in required}}


def verbs_fields(tag: str) -> Any:
    from msgspec.structs import fields  # noqa: PLC0415 - beside its one use

    return fields(VERBS[tag])


@pytest.mark.parametrize("role", Role)
def test_each_role_may_use_its_verbs_and_no_others(guarded: House, ring: Keyring, role: Role) -> None:
    ring.allow("someone", role)
    follows(guarded, 1)
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


def test_events_are_for_those_who_are_let_in(client_of: Callable[..., Client], guarded: House, ring: Keyring) -> None:
    ring.allow("alice")
    follows(guarded, 1)
    assert guarded.door.events_endpoint is not None
    place = parse_endpoint(guarded.door.events_endpoint)
    strangers = [
        Subscription(place, (b"",)),
        Subscription(place, (b"",), keys=ring.keys("mallory")),
        Subscription(place, (b"",), keys=ring.keys("alice", server="another")),
    ]
    with client_of("alice") as alice:
        stream = alice.events()
        alice.nodes.create("n1")
        event = stream.within(SOON_S)

        assert event is not None
        assert event.node == "n1"
    for stranger in strangers:
        assert stranger.receive(0) is None
        stranger.close()
    until(lambda: guarded.door.counters()["handshakes_denied"] >= 1, timeout_s=SOON_S)


def test_a_revoked_subscriber_gets_no_more_events_and_another_misses_none(
    client_of: Callable[..., Client], guarded: House, ring: Keyring
) -> None:
    ring.allow("alice")
    ring.allow("mallory", Role.READER)
    follows(guarded, 2)
    place = parse_endpoint(guarded.door.events_endpoint or "")
    spy = Subscription(place, (b"events/",), keys=ring.keys("mallory"))
    told: list[str] = []
    with client_of("alice") as alice, client_of("mallory") as mallory:
        names = [f"n{number}" for number in range(6)]
        stream, other = alice.events(told=told.append), mallory.events()
        alice.nodes.create(names[0])
        assert [one.within(SOON_S) is not None for one in (stream, other)] == [True, True]
        assert spy.receive(SOON_S) is not None

        ring.revoke("mallory")
        follows(guarded, 1)
        until(lambda: guarded.door.counters()["events_reopened"] == 1, timeout_s=SOON_S)
        for name in names[1:]:
            alice.nodes.create(name)

        got = [stream.within(SOON_S) for _ in names[1:]]
        assert [event.node for event in got if event is not None] == names[1:]
        with pytest.raises(KeyRefused):
            other.within(SOON_S)
        assert spy.receive(0.3) is None
    spy.close()


def test_who_never_listened_costs_nobody_the_stream(
    client_of: Callable[..., Client], guarded: House, ring: Keyring
) -> None:
    ring.allow("alice")
    ring.allow("quiet")
    follows(guarded, 2)
    with client_of("alice") as alice, client_of("quiet") as quiet:
        quiet.ping()
        stream = alice.events()
        ring.revoke("quiet")
        follows(guarded, 1)
        alice.nodes.create("n1")

        assert stream.within(SOON_S) is not None
    assert guarded.door.counters()["events_reopened"] == 0


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"version":1,"keys":"*"}', b"\x00" * 64, b'{"version":2,"keys":[]}']
)
def test_a_list_that_is_none_leaves_the_one_before_in_force(
    client_of: Callable[..., Client], guarded: House, ring: Keyring, content: bytes
) -> None:
    ring.allow("alice")
    follows(guarded, 1)
    right = ring.allow_path.read_bytes()
    with client_of("alice") as alice, client_of("mallory") as mallory:
        ring.allow_path.write_bytes(content)
        until(lambda: guarded.door.counters()["allow_list_unusable"] == 1, timeout_s=SOON_S)

        assert alice.ping()
        with pytest.raises(KeyRefused):
            mallory.ping()
        ring.allow_path.write_bytes(right)
        until(lambda: guarded.door.counters()["allow_list_unusable"] == 0, timeout_s=SOON_S)
        assert alice.ping()


def test_a_list_that_is_gone_leaves_the_one_before_in_force(
    client_of: Callable[..., Client], guarded: House, ring: Keyring
) -> None:
    ring.allow("alice")
    follows(guarded, 1)
    ring.allow_path.unlink()
    until(lambda: guarded.door.counters()["allow_list_unusable"] == 1, timeout_s=SOON_S)

    with client_of("alice") as alice:
        assert alice.ping()


def test_bytes_that_are_no_handshake_disturb_nobody(
    client_of: Callable[..., Client], guarded: House, ring: Keyring
) -> None:
    ring.allow("alice")
    follows(guarded, 1)
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
    follows(guarded, 2)
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
    for option, value in (
        Guard(KeyPair("", ring.keys("server").pair.secret), Follower(ring.allow_path)).options().items()
    ):
        router.setsockopt(option, value)
    port = router.bind_to_random_port("tcp://127.0.0.1")

    with RawPeer(f"tcp://127.0.0.1:{port}", keys=ring.keys("alice")) as peer:
        peer.socket.send_multipart([b"castiron/1", b"1", packed({"verb": "ping"})])
        assert not router.poll(300)
    router.close(linger=0)
    context.term()


def test_many_keys_come_and_go_at_once(guarded: House, ring: Keyring) -> None:
    names = [f"k{number}" for number in range(8)]
    for name in names:
        ring.allow(name, Role.READER)
    follows(guarded, len(names))
    outcomes: dict[str, list[str]] = {name: [] for name in names}

    def ask(name: str) -> None:
        key, server = ring.secret(name), ring.public("server")
        for _ in range(5):
            with Client(guarded.endpoint, timeout_s=SOON_S, key=key, server_key=server) as client:
                try:
                    client.ping()
                    outcomes[name].append("ok")
                except CastironError as error:
                    outcomes[name].append(type(error).__name__)

    for name in names:
        ring.secret(name)
    threads = [threading.Thread(target=ask, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    ring.revoke("k0")
    for thread in threads:
        thread.join(60)

    assert all(outcomes[name] == ["ok"] * 5 for name in names[1:]), outcomes
    assert set(outcomes["k0"]) <= {"ok", "KeyRefused"}


def test_a_refusal_of_the_conductors_is_not_one_of_the_door(
    client_of: Callable[..., Client], guarded: House, ring: Keyring
) -> None:
    ring.allow("alice", Role.READER)
    follows(guarded, 1)
    with client_of("alice") as alice, pytest.raises(NodeNotFound):
        alice.nodes.show("n1")


def test_limits_are_those_of_every_door(guarded: House, ring: Keyring) -> None:
    ring.allow("alice", Role.READER)
    follows(guarded, 1)
    with RawPeer(guarded.endpoint, keys=ring.keys("alice")) as peer:
        assert peer.ask({"verb": "ping"}).result
        peer.send(b"castiron/1", b"1", b"x" * 100_000)
        assert peer.hear().code == "frame.too_large"
        assert peer.ask(dict(verb="nonsense")).code == "verb.unknown"
    assert guarded.door.limits == DEFAULT_LIMITS
    assert Ping().role is Role.READER
    assert isinstance(verbs.COMMON_ERRORS, tuple)
