"""`castiron request`: requests that the conductor has accepted."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

import click

from castiron.cli.bulk import Outcome, as_map, conclude, dry_run_option, leave, send
from castiron.cli.options import Command, Group, Shared, shared
from castiron.cli.output.faults import code_of, error_text
from castiron.cli.output.render import age, clock_time, moment, show_json, show_record, show_table, visible, word
from castiron.cli.reach import connect
from castiron.cli.waiting import wait_for
from castiron.transport.clients.face import TIMEOUT_S
from castiron.transport.clients.requests import ABORT_S
from castiron.transport.replies import Forecast, RequestView, StepView, TraceStep
from castiron.transport.verbs import RequestAbort, RequestCancel, RequestList, RequestShow, RequestTrace, RequestWait
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, RequestState

_OPEN: Final[tuple[Any, ...]] = (None, {}, [], 0)

_UNITS_S: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def _moment(text: str) -> float:
    """Return seconds since 1970-01-01 UTC: of "90s", "5m", "2h", "1d" ago, of an ISO date, or as they are."""
    try:
        if text[-1:] in _UNITS_S:
            return time.time() - float(text[:-1]) * _UNITS_S[text[-1]]
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError):
        wanted = "Write 90s, 5m, 2h or 1d ago, or a date, as 2026-07-01T12:00."
        raise click.BadParameter(f"{text!r} is no moment. {wanted}") from None


_TRACE_HEAD: Final = ("AT", "TOOK", "WHAT", "TIMES", "DETAILS")
_STEPS_HEAD: Final = ("STEP", "STATE", "ATTEMPTS", "STARTED", "TOOK", "OUTCOME")
_HEAD: Final = ("ID", "NODE", "VERB", "STATE", "ACCEPTED", "ENDED", "OUTCOME")


@click.group(cls=Group)
def request() -> None:
    """Look at requests, list them, wait for their end, and take them back."""


@request.command("show", cls=Command, verbs=(RequestShow,))
@click.argument("id_", metavar="ID")
def _show(id_: str) -> None:
    given = shared()
    with connect(given) as client:
        view = client.requests.show(id_).view
    if given.is_json:
        return show_json(view)
    now = time.time()
    show_record(_lines(view, now))
    if view.steps:
        click.echo()
        show_table(_STEPS_HEAD, [_step_row(step, now) for step in view.steps])
    return None


@request.command("list", cls=Command, verbs=(RequestList,))
@click.option("--node", metavar="NODE", help="Of this node only.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in RequestState]),
    help="In this state only. Repeatable.",
)
@click.option("--verb", "of_verb", metavar="VERB", help="Of this verb only, as node.power.set.")
@click.option("--requester", metavar="WHO", help="First asked for by this identity only, as ipc:uid=1000.")
@click.option("--error", metavar="CODE", help="Ended with this error only, as bmc.unreachable.")
@click.option("--accepted-since", type=_moment, metavar="TIME", help="Accepted then or later.")
@click.option("--accepted-until", type=_moment, metavar="TIME", help="Accepted before that.")
@click.option("--ended-since", type=_moment, metavar="TIME", help="Ended then or later.")
@click.option("--ended-until", type=_moment, metavar="TIME", help="Ended before that.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many at the most.")
def _list(states: tuple[str, ...], **wanted: Any) -> None:
    given = shared()
    with connect(given) as client:
        views = [one.view for one in client.requests.list(states=states or None, **wanted)]
    if given.is_json:
        return show_json(views)
    now = time.time()
    show_table(_HEAD, [_row(view, now) for view in views])
    return None


@request.command("trace", cls=Command, verbs=(RequestTrace,))
@click.argument("id_", metavar="ID")
def _trace(id_: str) -> None:
    given = shared()
    with connect(given) as client:
        trace = client.requests.trace(id_)
    if given.is_json:
        return show_json(trace)
    return show_table(_TRACE_HEAD, [_step(entry) for entry in trace.entries])


def _step(entry: TraceStep) -> list[str]:
    took = "-" if entry.until is None else f"{entry.until - entry.at:.3f} s"
    details = ", ".join(f"{name}={word(value)}" for name, value in entry.details.items())
    return [clock_time(entry.at), took, entry.word, str(entry.count), details or "-"]


@request.command("wait", cls=Command, verbs=(RequestWait, RequestShow))
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def _wait(ids: tuple[str, ...]) -> None:
    """Wait until requests have ended, and say how. Fails if one of them failed, or did not end within --timeout."""
    given = shared()
    with connect(given) as client:
        views = [client.requests.show(id_).view for id_ in dict.fromkeys(ids)]
    waiting = wait_for(views, given)
    outcomes = [Outcome(one.node, result=waiting.views[one.id], error=waiting.error_of(one.id)) for one in views]
    conclude(outcomes, _ended, given)


_force = click.option("--force", is_flag=True, help="Also if others want it, or you do not.")


@request.command("cancel", cls=Command, verbs=(RequestCancel,))
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@_force
@dry_run_option
def _cancel(ids: tuple[str, ...], *, force: bool, dry_run: bool) -> None:
    """Withdraw requests that have not started: their machines are not touched. One that others want goes on for them.

    Fails if one of them has started or ended; `abort` ends those that have started.
    """
    verbs = [RequestCancel(request=id_, force=force, dry_run=dry_run) for id_ in dict.fromkeys(ids)]
    _take_back(verbs, shared(), TIMEOUT_S)


@request.command("abort", cls=Command, verbs=(RequestAbort,))
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@_force
@dry_run_option
def _abort(ids: tuple[str, ...], *, force: bool, dry_run: bool) -> None:
    """End requests that run, between two exchanges with the BMC, and say what was seen of their machines then.

    One that has not started is cancelled. What has been sent to a BMC is not taken back. Waits until they have ended,
    which takes as long as the conductor gives a command to a BMC at the most.
    """
    verbs = [RequestAbort(request=id_, force=force, dry_run=dry_run) for id_ in dict.fromkeys(ids)]
    _take_back(verbs, shared(), ABORT_S)


def _take_back(verbs: Sequence[RequestCancel | RequestAbort], given: Shared, timeout_s: float) -> None:
    with connect(given, timeout_s=given.timeout_s or timeout_s) as client:
        outcomes = send(client, [(verb.request, verb) for verb in verbs])
    if given.is_json:
        show_json([{"request": one.node, "result": one.result, "error": as_map(one)["error"]} for one in outcomes])
    elif len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    else:
        _tell_each(outcomes)
    leave(outcomes)


def _tell_each(outcomes: Sequence[Outcome]) -> None:
    """Print a line for each request: ids do not fold."""
    for one in outcomes:
        if one.error is None:
            click.echo(visible(f"{one.node}: {one.result.node}: {_ended(one.result)}"))
        else:
            click.echo(visible(f"{one.node}: {code_of(one.error)}: {error_text(one.error)}"), err=True)


def _ended(view: RequestView | Forecast) -> str:
    if isinstance(view, Forecast):
        return view.text
    if view.state in FINAL_REQUEST_STATES:
        return f"{view.state}, {_outcome(view)}"
    return f"{view.state}, still wanted by {', '.join(view.requesters)}"


def _row(view: RequestView, now: float) -> list[str]:
    times = [age(view.accepted_at, now), age(view.ended_at, now)]
    return [view.id, view.node, view.verb, view.state, *times, _outcome(view)]


def _outcome(view: RequestView) -> str:
    """Return in a few words how far a request has come."""
    if view.error is not None:
        return str(view.error.get("code", "error"))
    if view.position is not None:
        return f"number {view.position} in line"
    if view.result is None:
        return word(view.step)
    return str(next((view.result[key] for key in ("power_state", "boot_device") if view.result.get(key)), "done"))


def _step_row(step: StepView, now: float) -> list[str]:
    took = None if step.started_at is None or step.ended_at is None else step.ended_at - step.started_at
    return [
        step.name,
        step.state,
        str(step.attempts),
        age(step.started_at, now),
        "-" if took is None or took < 0 else f"{took:.3f} s",
        word(step.result) if step.error is None else f"{step.error.get('code')}: {step.error.get('message')}",
    ]


def _told(group: str, values: dict[str, Any] | None) -> dict[str, str]:
    """Return the lines of a result, or an error; steps have a table of their own."""
    return {f"{group}.{key}": word(_but_steps(value)) for key, value in (values or {}).items() if key != "steps"}


def _but_steps(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: one for key, one in cast("dict[str, Any]", value).items() if key != "steps"}


def _brief(value: Any) -> Any:
    """Return what was asked for without what was left open: a list of steps is mostly that."""
    if isinstance(value, list):
        return [_brief(one) for one in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: one for key, one in cast("dict[str, Any]", value).items() if one is False or one not in _OPEN}
    return value


def _lines(view: RequestView, now: float) -> dict[str, str]:
    return {
        "id": view.id,
        "node": f"{view.node} ({view.node_uuid})",
        "verb": view.verb,
        **{f"arguments.{key}": word(_brief(value)) for key, value in view.arguments.items() if key != "node"},
        "requester": view.requester,
        "requesters": ", ".join(view.requesters) or "-",
        "merged": str(view.merged),
        "key": word(view.key),
        "policy": str(view.policy),
        "hold": word(view.hold),
        "on_restart": str(view.on_restart),
        "depends_on": word(view.depends_on),
        "state": str(view.state),
        "position": word(view.position),
        "ahead": word(view.ahead),
        "step": word(view.step),
        "aborted_by": word(view.aborted_by),
        "accepted_at": moment(view.accepted_at, now),
        "started_at": moment(view.started_at, now),
        "ended_at": moment(view.ended_at, now),
        "deadline_at": moment(view.deadline_at, now),
        "overdue_at": moment(None if view.ended_at else view.overdue_at, now),
        "attempts": str(view.attempts),
        **_told("result", view.result),
        **_told("error", view.error),
    }
