"""A client's wait until conditions hold of nodes: a look at all of them, then at each whose events say that it changed.

How views are kept current is in watching; here is what is waited for, and for how long.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.stream import AsyncEventStream
from castiron.transport.clients.watching import AGAIN_S, LiveViews
from castiron.transport.errors import (
    EventsLost,
    NodeNotFound,
    ReplyTimeout,
)
from castiron.transport.replies import NodeView
from castiron.transport.selection.conditions import Condition, chooser
from castiron.transport.selection.fields import is_masked, refuse_secret, value_of

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


class Standing(NamedTuple):
    """How far a wait has come."""

    holding: list[NodeView]
    others: list[NodeView]
    """Those of which the conditions do not hold, as far as is known."""


class NodeWait:
    """One wait; one at a time listens."""

    def __init__(
        self,
        conversation: Conversation,
        stream: AsyncEventStream,
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
        self._live = LiveViews(conversation, views)
        self._stream = stream
        self._conditions = conditions
        self._holds = chooser(conditions)
        self._now = now
        for view in views:
            self._open(view)
        self._is_silent = any(condition.field.partition(".")[0] in SILENT for condition in conditions)
        self._deleted: list[NodeView] = []

    async def finish(
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
            await self._look(min(answer_s, max(AGAIN_S, ends_at - self._now())))
            standing = self._standing()
            if progress is not None:
                progress(standing)
            if self._is_enough(standing, any_=any_):
                return sorted(standing.holding, key=lambda view: view.name)
            rest_s = ends_at - self._now()
            if rest_s <= 0:
                raise _too_late(standing, timeout_s)
            await self._listen(min(rest_s, self._pause_s()))

    def _pause_s(self) -> float:
        if not self._live.is_sure:
            return AGAIN_S
        return LOOK_S if self._is_silent else PACE_S

    def _is_enough(self, standing: Standing, *, any_: bool) -> bool:
        if self._deleted and (not any_ or not self._live.views):
            gone = self._deleted[0]
            details = {"node": gone.name, "uuid": gone.uuid}
            raise NodeNotFound(f"{gone.name} was deleted while it was waited for.", details=details)
        return bool(standing.holding) if any_ else not standing.others and self._live.is_sure

    def _standing(self) -> Standing:
        holding: list[NodeView] = []
        others: list[NodeView] = []
        for view in self._live.views.values():
            (holding if self._holds(partial(getattr, view)) else others).append(view)
        return Standing(holding, others)

    async def _look(self, answer_s: float) -> None:
        """Look at the nodes that may have changed; those that cannot be seen now stay unsure."""
        for change in await self._live.look(answer_s):
            if change.after is not None:
                self._open(change.after)
            elif change.before is not None:
                self._deleted.append(change.before)

    def _open(self, view: NodeView) -> None:
        """Refuse a view that hides what a condition asks about."""
        for number, condition in enumerate(self._conditions):
            if is_masked(condition.field, value_of(partial(getattr, view), condition.field)):
                raise refuse_secret(condition.field, f"$.conditions[{number}].field")

    async def _listen(self, timeout_s: float) -> None:
        """Wait for an event, and take in all that have come by then."""
        try:
            event = await self._stream.within(timeout_s)
            if event is None and self._is_silent:
                self._live.doubt()
            while event is not None:
                self._live.hear(event)
                event = await self._stream.within(0)
        except EventsLost as lost:
            self._live.lose(lost)


def _too_late(standing: Standing, timeout_s: float | None) -> ReplyTimeout:
    total = len(standing.holding) + len(standing.others)
    waits = ", ".join(sorted(view.name for view in standing.others)[:3])
    more = ", …" if len(standing.others) > 3 else ""  # noqa: PLR2004 - as many as were named
    return ReplyTimeout(
        f"After {timeout_s:g} s it held of {len(standing.holding)} of {total} nodes; not of {waits}{more}. "
        "Look with `castiron node list`, or allow more time.",
        details={"holding": len(standing.holding), "total": total},
    )
