"""For which nodes a task runs, and what it is told of each when a run begins.

Kept up to date by the board, which says of each node when its record has changed: one node at a time, never all.
"""

from collections.abc import Callable
from typing import Any, Final

from castiron.actors.periodics.context import NodeContext
from castiron.actors.periodics.declaring import Terms
from castiron.actors.periodics.runner import PASSED
from castiron.actors.published.board import Published
from castiron.transport.vocabulary import NodeUUID

SpacingOf = Callable[[Published], float]
"""Returns the seconds from one run for a node to the next; 0.0: there are none."""

Look = Callable[[NodeUUID], Published | None]
"""Returns a node as it is now; None: it is gone."""


class Roll:
    """Chooses the nodes of one task. Any thread; pure but for looking nodes up.

    Args:
        terms: the task's.
        spacing_of: None: the task's own, for the nodes of its drivers.
    """

    def __init__(self, terms: Terms, spacing_of: SpacingOf | None = None) -> None:
        self._terms: Final = terms
        self._spacing_of = spacing_of or self._as_declared

    def spacing_s(self, published: Published | None) -> float:
        """Return the seconds from one run for a node to the next; 0.0: it is not on the roll."""
        return 0.0 if published is None else self._spacing_of(published)

    def call(self, callback: Callable[[NodeContext], Any], look: Look, uuid: NodeUUID) -> Any:
        """Run the task for a node, if it is there and chosen."""
        published = look(uuid)
        if published is None:
            return PASSED
        context = context_of(published)
        when = self._terms.when
        return callback(context) if when is None or when(context) else PASSED

    def _as_declared(self, published: Published) -> float:
        drivers = self._terms.drivers
        return self._terms.spacing_s if drivers is None or published.state.record.driver in drivers else 0.0


def context_of(published: Published) -> NodeContext:
    """Return what a task is told of a node."""
    state, record = published.state, published.state.record
    return NodeContext(
        node=record.name,
        node_uuid=record.uuid,
        driver=record.driver,
        driver_info=record.driver_info,
        properties=record.properties,
        extra=record.extra,
        power_state=record.power_state,
        power_state_at=state.power_state_at,
        provision_state=record.provision_state,
        maintenance=record.maintenance,
        fault=record.fault,
        resource_class=record.resource_class,
        traits=record.traits,
        failed_checks=state.check.failures,
    )
