"""What the small conductor in memory tells of a request's life, and of its one periodic task."""

import time
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from castiron.transport import errors, replies, verbs
from castiron.transport.replies import (
    NodeView,
    PeriodicListed,
    PeriodicView,
    RequestView,
    SensorListed,
    SensorView,
)
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, TraceWord

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


def drained(requester: str | None, requests: Iterable[RequestView]) -> replies.DrainView:
    """Return whether it drains, and what is left."""
    open_ = [one for one in requests if one.state not in FINAL_REQUEST_STATES]
    return replies.DrainView(
        is_draining=requester is not None,
        since=None if requester is None else time.time(),
        requester=requester,
        open_requests=len(open_),
        running=sum(one.state == "running" for one in open_),
        bulks=0,
    )


def sensed(node: NodeView) -> SensorListed:
    """Return a sensor that was read, and one that could not be."""
    warm = SensorView(number=1, name="Inlet Temp", kind="Temperature", value=23.5, units="°C", states=[], health="ok")
    lost = SensorView(number=2, name="Fan 1", kind="Fan", value=None, units="", states=[], health=None)
    return SensorListed(
        node=node.name,
        node_uuid=node.uuid,
        interval_s=600.0 if node.sensor_data_interval_s is None else node.sensor_data_interval_s,
        read_at=time.time() - 60.0,
        is_stale=False,
        tried_at=time.time() - 60.0,
        sensors=[warm, lost],
        left_out_count=1,
    )


def merged(old: object, new: Any) -> object:
    """Return a map with some keys set, and those removed that are nil; anything else is replaced."""
    if not isinstance(old, dict):
        return new
    merged: dict[str, Any] = {**old, **new}
    return {key: value for key, value in merged.items() if value is not None}


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
