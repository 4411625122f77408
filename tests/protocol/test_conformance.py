"""Every verb, every error that it names, every kind of reply: against any conductor."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import zmq
from msgspec import structs

from castiron.transport import codec, errors, replies, verbs
from castiron.transport.errors import WIRE_ERRORS, CastironError
from castiron.transport.frames import ACCEPTED, FINAL, HEADER, PART
from castiron.transport.shapes import fields_of
from castiron.transport.verbs import VERBS
from castiron.transport.vocabulary import Fault, Retry
from tests.protocol.conftest import World
from tests.protocol.examples import ORDER, Fields, accepted, created, example
from tests.support.deadline import until
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


# Verb and error → what provokes it. A conductor's own troubles need a look behind its door.


def of_unknown_node(world: World, peer: RawPeer, fields: Fields) -> Fields:
    key = "nodes" if fields["verb"] in {"node.list", "event.list", "bulk.run"} else "node"
    return {**fields, key: ["nobody"] if key == "nodes" else "nobody"}


def of_taken_name(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "name": created(world, peer)}


def of_taken_address(world: World, peer: RawPeer, fields: Fields) -> Fields:
    info = {"ipmi_address": world.new_address()}
    created(world, peer, driver="ipmi", driver_info=info)
    return {**fields, "driver": "ipmi", "driver_info": info}


def of_busy_node(world: World, peer: RawPeer, fields: Fields) -> Fields:
    if fields["verb"].startswith(("node.maintenance", "node.lock")) or fields["verb"] == "node.boot_device.get":
        world.conductor.leaving.add(fields["node"])  # nothing else is in its way
        return fields
    world.conductor.slow.add(fields["node"])
    peer.ask({"verb": "node.power.set", "node": fields["node"], "target": "power off"})
    return {**fields, "driver_info": {}} if fields["verb"] == "node.set" else fields


def of_old_revision(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "revision": 99}


def of_full_mailbox(world: World, peer: RawPeer, fields: Fields) -> Fields:
    world.conductor.full.add(fields["node"] if "node" in fields else world.conductor.requests[fields["request"]].node)
    return fields


def of_node_in_maintenance(world: World, peer: RawPeer, fields: Fields) -> Fields:
    conductor = world.conductor
    for node in list(conductor.nodes.values()):
        conductor.nodes[node.uuid] = structs.replace(node, maintenance=True, fault=Fault.ACTOR_FAILURE)
    return fields


def of_guarded_node(**guards: Any) -> Callable[[World, RawPeer, Fields], Fields]:
    """Have the node be guarded, and ask for what its guards refuse."""
    targets = {
        "node.power.set": {"target": "power off"},
        "node.provision.set": {"target": "provide" if "retired" in guards else "rebuild"},
    }

    def provoke(world: World, peer: RawPeer, fields: Fields) -> Fields:
        nodes = world.conductor.nodes
        name = fields.get("node") or world.conductor.requests[fields["request"]].node
        node = next(one for one in nodes.values() if one.name == name)
        nodes[node.uuid] = structs.replace(node, **guards)
        return {**fields, **({} if "lock" in guards else targets.get(fields["verb"], {}))}

    return provoke


def of_machine_that_stays_on(world: World, peer: RawPeer, fields: Fields) -> Fields:
    fields = of_guarded_node(disable_power_off=True)(world, peer, fields)
    is_moved = fields["verb"] == "node.provision.set"
    return {**fields, "steps": [{"step": "power_off"}]} if is_moved else fields


def of_unused_node(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "protected": True} if fields["verb"] == "node.set" else fields


def of_broken_store(world: World, peer: RawPeer, fields: Fields) -> Fields:
    world.conductor.is_store_broken = True
    return fields


def of_unknown_request(world: World, peer: RawPeer, fields: Fields) -> Fields:
    if fields["verb"] == "node.record":
        return {**fields, "marker": "request:00000000-0000-7000-8000-000000000000"}
    key = "marker" if fields["verb"] == "request.list" else "request"
    return {**fields, key: "00000000-0000-7000-8000-000000000000"}


def of_unknown_bulk(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "bulk": "00000000-0000-7000-8000-000000000000"}


def of_too_many_nodes(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "nodes": [*fields["nodes"], created(world, peer)], "at_most": 1}


def of_known_key(world: World, peer: RawPeer, fields: Fields) -> Fields:
    name, key = created(world, peer), f"key-of-{world.new_name()}"
    peer.ask({"verb": "node.power.set", "node": name, "target": "power off", "key": key})
    return {**fields, "key": key}


def of_past_deadline(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "deadline_at": 1.0}


def of_faulty_bmc(fault: str) -> Callable[[World, RawPeer, Fields], Fields]:
    """Have the machine be looked at first, whose BMC has this fault."""

    def provoke(world: World, peer: RawPeer, fields: Fields) -> Fields:
        peer.ask({"verb": "node.set", "node": fields["node"], "driver_info": {"fake_fault": fault}})
        return {**fields, "fresh": True}

    return provoke


def of_late_look(world: World, peer: RawPeer, fields: Fields) -> Fields:
    world.conductor.looks[fields["node"]] = errors.DeadlineExceeded("Too late.")
    return {**fields, "fresh": True}


def of_running_request(world: World, peer: RawPeer, fields: Fields) -> Fields:
    name = created(world, peer, driver_info={"fake_latency_s": "60"})
    if world.is_ours:
        world.conductor.slow.add(name)
    request = accepted(peer, name)["id"]
    until(lambda: peer.ask({"verb": "request.show", "request": request}).result["state"] == "running")
    return {**fields, "request": request}


def of_ended_request(world: World, peer: RawPeer, fields: Fields) -> Fields:
    peer.ask({"verb": "request.cancel", "request": fields["request"]})
    return fields


def of_strangers_request(world: World, peer: RawPeer, fields: Fields) -> Fields:
    requests, id_ = world.conductor.requests, fields["request"]
    requests[id_] = structs.replace(requests[id_], requesters=["ipc:uid=4711"])
    return fields


PROVOKERS: dict[type[CastironError], Callable[[World, RawPeer, Fields], Fields]] = {
    errors.NodeNotFound: of_unknown_node,
    errors.NodeExists: of_taken_name,
    errors.BMCAddressTaken: of_taken_address,
    errors.NodeLocked: of_busy_node,
    errors.RevisionStale: of_old_revision,
    errors.MailboxFull: of_full_mailbox,
    errors.NodeInMaintenance: of_node_in_maintenance,
    errors.NodeProtected: of_guarded_node(protected=True),
    errors.NodeRetired: of_guarded_node(retired=True),
    errors.NodeLockHeld: of_guarded_node(lock=replies.LockView(owner="ipc:uid=4711", reason="fan", since=1.0)),
    errors.PowerOffDisabled: of_machine_that_stays_on,
    errors.NodeStateInvalid: of_unused_node,
    errors.StoreUnavailable: of_broken_store,
    errors.RequestNotFound: of_unknown_request,
    errors.BulkNotFound: of_unknown_bulk,
    errors.BulkTooLarge: of_too_many_nodes,
    errors.RequestReused: of_known_key,
    errors.RequestExpired: of_past_deadline,
    errors.RequestStarted: of_running_request,
    errors.RequestEnded: of_ended_request,
    errors.RequestNotYours: of_strangers_request,
    errors.BMCUnreachable: of_faulty_bmc("unreachable"),
    errors.BMCCredentials: of_faulty_bmc("credentials"),
    errors.BMCBusy: of_faulty_bmc("busy"),
    errors.BMCFault: of_faulty_bmc("broken"),
    errors.BMCUnsupported: of_faulty_bmc("unsupported"),
    errors.DeadlineExceeded: of_late_look,
}

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


PLAUSIBLE: Fields = {"target": "power on", "boot_device": "pxe", "order": ORDER}
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
    required = {field.name: PLAUSIBLE.get(field.name, "x") for field in fields_of(VERBS[tag]) if field.required}
    refused = house_peer.ask({"verb": tag, **required, "colour": "red"})

    assert (refused.code, refused.error["details"]) == (errors.ArgumentInvalid.code, {"path": "$.colour"})


@pytest.mark.parametrize(
    ("tag", "field"), [(tag, field.name) for tag, verb in VERBS.items() for field in fields_of(verb) if field.required]
)
def test_a_missing_argument_is_refused_by_name(house_peer: RawPeer, tag: str, field: str) -> None:
    others = {
        one.name: PLAUSIBLE.get(one.name, "x") for one in fields_of(VERBS[tag]) if one.required and one.name != field
    }
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

    assert provoked == set(WIRE_ERRORS)
