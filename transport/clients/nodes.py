"""What a client does with nodes: make them known, look at them, change them, and ask their machines for something."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Unpack, cast
from uuid import uuid4

from msgspec import UNSET, UnsetType, to_builtins

from castiron.transport.clients.bulk import AsyncBulk, BulkTerms, Told, bulk_verb
from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.delivery import Terms, on_terms
from castiron.transport.clients.provisioning.guards import FirstMarks, Marks, as_fields
from castiron.transport.clients.requests import AsyncRequest, AsyncRequests
from castiron.transport.clients.stream import AsyncEventStream
from castiron.transport.clients.waiting import NodeWait, Standing
from castiron.transport.events import EventView
from castiron.transport.replies import Explanation, HistoryListed, NodeDeleted, NodeListed, NodeView, RecordPage
from castiron.transport.selection.conditions import Condition
from castiron.transport.selection.sorting import in_order, pieces
from castiron.transport.selection.text import parsed
from castiron.transport.verbs import (
    MAX_LIST,
    MAX_RECORDED,
    AnyNodeRequest,
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodeCreate,
    NodeDelete,
    NodeExplain,
    NodeHistory,
    NodeList,
    NodeMaintenanceSet,
    NodeMaintenanceUnset,
    NodePowerSet,
    NodeRecording,
    NodeSet,
    NodeShow,
)
from castiron.transport.vocabulary import UUID_FORM, PowerTarget

DriverInfoMap = Mapping[str, str | int | float | bool | None]
"""What a driver needs, in Ironic's names."""

SettableBootDevice = Literal["pxe", "disk", "cdrom", "bios", "safe", "floppy"]
"""Where a machine may be told to boot from."""


class Snapshot(NamedTuple):
    """Nodes as they were at a number of the stream of events."""

    nodes: list[NodeView]
    seq: int
    """All events up to this number are in it. Of no nodes at all, asked for by an empty list: 0."""


class AsyncNodes:
    """`client.nodes`. Every method waits for the conductor's answer, none for a machine.

    A node is named by its name or its uuid. Every method may raise what the verb of its name lists in PROTOCOL.md, and
    ConductorLost or ReplyTimeout.
    """

    def __init__(
        self,
        conversation: Conversation,
        requests: AsyncRequests,
        *,
        timeout_s: float,
        follow: Callable[..., AsyncEventStream],
        now: Callable[[], float],
    ) -> None:
        """Share a conversation, for which `follow` makes streams of events; answers have `timeout_s` seconds."""
        self._conversation = conversation
        self._requests = requests
        self._timeout_s = timeout_s
        self._follow = follow
        self._now = now

    async def create(
        self,
        name: str,
        *,
        driver: str = "ipmi",
        driver_info: DriverInfoMap | None = None,
        properties: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        power_state_change_timeout_s: float | None = None,
        soft_power_off_timeout_s: float | None = None,
        power_check_interval_s: float | None = None,
        force: bool = False,
        **marks: Unpack[FirstMarks],
    ) -> NodeView:
        """Make a node known.

        Args:
            name: letters, digits, and . - _; at most 255.
            driver: how its BMC is spoken to.
            driver_info: what the driver needs, as ipmi_address.
            properties: free, about the machine.
            extra: free, about anything.
            power_state_change_timeout_s: for each power state to be reached; None: the conductor's.
            soft_power_off_timeout_s: for the operating system to shut down; None: the conductor's.
            power_check_interval_s: from one look at its power state to the next; 0: none; None: the conductor's.
            force: accept a BMC address that another node has.
            marks: resource_class, traits, disable_power_off, retired and its reason.
        """
        verb = NodeCreate(
            name=name,
            driver=driver,
            driver_info=dict(driver_info or {}),
            properties=dict(properties or {}),
            extra=dict(extra or {}),
            power_state_change_timeout_s=power_state_change_timeout_s,
            soft_power_off_timeout_s=soft_power_off_timeout_s,
            power_check_interval_s=power_check_interval_s,
            force=force,
            **as_fields(marks),
        )
        return await self._conversation.ask(verb, NodeView, self._timeout_s)

    async def uuids(self, nodes: Sequence[str]) -> "list[str]":
        """Return the uuids of nodes; what has the form of a uuid is taken for one, whether there is such a node or not.

        Raises:
            NodeNotFound: it names those that are unknown.
        """
        names = [node for node in nodes if not UUID_FORM.match(node)]
        return [*(node for node in nodes if UUID_FORM.match(node)), *(view.uuid for view in await self.list(names))]

    async def history(self, node: str, *, limit: int = 100) -> "list[EventView]":
        """Return a node's events, the latest first.

        Args:
            node: name or uuid; of a node that has been deleted, its uuid.
            limit: how many at the most; pages are fetched as needed. Each node keeps its latest 300, or what the
                conductor was told to keep.
        """
        found, before, is_more = list[EventView](), None, True
        while is_more and len(found) < limit:
            verb = NodeHistory(node=node, limit=min(limit - len(found), MAX_LIST), before=before)
            page = await self._conversation.ask(verb, HistoryListed, self._timeout_s)
            found += page.events
            is_more = (before := page.next_before) is not None
        return found

    async def explain(self, node: str) -> Explanation:
        """Return why a node is not doing what it was asked for."""
        return await self._conversation.ask(NodeExplain(node=node), Explanation, self._timeout_s)

    async def record(self, node: str, *, page_lines: int = MAX_RECORDED) -> AsyncIterator[Mapping[str, Any]]:
        """Yield a node's record, secrets masked: a header, then events and requests with their traces, latest first."""
        marker: str | None = ""
        while marker is not None:
            verb = NodeRecording(node=node, limit=page_lines, marker=marker or None)
            page = await self._conversation.ask(verb, RecordPage, self._timeout_s)
            if not marker:
                yield {"kind": "header", **to_builtins(page.header)}
            for line in page.lines:
                yield line
            marker = page.next_marker

    async def wait_for(
        self,
        nodes: Sequence[str] | None,
        conditions: Sequence[str | Condition],
        *,
        timeout_s: float | None = None,
        any_: bool = False,
        told: Callable[[str], object] | None = None,
        progress: Callable[[Standing], object] | None = None,
    ) -> "list[NodeView]":
        """Wait until conditions hold of nodes, all at the same time; return those nodes, sorted by name.

        Follows the events of the nodes, through restarts of the conductor; none is polled.

        Args:
            nodes: names or uuids; None: all that there are now.
            conditions: as in `list`.
            timeout_s: from now; None: for as long as it takes.
            any_: one node is enough.
            told: called with a sentence when the conductor is away, and when it is back.
            progress: called whenever more is known.

        Raises:
            ReplyTimeout: they do not hold in time.
            NodeNotFound: a node is unknown, or was deleted meanwhile; with `any_`, all were.
            ArgumentInvalid: as `list`.
            ConductorLost: nobody answers at the beginning.
        """
        wanted = parsed(conditions, "$.conditions")
        views, seq = await self.snapshot(nodes)
        async with self._follow(seq, nodes=[view.uuid for view in views], told=told) as stream:
            waiting = NodeWait(self._conversation, stream, views, wanted, now=self._now)
            return await waiting.finish(timeout_s=timeout_s, any_=any_, answer_s=self._timeout_s, progress=progress)

    async def list(
        self,
        nodes: Sequence[str] | None = None,
        *,
        where: Sequence[str | Condition] = (),
        sort: str | None = None,
        descending: bool = False,
    ) -> "list[NodeView]":
        """Return nodes, sorted by name.

        Nodes that are there all the time are returned once each, whatever is created, renamed or changed meanwhile.

        Args:
            nodes: these only; all if None. None are asked for if it is empty.
            where: those of which all these hold, as "power_state=power on" or "driver_info.ipmi_address=10.0.*".
            sort: by this field; those that have nothing there come last, and of equals the name decides.
            descending: the highest first.

        Raises:
            ArgumentInvalid: a node has no such field, it is a secret, or it never holds what a condition wants.
        """
        return in_order((await self.snapshot(nodes, where=where)).nodes, sort, descending=descending)

    async def snapshot(self, nodes: Sequence[str] | None = None, *, where: Sequence[str | Condition] = ()) -> Snapshot:
        """Return nodes as `list` does, and the number of the event at which that holds.

        To know of every change from then on, go on with `client.events(since=snapshot.seq)`. Some of those events may
        be in the snapshot already.
        """
        conditions = parsed(where)
        chunks: Sequence[Sequence[str] | None] = [None] if nodes is None else [*pieces(nodes, limit=MAX_LIST)]
        pages = [page for chunk in chunks async for page in self._pages(chunk, conditions)]
        views = {view.uuid: view for page, _ in pages for view in page.nodes}
        return Snapshot(in_order(views.values()), min((seq for _, seq in pages), default=0))

    async def show(self, node: str) -> NodeView:
        """Return a node as it stands."""
        return await self._conversation.ask(NodeShow(node=node), NodeView, self._timeout_s)

    async def set(
        self,
        node: str,
        *,
        revision: int | None = None,
        force: bool = False,
        name: str | UnsetType = UNSET,
        driver: str | UnsetType = UNSET,
        driver_info: DriverInfoMap | UnsetType = UNSET,
        properties: Mapping[str, Any] | UnsetType = UNSET,
        extra: Mapping[str, Any] | UnsetType = UNSET,
        power_state_change_timeout_s: float | UnsetType | None = UNSET,
        soft_power_off_timeout_s: float | UnsetType | None = UNSET,
        power_check_interval_s: float | UnsetType | None = UNSET,
        **marks: Unpack[Marks],
    ) -> NodeView:
        """Change attributes of a node; what is not named stays. In maps, a key with None is removed.

        Args:
            node: name or uuid.
            revision: change only if the node still has this revision.
            force: accept a BMC address that another node has.
            name: its new name.
            driver: as in `create`.
            driver_info: keys to set or remove.
            properties: keys to set or remove.
            extra: keys to set or remove.
            power_state_change_timeout_s: None goes back to the conductor's.
            soft_power_off_timeout_s: None goes back to the conductor's.
            power_check_interval_s: None goes back to the conductor's.
            marks: as in `create`, and protected and its reason.
        """
        verb = NodeSet(
            node=node,
            revision=revision,
            force=force,
            name=name,
            driver=driver,
            driver_info=dict(driver_info) if isinstance(driver_info, Mapping) else driver_info,
            properties=dict(properties) if isinstance(properties, Mapping) else properties,
            extra=dict(extra) if isinstance(extra, Mapping) else extra,
            power_state_change_timeout_s=power_state_change_timeout_s,
            soft_power_off_timeout_s=soft_power_off_timeout_s,
            power_check_interval_s=power_check_interval_s,
            **as_fields(marks),
        )
        return await self._conversation.ask(verb, NodeView, self._timeout_s)

    async def delete(self, node: str, *, revision: int | None = None, force: bool = False) -> NodeDeleted:
        """Forget a node; its machine is not touched. A request that waits ends as cancelled.

        Args:
            node: name or uuid.
            revision: delete only if the node still has this revision.
            force: also while a request is running, which then ends as failed.
        """
        return await self._conversation.ask(
            NodeDelete(node=node, revision=revision, force=force), NodeDeleted, self._timeout_s
        )

    async def set_maintenance(self, node: str, *, reason: str | None = None) -> NodeView:
        """Put a node into maintenance by hand: only `unset_maintenance` ends it. Idempotent.

        Args:
            node: name or uuid.
            reason: why, at most 255 characters; None leaves the reason that was given by hand before, if any.
        """
        return await self._conversation.ask(NodeMaintenanceSet(node=node, reason=reason), NodeView, self._timeout_s)

    async def unset_maintenance(self, node: str) -> NodeView:
        """Take a node out of maintenance, and forget its fault, if it has one. Idempotent."""
        return await self._conversation.ask(NodeMaintenanceUnset(node=node), NodeView, self._timeout_s)

    async def power(
        self,
        node: str,
        target: PowerTarget | str,
        *,
        timeout_s: float | None = None,
        hard_fallback: bool = False,
        **terms: Unpack[Terms],
    ) -> AsyncRequest:
        """Ask for a power state; the request is on disk when this returns; see `Requests.submit`.

        Args:
            node: name or uuid.
            target: "power on", "power off", "rebooting", "soft power off", "soft rebooting".
            timeout_s: for each state to be reached; None: the node's, or the conductor's.
            hard_fallback: cut the power if a soft power off does not end in time.
            terms: how the request is to be treated.
        """
        wanted = cast("PowerTarget", target)  # the codec checks words before they are sent
        verb = NodePowerSet(node=node, target=wanted, timeout_s=timeout_s, hard_fallback=hard_fallback)
        return await self._requests.submit(on_terms(verb, **terms))

    async def boot_device(self, node: str, **terms: Unpack[Terms]) -> AsyncRequest:
        """Ask the BMC where its machine will boot from; the request's result holds the answer. As `power`."""
        return await self._requests.submit(on_terms(NodeBootDeviceGet(node=node), **terms))

    async def set_boot_device(
        self,
        node: str,
        device: SettableBootDevice | str,
        *,
        persistent: bool = False,
        uefi: bool = False,
        **terms: Unpack[Terms],
    ) -> AsyncRequest:
        """Ask for a boot device. See `Requests.submit`.

        Args:
            node: name or uuid.
            device: "pxe", "disk", "cdrom", "bios", "safe", "floppy".
            persistent: from now on, not only the next time.
            uefi: boot it in UEFI mode.
            terms: how the request is to be treated.
        """
        wanted = cast("SettableBootDevice", device)  # the codec checks words before they are sent
        verb = NodeBootDeviceSet(node=node, boot_device=wanted, persistent=persistent, uefi=uefi)
        return await self._requests.submit(on_terms(verb, **terms))

    def bulk(
        self,
        request: AnyNodeRequest | Mapping[str, Any],
        nodes: str | Sequence[str] | None = None,
        *,
        where: Sequence[str | Condition] = (),
        key: str | None = None,
        timeout_s: float | None = None,
        told: Told | None = None,
        **terms: Unpack[BulkTerms],
    ) -> AsyncBulk:
        """Ask for the same of many nodes in one message; iterate over what it returns for what became of each.

        Args:
            request: as NodePowerSet(node="", target=…), or a map with its `verb`; `node`, `key`, `replies` count not.
            nodes: a host range, or names and uuids; None: all of which the conditions hold.
            where: those of which all these hold, as in `list`, when the conductor accepts it.
            key: the same bulk again asks nobody twice; None: a new one is made.
            timeout_s: for all of it; None: as long as it takes.
            told: called with the bulk whenever more is known.
            terms: batch, stagger_s, per, per_limit, stop_after_failures, at_most, wait; see `bulk.run` in PROTOCOL.md.

        Raises:
            ArgumentInvalid: something does not fit. The rest is raised by the iteration.
        """
        verb = bulk_verb(request, nodes, where=[*parsed(where)], key=key or str(uuid4()), **terms)
        return AsyncBulk(
            self._conversation, verb, answer_s=self._timeout_s, timeout_s=timeout_s, told=told, now=self._now
        )

    async def _pages(
        self, names: Sequence[str] | None, where: Sequence[Condition]
    ) -> AsyncIterator[tuple[NodeListed, int]]:
        """Yield pages in the order of what never changes, so that no node is met twice, or missed."""
        marker: str | None = ""
        while marker is not None:
            named = None if names is None else [*names]
            verb = NodeList(nodes=named, where=[*where], sort="uuid", marker=marker or None)
            page, seq = await self._conversation.ask_with_seq(verb, NodeListed, self._timeout_s)
            yield page, seq
            marker = page.next_marker
