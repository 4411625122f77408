"""What a BMC makes of a request that it does not carry out at once: a task, asked for until it has ended.

It answers 202 Accepted and names a monitor; a GET of that is answered 202 for as long as the task goes on, and then as
the request would have been; some BMCs show the task itself instead. Both are read. How long is waited is the call's.

Source: DSP0266, 13.6 (asynchronous operations); DSP0268, Task.
"""

import json
from http import HTTPStatus
from typing import Any, Final, Protocol

from castiron.actors.drivers.redfish.resources import link, text
from castiron.actors.drivers.redfish.wire.line import Answer
from castiron.actors.drivers.redfish.wire.refusals import message_ids, retry_after_s
from castiron.transport.errors import BMCBusy, BMCError, BMCFault, BMCUnsupported

FIRST_PAUSE_S: Final = 0.1
"""Before the monitor is asked for the first time, where the BMC does not say; each further pause is twice as long."""

LONGEST_PAUSE_S: Final = 5.0

LAST_S: Final = 0.5
"""What is left of a call's time for the last look; then the task goes on without us."""

GOES_ON: Final = frozenset(
    {"New", "Starting", "Running", "Suspended", "Pending", "Stopping", "Cancelling", "Interrupted", "Service"}
)
"""States of a task that has not ended."""

REFUSED: Final = frozenset({"Exception", "Cancelled"})
"""States of a task of which the BMC says that it came to nothing."""

FAILED: Final = REFUSED | {"Killed"}
"""States of a task that has ended, and did not do what was asked. Completed is the only other one."""

OF_THE_LOOK: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
"""Refusals that meet whoever looks, and say nothing of the task."""


class Asking(Protocol):
    """What is needed of a session."""

    def request(self, method: str, path: str) -> Answer:
        """Ask; see Session.request."""
        ...

    def own_path(self, location: str | None, before: str, *, below: str) -> str:
        """Return a path that the BMC names, if it is its own; see Session.own_path."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait; see Session.pause."""
        ...

    def left_s(self) -> float:
        """Return how much time the call has left."""
        ...


def follow(session: Asking, answer: Answer, asked: str) -> None:
    """Wait until the task that an answer tells of has ended well. Blocks. No other answer is looked at.

    A BMC that names no monitor has taken the request, and there is nothing more to learn.

    Args:
        asked: the request, such as "POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset".

    Raises:
        BMCBusy: it has not ended in the call's time; it may yet.
        BMCFault: it failed, or the BMC no longer knows it.
        BMCError: the BMC refused what the task was about, or does not answer; see Session.request.
    """
    path = _monitor(session, answer, asked)
    pause_s = FIRST_PAUSE_S
    while path is not None and _goes_on(answer):
        left_s = session.left_s() - LAST_S
        if left_s <= 0:
            raise BMCBusy(f"The BMC took {asked}, and has not carried it out in time. Its task goes on: {path}.")
        session.pause(min(retry_after_s(answer) or pause_s, left_s))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        answer = _looked_at(session, path, answer, asked)
    _judge(answer, asked)


def is_in_doubt(error: BMCError) -> bool:
    """Return whether what a task was about may have been done, after what `follow` raised."""
    status, state = error.details.get("http_status"), error.details.get("task_state")
    is_refusal = status is not None and 400 <= status < 500 and status not in OF_THE_LOOK  # noqa: PLR2004 - HTTP's
    return not is_refusal and state not in REFUSED


def _monitor(session: Asking, answer: Answer, asked: str) -> str | None:
    """Return what is to be asked about the task; None: it is none, or the BMC does not say."""
    if answer.status != HTTPStatus.ACCEPTED:
        return None
    task = _parsed(answer)
    named = answer.headers.get("location") or text(task, "TaskMonitor") or link(task)
    return None if named is None else session.own_path(named, asked, below="/")


def _looked_at(session: Asking, path: str, before: Answer, asked: str) -> Answer:
    """Look; a BMC that has no time to answer is asked again, one that knows of no task any more is not."""
    try:
        return session.request("GET", path)
    except BMCBusy as error:
        if "http_status" not in error.details:  # it is no answer: another call came first
            raise
        return before
    except BMCUnsupported as error:
        if error.details.get("http_status") not in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise
        raise BMCFault(
            f"The BMC took {asked}, and knows nothing of its task any more.", details=error.details
        ) from None


def _goes_on(answer: Answer) -> bool:
    return answer.status == HTTPStatus.ACCEPTED or text(_parsed(answer), "TaskState") in GOES_ON


def _judge(answer: Answer, asked: str) -> None:
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise BMCFault(f"The BMC took {asked}, and answered {answer.status} when asked what became of it.")
    task = _parsed(answer)
    state = text(task, "TaskState")
    if state not in FAILED and not (state == "Completed" and text(task, "TaskStatus") == "Critical"):
        return
    ids = message_ids(answer.body)
    told = f" ({', '.join(ids)})" if ids else ""
    details = {"task_state": state, **({"message_ids": list(ids)} if ids else {})}
    raise BMCFault(f"The BMC took {asked}, and its task ended as {state}{told}.", details=details)


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
