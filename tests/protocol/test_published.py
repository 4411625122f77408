"""The stream of events as it comes off the wire: against any conductor."""

import zmq

from castiron.transport import events
from castiron.transport.events import PAYLOADS
from castiron.transport.vocabulary import EventType
from tests.protocol.conftest import World
from tests.support.raw_peer import RawPeer
from tests.support.raw_subscriber import Message, RawSubscriber


def endpoint_of(peer: RawPeer) -> str:
    return str(peer.ask({"verb": "hello"}).result["events_endpoint"])


def node_of(world: World, peer: RawPeer) -> dict[str, object]:
    name = world.new_name()
    return peer.ask({"verb": "node.create", "name": name, "driver": "fake"}).result


def powered_on(peer: RawPeer, node: dict[str, object]) -> str:
    verb = {"verb": "node.power.set", "node": node["name"], "target": "power on", "replies": "final"}
    return str(peer.ask(verb).result["id"])


def about(node: dict[str, object], subscriber: RawSubscriber, count: int) -> list[Message]:
    """Return the next events of a node; others' do not count."""
    found: list[Message] = []
    while len(found) < count:
        message = subscriber.hear_event()
        if message.body["node_uuid"] == node["uuid"]:
            found.append(message)
    return found


def test_events_are_published_beside_the_door(world: World, peer: RawPeer) -> None:
    endpoint = endpoint_of(peer)

    if world.endpoint.startswith("ipc"):
        assert endpoint == f"{world.endpoint}.events"
    else:
        assert endpoint.startswith("tcp://127.0.0.1:")
        assert endpoint != world.endpoint


def test_whoever_subscribes_to_the_heartbeat_gets_one(peer: RawPeer) -> None:
    known = peer.ask({"verb": "hello"}).result
    for _ in range(3):  # each of them, also one that subscribes to what others are subscribed to
        with RawSubscriber(endpoint_of(peer), b"heartbeat") as subscriber:
            topic, body = subscriber.hear()

            assert topic == b"heartbeat"
            assert (body["conductor"], body["boot_id"]) == (known["conductor"], known["boot_id"])
            assert isinstance(body["seq"], int)


def test_what_happens_after_the_heartbeat_is_published_with_the_next_numbers(world: World, peer: RawPeer) -> None:
    with RawSubscriber(endpoint_of(peer), b"events/", b"heartbeat") as subscriber:
        seq = subscriber.hear().body["seq"]
        node = node_of(world, peer)
        request = powered_on(peer, node)
        heard = [subscriber.hear_event().body for _ in range(3)]

    assert [one["seq"] for one in heard] == [seq + 1, seq + 2, seq + 3]
    assert [one["node_seq"] for one in heard] == [1, 2, 3]
    assert [one["type"] for one in heard] == ["node.create.end", "node.power_set.start", "node.power_set.end"]
    assert {one["node_uuid"] for one in heard} == {node["uuid"]}
    assert [one["request"] for one in heard] == [None, request, request]


def test_what_was_published_is_what_the_store_has(world: World, peer: RawPeer) -> None:
    with RawSubscriber(endpoint_of(peer), b"events/", b"heartbeat") as subscriber:
        seq = subscriber.hear().body["seq"]
        powered_on(peer, node_of(world, peer))
        heard = [subscriber.hear_event().body for _ in range(3)]

    listed = peer.ask({"verb": "event.list", "since": seq}).result

    assert listed["events"][:3] == heard
    assert listed["latest_seq"] >= seq + 3


def test_payloads_have_the_keys_of_the_document(world: World, peer: RawPeer) -> None:
    with RawSubscriber(endpoint_of(peer), b"events/", b"heartbeat") as subscriber:
        subscriber.hear()
        node = node_of(world, peer)
        powered_on(peer, node)
        peer.ask({"verb": "node.set", "node": node["name"], "extra": {"rack": 4}})
        peer.ask({"verb": "node.delete", "node": node["name"]})
        heard = [message.body for message in about(node, subscriber, 5)]

    assert all(set(one["payload"]) <= set(PAYLOADS[EventType(one["type"])]) for one in heard)
    assert all(one["payload"]["requester"] for one in heard)


def test_the_topics_of_a_node_bring_its_events_and_no_others(world: World, peer: RawPeer) -> None:
    mine, other = node_of(world, peer), node_of(world, peer)
    topics = events.topics_of_node(str(mine["uuid"]))
    with RawSubscriber(endpoint_of(peer), topics, b"heartbeat") as subscriber:
        subscriber.hear()
        powered_on(peer, other)
        powered_on(peer, mine)
        heard = [subscriber.hear_event() for _ in range(2)]

    assert [one.topic for one in heard] == [topics + b"node.power_set.start", topics + b"node.power_set.end"]
    assert [one.body["node_seq"] for one in heard] == [2, 3]


def test_a_topic_may_go_down_to_the_type(world: World, peer: RawPeer) -> None:
    node = node_of(world, peer)
    topic = events.topics_of_node(str(node["uuid"])) + b"node.power_set.e"
    with RawSubscriber(endpoint_of(peer), topic, b"heartbeat") as subscriber:
        subscriber.hear()
        powered_on(peer, node)

        assert subscriber.hear_event().body["type"] == "node.power_set.end"


def test_a_history_begins_with_the_latest(world: World, peer: RawPeer) -> None:
    node = node_of(world, peer)
    powered_on(peer, node)

    page = peer.ask({"verb": "node.history", "node": node["name"], "limit": 2}).result
    rest = peer.ask({"verb": "node.history", "node": node["name"], "before": page["next_before"]}).result

    assert [event["type"] for event in page["events"]] == ["node.power_set.end", "node.power_set.start"]
    assert [event["type"] for event in rest["events"]] == ["node.create.end"]
    assert rest["next_before"] is None


def test_the_events_of_a_node_that_is_no_more_are_found_by_its_uuid(world: World, peer: RawPeer) -> None:
    node = node_of(world, peer)
    peer.ask({"verb": "node.delete", "node": node["name"]})

    listed = peer.ask({"verb": "event.list", "since": 0, "nodes": [node["uuid"]]}).result
    told = peer.ask({"verb": "node.history", "node": node["uuid"]}).result

    assert [event["type"] for event in listed["events"]] == ["node.create.end", "node.delete.end"]
    assert [event["type"] for event in told["events"]] == ["node.delete.end", "node.create.end"]


def test_a_type_that_there_is_not_is_refused_by_name(peer: RawPeer) -> None:
    refused = peer.ask({"verb": "event.list", "types": ["node.painted.*"]})

    assert (refused.code, refused.error["details"]) == ("argument.invalid", {"path": "$.types[0]"})


def test_whatever_a_subscriber_sends_harms_nobody(world: World, peer: RawPeer) -> None:
    endpoint = endpoint_of(peer)
    with (
        RawSubscriber(endpoint, b"events/", b"heartbeat") as subscriber,
        RawSubscriber(endpoint, kind=zmq.XSUB) as mad,
    ):
        subscriber.hear()
        for nonsense in (b"", b"\x02", b"\x00events/", b"\x00heartbeat", b"hello", b"\x01" + b"x" * 200):
            mad.socket.send_multipart([nonsense, b"and more"])
            mad.socket.send(nonsense)
        mad.socket.send(b"\x01heartbeat")
        assert mad.hear().topic == b"heartbeat"
        node = node_of(world, peer)

        assert about(node, subscriber, 1)


def test_a_topic_that_is_too_long_ends_its_connection_only(world: World, peer: RawPeer) -> None:
    endpoint = endpoint_of(peer)
    with (
        RawSubscriber(endpoint, b"events/", b"heartbeat") as subscriber,
        RawSubscriber(endpoint, b"x" * 300),
    ):
        subscriber.hear()
        node = node_of(world, peer)

        assert about(node, subscriber, 1)
