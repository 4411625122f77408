"""What provokes each refusal: error → how a message that would be accepted is made one that is refused with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import structs

from castiron.actors.core.runbooks.index import RunbookIndex
from castiron.transport import errors
from castiron.transport.errors import CastironError
from castiron.transport.replies import LockView
from castiron.transport.verbs import MAX_RUNBOOKS
from castiron.transport.vocabulary import Fault, ProvisionState, RunbookUUID
from tests.protocol.conftest import World
from tests.protocol.examples import Fields, accepted, allocated, book, created
from tests.support.deadline import until
from tests.support.raw_peer import RawPeer

# A conductor's own troubles need a look behind its door.


def of_unknown_node(world: World, peer: RawPeer, fields: Fields) -> Fields:
    keys = {"node.list": "nodes", "event.list": "nodes", "bulk.run": "nodes", "allocation.create": "candidate_nodes"}
    key = keys.get(fields["verb"], "node")
    return {**fields, key: "nobody" if key == "node" else ["nobody"]}


def of_taken_name(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "name": created(world, peer)}


def of_taken_address(world: World, peer: RawPeer, fields: Fields) -> Fields:
    info = {"ipmi_address": world.new_address()}
    created(world, peer, driver="ipmi", driver_info=info)
    return {**fields, "driver": "ipmi", "driver_info": info}


NEVER_BUSY = {
    "node.boot_device.get",
    "node.lock.set",
    "node.lock.unset",
    "node.maintenance.set",
    "node.maintenance.unset",
    "node.provision.abort",
    "node.provision.hold",
    "node.provision.unhold",
}
"""What another request is not in the way of."""


def of_busy_node(world: World, peer: RawPeer, fields: Fields) -> Fields:
    if fields["verb"] in NEVER_BUSY:
        world.conductor.leaving.add(fields["node"])  # nothing else is in its way
        return fields
    world.conductor.slow.add(fields["node"])
    peer.ask({"verb": "node.power.set", "node": fields["node"], "target": "power off"})
    return {**fields, "driver_info": {}} if fields["verb"] == "node.set" else fields


def of_old_revision(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "revision": 99}


def held_node(world: World, peer: RawPeer, fields: Fields) -> str:
    """Return the name of the node that a message is about; an allocation is given one."""
    conductor = world.conductor
    if "allocation" not in fields:
        return str(fields["node"] if "node" in fields else conductor.requests[fields["request"]].node)
    name = created(world, peer)
    conductor.hold(fields["allocation"], next(one for one in conductor.nodes.values() if one.name == name))
    return name


def of_full_mailbox(world: World, peer: RawPeer, fields: Fields) -> Fields:
    world.conductor.full.add(held_node(world, peer, fields))
    return fields


def of_node_in_maintenance(world: World, peer: RawPeer, fields: Fields) -> Fields:
    conductor = world.conductor
    held_node(world, peer, fields)
    for node in list(conductor.nodes.values()):
        conductor.nodes[node.uuid] = structs.replace(node, maintenance=True, fault=Fault.ACTOR_FAILURE)
    return fields


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


def of_unknown_periodic(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "periodic": "nobody"}


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


def of_guarded_node(**guards: Any) -> Callable[[World, RawPeer, Fields], Fields]:
    """Have the node be guarded, and ask for what its guards refuse."""
    targets = {
        "node.power.set": {"target": "power off"},
        "node.provision.set": {"target": "provide" if "retired" in guards else "rebuild"},
    }

    def provoke(world: World, peer: RawPeer, fields: Fields) -> Fields:
        nodes = world.conductor.nodes
        name = held_node(world, peer, fields)
        node = next(one for one in nodes.values() if one.name == name)
        nodes[node.uuid] = structs.replace(node, **guards)
        return {**fields, **({} if "lock" in guards else targets.get(fields["verb"], {}))}

    return provoke


def of_machine_that_stays_on(world: World, peer: RawPeer, fields: Fields) -> Fields:
    if fields["verb"] == "node.provision.set":
        of_guarded_node(disable_power_off=True)(world, peer, fields)
        return {**fields, "steps": [{"step": "reboot"}]}
    return of_guarded_node(disable_power_off=True)(world, peer, fields)


def of_misplaced_node(world: World, peer: RawPeer, fields: Fields) -> Fields:
    if fields["verb"] == "node.set":
        return {**fields, "protected": True}
    if fields["verb"] == "allocation.delete":
        return of_guarded_node(provision_state=ProvisionState.ACTIVE)(world, peer, fields)
    return {**fields, **({"target": "unrescue"} if "target" in fields else {"node": created(world, peer)})}


def of_unknown_step(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "steps": [{"step": "nonsense"}]}


def of_answered_step(world: World, peer: RawPeer, fields: Fields) -> Fields:
    peer.ask({"verb": "node.step.done", "node": fields["node"], "token": fields["token"]})
    return fields


def of_strange_token(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "token": "nonsense"}


def of_unknown_runbook(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "runbook": "CUSTOM_NOWHERE"}


def of_taken_runbook(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "name": book(world, peer)}


def of_too_many_runbooks(world: World, peer: RawPeer, fields: Fields) -> Fields:
    name = book(world, peer)
    record = world.conductor.runbooks.by_name[name]
    many = [replace(record, uuid=RunbookUUID(f"{number}"), name=f"CUSTOM_{number}") for number in range(MAX_RUNBOOKS)]
    world.conductor.runbooks = RunbookIndex.of(many)
    return fields


def of_runbook_for_others(world: World, peer: RawPeer, fields: Fields) -> Fields:
    return {**fields, "runbook": book(world, peer)}


def of_unknown_allocation(world: World, peer: RawPeer, fields: Fields) -> Fields:
    key = "marker" if fields["verb"] == "allocation.list" else "allocation"
    return {**fields, key: "nobody"}


def of_known_allocation(world: World, peer: RawPeer, fields: Fields) -> Fields:
    name = world.new_name()
    allocated(peer, name=name)
    return {**fields, "name": name}


def of_strangers_allocation(world: World, peer: RawPeer, fields: Fields) -> Fields:
    allocations, uuid = world.conductor.allocations, fields["allocation"]
    allocations[uuid] = structs.replace(allocations[uuid], owner="ipc:uid=4711")
    return fields


PROVOKERS: dict[type[CastironError], Callable[[World, RawPeer, Fields], Fields]] = {
    errors.NodeNotFound: of_unknown_node,
    errors.NodeExists: of_taken_name,
    errors.BMCAddressTaken: of_taken_address,
    errors.NodeLocked: of_busy_node,
    errors.RevisionStale: of_old_revision,
    errors.MailboxFull: of_full_mailbox,
    errors.NodeInMaintenance: of_node_in_maintenance,
    errors.StoreUnavailable: of_broken_store,
    errors.RequestNotFound: of_unknown_request,
    errors.BulkNotFound: of_unknown_bulk,
    errors.BulkTooLarge: of_too_many_nodes,
    errors.PeriodicNotFound: of_unknown_periodic,
    errors.RequestReused: of_known_key,
    errors.RequestExpired: of_past_deadline,
    errors.RequestStarted: of_running_request,
    errors.RequestEnded: of_ended_request,
    errors.RequestNotYours: of_strangers_request,
    errors.BMCUnreachable: of_faulty_bmc("unreachable"),
    errors.BMCCredentials: of_faulty_bmc("credentials"),
    errors.BMCCertificate: of_faulty_bmc("certificate"),
    errors.BMCBusy: of_faulty_bmc("busy"),
    errors.BMCFault: of_faulty_bmc("broken"),
    errors.BMCUnsupported: of_faulty_bmc("unsupported"),
    errors.DeadlineExceeded: of_late_look,
    errors.NodeAllocated: of_guarded_node(allocation_uuid="00000000-0000-7000-8000-000000000000"),
    errors.AllocationNotFound: of_unknown_allocation,
    errors.AllocationExists: of_known_allocation,
    errors.AllocationNotYours: of_strangers_allocation,
    errors.NodeProtected: of_guarded_node(protected=True),
    errors.NodeRetired: of_guarded_node(retired=True),
    errors.NodeLockHeld: of_guarded_node(lock=LockView(owner="ipc:uid=4711", reason="fan", since=1.0)),
    errors.PowerOffDisabled: of_machine_that_stays_on,
    errors.NodeStateInvalid: of_misplaced_node,
    errors.StepInvalid: of_unknown_step,
    errors.StepNotWaiting: of_answered_step,
    errors.StepTokenInvalid: of_strange_token,
    errors.RunbookNotFound: of_unknown_runbook,
    errors.RunbookExists: of_taken_runbook,
    errors.RunbookStale: of_old_revision,
    errors.RunbooksFull: of_too_many_runbooks,
    errors.RunbookTraitMissing: of_runbook_for_others,
}
