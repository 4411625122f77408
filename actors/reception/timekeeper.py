"""What is asked about periodic tasks: the table of them, and that one runs no more, or again.

Runs on the front door's thread; looks up and sets a mark, and waits for nothing.
"""

import difflib
from collections.abc import Callable

from castiron.actors.periodics.task import Watcher
from castiron.actors.periodics.worker import PeriodicWorker
from castiron.transport.errors import PeriodicNotFound
from castiron.transport.replies import PeriodicListed, PeriodicView
from castiron.transport.verbs import PeriodicList, PeriodicStart, PeriodicStop


class Timekeeper:
    """Speaks for the periodic tasks of one conductor. One thread."""

    def __init__(self, worker: PeriodicWorker) -> None:
        self._worker = worker

    def answer(self, verb: PeriodicList | PeriodicStop | PeriodicStart) -> PeriodicListed | PeriodicView:
        """Do what is asked, and tell how the tasks are then.

        Raises:
            PeriodicNotFound: none has this name.
        """
        match verb:
            case PeriodicList():
                return PeriodicListed(periodics=[view_of(watcher) for watcher in self._worker.iter_watchers()])
            case PeriodicStop():
                return self._set(self._worker.stop_task, verb.periodic)
            case PeriodicStart():
                return self._set(self._worker.start_task, verb.periodic)

    def _set(self, change: Callable[[str], Watcher], name: str) -> PeriodicView:
        try:
            return view_of(change(name))
        except LookupError:
            names = [watcher.work.name for watcher in self._worker.iter_watchers()]
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
            hint = f"Did you mean {near[0]}?" if near else "`castiron periodics` lists them."
            raise PeriodicNotFound(
                f"There is no periodic task {name}. {hint}", details={"periodic": name, "nearest": near}
            ) from None


def view_of(watcher: Watcher) -> PeriodicView:
    """Return a periodic task as it is told."""
    averages = {}
    if watcher.runs:
        averages = {
            "average_elapsed_s": watcher.average_elapsed,
            "average_waiting_s": watcher.average_elapsed_waiting,
            "average_late_s": watcher.average_late,
        }
    return PeriodicView(
        name=watcher.work.name,
        state=watcher.stand.value,
        spacing_s=watcher.spacing_s,
        strategy=watcher.strategy.value,
        blocking=watcher.terms.blocking,
        due_at=watcher.due_at,
        timeout_s=watcher.terms.timeout_s,
        runs=watcher.runs,
        successes=watcher.successes,
        failures=watcher.failures,
        late_max_s=watcher.late_max_s,
        nodes=watcher.node_count,
        **averages,
    )
