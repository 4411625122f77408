"""What is asked about a node's being there and being looked after: its maintenance, its lock, and its end.

Runs on the front door's thread. A node that was put aside has no actor; whoever wants it back, or gone, is heard by the
supervisor. Nothing is decided about a node here.
"""

from pykka import ActorDeadError

from castiron.actors.asking import Answer, Asked
from castiron.actors.core.effects import Foretell, Refuse
from castiron.actors.core.messages import Remove, SetLock, SetMaintenance
from castiron.actors.core.node import decide
from castiron.actors.core.state import NodeState
from castiron.actors.delivery import deliver
from castiron.actors.dispatch.mailbox import InboxFull
from castiron.actors.reception.intake import previewed
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Kin, TakeBack
from castiron.transport.errors import ConductorOverloaded, NodeInMaintenance
from castiron.transport.verbs import NodeDelete, NodeLockSet, NodeLockUnset, NodeMaintenanceSet, NodeMaintenanceUnset


class Caretaker:
    """Brings it to whoever decides. One thread."""

    def __init__(self, services: Services, kin: Kin) -> None:
        self._services = services
        self._kin = kin

    def remove(self, node: NodeState, verb: NodeDelete, requester: str, answer: Answer) -> None:
        """Have a node forgotten.

        Raises:
            CastironError: nobody could be told; `answer` has not been.
        """
        remove = Remove(revision=verb.revision, force=verb.force, requester=requester, reply_to=Asked(answer))
        self._tell_even_aside(node, remove, is_dry=verb.dry_run)

    def set_mark(
        self,
        node: NodeState,
        verb: NodeMaintenanceSet | NodeMaintenanceUnset | NodeLockSet | NodeLockUnset,
        requester: str,
        answer: Answer,
    ) -> None:
        """Have a node put into maintenance or locked, or have that ended.

        Raises:
            CastironError: nobody could be told; `answer` has not been.
        """
        if isinstance(verb, NodeLockSet | NodeLockUnset):
            self._set_lock(node, verb, requester, answer)
        else:
            self._set_maintenance(node, verb, requester, answer)

    def _set_maintenance(
        self, node: NodeState, verb: NodeMaintenanceSet | NodeMaintenanceUnset, requester: str, answer: Answer
    ) -> None:
        reason = verb.reason if isinstance(verb, NodeMaintenanceSet) else None
        is_set = isinstance(verb, NodeMaintenanceSet)
        message = SetMaintenance(maintenance=is_set, reason=reason, requester=requester, reply_to=Asked(answer))
        if is_set:
            deliver(self._services, node, previewed(message) if verb.dry_run else message)
        else:
            self._tell_even_aside(node, message, is_dry=verb.dry_run)

    def _set_lock(self, node: NodeState, verb: NodeLockSet | NodeLockUnset, requester: str, answer: Answer) -> None:
        message = SetLock(
            is_locked=isinstance(verb, NodeLockSet),
            reason=verb.reason if isinstance(verb, NodeLockSet) else None,
            force=isinstance(verb, NodeLockUnset) and verb.force,
            requester=requester,
            reply_to=Asked(answer),
        )
        deliver(self._services, node, previewed(message) if verb.dry_run else message)

    def _tell_even_aside(self, node: NodeState, message: Remove | SetMaintenance, *, is_dry: bool) -> None:
        """Tell a node's actor; if the node was put aside, the supervisor, who tries it again and hands this on."""
        try:
            return deliver(self._services, node, previewed(message) if is_dry else message)
        except NodeInMaintenance:
            if is_dry:
                return self._foretell_aside(node, message)
        try:
            return self._kin.supervisor.tell(TakeBack(uuid=node.record.uuid, message=message))
        except (ActorDeadError, InboxFull):
            raise ConductorOverloaded(
                "The supervisor has too much to do. Try again.", details={"what": "supervisor"}, retry_after_s=0.5
            ) from None

    def _foretell_aside(self, node: NodeState, message: Remove | SetMaintenance) -> None:
        """Say what would come of a message to a node that was put aside: as nobody owns it, as it was published."""
        asked: Asked = message.reply_to
        decision = decide(node, previewed(message), self._services.clock.now(), self._services.settings)
        for effect in decision.effects:
            if isinstance(effect, Foretell):
                asked.answer.final(effect.forecast, self._services.board.seq)
            elif isinstance(effect, Refuse):
                asked.refused(effect.error, self._services.board.seq)
