"""`castiron request`: requests that the conductor has accepted."""

import time
from collections.abc import Callable
from typing import Final

import click

from castiron.cli.bulk import Outcome, conclude, send
from castiron.cli.options import Command, Group, shared
from castiron.cli.output.render import age, moment, show_json, show_record, show_table, word
from castiron.cli.reach import connect
from castiron.cli.waiting import wait_for
from castiron.transport.replies import RequestView
from castiron.transport.verbs import RequestAbort, RequestCancel, RequestList, RequestShow, RequestWait
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, RequestState

_HEAD: Final = ("ID", "NODE", "VERB", "STATE", "ACCEPTED", "ENDED", "OUTCOME")


@click.group(cls=Group)
def request() -> None:
    """Look at requests, list them, and wait for their end."""


@request.command("show", cls=Command, verbs=(RequestShow,))
@click.argument("id_", metavar="ID")
def _show(id_: str) -> None:
    given = shared()
    with connect(given) as client:
        view = client.requests.show(id_).view
    if given.is_json:
        show_json(view)
    else:
        show_record(_lines(view, time.time()))


@request.command("list", cls=Command, verbs=(RequestList,))
@click.option("--node", metavar="NODE", help="Of this node only.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in RequestState]),
    help="In this state only. Repeatable.",
)
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many at the most.")
def _list(node: str | None, states: tuple[str, ...], limit: int) -> None:
    given = shared()
    with connect(given) as client:
        views = [one.view for one in client.requests.list(node, states or None, limit)]
    if given.is_json:
        return show_json(views)
    now = time.time()
    show_table(_HEAD, [_row(view, now) for view in views])
    return None


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


def _taking_back(command: Callable[..., None]) -> Callable[..., None]:
    command = click.option("--force", is_flag=True, help="Also if others want it, or you do not.")(command)
    return click.argument("ids", metavar="ID...", nargs=-1, required=True)(command)


@request.command("cancel", cls=Command, verbs=(RequestCancel,))
@_taking_back
def _cancel(ids: tuple[str, ...], *, force: bool) -> None:
    """Withdraw requests that have not started. What others want as well goes on for them."""
    given = shared()
    with connect(given) as client:
        outcomes = send(client, [(id_, RequestCancel(request=id_, force=force)) for id_ in dict.fromkeys(ids)])
    conclude(outcomes, _taken_back, given)


@request.command("abort", cls=Command, verbs=(RequestAbort,))
@_taking_back
def _abort(ids: tuple[str, ...], *, force: bool) -> None:
    """End requests that run, between two exchanges with the BMC, and look at the machine. What waits is cancelled."""
    given = shared()
    with connect(given) as client:
        outcomes = send(client, [(id_, RequestAbort(request=id_, force=force)) for id_ in dict.fromkeys(ids)])
    conclude(outcomes, _taken_back, given)


def _taken_back(view: RequestView) -> str:
    wanted = "" if view.state in FINAL_REQUEST_STATES else f", still wanted by {', '.join(view.requesters)}"
    return f"{view.node}: {view.verb} {view.state}{wanted}"


def _ended(view: RequestView) -> str:
    return f"{view.state}, {_outcome(view)}"


def _row(view: RequestView, now: float) -> list[str]:
    times = [age(view.accepted_at, now), age(view.ended_at, now)]
    return [view.id, view.node, view.verb, view.state, *times, _outcome(view)]


def _outcome(view: RequestView) -> str:
    """Return in a few words how far a request has come."""
    if view.error is not None:
        return str(view.error.get("code", "error"))
    if view.result is None:
        return word(view.step)
    return str(next((view.result[key] for key in ("power_state", "boot_device") if view.result.get(key)), "done"))


def _lines(view: RequestView, now: float) -> dict[str, str]:
    return {
        "id": view.id,
        "node": f"{view.node} ({view.node_uuid})",
        "verb": view.verb,
        **{f"arguments.{key}": word(value) for key, value in view.arguments.items() if key != "node"},
        "requester": view.requester,
        "state": str(view.state),
        "step": word(view.step),
        "accepted_at": moment(view.accepted_at, now),
        "started_at": moment(view.started_at, now),
        "ended_at": moment(view.ended_at, now),
        "deadline_at": moment(view.deadline_at, now),
        "overdue_at": moment(view.overdue_at, now),
        "position": word(view.position),
        "policy": str(view.policy),
        "hold": word(view.hold),
        "on_restart": str(view.on_restart),
        "key": word(view.key),
        "depends_on": word(view.depends_on),
        "requesters": ", ".join(view.requesters),
        "merged": str(view.merged),
        "aborted_by": word(view.aborted_by),
        "attempts": str(view.attempts),
        **{f"result.{key}": word(value) for key, value in (view.result or {}).items()},
        **{f"error.{key}": word(value) for key, value in (view.error or {}).items()},
    }
