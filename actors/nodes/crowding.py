"""How full the nodes' queues and their actors' mailboxes are: the fullest of all, named.

Actors and whoever brings them messages note what is not empty, or nearly full, O(1); nobody walks over all nodes.
May come in: another thing that each node has one of. Must not: what happens beyond a bound.
"""

from typing import Protocol, cast, runtime_checkable

from castiron.actors.core.state import NodeState
from castiron.actors.dispatch.dispatcher import Dispatcher
from castiron.actors.dispatch.mailbox import Mailbox
from castiron.actors.published.board import Board
from castiron.actors.settings import Settings
from castiron.actors.supervision.directory import Directory
from castiron.transport.crowd import Crowd, Fullest
from castiron.transport.replies import Gauge, MailboxCounts
from castiron.transport.vocabulary import NodeUUID


@runtime_checkable
class Owner(Protocol):
    """Who takes turns for a node: its actor."""

    @property
    def uuid(self) -> NodeUUID:
        """The node's."""
        ...

    @property
    def mailbox(self) -> Mailbox:
        """What it has to read."""
        ...


class Crowding:
    """The nodes' queues and mailboxes. Any thread notes; one looks."""

    def __init__(self, settings: Settings, board: Board, directory: Directory, dispatcher: Dispatcher) -> None:
        self._board = board
        self._directory = directory
        self._dispatcher = dispatcher
        self._waited_for: dict[NodeUUID, None] = {}
        self._queues = Crowd(settings.node_queue_limit, self._queued)
        self._mailboxes = Crowd(settings.node_mailbox_limit, self._unread)

    def queued(self, state: NodeState) -> None:
        """Note a node's queue."""
        uuid = state.record.uuid
        if waiting := waiting_at(state):
            self._waited_for[uuid] = None
            self._queues.note(uuid, waiting)
        else:
            self._waited_for.pop(uuid, None)

    def delivered(self, uuid: NodeUUID, mailbox: Mailbox) -> None:
        """Note the mailbox of a node's actor."""
        self._mailboxes.note(uuid, mailbox.users_waiting())

    def peaks(self) -> dict[str, Gauge]:
        """Return the fullest since the last look, as far as they were nearly full. O(those). One thread."""
        return self._gauges(self._queues.look(), self._mailboxes.look())

    def now(self) -> dict[str, Gauge]:
        """Return the fullest. O(nodes for which something waits). Any thread."""
        none = Fullest[NodeUUID](0, None)
        return self._gauges(
            max((Fullest(self._queued(uuid), uuid) for uuid in list(self._waited_for)), default=none),
            max((Fullest(owner.mailbox.users_waiting(), owner.uuid) for owner in self._awake()), default=none),
        )

    def unread(self) -> MailboxCounts:
        """Return what waits in all nodes' mailboxes, and in the longest of them, named. O(that). Any thread."""
        waiting = [(owner.mailbox.waiting(), owner.uuid) for owner in self._awake()]
        longest, uuid = max(waiting, default=(0, NodeUUID("")))
        published = self._board.node(uuid) if longest else None
        node = None if published is None else published.state.record.name
        return MailboxCounts(waiting=sum(count for count, _ in waiting), longest=longest, node=node)

    def _awake(self) -> list[Owner]:
        """Return the nodes' actors that have something to read: who has is owed a turn, or has one."""
        return [runnable for runnable in self._dispatcher.awake() if isinstance(runnable, Owner)]

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
