"""What a client does with nodes: make them known, look at them, change them, and ask their machines for something."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, cast

from msgspec import UNSET, UnsetType

from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.requests import Request, Requests
from castiron.transport.events import EventView
from castiron.transport.replies import HistoryListed, NodeDeleted, NodeListed, NodeView, RequestView
from castiron.transport.verbs import (
    MAX_LIST,
    AnyNodeRequest,
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodeCreate,
    NodeDelete,
    NodeHistory,
    NodeList,
    NodePowerSet,
    NodeSet,
    NodeShow,
)
from castiron.transport.vocabulary import UUID_FORM, PowerTarget

DriverInfoMap = Mapping[str, str | int | float | bool | None]
"""What a driver needs, in Ironic's names."""

SettableBootDevice = Literal["pxe", "disk", "cdrom", "bios", "safe", "floppy"]
"""Where a machine may be told to boot from."""

MAX_NAMES_BYTES: Final = 49_152
"""Names in one `node.list`: three quarters of a message."""


class Snapshot(NamedTuple):
    """Nodes as they were at a number of the stream of events."""

    nodes: list[NodeView]
    seq: int
    """All events up to this number are in it. Of no nodes at all, asked for by an empty list: 0."""


class Nodes:
    """`client.nodes`. Any thread; every method blocks until the conductor has answered, none waits for a machine.

    A node is named by its name or its uuid. Every method may raise what the verb of its name lists in PROTOCOL.md, and
    ConductorLost or ReplyTimeout.
    """

    def __init__(self, conversation: Conversation, requests: Requests, *, timeout_s: float) -> None:
        self._conversation = conversation
        self._requests = requests
        self._timeout_s = timeout_s

    def create(
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
        )
        return self._conversation.ask(verb, NodeView, self._timeout_s)

    def uuids(self, nodes: Sequence[str]) -> "list[str]":
        """Return the uuids of nodes; what has the form of a uuid is taken for one, whether there is such a node or not.

        Raises:
            NodeNotFound: it names those that are unknown.
        """
        names = [node for node in nodes if not UUID_FORM.match(node)]
        return [*(node for node in nodes if UUID_FORM.match(node)), *(view.uuid for view in self.list(names))]

    def history(self, node: str, *, limit: int = 100) -> "list[EventView]":
        """Return a node's events, the latest first.

        Args:
            node: name or uuid; of a node that has been deleted, its uuid.
            limit: how many at the most; pages are fetched as needed. Each node keeps its latest 300, or what the
                conductor was told to keep.
        """
        found: list[EventView] = []
        before: int | None = None
        while len(found) < limit:
            verb = NodeHistory(node=node, limit=min(limit - len(found), MAX_LIST), before=before)
            page = self._conversation.ask(verb, HistoryListed, self._timeout_s)
            found += page.events
            before = page.next_before
            if before is None:
                break
        return found

    def list(self, nodes: Sequence[str] | None = None) -> "list[NodeView]":
        """Return nodes, sorted by name within each page; of a long list of names, each chunk's in turn.

        Args:
            nodes: these only; all if None. None are asked for if it is empty.
        """
        return self.snapshot(nodes).nodes

    def snapshot(self, nodes: Sequence[str] | None = None) -> Snapshot:
        """Return nodes as `list` does, and the number of the event at which that holds.

        To know of every change from then on, go on with `client.events(since=snapshot.seq)`. Some of those events may
        be in the snapshot already.
        """
        chunks = [None] if nodes is None else list(_chunks(nodes))
        pages = [page for chunk in chunks for page in _pages(self._conversation, chunk, self._timeout_s)]
        views = [view for page, _ in pages for view in page.nodes]
        return Snapshot(views, min((seq for _, seq in pages), default=0))

    def show(self, node: str) -> NodeView:
        """Return a node as it stands."""
        return self._conversation.ask(NodeShow(node=node), NodeView, self._timeout_s)

    def set(
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
        )
        return self._conversation.ask(verb, NodeView, self._timeout_s)

    def delete(self, node: str, *, revision: int | None = None) -> NodeDeleted:
        """Forget a node; its machine is not touched.

        Args:
            node: name or uuid.
            revision: delete only if the node still has this revision.
        """
        return self._conversation.ask(NodeDelete(node=node, revision=revision), NodeDeleted, self._timeout_s)

    def power(
        self, node: str, target: PowerTarget | str, *, timeout_s: float | None = None, hard_fallback: bool = False
    ) -> Request:
        """Ask for a power state; the request is on disk when this returns, and goes on by itself.

        Not idempotent: after ConductorLost with `applied` unknown, look at `requests.list(node)` before asking again.

        Args:
            node: name or uuid.
            target: "power on", "power off", "rebooting", "soft power off", "soft rebooting".
            timeout_s: for each state to be reached; None: the node's, or the conductor's.
            hard_fallback: cut the power if a soft power off does not end in time.
        """
        wanted = cast("PowerTarget", target)  # the codec checks words before they are sent
        return self._accepted(NodePowerSet(node=node, target=wanted, timeout_s=timeout_s, hard_fallback=hard_fallback))

    def boot_device(self, node: str) -> Request:
        """Ask the BMC where its machine will boot from; the request's result holds the answer."""
        return self._accepted(NodeBootDeviceGet(node=node))

    def set_boot_device(
        self, node: str, device: SettableBootDevice | str, *, persistent: bool = False, uefi: bool = False
    ) -> Request:
        """Ask for a boot device.

        Args:
            node: name or uuid.
            device: "pxe", "disk", "cdrom", "bios", "safe", "floppy".
            persistent: from now on, not only the next time.
            uefi: boot it in UEFI mode.
        """
        wanted = cast("SettableBootDevice", device)  # the codec checks words before they are sent
        return self._accepted(NodeBootDeviceSet(node=node, boot_device=wanted, persistent=persistent, uefi=uefi))

    def _accepted(self, verb: AnyNodeRequest) -> Request:
        return Request(self._conversation.ask(verb, RequestView, self._timeout_s), self._requests)


def _pages(conversation: Conversation, names: list[str] | None, timeout_s: float) -> Iterator[tuple[NodeListed, int]]:
    marker: str | None = None
    while True:
        page, seq = conversation.ask_with_seq(NodeList(nodes=names, marker=marker), NodeListed, timeout_s)
        yield page, seq
        marker = page.next_marker
        if marker is None:
            return


def _chunks(names: Sequence[str]) -> Iterator[list[str]]:
    """Cut a list of names into lists that fit into a message each."""
    chunk: list[str] = []
    size_bytes = 0
    for name in names:
        name_bytes = len(name.encode()) + 3  # what msgpack puts before a string of up to 64 KiB
        if chunk and (len(chunk) == MAX_LIST or size_bytes + name_bytes > MAX_NAMES_BYTES):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(name)
        size_bytes += name_bytes
    if chunk:
        yield chunk
