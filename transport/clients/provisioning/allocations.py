"""A client's allocations: have a node of a class held for oneself, wait for it, give it back.

allocation = client.allocations.create("baremetal", traits=["CUSTOM_GPU"]).wait(timeout_s=60)
node = client.nodes.show(allocation.node_uuid)
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict, Unpack

from castiron.transport.clients.conversation import Conversation
from castiron.transport.errors import (
    AllocationExists,
    CapacityError,
    CastironError,
    ConductorLost,
    ReplyTimeout,
    from_wire,
)
from castiron.transport.replies import AllocationListed, AllocationView
from castiron.transport.verbs import (
    MAX_LIST,
    AllocationCreate,
    AllocationDelete,
    AllocationList,
    AllocationSet,
    AllocationShow,
    AllocationWait,
)
from castiron.transport.vocabulary import AllocationState

WAIT_S: Final = 30.0
"""One question of a wait asks for so long; a longer wait asks again."""

GRACE_S: Final = 5.0
"""For the answer to come after the time that was asked for."""

PAUSE_S: Final = 0.2
"""Until it is asked again, where nobody says how long."""


class AllocationChanges(TypedDict, total=False):
    """What can be changed of an allocation."""

    name: str | None
    """None: it has none any more."""
    extra: dict[str, Any]
    """Keys to set, or to remove where None."""


class HeldAllocation:
    """An allocation as it was when it was last seen.

    Attributes:
        view: all that the conductor says of it.
    """

    def __init__(self, view: AllocationView) -> None:
        self.view: AllocationView = view

    def __repr__(self) -> str:
        return f"<Allocation {self.uuid} {self.state}>"

    @property
    def uuid(self) -> str:
        """Its identity."""
        return self.view.uuid

    @property
    def state(self) -> AllocationState:
        """Its state when it was last seen; compares equal to the words of the wire, as "active"."""
        return self.view.state

    @property
    def node_uuid(self) -> str | None:
        """The node that is held; None: none, or none yet."""
        return self.view.node_uuid

    def raise_for_error(self) -> None:
        """Raise why no node could be had; nothing if one was, or is still looked for."""
        if self.view.error is not None and self.state == AllocationState.ERROR:
            raise from_wire(self.view.error)


class AsyncAllocation(HeldAllocation):
    """The same, to be awaited."""

    def __init__(self, view: AllocationView, allocations: "AsyncAllocations") -> None:
        super().__init__(view)
        self._allocations = allocations

    async def wait(self, timeout_s: float) -> "AsyncAllocation":
        """Wait until it is active or has failed; returns this same handle. See `AsyncAllocations.wait`."""
        if self.state == AllocationState.ALLOCATING:
            self.view = (await self._allocations.wait(self.uuid, timeout_s)).view
        return self

    async def delete(self, *, force: bool = False) -> "AsyncAllocation":
        """Give the node back, and forget the allocation; see `AsyncAllocations.delete`."""
        await self._allocations.delete(self.uuid, force=force)
        return self


class AsyncAllocations:
    """`client.allocations`; every method waits for its answer."""

    def __init__(
        self, conversation: Conversation, *, timeout_s: float, patience_s: float, now: Callable[[], float]
    ) -> None:
        """Share a conversation.

        Args:
            conversation: with the conductor.
            timeout_s: for each answer.
            patience_s: how long a creation is asked for again whose answer was lost.
            now: seconds of a clock that never goes back.
        """
        self._conversation = conversation
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._now = now

    async def create(
        self,
        resource_class: str,
        *,
        traits: Sequence[str] = (),
        candidate_nodes: Sequence[str] | None = None,
        name: str | None = None,
        extra: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        allocation_uuid: str | None = None,
    ) -> AsyncAllocation:
        """Have a node held for oneself; the allocation is on disk when this returns, and the node is looked for.

        It has a uuid from the beginning, so it is made once, whatever becomes of the answer.

        Args:
            resource_class: of the node.
            traits: all of these it must have.
            candidate_nodes: names or uuids; it must be one of these. None: any.
            name: unique among allocations. A node of the same name is taken before others.
            extra: what you like.
            timeout_s: wait so many seconds for a node to be had; None: fail if there is none now.
            allocation_uuid: its identity; None: a new one.

        Raises:
            AllocationExists: another has that name, or that uuid.
            NodeNotFound: some candidates are unknown.
        """
        verb = AllocationCreate(
            resource_class=resource_class,
            traits=list(traits),
            candidate_nodes=None if candidate_nodes is None else list(candidate_nodes),
            name=name,
            uuid=allocation_uuid or str(uuid.uuid4()),
            extra=dict(extra or {}),
            timeout_s=timeout_s,
        )
        return AsyncAllocation(await self._create(verb), self)

    async def show(self, allocation: str) -> AsyncAllocation:
        """Return an allocation as it is now, by uuid or name.

        Raises:
            AllocationNotFound: there is none.
        """
        view = await self._conversation.ask(AllocationShow(allocation=allocation), AllocationView, self._timeout_s)
        return AsyncAllocation(view, self)

    async def list(
        self,
        *,
        node: str | None = None,
        resource_class: str | None = None,
        state: AllocationState | str | None = None,
        owner: str | None = None,
    ) -> "list[AsyncAllocation]":
        """Return allocations, the oldest first; those of which all that is given holds. Pages are fetched as needed."""
        views: list[AllocationView] = []
        marker: str | None = None
        while True:
            verb = AllocationList(
                node=node,
                resource_class=resource_class,
                state=None if state is None else AllocationState(state),
                owner=owner,
                limit=MAX_LIST,
                marker=marker,
            )
            page = await self._conversation.ask(verb, AllocationListed, self._timeout_s)
            views += page.allocations
            marker = page.next_marker
            if marker is None:
                return [AsyncAllocation(view, self) for view in views]

    async def set(
        self, allocation: str, *, force: bool = False, **changes: Unpack[AllocationChanges]
    ) -> AsyncAllocation:
        """Change an allocation's `name`, None for none, or its `extra`, whose keys are set, or removed where None.

        Raises:
            AllocationNotFound: there is none.
            AllocationNotYours: it is somebody else's, and it was not forced.
            AllocationExists: another has that name.
        """
        verb = AllocationSet(allocation=allocation, force=force, **changes)
        return AsyncAllocation(await self._conversation.ask(verb, AllocationView, self._timeout_s), self)

    async def delete(self, allocation: str, *, force: bool = False) -> AsyncAllocation:
        """Give the node back, and forget the allocation; returned as it was.

        Raises:
            AllocationNotFound: there is none.
            AllocationNotYours: it is somebody else's, and it was not forced.
            NodeStateInvalid: somebody's machine is on the node: undeploy it.
        """
        verb = AllocationDelete(allocation=allocation, force=force)
        return AsyncAllocation(await self._conversation.ask(verb, AllocationView, self._timeout_s), self)

    async def wait(self, allocation: str, timeout_s: float) -> AsyncAllocation:
        """Wait until an allocation is active or has failed, through restarts of the conductor.

        Raises:
            ReplyTimeout: neither in time; it goes on.
            AllocationNotFound: there is none, or it was deleted meanwhile.
        """
        deadline = self._now() + timeout_s
        while True:
            found = await self._wait_once(allocation, max(0.0, deadline - self._now()))
            if found is not None and found.state != AllocationState.ALLOCATING:
                return found
            if self._now() >= deadline:
                raise ReplyTimeout(
                    f"Allocation {allocation} has no node within {timeout_s:g} s. It goes on; wait for it again.",
                    details={"allocation": allocation},
                )

    async def _create(self, verb: AllocationCreate) -> AllocationView:
        """Send it, and again if the answer is lost, unless it is known by then."""
        ends_at = self._now() + self._patience_s
        is_repeated = False
        while True:
            try:
                return await self._conversation.ask(verb, AllocationView, self._timeout_s)
            except AllocationExists as error:
                if not is_repeated or error.details.get("uuid") != verb.uuid:
                    raise
                return (await self.show(str(verb.uuid))).view
            except (ConductorLost, ReplyTimeout, CapacityError) as error:
                await self._pause(error, ends_at)
                is_repeated = True

    async def _wait_once(self, allocation: str, rest_s: float) -> AsyncAllocation | None:
        """Ask once; None if the conductor could not say and there is time to ask again."""
        wait_s, ends_at = min(rest_s, WAIT_S), self._now() + rest_s
        try:
            verb = AllocationWait(allocation=allocation, timeout_s=wait_s)
            return AsyncAllocation(await self._conversation.ask(verb, AllocationView, wait_s + GRACE_S), self)
        except (ConductorLost, ReplyTimeout, CapacityError) as error:
            await self._pause(error, ends_at)
            return None

    async def _pause(self, error: CastironError, ends_at: float) -> None:
        """Wait until it may be asked again.

        Raises:
            CastironError: `error`, if the time is up.
        """
        pause_s = min(error.retry_after_s or PAUSE_S, ends_at - self._now())
        if pause_s <= 0:
            raise error
        await self._conversation.idle(pause_s)
