"""How a message gets to the actor that owns a node, and what is said when it cannot.

Any thread; never blocks.
"""

from typing import Any, Final, cast

from pykka import ActorDeadError

from castiron.actors.core.requests.obstacles import aside
from castiron.actors.core.state import NodeState
from castiron.actors.dispatch.mailbox import InboxFull, Mailbox
from castiron.actors.services import Services
from castiron.store.records import NodeRecord
from castiron.transport.errors import ConductorOverloaded, MailboxFull, NodeNotFound

RETRY_AFTER_S = 0.5
"""A failed actor has a successor within two seconds, most often at once."""


SHOWN: Final = 20
"""Unknown names that an error spells out."""


def node_not_found(*names: str) -> NodeNotFound:
    """Return the error for nodes, by name or uuid, that nobody knows; at least one."""
    told = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    what = f"There is no node {told!r}" if len(names) == 1 else f"There are no nodes {told}"
    return NodeNotFound(f"{what}. `castiron node list` shows all.", details={"node": told})


def deliver(services: Services, node: NodeState, message: Any) -> None:
    """Tell the node's actor.

    Args:
        node: as it was published.

    Raises:
        NodeNotFound: it has just been removed.
        NodeInMaintenance: its actor failed too often, and the node was put aside.
        ConductorOverloaded: its actor is being replaced; it will be there in a moment.
        MailboxFull: as many users' messages wait at it as may.
    """
    record = node.record
    owner = services.directory.owner(record.uuid)
    if owner is None:
        raise node_not_found(record.name)
    try:
        if owner.ref is not None:
            owner.ref.tell(message)
            return services.crowding.delivered(record.uuid, cast("Mailbox", owner.ref.actor_inbox))
    except InboxFull as full:
        raise MailboxFull(
            f"{full.limit} messages wait at {record.name}, which is the limit. Try again.",
            details={"node": record.name, "limit": full.limit, "what": "node_mailbox"},
            retry_after_s=RETRY_AFTER_S,
        ) from None
    except ActorDeadError:
        pass  # its successor is on the way
    raise aside(record) or _replaced(record)


def _replaced(record: NodeRecord) -> ConductorOverloaded:
    return ConductorOverloaded(
        f"The actor of {record.name} is being replaced. Try again.",
        details={"what": "node actor", "node": record.name},
        retry_after_s=RETRY_AFTER_S,
    )
