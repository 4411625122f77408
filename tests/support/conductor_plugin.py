"""A driver plug-in with bugs: the fake driver, until a test puts a bug into it for a node."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import pykka

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.dispatch.mailbox import Mailbox
from castiron.actors.drivers.base import Call, Driver, DriverInfo, Outcome
from castiron.actors.drivers.fake import FakeDriver
from castiron.actors.drivers.fake_machine import FakeBMC
from castiron.actors.nodes.node import NodeActor
from castiron.actors.settings import Settings
from castiron.transport.vocabulary import NodeUUID

Bug = Callable[[Call], None]
"""What happens in `submit` before the call is taken: it may raise, or not come back."""


class BuggyDriver:
    """See base.Driver. `bugs`, `check_bug` and `takes_orders` may be changed at any time."""

    name = "fake"
    takes_orders = False

    def __init__(self, clock: Clock) -> None:
        self._fake = FakeDriver(clock)
        self.bugs: dict[str, Bug] = {}
        self.check_bug: Callable[[Mapping[str, Any]], None] = lambda _: None
        self.calls: list[Call] = []

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        self.check_bug(driver_info)
        return self._fake.check(driver_info)

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        self.calls.append(call)
        bug = self.bugs.get(call.target.node)
        if bug is not None:
            bug(call)
        self._fake.submit(call, done)

    def forget(self, node: NodeUUID) -> None:
        self._fake.forget(node)

    def counters(self) -> Mapping[str, int]:
        return self._fake.counters()

    def is_alive(self) -> bool:
        return self._fake.is_alive()

    def stop(self, timeout_s: float) -> None:
        self._fake.stop(timeout_s)

    def bmc(self, uuid: str) -> FakeBMC:
        """Return a node's machine."""
        return self._fake.bmc(NodeUUID(uuid))


class Plugin:
    """Makes the driver of a conductor, and remembers the latest: `drivers=plugin.make`."""

    driver: BuggyDriver

    def make(self, clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
        del settings, shares
        self.driver = BuggyDriver(clock)
        return {"fake": self.driver}


def once(bug: Bug) -> Bug:
    """Return a bug that strikes the first call only."""
    calls: list[Call] = []

    def strike(call: Call) -> None:
        calls.append(call)
        if len(calls) == 1:
            bug(call)

    return strike


def actor_of(uuid: str) -> "pykka.ActorRef[NodeActor]":
    """Return a node's actor, as any code of the process could find it, behind the conductor's back."""
    for ref in pykka.ActorRegistry.get_by_class(NodeActor):
        owner = mailbox_of(ref)._owner
        if isinstance(owner, NodeActor) and owner.uuid == uuid:
            return ref
    raise LookupError(uuid)


def mailbox_of(ref: "pykka.ActorRef[NodeActor]") -> Mailbox:
    """Return an actor's mailbox, by its own type."""
    return cast("Mailbox", ref.actor_inbox)
