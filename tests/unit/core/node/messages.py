"""What tests say to a node in its world, and how they read what it answered."""

from typing import Any

from castiron.actors.core.effects import Refuse
from castiron.actors.core.messages import Amend, Amendment, Heard, Message, Recover, Remove, SetMaintenance, TimerDue
from castiron.actors.core.state import Ticket
from castiron.actors.drivers.base import Done, DriverInfo
from castiron.store.records import RequestRecord
from castiron.transport.errors import CastironError
from castiron.transport.verbs import AnyNodeRequest, NodeBootDeviceGet, NodeBootDeviceSet, NodePowerSet
from castiron.transport.vocabulary import PowerState, PowerTarget, RequestID
from tests.support.node_timers import timers_of
from tests.support.node_world import World
from tests.support.store_records import plain_node
from tests.support.weather import FAIR, Fate, Gust, Machine, weather

POWER_ON = NodePowerSet(node="n1", target=PowerTarget.ON)
SET_PXE = NodeBootDeviceSet(node="n1", boot_device="pxe")
READ_BOOT = NodeBootDeviceGet(node="n1")
DEAD = Gust(Fate.LOST, takes_s=99.0)


def world(power: PowerState = PowerState.OFF, *gusts: Gust, afterwards: Gust = FAIR, **record: Any) -> World:
    node = World(record=plain_node(**record), machine=Machine(power=power), gusts=weather(gusts, afterwards))
    node.tell(Recover())
    return node


def refusal(of: World, reply_to: object) -> CastironError:
    (reply,) = of.replies[reply_to]
    assert isinstance(reply, Refuse)
    return reply.error


def types(of: World, request: RequestID) -> list[str]:
    return [event.type.value for event in of.told(request)]


def bounded(timeout_s: float, target: PowerTarget = PowerTarget.ON) -> NodePowerSet:
    return NodePowerSet(node="n1", target=target, timeout_s=timeout_s)


def ended_after(node: World, verb: AnyNodeRequest) -> tuple[RequestRecord, float]:
    request = node.submit(verb)
    node.grant()
    while node.state.active is not None:
        node.advance()
    ended = node.requests[request]
    assert ended.started_at is not None
    assert ended.ended_at is not None
    return ended, ended.ended_at - ended.started_at


def stale_messages(node: World) -> list[Message]:
    active = node.state.active
    live = timers_of(node.state) | {node.state.check.timer, node.state.check.call}
    if active is not None:
        live |= {active.call, *(lane.call for lane in active.lanes)}
    tickets = [Ticket(number) for number in range(node.state.tickets + 3) if number not in live]
    saw_on = Done(value=PowerState.ON)
    return [
        *(Heard(ticket=ticket, outcome=saw_on) for ticket in tickets),
        *(TimerDue(ticket=ticket) for ticket in tickets),
        *(TimerDue(ticket=active.call) for _ in range(1) if active is not None and active.call is not None),
    ]


def amend(amendment: Amendment, revision: int | None = None) -> Amend:
    return Amend(amendment=amendment, revision=revision, requester="ipc", reply_to="asked")


NEW_INFO = DriverInfo(info={"ipmi_address": "127.0.0.2"}, secret_keys=frozenset(), bmc_address="127.0.0.2:623")
FREE = Amendment(attributes={"extra": {"rack": "r1"}})


def remove(revision: int | None = None, reply_to: str = "deleted", *, force: bool = False) -> Remove:
    return Remove(revision=revision, force=force, requester="ipc", reply_to=reply_to)


def maintain(*, maintenance: bool = True, reason: str | None = None) -> SetMaintenance:
    return SetMaintenance(maintenance=maintenance, reason=reason, requester="ipc", reply_to="asked")
