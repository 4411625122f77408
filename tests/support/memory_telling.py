"""What the small conductor in memory tells of a request's life, and of its one periodic task."""

import time

from msgspec.structs import replace

from castiron.transport import errors, replies, verbs
from castiron.transport.replies import PeriodicListed, PeriodicView, RequestView
from castiron.transport.vocabulary import TraceWord

PERIODIC = "tests.support.memory_telling.look"


def look() -> None:
    """Stand for a periodic task."""


def traced(view: RequestView) -> replies.TraceView:
    """Return a short life."""
    accepted = replies.TraceStep(
        word=TraceWord.ACCEPTED, at=view.accepted_at, details={"requester": view.requester, "policy": "strict"}
    )
    polls = replies.TraceStep(
        word=TraceWord.EXCHANGE,
        at=view.accepted_at,
        until=view.accepted_at + 1.5,
        count=3,
        details={"asked": "read power state", "answer": "power off"},
    )
    return replies.TraceView(request=view, entries=[accepted, polls])


class MemoryPeriodics:
    """One periodic task, which can be stopped and started, and never runs."""

    def __init__(self) -> None:
        self._stopped = PeriodicView(
            name=PERIODIC, state="stopped", spacing_s=3_600.0, strategy="last_started", blocking=True
        )
        self._task = self._scheduled()

    def answer(
        self, verb: verbs.PeriodicList | verbs.PeriodicStop | verbs.PeriodicStart
    ) -> PeriodicListed | PeriodicView:
        """Do what is asked.

        Raises:
            PeriodicNotFound: it is asked of another one.
        """
        if isinstance(verb, verbs.PeriodicList):
            return PeriodicListed(periodics=[self._task])
        if verb.periodic != PERIODIC:
            raise errors.PeriodicNotFound("There is none.", details={"periodic": verb.periodic, "nearest": []})
        self._task = self._stopped if isinstance(verb, verbs.PeriodicStop) else self._scheduled()
        return self._task

    def _scheduled(self) -> PeriodicView:
        return replace(self._stopped, state="scheduled", due_at=time.time() + 3_600.0)
