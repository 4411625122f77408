"""A message of each verb that is accepted, and what has to be there for it."""

from typing import Any

from castiron.transport.frames import ACCEPTED, PART
from castiron.transport.verbs import VERBS
from tests.protocol.conftest import World
from tests.support.deadline import until
from tests.support.memory_telling import PERIODIC
from tests.support.raw_peer import RawPeer

Fields = dict[str, Any]


def created(world: World, peer: RawPeer, **fields: Any) -> str:
    name = world.new_name()
    made = peer.ask({"verb": "node.create", "name": name, "driver": "fake", **fields})
    assert made.result["name"] == name
    return name


def accepted(peer: RawPeer, node: str) -> Fields:
    return peer.ask({"verb": "node.power.set", "node": node, "target": "power on"}).result


def waiting(world: World, peer: RawPeer) -> Fields:
    """Return a request that waits for the end of a node's maintenance."""
    name = created(world, peer)
    peer.ask({"verb": "node.maintenance.set", "node": name})
    return peer.ask({"verb": "node.power.set", "node": name, "target": "power on", "hold": True}).result


def allocated(peer: RawPeer, **fields: Any) -> Fields:
    """Return an allocation as it was made; no node is of its class."""
    return peer.ask({"verb": "allocation.create", "resource_class": "nobody-has-it", **fields}).result


ORDER: Fields = {"verb": "node.power.set", "target": "power on"}


def announced(world: World, peer: RawPeer) -> str:
    """Return the id of a bulk that waits for the end of a node's maintenance."""
    name = created(world, peer)
    peer.ask({"verb": "node.maintenance.set", "node": name})
    peer.say(b"bulk", {"verb": "bulk.run", "nodes": [name], "order": {**ORDER, "hold": True}})
    heard = peer.hear()
    assert heard.kind == ACCEPTED
    while peer.hear().kind != PART:
        """Until it is known that the request was accepted."""
    return str(heard.result["id"])


def at_work(world: World, peer: RawPeer) -> str:
    """Return the name of a node whose work waits for a call back."""
    name = created(world, peer)
    peer.ask({"verb": "node.provision.set", "node": name, "target": "manage", "replies": "final"})
    peer.ask({"verb": "node.provision.set", "node": name, "target": "clean", "steps": [{"step": "wait"}]})
    until(lambda: peer.ask({"verb": "node.show", "node": name}).result["provision_state"] == "clean wait")
    return name


def of_work(world: World, peer: RawPeer, tag: str) -> Fields:
    """Return a message about the work on a node that is accepted."""
    fields: Fields = {"verb": tag, "node": at_work(world, peer)}
    if tag == "node.provision.unhold":
        peer.ask({"verb": "node.provision.hold", "node": fields["node"]})
    if tag in {"node.step.done", "node.step.progress"}:
        fields["token"] = world.conductor.token_of(fields["node"])
    return fields


def book(world: World, peer: RawPeer) -> str:
    """Return the name of a runbook that is stored."""
    name = world.new_trait()
    peer.ask({"verb": "runbook.create", "name": name, "steps": [{"step": "power_on"}]})
    return name


CHOSEN: dict[str, Fields] = {
    "allocation.create": {"resource_class": "baremetal"},
    "conductor.drain": {"undo": True},
    "periodic.stop": {"periodic": PERIODIC},
    "periodic.start": {"periodic": PERIODIC},
    "node.power.set": {"target": "power on"},
    "node.boot_device.set": {"boot_device": "pxe"},
    "node.provision.set": {"target": "manage"},
}
"""Verb → what it cannot do without, beside a node."""


def of_fleet(world: World, peer: RawPeer, tag: str) -> Fields:
    """Return a message about what belongs to the fleet that is accepted."""
    if tag == "node.create":
        return {"verb": tag, "name": world.new_name(), "driver": "fake"}
    if tag == "runbook.create":
        return {"verb": tag, "name": world.new_trait(), "steps": [{"step": "power_on"}]}
    return {
        "verb": tag,
        **({"node": created(world, peer)} if tag == "runbook.list" else {"runbook": book(world, peer)}),
    }


def example(world: World, peer: RawPeer, tag: str) -> Fields:
    """Return a message of this verb that is accepted."""
    fields: Fields = {"verb": tag}
    names = VERBS[tag].__struct_fields__
    if tag == "node.create" or tag.startswith("runbook."):
        return of_fleet(world, peer, tag)
    if tag.startswith(("node.step.", "node.provision.")) and tag not in CHOSEN:
        return of_work(world, peer, tag)
    if "node" in names and tag != "request.list":
        fields["node"] = created(world, peer)
    if "allocation" in names:
        fields["allocation"] = allocated(peer)["uuid"]
    if tag == "bulk.run":
        return {**fields, "nodes": [created(world, peer)], "order": ORDER}
    if tag == "bulk.cancel":
        return {**fields, "bulk": announced(world, peer)}
    if tag in {"request.cancel", "request.abort"}:
        fields["request"] = waiting(world, peer)["id"]
    elif "request" in names:
        fields["request"] = accepted(peer, created(world, peer))["id"]
    return {**fields, **CHOSEN.get(tag, {})}
