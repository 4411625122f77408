"""A client's wait until conditions hold of nodes: a look at all of them, then at each whose events say that it changed.

The stream begins at the number at which the first look holds, so no change falls between them. An event may be heard a
moment before the conductor shows what it tells of; the number in each answer says whether it does, and if not, the node
is looked at again.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.stream import EventStream
from castiron.transport.errors import (
    CapacityError,
    ConductorDraining,
    ConductorLost,
    EventsLost,
    NodeNotFound,
    ReplyTimeout,
)
from castiron.transport.replies import NodeView
from castiron.transport.selection.conditions import Condition, chooser
from castiron.transport.selection.fields import is_masked, refuse_secret, value_of
from castiron.transport.verbs import NodeShow
from castiron.transport.vocabulary import EventType

SILENT: Final = frozenset(
    {
        "power_state_at",
        "power_check_failures",
        "power_check_pace",
        "power_check_due_at",
        "updated_at",
        "revision",
        "active_request",
        "queued_requests",
        "accepts",
        "refuses",
    }
)
"""Fields that may change without an event."""

LOOK_S: Final = 2.0
"""Between two looks at nodes that are waited for because of a silent field; other waits need none."""

PACE_S: Final = 1.0
"""Between two reports of how far it has come, while nothing happens."""

AGAIN_S: Final = 0.05
"""Before a node is looked at again whose event was heard before it could be seen, or whose conductor is away."""

AWAY: Final = (ConductorLost, ConductorDraining, ReplyTimeout, CapacityError)
"""What a wait outlives."""


class Standing(NamedTuple):
    """How far a wait has come."""

    holding: list[NodeView]
    others: list[NodeView]
    """Those of which the conditions do not hold, as far as is known."""


class NodeWait:
    """One wait. One thread."""

    def __init__(
        self,
        conversation: Conversation,
        stream: EventStream,
        views: Sequence[NodeView],
        conditions: Sequence[Condition],
        *,
        now: Callable[[], float],
    ) -> None:
        """Prepare it.

        Args:
            conversation: for looks at nodes.
            stream: of the nodes' events, joined.
            views: the nodes, as they were when it begins.
            conditions: what shall hold.
            now: seconds of a clock that never goes back.
        """
        self._conversation = conversation
        self._stream = stream
        self._conditions = conditions
        self._holds = chooser(conditions)
        self._now = now
        self._views = {view.uuid: self._open(view) for view in views}
        self._unsure: dict[str, int] = {}
        """Nodes that may have changed → the event that says so, or 0: as they are now will do."""
        self._is_silent = any(condition.field.partition(".")[0] in SILENT for condition in conditions)
        self._deleted: list[NodeView] = []

    def finish(
        self,
        *,
        timeout_s: float | None,
        any_: bool,
        answer_s: float,
        progress: Callable[[Standing], object] | None,
    ) -> list[NodeView]:
        """Wait; see `Nodes.wait_for`."""
        ends_at = float("inf") if timeout_s is None else self._now() + timeout_s
        while True:
            self._look(min(answer_s, max(AGAIN_S, ends_at - self._now())))
            standing = self._standing()
            if progress is not None:
                progress(standing)
            if self._is_enough(standing, any_=any_):
                return sorted(standing.holding, key=lambda view: view.name)
            rest_s = ends_at - self._now()
            if rest_s <= 0:
                raise _too_late(standing, timeout_s)
            self._listen(min(rest_s, self._pause_s()))

    def _pause_s(self) -> float:
        if self._unsure:
            return AGAIN_S
        return LOOK_S if self._is_silent else PACE_S

    def _is_enough(self, standing: Standing, *, any_: bool) -> bool:
        if self._deleted and (not any_ or not self._views):
            gone = self._deleted[0]
            details = {"node": gone.name, "uuid": gone.uuid}
            raise NodeNotFound(f"{gone.name} was deleted while it was waited for.", details=details)
        return bool(standing.holding) if any_ else not standing.others and not self._unsure

    def _standing(self) -> Standing:
        holding: list[NodeView] = []
        others: list[NodeView] = []
        for view in self._views.values():
            (holding if self._holds(partial(getattr, view)) else others).append(view)
        return Standing(holding, others)

    def _look(self, answer_s: float) -> None:
        """Look at the nodes that may have changed; those that cannot be seen now stay unsure."""
        for uuid, seq in list(self._unsure.items()):
            try:
                view, seen_at = self._conversation.ask_with_seq(NodeShow(node=uuid), NodeView, answer_s)
            except NodeNotFound:
                del self._unsure[uuid]
                self._deleted.append(self._views.pop(uuid))
                continue
            except AWAY:
                return
            self._views[uuid] = self._open(view)
            if seen_at >= seq:
                del self._unsure[uuid]

    def _open(self, view: NodeView) -> NodeView:
        """Return the view, unless a condition asks about what it hides."""
        for number, condition in enumerate(self._conditions):
            if is_masked(condition.field, value_of(partial(getattr, view), condition.field)):
                raise refuse_secret(condition.field, f"$.conditions[{number}].field")
        return view

    def _listen(self, timeout_s: float) -> None:
        """Wait for an event, and take in all that have come by then."""
        try:
            event = self._stream.within(timeout_s)
            if event is None and self._is_silent:
                self._doubt_all()
            while event is not None:
                if event.node_uuid in self._views:
                    # What deletes a node is never seen on it.
                    self._unsure[event.node_uuid] = 0 if event.type == EventType.NODE_DELETE_END else event.seq
                event = self._stream.within(0)
        except EventsLost as lost:
            self._doubt_all()
            # Numbers that have gone back: what was heard of before will never be seen at its number.
            next_since = int(lost.details["next_since"])
            self._unsure = {uuid: min(seq, next_since) for uuid, seq in self._unsure.items()}

    def _doubt_all(self) -> None:
        for uuid in self._views:
            self._unsure.setdefault(uuid, 0)


def _too_late(standing: Standing, timeout_s: float | None) -> ReplyTimeout:
    total = len(standing.holding) + len(standing.others)
    waits = ", ".join(sorted(view.name for view in standing.others)[:3])
    more = ", …" if len(standing.others) > 3 else ""  # noqa: PLR2004 - as many as were named
    return ReplyTimeout(
        f"After {timeout_s:g} s it held of {len(standing.holding)} of {total} nodes; not of {waits}{more}. "
        "Look with `castiron node list`, or allow more time.",
        details={"holding": len(standing.holding), "total": total},
    )
