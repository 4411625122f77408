"""How full the nodes' queues and their actors' mailboxes are: the fullest of all, named.

Actors and whoever brings them messages note what is nearly full, O(1); nobody walks over all nodes but for a status.
May come in: another thing that each node has one of. Must not: what happens beyond a bound.
"""

from typing import cast

from castiron.actors.core.state import NodeState
from castiron.actors.dispatch.mailbox import Mailbox
from castiron.actors.published.board import Board
from castiron.actors.settings import Settings
from castiron.actors.supervision.directory import Directory
from castiron.transport.crowd import Crowd, Fullest
from castiron.transport.replies import Gauge
from castiron.transport.vocabulary import NodeUUID


class Crowding:
    """The nodes' queues and mailboxes. Any thread notes; one looks."""

    def __init__(self, settings: Settings, board: Board, directory: Directory) -> None:
        self._board = board
        self._directory = directory
        self._queues = Crowd(settings.node_queue_limit, self._queued)
        self._mailboxes = Crowd(settings.node_mailbox_limit, self._unread)

    def queued(self, state: NodeState) -> None:
        """Note a node's queue."""
        self._queues.note(state.record.uuid, waiting_at(state))

    def delivered(self, uuid: NodeUUID, mailbox: Mailbox) -> None:
        """Note the mailbox of a node's actor."""
        self._mailboxes.note(uuid, mailbox.users_waiting())

    def peaks(self) -> dict[str, Gauge]:
        """Return the fullest since the last look, as far as they were nearly full. O(those). One thread."""
        return self._gauges(self._queues.look(), self._mailboxes.look())

    def now(self) -> dict[str, Gauge]:
        """Return the fullest. O(all nodes)."""
        states = [one.state for one in self._board.nodes() if one.state.queue or one.state.parked]
        unread = [
            Fullest(used, uuid)
            for uuid, owner in self._directory.owners()
            if owner.ref is not None and (used := cast("Mailbox", owner.ref.actor_inbox).users_waiting())
        ]
        none = Fullest[NodeUUID](0, None)
        queued = max((Fullest(waiting_at(state), state.record.uuid) for state in states), default=none)
        return self._gauges(queued, max(unread, default=none))

    def _gauges(self, queue: Fullest[NodeUUID], mailbox: Fullest[NodeUUID]) -> dict[str, Gauge]:
        return {
            "node_queue": self._gauge(queue, self._queues.limit, "node_queue_limit"),
            "node_mailbox": self._gauge(mailbox, self._mailboxes.limit, "node_mailbox_limit"),
        }

    def _gauge(self, fullest: Fullest[NodeUUID], limit: int, setting: str) -> Gauge:
        published = self._board.node(fullest.thing) if fullest.used and fullest.thing is not None else None
        name = None if published is None else published.state.record.name
        return Gauge(used=fullest.used, limit=limit, setting=setting, whose=name)

    def _queued(self, uuid: NodeUUID) -> int:
        published = self._board.node(uuid)
        return 0 if published is None else waiting_at(published.state)

    def _unread(self, uuid: NodeUUID) -> int:
        owner = self._directory.owner(uuid)
        return 0 if owner is None or owner.ref is None else cast("Mailbox", owner.ref.actor_inbox).users_waiting()


def waiting_at(state: NodeState) -> int:
    """Return how many requests wait for a node: in its queue, or for a look at the machine, bounded alike."""
    return max(len(state.queue), len(state.parked))
