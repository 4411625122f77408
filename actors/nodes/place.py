"""A node's place among those that may run: at most one, asked for, granted, given back.

One action at a time per node, so one permit per owner of a node: whoever takes the node from an owner that hangs can
give back what it held without knowing what it was doing. A grant that was withdrawn while it was on its way counts for
nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

from castiron.actors.core.effects import AcquirePermit
from castiron.actors.dispatch.clock import Clock
from castiron.actors.nodes.pace import Pace
from castiron.actors.nodes.permits import Permits
from castiron.actors.settings import Settings
from castiron.transport.verbs import NodePowerSet, NodeProvisionSet, tag_of
from castiron.transport.vocabulary import NodeUUID, ProvisionTarget, RequestID, TaskExecutor

POWER: Final = "power"
DEPLOY: Final = "deploy"
CLEAN: Final = "clean"
ENGINE: Final = "engine"
"""An executor's engine is open for it, where the node's actor is not its own."""

PROVISION: Final[Mapping[str, str]] = {
    ProvisionTarget.DEPLOY: DEPLOY,
    ProvisionTarget.REBUILD: DEPLOY,
    ProvisionTarget.CLEAN: CLEAN,
    ProvisionTarget.PROVIDE: CLEAN,
    ProvisionTarget.UNDEPLOY: CLEAN,
}
"""Target of a move → the class of permits that its requests take, from their start to their end."""


def classes_of(verb: str, target: str | None, *, needs_engine: bool = False) -> tuple[str, ...]:
    """Return the classes of permits that a request counts for."""
    if verb == tag_of(NodePowerSet):
        return (POWER,)
    kind = PROVISION.get(target or "") if verb == tag_of(NodeProvisionSet) else None
    return tuple(one for one in (kind, ENGINE if needs_engine else None) if one is not None)


def caps_of(settings: Settings) -> dict[str, int]:
    """Return how many of each class may run at once; 0: no bound of their own."""
    is_others = settings.task_executor != TaskExecutor.BUILTIN
    return {
        POWER: settings.max_concurrent_power,
        DEPLOY: settings.max_concurrent_deploy,
        CLEAN: settings.max_concurrent_clean,
        ENGINE: settings.max_engines if is_others else 0,
    }


def open_permits(settings: Settings, clock: Clock) -> Permits:
    """Return the permits of a conductor."""
    rate_per_s, burst = settings.power_action_rate_per_s, settings.power_action_rate_burst
    pace = Pace(POWER, rate_per_s, burst, clock) if rate_per_s else None
    return Permits(settings.max_running_actions, caps_of(settings), pace=pace)


@dataclass(frozen=True, slots=True)
class Granted:
    """There is room for the request; for the node's actor."""

    is_control: ClassVar[bool] = True

    request_id: RequestID
    wish: int
    """Which of the place's wishes was granted."""


class Place:
    """What one owner of a node holds of the permits, or stands in line for. Only its actor calls it."""

    __slots__ = ("_owner", "_permits", "_request_id", "_wishes")

    def __init__(self, permits: Permits, uuid: NodeUUID, generation: int) -> None:
        self._permits = permits
        self._owner = owner_of(uuid, generation)
        self._request_id: RequestID | None = None
        self._wishes = 0

    def ask_for(self, request_id: RequestID, *kinds: str, tell: Callable[[Granted], None], whose: str = "") -> None:
        """Stand in line for the request. Idempotent; another request's place is given back.

        Args:
            tell: called once, with the place held, from any thread; must not block.
            whose: whose request it is.
        """
        if self._request_id == request_id:
            return
        if self._request_id is not None:
            self.give_back(self._request_id)
        self._request_id = request_id
        self._wishes += 1
        granted = Granted(request_id, self._wishes)
        self._permits.acquire(self._owner, partial(tell, granted), *kinds, whose=whose)

    def take(self, wanted: AcquirePermit) -> bool:
        """Have the place at once if there is room and nobody waits for one; return whether it is held now."""
        kinds = classes_of(wanted.verb, wanted.target, needs_engine=wanted.needs_engine)
        if self._request_id is not None or not self._permits.acquire_at_once(self._owner, *kinds):
            return False
        self._request_id = wanted.request_id
        self._wishes += 1
        return True

    def lend_engine(self) -> None:
        """Let another list have the engine's place, or the place in its line. Idempotent."""
        self._permits.lend(self._owner, ENGINE)

    def retake_engine(self, granted: Callable[[], None]) -> None:
        """Stand in line for the engine's place that was lent.

        Args:
            granted: called once, with the place held, from any thread; must not block.
        """
        self._permits.retake(self._owner, ENGINE, granted)

    def is_granted(self, granted: Granted) -> bool:
        """Return whether a grant is the answer to the present wish."""
        return self._request_id is not None and granted.wish == self._wishes

    def give_back(self, request_id: RequestID | None = None) -> None:
        """Give the place back, or leave the line, if it is the request's, or whosever it is. Idempotent."""
        if self._request_id is not None and request_id in (None, self._request_id):
            self._request_id = None
            self._permits.withdraw(self._owner)


def owner_of(uuid: NodeUUID, generation: int) -> tuple[NodeUUID, int]:
    """Return the name under which an owner of a node holds its permit."""
    return uuid, generation
