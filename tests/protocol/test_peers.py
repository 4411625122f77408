"""Peers that misbehave, limits, and the front door's own life."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import zmq

from castiron.transport import replies, verbs
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.doors.callers import ipc_requester
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.doors.listener import SEND_HIGH_WATER_MARK
from castiron.transport.endpoint import parse_endpoint
from castiron.transport.frames import FINAL, HEADER
from castiron.transport.session import DEFAULT_LIMITS, Caller, Limits, Session
from tests.fuzz.vandals import OLD, connected
from tests.protocol.conftest import House, Opener, World
from tests.support.deadline import until as comes_about
from tests.support.raw_peer import RawPeer, packed

PING = {"verb": "ping"}


def create(peer: RawPeer, name: str = "n1", **fields: object) -> None:
    assert peer.ask({"verb": "node.create", "name": name, "driver": "fake", **fields}).result


def power(name: str = "n1", **fields: object) -> dict[str, object]:
    return {"verb": "node.power.set", "node": name, "target": "power on", **fields}


def until(condition: Callable[[], bool], peer: RawPeer) -> None:
    """Ping until a condition holds; each answer means that the front door has done what came before."""
    deadline = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline
        peer.ask(PING, b"until")


def test_a_client_that_never_reads_is_dropped_for_and_nobody_waits(house: House) -> None:
    with RawPeer(house.endpoint, receive_hwm=1) as greedy, RawPeer(house.endpoint) as modest:
        create(modest, extra={"ballast": "x" * 30_000})
        for number in range(2000):
            greedy.send(HEADER, b"%d" % number, packed({"verb": "node.show", "node": "n1"}))
        until(lambda: house.door.counters()["received"] > 2000, modest)

        until(lambda: house.door.counters()["in_flight"] == 0, modest)
        assert house.door.counters()["dropped"] > 2000 - 2 * SEND_HIGH_WATER_MARK
        assert modest.ask(PING).result


def test_a_client_that_vanishes_is_counted_when_its_answers_come(house: House) -> None:
    with RawPeer(house.endpoint) as witness:
        create(witness)
        house.conductor.held.add("n1")
        request = witness.ask(power()).result
        with RawPeer(house.endpoint) as ghost:
            for number in range(1, 11):  # ending one after the other: the first may come before the end is noticed
                ghost.say(b"%d" % number, {"verb": "request.wait", "request": request["id"], "timeout_s": number / 20})
            until(lambda: house.door.counters()["in_flight"] >= 9, witness)
        until(lambda: house.door.counters()["in_flight"] == 0, witness)

        assert 1 <= house.door.counters()["dropped"] <= 10


def test_a_silent_peer_is_forgotten_and_its_wait_withdrawn(open_house: Opener) -> None:
    house = open_house(limits=Limits(heartbeat_interval_s=0.05, liveness=2))
    with RawPeer(house.endpoint) as witness, RawPeer(house.endpoint) as silent:
        create(witness)
        house.conductor.held.add("n1")
        request = witness.ask(power()).result
        silent.say(b"w", {"verb": "request.wait", "request": request["id"], "timeout_s": 60})
        until(lambda: witness.ask({"verb": "status"}).result["requests"]["waiters"] == 2, witness)
        until(lambda: house.door.counters()["peers"] == 1, witness)

        until(lambda: house.door.counters()["in_flight"] == 0, witness)
        assert witness.ask({"verb": "status"}).result["requests"]["waiters"] == 1


def test_an_answer_for_a_peer_that_is_gone_is_counted_as_late(open_house: Opener) -> None:
    house = open_house(limits=Limits(heartbeat_interval_s=0.05, liveness=2))
    with RawPeer(house.endpoint) as witness, RawPeer(house.endpoint) as silent:
        create(witness)
        house.conductor.held.add("n1")
        silent.say(b"p", power(replies="final"))
        until(lambda: house.door.counters()["peers"] == 2, witness)
        until(lambda: house.door.counters()["peers"] == 1, witness)
        house.conductor.let_go("n1")
        until(lambda: house.door.counters()["late"] == 1, witness)

        assert silent.is_quiet(0.05)


def test_the_limit_for_one_peer_is_told_and_leaves_room_for_others(open_house: Opener) -> None:
    house = open_house(limits=Limits(in_flight_per_peer=3))
    with RawPeer(house.endpoint) as greedy, RawPeer(house.endpoint) as modest:
        create(modest)
        house.conductor.held.add("n1")
        request = modest.ask(power()).result
        wait = {"verb": "request.wait", "request": request["id"], "timeout_s": 60}
        for number in range(4):
            greedy.say(b"%d" % number, wait)
        refused = greedy.hear()

        assert (refused.id, refused.code) == (b"3", "conductor.overloaded")
        assert refused.error["details"] == {"limit": 3, "what": "in_flight_per_peer"}
        assert refused.error["retry_after_s"] > 0
        assert modest.ask(PING).result
        house.conductor.let_go("n1")
        assert {greedy.hear().id for _ in range(3)} == {b"0", b"1", b"2"}
        assert greedy.ask(PING).result


def test_the_limit_for_all_peers_is_told(open_house: Opener) -> None:
    house = open_house(limits=Limits(in_flight=2))
    with RawPeer(house.endpoint) as one, RawPeer(house.endpoint) as other:
        create(one)
        house.conductor.held.add("n1")
        request = one.ask(power()).result
        for number in range(2):
            one.say(b"%d" % number, {"verb": "request.wait", "request": request["id"], "timeout_s": 60})
        refused = one.ask(PING, b"p")  # after the waits, on the same connection

        assert refused.error["details"] == {"limit": 2, "what": "in_flight"}
        assert other.ask(PING).error["details"] == {"limit": 2, "what": "in_flight"}


def test_the_table_of_peers_is_bounded_and_forgets_the_idle(open_house: Opener) -> None:
    house = open_house(limits=Limits(peers=2))
    for _ in range(5):
        with RawPeer(house.endpoint) as peer:
            assert peer.ask(PING).result

    assert house.door.counters()["peers"] == 2


def test_a_full_table_of_busy_peers_refuses_strangers(open_house: Opener) -> None:
    house = open_house(limits=Limits(peers=1))
    with RawPeer(house.endpoint) as busy, RawPeer(house.endpoint) as stranger:
        create(busy)
        house.conductor.held.add("n1")
        busy.say(b"1", power(replies="final"))
        busy.ask(PING, b"2")

        assert stranger.ask(PING).error["details"] == {"limit": 1, "what": "peers"}


def test_where_a_message_comes_from_is_told(world: World, peer: RawPeer) -> None:
    peer.ask({"verb": "hello", "client": "me/1"})
    peer.ask(PING)

    seen = world.conductor.requesters[-1]
    assert seen.requester == (f"ipc:uid={os.getuid()}" if world.endpoint.startswith("ipc") else "tcp:127.0.0.1")
    assert seen.name == "me/1"


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:0", None])
def test_a_peer_of_the_oldest_zeromq_of_whom_nothing_is_known_is_answered(
    open_house: Opener, tmp_path: Path, endpoint: str | None
) -> None:
    house = open_house(endpoint or f"ipc://{tmp_path}/old")
    with RawPeer(house.endpoint) as witness, connected(parse_endpoint(house.endpoint)) as old:
        old.sendall(OLD + b"".join(bytes((len(part) + 1, more)) + part for part, more in OLD_PING))
        until(lambda: house.door.counters()["received"] > 0, witness)

        assert b"boot_id" in heard(old, b"boot_id")
        assert witness.ask(PING).result


OLD_PING = [(HEADER, 1), (b"1", 1), (packed(PING), 0)]


def heard(stream: socket.socket, word: bytes) -> bytes:
    """Return what came up to a word."""
    data = b""
    while word not in data and (more := stream.recv(4096)):
        data += more
    return data


def test_what_is_counted_adds_up(house: House) -> None:
    with RawPeer(house.endpoint) as peer:
        peer.ask(PING)
        peer.send(b"nonsense")
        peer.hear()
        peer.ask({"verb": "nonsense"})
        peer.ask({"verb": "node.show", "node": "nobody"})
    assert house.door.stop(5.0)

    wanted = {"peers": 1, "received": 4, "answered": 4, "malformed": 1, "refused": 1, "in_flight": 0, "dropped": 0}
    counters = house.door.counters()
    assert {key: counters[key] for key in wanted} == wanted


def test_while_it_drains_a_conductor_answers_and_begins_nothing_new(house: House) -> None:
    with RawPeer(house.endpoint) as peer:
        create(peer)
        house.conductor.held.add("n1")
        request = peer.ask(power()).result
        house.door.drain()
        peer.say(b"w", {"verb": "request.wait", "request": request["id"], "timeout_s": 60})

        refused = peer.ask(power())
        assert (refused.code, refused.error["applied"]) == ("conductor.draining", "no")
        assert peer.ask({"verb": "node.show", "node": "n1"}).result
        house.conductor.let_go("n1")
        assert peer.hear().result["state"] == "succeeded"


def test_a_stopping_conductor_gives_everything_in_flight_its_last_reply(house: House) -> None:
    with RawPeer(house.endpoint) as peer:
        create(peer)
        house.conductor.held.add("n1")
        for number in range(3):
            name = f"m{number}"
            create(peer, name)
            house.conductor.held.add(name)
            peer.say(b"m%d" % number, power(name, replies="both"))
            peer.hear()

        assert house.door.stop(5.0)
        heard = [peer.hear() for _ in range(3)]
        for number in range(3):
            house.conductor.let_go(f"m{number}")  # its end comes too late, and is no answer given twice
        comes_about(lambda: house.door.counters()["late"] == 3)

    assert house.door.counters()["doubled"] == 0
    assert {one.id for one in heard} == {b"m0", b"m1", b"m2"}
    assert {(one.kind, one.code, one.error["applied"]) for one in heard} == {(FINAL, "conductor.draining", "unknown")}
    assert not house.door.is_alive()
    assert house.door.stop(1.0)


class Clumsy:
    """A handler that does what handlers must not."""

    def handle(self, verb: verbs.AnyVerb, peer: PeerInfo, answer: Answer) -> None:
        assert peer.requester == f"ipc:uid={os.getuid()}"
        match verb:
            case verbs.Ping():
                answer.final(replies.Pong(boot_id="b"), 1)
            case verbs.NodeDelete():
                answer.final(replies.NodeDeleted(uuid="u", name=verb.node), 1)
                answer.final(replies.NodeDeleted(uuid="u", name="again"), 2)
                raise RuntimeError("after the answer")
            case verbs.Status():
                answer.final(replies.Pong(boot_id=object()), 1)  # type: ignore[arg-type]  # the point
            case _:
                raise RuntimeError("secret of the log")


@pytest.fixture
def clumsy_peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RawPeer, FrontDoor]]:
    door = FrontDoor(
        f"ipc://{tmp_path_factory.mktemp('clumsy')}/door", Clumsy(), now=time.monotonic, new_error_id=lambda: "e-1"
    )
    door.start()
    with RawPeer(door.endpoint) as peer:
        yield peer, door
    assert door.stop(5.0)


def test_a_handler_that_fails_is_a_fault_with_an_id_that_the_log_knows(
    clumsy_peer: tuple[RawPeer, FrontDoor], caplog: pytest.LogCaptureFixture
) -> None:
    peer, door = clumsy_peer
    with caplog.at_level(logging.ERROR):
        failed = peer.ask({"verb": "node.show", "node": "n1"})

    assert (failed.kind, failed.code, failed.error["error_id"]) == (FINAL, "internal", "e-1")
    assert "secret" not in failed.error["message"]
    assert "e-1" in caplog.text
    assert "secret of the log" in caplog.text
    assert peer.ask(PING).result
    assert door.is_alive()


def test_a_second_last_reply_is_dropped_counted_and_logged(
    clumsy_peer: tuple[RawPeer, FrontDoor], caplog: pytest.LogCaptureFixture
) -> None:
    peer, door = clumsy_peer
    answered = peer.ask({"verb": "node.delete", "node": "n1"})

    assert answered.result["name"] == "n1"
    assert peer.ask(PING, b"next").id == b"next"
    assert door.counters()["doubled"] == 1
    assert "twice" in caplog.text


def test_a_result_that_cannot_be_encoded_is_a_fault_with_an_id(clumsy_peer: tuple[RawPeer, FrontDoor]) -> None:
    peer, _ = clumsy_peer

    assert peer.ask({"verb": "status"}).error["error_id"] == "e-1"


def test_answers_of_many_threads_all_arrive(tmp_path_factory: pytest.TempPathFactory) -> None:
    class Threaded:
        def handle(self, verb: verbs.AnyVerb, peer: PeerInfo, answer: Answer) -> None:
            assert isinstance(verb, verbs.Ping)
            assert peer.requester == f"ipc:uid={os.getuid()}"
            threading.Thread(target=answer.final, args=(replies.Pong(boot_id="b"), 1)).start()

    door = FrontDoor(f"ipc://{tmp_path_factory.mktemp('threads')}/door", Threaded(), now=time.monotonic)
    door.start()
    with RawPeer(door.endpoint) as peer:
        for number in range(500):
            peer.say(b"%d" % number, PING)
            if number >= 100:
                peer.hear()
        for _ in range(100):
            peer.hear()
    assert door.stop(5.0)  # an answer is counted once it has left, which its peer may learn first
    assert door.counters()["answered"] == 500


def test_a_req_socket_that_is_closed_in_the_middle_costs_nothing(house: House) -> None:
    for _ in range(20):
        with RawPeer(house.endpoint, zmq.REQ) as peer:
            peer.say(b"1", PING)
    with RawPeer(house.endpoint) as peer:
        assert peer.ask(PING).result
        assert house.door.is_alive()


@pytest.mark.parametrize(
    ("address", "requester"),
    [
        ("localhost:1000:100:4711", "ipc:uid=1000"),
        ("a:b:0:0:1", "ipc:uid=0"),
        ("unknown", "ipc"),
        ("localhost:root:0:1", "ipc"),
        ("", "ipc"),
    ],
)
def test_a_peer_on_a_unix_socket_is_who_the_kernel_says_or_unknown(address: str, requester: str) -> None:
    assert ipc_requester(address) == requester


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("", "ipc:uid=7"),
        ("me/1", "ipc:uid=7 (me/1)"),
        ("x) ipc:uid=0 (root\n\x1b[2J", "ipc:uid=7 (x ipc:uid=0 root[2J)"),
        ("y" * 255, f"ipc:uid=7 ({'y' * 64})"),
    ],
)
def test_what_a_peer_calls_itself_stands_behind_what_is_known_and_cannot_pass_for_it(name: str, who: str) -> None:
    assert PeerInfo("ipc:uid=7", name).who == who


def test_somebody_who_comes_back_under_the_id_of_another_has_not_their_name() -> None:
    session = Session[str](0.0, caller=Caller("ipc:uid=7"))
    session.name = "me/1"

    session.came_from(Caller("ipc:uid=7"))
    assert session.name == "me/1"
    session.came_from(Caller("ipc:uid=0"))
    assert (session.caller.requester, session.name) == ("ipc:uid=0", "")


def test_a_change_is_ascribed_to_whoever_sends_it_though_another_had_the_same_routing_id() -> None:
    house = House("tcp://127.0.0.1:0", DEFAULT_LIMITS)
    port = house.endpoint.rpartition(":")[2]

    def tries_to_create(source: str, name: str) -> bool:
        """Ask as a peer with a routing id of its choice; nobody answers while the last one has not quite gone."""
        with RawPeer(f"tcp://{source}:0;127.0.0.1:{port}", identity=b"the same") as peer:
            peer.say(b"1", {"verb": "hello", "client": source})
            if peer.is_quiet(0.2):
                return False
            peer.receive()
            peer.say(b"2", {"verb": "node.create", "name": name, "driver": "fake"})
            peer.receive()
        return True

    for source in ("127.0.0.2", "127.0.0.3"):
        comes_about(partial(tries_to_create, source, f"n-{source}"))
        assert house.conductor.requesters[-1] == PeerInfo(f"tcp:{source}", source)
    house.close()
