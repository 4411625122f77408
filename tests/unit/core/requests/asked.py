"""What tests ask of a node that has something to do already, and how they read what became of it."""

from msgspec import structs

from castiron.actors.core.effects import Accept, AnswerRequest
from castiron.store.records import RequestRecord
from castiron.transport.errors import CastironError, from_wire
from castiron.transport.verbs import NodeBootDeviceSet, NodePowerSet
from castiron.transport.vocabulary import (
    Policy,
    PowerTarget,
    RequestID,
)
from tests.support.node_world import World

POWER_OFF = NodePowerSet(node="n1", target=PowerTarget.OFF)
REBOOT = NodePowerSet(node="n1", target=PowerTarget.REBOOT)
OFF_AFTER = structs.replace(POWER_OFF, policy=Policy.AFTER)
DISK_AFTER = NodeBootDeviceSet(node="n1", boot_device="disk", policy=Policy.AFTER)


def taken(node: World, asked: RequestID) -> RequestRecord:
    (reply,) = node.replies[asked]
    assert isinstance(reply, Accept)
    return reply.request


def error_of(node: World, request: RequestID) -> CastironError:
    record = node.requests[request]
    assert record.error is not None
    return from_wire(record.error)


def answered(node: World, asked: str) -> RequestRecord:
    (reply,) = node.replies[asked]
    assert isinstance(reply, AnswerRequest)
    return reply.request
