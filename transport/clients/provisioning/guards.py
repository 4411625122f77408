"""What a client says of a node's guards: the lock, and the marks that `nodes.create` and `nodes.set` take.

Fields that only say what is asked; what each of them refuses is in docs/compatibility.md.
"""

from collections.abc import Sequence
from typing import Any, TypedDict

from castiron.transport.clients.conversation import Conversation
from castiron.transport.replies import NodeView
from castiron.transport.verbs import NodeLockSet, NodeLockUnset


class FirstMarks(TypedDict, total=False):
    """What a node can be marked with when it is made known."""

    resource_class: str | None
    """What kind of machine it is, to be chosen by; at most 80 characters."""
    traits: Sequence[str]
    """What it has or can: the standard's words, and CUSTOM_…; at most 50. They replace those that it has."""
    disable_power_off: bool
    """It must not be powered off, not even for a reboot."""
    retired: bool
    """It is not offered to anybody."""
    retired_reason: str | None
    sensor_data_interval_s: float | None
    """From one reading of its sensors to the next; 0: none; None: the conductor's."""


class Marks(FirstMarks, total=False):
    """What a node can be marked with."""

    protected: bool
    """It is not given back, rebuilt or forgotten; only while it is in use."""
    protected_reason: str | None


def as_fields(marks: FirstMarks | Marks) -> dict[str, Any]:
    """Return them as the fields of a verb."""
    fields: dict[str, Any] = {**marks}
    return fields | ({"traits": list(fields["traits"])} if "traits" in fields else {})


class AsyncGuards:
    """Locks nodes. Not to be made by hand: `client.guards` is one. Thread: that of its client."""

    def __init__(self, conversation: Conversation, *, timeout_s: float) -> None:
        self._conversation = conversation
        self._timeout_s = timeout_s

    async def lock(self, node: str, *, reason: str | None = None) -> NodeView:
        """Keep a node to oneself: others change neither it nor its machine. Idempotent.

        Args:
            node: name or uuid.
            reason: why, at most 255 characters; None leaves the reason that one's own lock has.

        Raises:
            NodeLockHeld: somebody else has the lock.
        """
        return await self._conversation.ask(NodeLockSet(node=node, reason=reason), NodeView, self._timeout_s)

    async def unlock(self, node: str, *, force: bool = False) -> NodeView:
        """Give a node back to everybody. Idempotent.

        Args:
            node: name or uuid.
            force: also if somebody else has the lock; for admins.

        Raises:
            NodeLockHeld: somebody else has the lock.
            VerbForbidden: it was forced, and the key is not an admin's.
        """
        return await self._conversation.ask(NodeLockUnset(node=node, force=force), NodeView, self._timeout_s)
