"""Every verb, every error that it names, every kind of reply: against any conductor."""

import math

import pytest
import zmq

from castiron.transport import codec, errors, replies, verbs
from castiron.transport.errors import WIRE_ERRORS, CastironError
from castiron.transport.frames import ACCEPTED, FINAL, HEADER, PART
from castiron.transport.shapes import fields_of
from castiron.transport.verbs import VERBS
from castiron.transport.vocabulary import Retry
from tests.protocol.conftest import World
from tests.protocol.examples import ORDER, Fields, accepted, created, example
from tests.protocol.provokers import PROVOKERS
from tests.support.raw_peer import RawPeer, packed, taken_apart


@pytest.mark.parametrize("tag", VERBS)
def test_every_verb_is_answered_with_the_result_that_the_document_names(world: World, peer: RawPeer, tag: str) -> None:
    fields = example(world, peer, tag)

    peer.say(b"7", fields)
    header, message_id, kind, body = peer.receive()
    while message_id == b"bulk" or kind in {ACCEPTED, PART}:
        header, message_id, kind, body = peer.receive()

    assert (header, message_id, kind) == (HEADER, b"7", FINAL)
    assert isinstance(codec.decode_reply(body, replies.RESULTS[tag]).outcome, replies.RESULTS[tag])


REFUSALS = [(tag, error) for tag, verb in VERBS.items() for error in verb.refusals]


@pytest.mark.parametrize(("tag", "error"), REFUSALS, ids=[f"{tag}-{error.code}" for tag, error in REFUSALS])
def test_every_refusal_that_a_verb_names_can_be_had(
    world: World, peer: RawPeer, tag: str, error: type[CastironError]
) -> None:
    fields = PROVOKERS[error](world, peer, example(world, peer, tag))

    refused = peer.ask(fields, b"9")

    assert (refused.id, refused.kind, refused.code) == (b"9", FINAL, error.code)
    assert refused.error["source"] == error.source
    assert ("retry_after_s" in refused.error) == (refused.error["retry"] == Retry.AFTER)


PLAUSIBLE: Fields = {"target": "power on", "boot_device": "pxe", "order": ORDER, "steps": [{"step": "hold"}]}


def plausible(tag: str, field: str) -> object:
    return "manage" if (tag, field) == ("node.provision.set", "target") else PLAUSIBLE.get(field, "x")


FIELDS = [(tag, field.name) for tag, verb in VERBS.items() for field in fields_of(verb)]


@pytest.mark.parametrize(
    "wrong", [[[]], b"\x00", math.nan, math.inf, 2**64 - 1], ids=["array", "binary", "nan", "inf", "big"]
)
@pytest.mark.parametrize(("tag", "field"), FIELDS, ids=[f"{tag}-{field}" for tag, field in FIELDS])
def test_a_wrong_value_in_any_field_is_named(house_peer: RawPeer, tag: str, field: str, wrong: object) -> None:
    refused = house_peer.ask({"verb": tag, field: wrong})

    assert refused.code == errors.ArgumentInvalid.code
    assert refused.error["details"]["path"].startswith(f"$.{field}") or "missing" in refused.error["message"]


@pytest.mark.parametrize("tag", VERBS)
def test_an_unknown_argument_is_refused_by_name(house_peer: RawPeer, tag: str) -> None:
    required = {field.name: plausible(tag, field.name) for field in fields_of(VERBS[tag]) if field.required}
    refused = house_peer.ask({"verb": tag, **required, "colour": "red"})

    assert (refused.code, refused.error["details"]) == (errors.ArgumentInvalid.code, {"path": "$.colour"})


@pytest.mark.parametrize(
    ("tag", "field"), [(tag, field.name) for tag, verb in VERBS.items() for field in fields_of(verb) if field.required]
)
def test_a_missing_argument_is_refused_by_name(house_peer: RawPeer, tag: str, field: str) -> None:
    others = {one.name: plausible(tag, one.name) for one in fields_of(VERBS[tag]) if one.required and one.name != field}
    refused = house_peer.ask({"verb": tag, **others})

    assert refused.code == errors.ArgumentInvalid.code
    assert refused.error["details"]["path"] == f"$.{field}"


def test_an_unknown_verb_is_answered_with_the_nearest(peer: RawPeer) -> None:
    refused = peer.ask({"verb": "node.pwoer.set"})

    assert refused.code == errors.VerbUnknown.code
    assert refused.error["details"] == {"verb": "node.pwoer.set", "nearest": "node.power.set"}


# The kinds of replies.

REQUESTS = [tag for tag, verb in VERBS.items() if verb.becomes_request]


@pytest.mark.parametrize("tag", REQUESTS)
@pytest.mark.parametrize("wish", ["accepted", "final", "both"])
def test_a_request_sends_the_replies_that_were_wished_and_ends_with_exactly_one_final(
    world: World, peer: RawPeer, tag: str, wish: str
) -> None:
    peer.say(b"5", {**example(world, peer, tag), "replies": wish})
    heard = [peer.hear()]
    while heard[-1].kind != FINAL:
        heard.append(peer.hear())

    assert [one.kind for one in heard] == ([ACCEPTED, FINAL] if wish == "both" else [FINAL])
    assert {one.id for one in heard} == {b"5"}
    assert len({one.result["id"] for one in heard}) == 1
    if wish != "accepted":
        assert heard[-1].result["state"] == "succeeded"
    waited = peer.ask({"verb": "request.wait", "request": heard[0].result["id"], "timeout_s": 5}, b"6")
    assert (waited.id, waited.result["state"]) == (b"6", "succeeded")


def test_the_default_wish_is_accepted(world: World, peer: RawPeer) -> None:
    name = created(world, peer)
    world.conductor.held.add(name)

    answered = peer.ask({"verb": "node.power.set", "node": name, "target": "power on"})

    assert (answered.kind, answered.result["state"]) == (FINAL, "accepted")


FAILURES = [
    (tag, error) for tag, verb in VERBS.items() if issubclass(verb, verbs.NodeRequest) for error in verb.failures
]


@pytest.mark.parametrize(("tag", "error"), FAILURES, ids=[f"{tag}-{error.code}" for tag, error in FAILURES])
def test_a_request_that_fails_is_a_result_that_holds_the_failure(
    world: World, peer: RawPeer, tag: str, error: type[CastironError]
) -> None:
    fields = {**example(world, peer, tag), "replies": "final"}
    world.conductor.faults[fields["node"]] = error("The BMC said no.")

    ended = peer.ask(fields).result

    state: dict[type[CastironError], str] = {
        errors.RequestCancelled: "cancelled",
        errors.RequestSuperseded: "cancelled",
        errors.RequestExpired: "expired",
    }
    assert ended["state"] == state.get(error, "failed")
    assert (ended["error"]["code"], ended["error"]["applied"]) == (error.code, "no" if error in state else "unknown")


def test_a_wait_that_ends_before_its_request_is_answered_with_the_request_as_it_is(world: World, peer: RawPeer) -> None:
    name = created(world, peer)
    world.conductor.held.add(name)
    request = accepted(peer, name)

    waited = peer.ask({"verb": "request.wait", "request": request["id"], "timeout_s": 0.01})

    assert (waited.kind, waited.result["state"]) == (FINAL, "accepted")


def test_a_message_overtakes_one_that_waits(world: World, peer: RawPeer) -> None:
    name = created(world, peer)
    world.conductor.held.add(name)
    request = accepted(peer, name)
    peer.say(b"wait", {"verb": "request.wait", "request": request["id"], "timeout_s": 5})

    overtaking = peer.ask({"verb": "ping"}, b"ping")
    world.conductor.let_go(name)

    assert overtaking.id == b"ping"
    assert peer.hear().id == b"wait"


def test_a_req_socket_is_answered_with_its_delimiter(world: World) -> None:
    with RawPeer(world.endpoint, zmq.REQ) as peer:
        answers = [peer.ask({"verb": "ping"}, b"%d" % number) for number in range(3)]

    assert [one.id for one in answers] == [b"0", b"1", b"2"]


def test_a_dealer_socket_may_send_the_delimiter(peer: RawPeer) -> None:
    peer.send(b"", HEADER, b"1", packed({"verb": "ping"}))

    delimiter, *reply = peer.receive()

    assert delimiter == b""
    assert taken_apart(reply).result["boot_id"]


def test_sixty_four_messages_in_flight_get_sixty_four_answers(world: World, peer: RawPeer) -> None:
    ids = [b"%d" % number for number in range(64)]
    for message_id in ids:
        peer.say(message_id, {"verb": "ping"})

    assert sorted(peer.hear().id for _ in ids) == sorted(ids)
    assert peer.is_quiet(0.05)


def test_the_ids_of_two_clients_do_not_mix(world: World, peer: RawPeer) -> None:
    name = created(world, peer)
    with RawPeer(world.endpoint) as other:
        peer.say(b"1", {"verb": "node.show", "node": name})
        other.say(b"1", {"verb": "node.show", "node": "nobody"})

        assert peer.hear().result["name"] == name
        assert other.hear().code == errors.NodeNotFound.code
        assert peer.is_quiet(0.05)


def test_a_conductor_publishes_its_limits(peer: RawPeer) -> None:
    welcome = peer.ask({"verb": "hello", "client": "test"}).result

    assert welcome["speaks"][0] == HEADER.decode()
    assert welcome["heartbeat_interval_s"] > 0
    assert {"max_message_bytes", "max_list", "in_flight", "in_flight_per_peer"} <= set(welcome["limits"])


def test_nodes_are_listed_in_pages(world: World, peer: RawPeer) -> None:
    names = sorted(created(world, peer) for _ in range(5))
    pages: list[list[str]] = []
    marker: str | None = None
    for _ in range(3):
        page = peer.ask({"verb": "node.list", "nodes": names, "limit": 2, "marker": marker}).result
        pages.append([node["name"] for node in page["nodes"]])
        marker = page["next_marker"]

    assert pages == [names[0:2], names[2:4], names[4:5]]
    assert marker is None


def test_every_code_of_the_table_is_provoked_somewhere_here() -> None:
    provoked = {error.code for _, error in REFUSALS + FAILURES} | {error.code for error in verbs.COMMON_ERRORS}
    provoked.add(errors.BulkStopped.code)  # by test_bulk.py
    provoked.add(errors.AllocationFailed.code)  # below: it is no refusal, but what an allocation ends with

    assert provoked == set(WIRE_ERRORS)


def test_an_allocation_that_gets_no_node_says_so_in_the_form_of_the_wire(peer: RawPeer) -> None:
    made = peer.ask({"verb": "allocation.create", "resource_class": "nobody-has-it"}).result

    ended = peer.ask({"verb": "allocation.wait", "allocation": made["uuid"]}).result

    assert (ended["state"], ended["node_uuid"]) == ("error", None)
    assert ended["error"]["code"] == errors.AllocationFailed.code
    assert ended["last_error"] == ended["error"]["message"]
