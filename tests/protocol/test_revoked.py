"""A list that changes while the conductor runs: who is cut off, who is let in, and what becomes of what was asked."""

import threading

import pytest

from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.blocking.conversation import block
from castiron.transport.clients.blocking.running import run
from castiron.transport.clients.sockets.subscription import Subscription
from castiron.transport.endpoint import parse_endpoint
from castiron.transport.errors import CastironError, KeyRefused, VerbForbidden
from castiron.transport.verbs import RequestWait
from castiron.transport.vocabulary import Role
from tests.protocol.conftest import ClientOf, House
from tests.support.deadline import until
from tests.support.keyring import Keyring, follows
from tests.support.raw_peer import RawPeer

SOON_S = 20.0


def test_a_key_that_is_allowed_later_is_let_in_without_a_restart_by_the_same_client(
    client_of: ClientOf, guarded: House, ring: Keyring
) -> None:
    with client_of("bob", timeout_s=600) as client:
        with pytest.raises(KeyRefused):
            client.ping()
        ring.allow("bob", Role.READER)
        follows(guarded.door, 1)

        assert client.ping().boot_id == guarded.conductor.boot_id


def test_a_revoked_key_is_cut_off_while_it_is_connected_and_the_others_go_on(
    client_of: ClientOf, guarded: House, ring: Keyring
) -> None:
    ring.allow("alice")
    ring.allow("mallory")
    follows(guarded.door, 2)
    with client_of("alice") as alice, client_of("mallory") as mallory:
        alice.nodes.create("n1")
        mallory.ping()
        asked = len(guarded.conductor.asked)

        ring.revoke("mallory")
        follows(guarded.door, 1)

        for verb in (mallory.ping, lambda: mallory.nodes.delete("n1")):
            with pytest.raises(KeyRefused, match="any more"):
                verb()
        assert len(guarded.conductor.asked) == asked, "nothing of it reached the conductor"
        assert [node.name for node in alice.nodes.list()] == ["n1"]
    with client_of("mallory") as again, pytest.raises(KeyRefused, match="not in the allow-list"):
        again.ping()


def test_what_a_revoked_key_waits_for_ends_at_once(guarded: House, ring: Keyring) -> None:
    ring.allow("mallory")
    follows(guarded.door, 1)
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
    client_of: ClientOf, guarded: House, ring: Keyring
) -> None:
    ring.allow("alice", Role.ADMIN)
    follows(guarded.door, 1)
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


def test_a_revoked_subscriber_gets_no_more_events_and_another_misses_none(
    client_of: ClientOf, guarded: House, ring: Keyring
) -> None:
    ring.allow("alice")
    ring.allow("mallory", Role.READER)
    follows(guarded.door, 2)
    place = parse_endpoint(guarded.door.events_endpoint or "")
    spy = Subscription(place, block, (b"",), keys=ring.keys("mallory"))
    until(lambda: run(spy.receive(0.1)) is not None, timeout_s=SOON_S)  # a heartbeat: it is subscribed
    told: list[str] = []
    with client_of("alice") as alice, client_of("mallory") as mallory:
        names = [f"n{number}" for number in range(6)]
        stream, other = alice.events(told=told.append), mallory.events()
        alice.nodes.create(names[0])
        assert [one.within(SOON_S) is not None for one in (stream, other)] == [True, True]
        until(lambda: b"events/" in (run(spy.receive(0.1)) or [b""])[0], timeout_s=SOON_S)

        ring.revoke("mallory")
        follows(guarded.door, 1)
        until(lambda: guarded.door.counters()["events_reopened"] == 1, timeout_s=SOON_S)
        for name in names[1:]:
            alice.nodes.create(name)

        got = [stream.within(SOON_S) for _ in names[1:]]
        assert [event.node for event in got if event is not None] == names[1:]
        with pytest.raises(KeyRefused):
            other.within(SOON_S)
        heard = [message for _ in range(5) if (message := run(spy.receive(0.1))) is not None]
        assert [message for message in heard if b"events/" in message[0]] == []
    spy.close()


def test_who_never_listened_costs_nobody_the_stream(client_of: ClientOf, guarded: House, ring: Keyring) -> None:
    ring.allow("alice")
    ring.allow("quiet")
    follows(guarded.door, 2)
    with client_of("alice") as alice, client_of("quiet") as quiet:
        quiet.ping()
        stream = alice.events()
        ring.revoke("quiet")
        follows(guarded.door, 1)
        alice.nodes.create("n1")

        assert stream.within(SOON_S) is not None
    assert guarded.door.counters()["events_reopened"] == 0


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"version":1,"keys":"*"}', b"\x00" * 64, b'{"version":2,"keys":[]}']
)
def test_a_list_that_is_none_leaves_the_one_before_in_force(
    client_of: ClientOf, guarded: House, ring: Keyring, content: bytes
) -> None:
    ring.allow("alice")
    follows(guarded.door, 1)
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


def test_a_list_that_is_gone_leaves_the_one_before_in_force(client_of: ClientOf, guarded: House, ring: Keyring) -> None:
    ring.allow("alice")
    follows(guarded.door, 1)
    ring.allow_path.unlink()
    until(lambda: guarded.door.counters()["allow_list_unusable"] == 1, timeout_s=SOON_S)

    with client_of("alice") as alice:
        assert alice.ping()


def test_many_keys_come_and_go_at_once(guarded: House, ring: Keyring) -> None:
    names = [f"k{number}" for number in range(8)]
    for name in names:
        ring.allow(name, Role.READER)
    follows(guarded.door, len(names))
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
