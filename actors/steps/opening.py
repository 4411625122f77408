"""The workers of a conductor, with the steps that its settings and its plug-ins bring."""

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.parts import Parts
from castiron.actors.settings import Settings
from castiron.actors.settings.shares import COROUTINE_STEPS, STEPS
from castiron.actors.steps.shelf import Shelf
from castiron.actors.steps.workers import Workers
from castiron.transport.vocabulary import TaskExecutor


def open_workers(settings: Settings, shares: Shares, parts: Parts) -> Workers:
    """Return who carries steps out.

    Args:
        parts: where their end is noted.
    """
    shelf = Shelf.stocked(has_flows=settings.task_executor == TaskExecutor.TASKFLOW)
    workers = Workers(shelf, shares[STEPS], shares.coroutines(COROUTINE_STEPS))
    parts.add_quick("steps", workers.stop)
    return workers
