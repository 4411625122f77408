"""How a node's actor comes to life: from what is on disk, with a generation of its own, told to recover.

Used at the conductor's start, for new nodes, and by the supervisor for successors.
"""

from contextlib import suppress

from pykka import ActorDeadError

from castiron.actors.core.messages import Recover
from castiron.actors.core.state import NodeState
from castiron.actors.nodes.node import NodeActor
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Kin
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.vocabulary import EventSeq, RequestID, RequestState


def state_from_store(record: NodeRecord, requests: list[RequestRecord], queue_limit: int) -> NodeState:
    """Return a node's state as a new owner finds it.

    Args:
        requests: those of the node that have not ended, the oldest first.
        queue_limit: the setting node_queue_limit.
    """
    running = [request for request in requests if request.state is RequestState.RUNNING]
    waiting = [request for request in requests if request.state is not RequestState.RUNNING]
    return NodeState(
        record=record,
        interrupted=running[0] if running else None,
        queue=(*running[1:], *waiting),
        queue_limit=queue_limit,
    )


class Nursery:
    """Starts nodes' actors. Any thread."""

    def __init__(self, services: Services, kin: Kin) -> None:
        self._services = services
        self._kin = kin

    def raise_node(
        self,
        state: NodeState,
        seq: EventSeq,
        *,
        check_within_s: float | None = None,
        overdue: RequestID | None = None,
    ) -> None:
        """Start an actor for a node, publish the node, and tell the actor to recover what there is to recover.

        In this order: whoever sees the node can reach its actor.

        Args:
            state: the node as it is on disk.
            seq: the event number at which that holds.
            check_within_s: when the machine is to be looked at; None: as the settings say.
            overdue: the request that is to be ended, and not to be taken up again.
        """
        services = self._services
        uuid = state.record.uuid
        requests = tuple(request for request in (state.interrupted, *state.queue) if request is not None)
        generation = services.directory.next_generation(uuid)
        ref = NodeActor.start(services, self._kin, state, generation)
        services.directory.enter(uuid, generation, ref)
        services.board.admit(state, seq, requests, generation=generation)
        with suppress(ActorDeadError):  # a successor is on the way, who will be told
            ref.tell(Recover(check_within_s=check_within_s, overdue=overdue))
