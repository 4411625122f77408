"""The allocations of a small conductor in memory: decided at once, by what its nodes are.

One that waits for a node does so until its time is up: nothing here becomes free for it.
"""

import time
import uuid
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from castiron.transport import errors, verbs
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.replies import AllocationListed, AllocationView, NodeView
from castiron.transport.vocabulary import AllocationState, ProvisionState
from tests.support.memory_bulk import MemoryBulks
from tests.support.memory_events import MemoryEvents

IN_THE_WAY: Final = frozenset({ProvisionState.ACTIVE, ProvisionState.DEPLOYING})


class MemoryAllocations(MemoryBulks):
    """Keeps allocations. Whoever calls holds the conductor's lock."""

    def __init__(self, events: MemoryEvents) -> None:
        super().__init__(events)
        self.allocations: dict[str, AllocationView] = {}

    def allocate(self, verb: verbs.Verb, who: PeerInfo, answer: Answer) -> None:
        match verb:
            case verbs.AllocationCreate():
                self._create_allocation(verb, who, answer)
            case verbs.AllocationList():
                self._list_allocations(verb, answer)
            case verbs.AllocationShow():
                answer.final(self._allocation(verb.allocation), self.events.seq)
            case verbs.AllocationWait():
                self._wait_for_allocation(verb, answer)
            case verbs.AllocationSet():
                self._set_allocation(verb, who, answer)
            case verbs.AllocationDelete():
                self._delete_allocation(verb, who, answer)
            case _:
                raise TypeError(verb)  # whoever adds a verb is told which one has no answer here

    def _allocation(self, name: str) -> AllocationView:
        found = next((one for one in self.allocations.values() if name in {one.uuid, one.name}), None)
        if found is None:
            raise errors.AllocationNotFound("There is no such allocation.", details={"allocation": name})
        return found

    def _create_allocation(self, verb: verbs.AllocationCreate, who: PeerInfo, answer: Answer) -> None:
        candidates = [self._node(name).uuid for name in verb.candidate_nodes or ()]
        self._check_new_allocation(verb.name)
        self._check_new_allocation(verb.uuid)
        self._check_store()
        now = time.time()
        made = AllocationView(
            uuid=verb.uuid or str(uuid.uuid4()),
            name=verb.name,
            state=AllocationState.ALLOCATING,
            node_uuid=None,
            resource_class=verb.resource_class,
            traits=sorted(set(verb.traits)),
            candidate_nodes=sorted(set(candidates)),
            owner=who.requester,
            extra=verb.extra,
            deadline_at=None if verb.timeout_s is None else now + verb.timeout_s,
            created_at=now,
            updated_at=now,
            revision=1,
        )
        self.allocations[made.uuid] = made
        node = next((one for one in self.nodes.values() if _suits(one, made)), None)
        if node is not None:
            self.hold(made.uuid, node)
        elif verb.timeout_s is None:
            error = errors.AllocationFailed("No node can be had.", details={"allocation": made.uuid})
            failed = replace(made, state=AllocationState.ERROR, error=error.to_wire(), last_error=error.message)
            self.allocations[made.uuid] = failed
        answer.final(made, self.events.seq)

    def hold(self, allocation: str, node: NodeView) -> None:
        """Have a node be held by an allocation."""
        made = self.allocations[allocation]
        self.allocations[allocation] = replace(made, state=AllocationState.ACTIVE, node_uuid=node.uuid, revision=2)
        self.nodes[node.uuid] = replace(node, allocation_uuid=allocation, instance_uuid=allocation)

    def _list_allocations(self, verb: verbs.AllocationList, answer: Answer) -> None:
        wanted = {"resource_class": verb.resource_class, "state": verb.state, "owner": verb.owner}
        if verb.node is not None:
            wanted["node_uuid"] = self._node(verb.node).uuid
        found = list(self.allocations.values())
        if verb.marker is not None:
            found = found[found.index(self._allocation(verb.marker)) + 1 :]
        given = {name: value for name, value in wanted.items() if value is not None}
        found = [one for one in found if all(getattr(one, name) == value for name, value in given.items())]
        page = found[: verb.limit]
        marker = page[-1].uuid if len(found) > len(page) else None
        answer.final(AllocationListed(allocations=page, next_marker=marker), self.events.seq)

    def _wait_for_allocation(self, verb: verbs.AllocationWait, answer: Answer) -> None:
        found = self._allocation(verb.allocation)
        if found.state is not AllocationState.ALLOCATING:
            return answer.final(found, self.events.seq)
        return self.later(verb.timeout_s, lambda: answer.final(self._allocation(found.uuid), self.events.seq))

    def _set_allocation(self, verb: verbs.AllocationSet, who: PeerInfo, answer: Answer) -> None:
        found = self._own(verb.allocation, who, forced=verb.force)
        if verb.name is not UNSET and verb.name != found.name:
            self._check_new_allocation(verb.name)
        self._check_store()
        extra = {**found.extra, **({} if verb.extra is UNSET else verb.extra)}
        changed = replace(
            found,
            name=found.name if verb.name is UNSET else verb.name,
            extra={key: value for key, value in extra.items() if value is not None},
            revision=found.revision + 1,
        )
        self.allocations[found.uuid] = changed
        answer.final(changed, self.events.seq)

    def _delete_allocation(self, verb: verbs.AllocationDelete, who: PeerInfo, answer: Answer) -> None:
        found = self._own(verb.allocation, who, forced=verb.force)
        if found.node_uuid is not None:
            node = self._reachable(found.node_uuid)
            self._check_actor(node)
            if node.lock is not None and node.lock.owner != who.requester:
                raise errors.NodeLockHeld("It is locked.", details={"node": node.name})
            if node.provision_state in IN_THE_WAY and not node.maintenance:
                raise errors.NodeStateInvalid("It is in use.", details={"node": node.name})
            self.nodes[node.uuid] = replace(node, allocation_uuid=None, instance_uuid=None)
        self._check_store()
        del self.allocations[found.uuid]
        answer.final(found, self.events.seq)

    def _own(self, name: str, who: PeerInfo, *, forced: bool) -> AllocationView:
        found = self._allocation(name)
        if found.owner != who.requester and not forced:
            raise errors.AllocationNotYours("It is somebody else's.", details={"allocation": found.uuid})
        return found

    def _check_new_allocation(self, name: str | None) -> None:
        other = next((one for one in self.allocations.values() if name in {one.uuid, one.name}), None)
        if name is not None and other is not None:
            raise errors.AllocationExists("There is one.", details={"name": name, "uuid": other.uuid})


def _suits(node: NodeView, wanted: AllocationView) -> bool:
    return (
        node.allocation_uuid is None
        and node.provision_state is ProvisionState.AVAILABLE
        and node.resource_class == wanted.resource_class
        and set(wanted.traits) <= set(node.traits)
        and (not wanted.candidate_nodes or node.uuid in wanted.candidate_nodes)
    )
