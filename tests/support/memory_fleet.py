"""The nodes and requests of a small conductor in memory, and who may touch them now: every refusal is raised here."""

from typing import Any

from castiron.actors.core.requests.guards import GUARDS, Guard
from castiron.transport import errors
from castiron.transport.doors.answers import PeerInfo
from castiron.transport.replies import NodeView, RequestView
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, Fault

ADDRESS = "ipmi_address"


class MemoryFleet:
    """What there is. Whoever looks holds the conductor's lock."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeView] = {}
        self.requests: dict[str, RequestView] = {}
        self.full: set[str] = set()
        """Nodes that take no more messages."""
        self.leaving: set[str] = set()
        """Nodes that are being deleted, and will be gone any moment."""
        self.is_store_broken = False

    def _node(self, name: str) -> NodeView:
        found = next((node for node in self.nodes.values() if name in {node.name, node.uuid}), None)
        if found is None:
            raise errors.NodeNotFound(f"There is no node {name}.", details={"node": name})
        return found

    def _view(self, request_id: str) -> RequestView:
        if request_id not in self.requests:
            raise errors.RequestNotFound("There is no such request.", details={"request": request_id})
        return self.requests[request_id]

    def _reachable(self, name: str) -> NodeView:
        node = self._node(name)
        if node.name in self.full:
            raise errors.MailboxFull("Wait.", details={"node": node.name, "limit": 0}, retry_after_s=1.0)
        if node.name in self.leaving:
            raise errors.NodeLocked("Going.", details={"node": node.name, "request": None, "verb": "node.delete"})
        return node

    def _changeable(self, name: str, revision: int | None, *, may_be_busy: bool = False) -> NodeView:
        node = self._reachable(name)
        busy = next(
            (
                one
                for one in self.requests.values()
                if one.node_uuid == node.uuid and one.state not in FINAL_REQUEST_STATES
            ),
            None,
        )
        if busy is not None and not may_be_busy:
            raise errors.NodeLocked("Busy. Wait.", details={"node": node.name, "request": busy.id, "verb": busy.verb})
        if revision not in {None, node.revision}:
            raise errors.RevisionStale("Changed.", details={"node": name, "have": node.revision, "want": revision})
        return node

    def _check_guards(self, node: NodeView, action: str, who: PeerInfo) -> None:
        """Refuse what a guard of the node does, by the conductor's own table."""
        is_locked = node.lock is not None and node.lock.owner != who.requester
        standing: dict[Guard, tuple[bool, type[errors.CastironError]]] = {
            Guard.PROTECTED: (node.protected, errors.NodeProtected),
            Guard.RETIRED: (node.retired, errors.NodeRetired),
            Guard.NO_POWER_OFF: (node.disable_power_off, errors.PowerOffDisabled),
            Guard.LOCK: (is_locked, errors.NodeLockHeld),
        }
        for guard, (stands, error) in standing.items():
            if stands and not GUARDS[guard, action][0]:
                raise error(f"It is {guard}.", details={"node": node.name})
        if action == "node.delete" and node.allocation_uuid is not None:
            raise errors.NodeAllocated("It is held.", details={"node": node.name, "allocation": node.allocation_uuid})

    def _check_new(self, name: str, driver_info: dict[str, Any], force: bool, mine: NodeView | None) -> None:
        others = [node for node in self.nodes.values() if mine is None or node.uuid != mine.uuid]
        for other in others:
            if other.name == name:
                raise errors.NodeExists("That name is taken.", details={"name": name, "uuid": other.uuid})
            address = driver_info.get(ADDRESS)
            if address is not None and address == other.driver_info.get(ADDRESS) and not force:
                raise errors.BMCAddressTaken("Taken.", details={"address": address, "node": other.name})

    def _check_actor(self, node: NodeView) -> None:
        if node.fault is Fault.ACTOR_FAILURE:
            raise errors.NodeInMaintenance("Put aside, and its actor fails again.", details={"node": node.name})

    def _check_store(self) -> None:
        if self.is_store_broken:
            raise errors.StoreUnavailable("The disk is full.", details={"reason": "full"}, retry_after_s=1.0)
