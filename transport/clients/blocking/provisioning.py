"""Moves, guards, runbooks and allocations, for those who wait: see `transport.clients.provisioning`."""

from collections.abc import Sequence

from castiron.transport.clients.blocking.requests import Request
from castiron.transport.clients.blocking.running import Blocking, blocking, run
from castiron.transport.clients.provisioning.allocations import AsyncAllocation, AsyncAllocations, HeldAllocation
from castiron.transport.clients.provisioning.guards import AsyncGuards
from castiron.transport.clients.provisioning.moves import AsyncProvision
from castiron.transport.clients.provisioning.runbooks import AsyncRunbooks


class Guards(Blocking[AsyncGuards]):
    """`client.guards`: locks nodes. Any thread; every method blocks until it is answered."""

    lock = blocking(AsyncGuards.lock)
    unlock = blocking(AsyncGuards.unlock)


class Provision(Blocking[AsyncProvision]):
    """`client.provision`: moves nodes. Any thread; every method blocks until it is answered."""

    set = blocking(AsyncProvision.set, Request)
    abort = blocking(AsyncProvision.abort)
    hold = blocking(AsyncProvision.hold)
    unhold = blocking(AsyncProvision.unhold)
    steps = blocking(AsyncProvision.steps)
    step_done = blocking(AsyncProvision.step_done)
    step_progress = blocking(AsyncProvision.step_progress)


class Runbooks(Blocking[AsyncRunbooks]):
    """`client.runbooks`: keeps runbooks. Any thread; every method blocks until it is answered."""

    create = blocking(AsyncRunbooks.create)
    show = blocking(AsyncRunbooks.show)
    list = blocking(AsyncRunbooks.list)
    page = blocking(AsyncRunbooks.page)
    set = blocking(AsyncRunbooks.set)
    delete = blocking(AsyncRunbooks.delete)
    check = blocking(AsyncRunbooks.check)


class Allocation(HeldAllocation):
    """An allocation as it was when it was last seen.

    Attributes:
        view: all that the conductor says of it.
    """

    def __init__(self, held: AsyncAllocation) -> None:
        super().__init__(held.view)
        self._held = held

    def wait(self, timeout_s: float) -> "Allocation":
        """Wait until it is active or has failed; returns this same handle. See `Allocations.wait`."""
        self.view = run(self._held.wait(timeout_s)).view
        return self

    def delete(self, *, force: bool = False) -> "Allocation":
        """Give the node back, and forget the allocation; see `Allocations.delete`."""
        run(self._held.delete(force=force))
        return self


def _allocations(held: Sequence[AsyncAllocation]) -> list[Allocation]:
    return [Allocation(one) for one in held]


class Allocations(Blocking[AsyncAllocations]):
    """`client.allocations`. Any thread; every method blocks until it is answered."""

    create = blocking(AsyncAllocations.create, Allocation)
    show = blocking(AsyncAllocations.show, Allocation)
    list = blocking(AsyncAllocations.list, _allocations)
    set = blocking(AsyncAllocations.set, Allocation)
    delete = blocking(AsyncAllocations.delete, Allocation)
    wait = blocking(AsyncAllocations.wait, Allocation)
