"""Peers, as the other side sees them."""

import pytest

from castiron.transport.errors import ConductorOverloaded, FrameMalformed
from castiron.transport.session import DEFAULT_LIMITS, Caller, Limits, Peers, Session

IPC = Caller("ipc")
LIMITS = Limits(heartbeat_interval_s=10, liveness=3, in_flight=3, in_flight_per_peer=2, peers=2)


@pytest.fixture
def peers() -> Peers[str, str]:
    return Peers(LIMITS)


def test_a_peer_is_gone_after_its_liveness_and_any_traffic_counts() -> None:
    session = Session[str](100.0, silence_s=30.0)

    assert not session.is_gone(129.9)
    assert session.is_gone(130.0)
    session.heard(120.0)
    assert session.gone_at == 150.0
    session.allow_silence(5.0)
    assert session.is_gone(125.0)


def test_a_message_is_in_flight_until_its_last_reply() -> None:
    session = Session[str](0.0)
    session.begin(b"1", "first")

    with pytest.raises(FrameMalformed, match="still in flight"):
        session.begin(b"1", "again")
    assert session.end(b"1") == "first"
    assert session.end(b"1") is None
    session.begin(b"1", "again")


def test_a_peer_may_have_so_many_in_flight_and_no_more(peers: Peers[str, str]) -> None:
    session = peers.admit("a", IPC, 0.0)
    peers.begin(session, b"1", "one")
    peers.begin(session, b"2", "two")

    with pytest.raises(ConductorOverloaded) as caught:
        peers.begin(session, b"3", "three")

    assert caught.value.details == {"limit": 2, "what": "in_flight_per_peer"}
    assert caught.value.retry_after_s is not None
    assert peers.in_flight_count == 2


def test_all_peers_together_may_have_so_many_in_flight(peers: Peers[str, str]) -> None:
    a, b = peers.admit("a", IPC, 0.0), peers.admit("b", IPC, 0.0)
    peers.begin(a, b"1", "one")
    peers.begin(a, b"2", "two")
    peers.begin(b, b"1", "three")

    with pytest.raises(ConductorOverloaded) as caught:
        peers.begin(b, b"2", "four")

    assert caught.value.details["what"] == "in_flight"
    assert peers.end("a", b"1") == "one"
    peers.begin(b, b"2", "four")
    assert sorted(peers.items_in_flight()) == ["four", "three", "two"]


def test_what_was_not_in_flight_does_not_end(peers: Peers[str, str]) -> None:
    peers.admit("a", IPC, 0.0)

    assert peers.end("a", b"1") is None
    assert peers.end("stranger", b"1") is None
    assert peers.in_flight_count == 0


def test_while_more_waits_to_be_read_only_those_expire_that_were_silent_for_twice_as_long(
    peers: Peers[str, str],
) -> None:
    for key, heard_at in (("a", 0.0), ("b", 20.0)):
        peers.begin(peers.admit(key, IPC, heard_at), b"1", key)

    assert peers.expire(59.9, is_all_read=False) == []
    assert peers.expire(60.0, is_all_read=False) == ["a"]
    assert peers.expire(60.0) == ["b"]


def test_silent_peers_expire_in_order_with_what_they_had_in_flight(peers: Peers[str, str]) -> None:
    peers.begin(peers.admit("a", IPC, 0.0), b"1", "one")
    peers.begin(peers.admit("b", IPC, 5.0), b"1", "two")
    assert peers.find("a", 10.0) is not None
    assert peers.next_expiry_at() == 35.0

    assert peers.expire(34.9) == []
    assert peers.expire(35.0) == ["two"]
    assert (len(peers), peers.in_flight_count, peers.find("b", 36.0)) == (1, 1, None)
    assert peers.expire(40.0) == ["one"]
    assert (len(peers), peers.in_flight_count, peers.next_expiry_at()) == (0, 0, None)


def test_a_stranger_takes_the_place_of_the_idle_peer_heard_of_least_lately(peers: Peers[str, str]) -> None:
    peers.admit("a", IPC, 0.0)
    peers.admit("b", IPC, 1.0)
    peers.find("a", 2.0)

    peers.admit("c", IPC, 3.0)

    assert peers.find("b", 4.0) is None
    assert peers.find("a", 4.0) is not None


def test_a_stranger_finds_no_place_among_busy_peers(peers: Peers[str, str]) -> None:
    for key in ("a", "b"):
        peers.begin(peers.admit(key, IPC, 0.0), b"1", key)

    with pytest.raises(ConductorOverloaded) as caught:
        peers.admit("c", IPC, 1.0)

    assert caught.value.details == {"limit": 2, "what": "peers"}


def test_there_is_room_for_more_peers_than_messages_so_that_one_is_always_idle() -> None:
    assert DEFAULT_LIMITS.peers > DEFAULT_LIMITS.in_flight
    assert DEFAULT_LIMITS.published()["in_flight"] == DEFAULT_LIMITS.in_flight
    assert DEFAULT_LIMITS.silence_s == 30.0
