"""Verbs that become requests: asked of one node or of many, and followed to their end where the command waits.

One node without further ado is asked by itself; everything else is one bulk, which the conductor carries out.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from castiron.cli.bulk import GROUPS, Outcome, Summary, conclude, folded, names_of, send
from castiron.cli.nodes.pacing import Pace, confirm
from castiron.cli.options import Shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.output.progress import Progress
from castiron.cli.reach import connect
from castiron.cli.waiting import wait_for
from castiron.transport.clients.blocking.bulk import Bulk
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.bulk import BulkCourse, error_of
from castiron.transport.clients.face import TIMEOUT_S
from castiron.transport.errors import BulkTooLarge, CastironError, ConductorLost, NodeNotFound, ReplyTimeout
from castiron.transport.replies import RequestView
from castiron.transport.verbs import AnyNodeRequest
from castiron.transport.verbs.bulk import addressed

if TYPE_CHECKING:
    from castiron.cli.output.board import Standing

FOLDED: Final = 500
"""Names that a line of progress folds; of more it tells the number, for folding 10,000 takes half a second."""


class Selected(NamedTuple):
    """Which nodes a command is for, as typed."""

    range_: str | None
    where: tuple[str, ...]


def carry_out(
    request: AnyNodeRequest,
    selected: Selected,
    reached: Callable[[RequestView], str],
    *,
    wait: bool,
    pace: Pace,
    given: Shared,
) -> None:
    """Ask for something, print what became of it, and end the command.

    Args:
        request: what to ask of each node; its `node` does not count.
        selected: the nodes.
        reached: says what a request that succeeded brought.
        wait: follow the requests to their end; `--timeout` is then for that, and not for each answer.
        pace: how, if there are many.
        given: the shared options.
    """
    if selected.range_ is None and not selected.where:
        raise click.UsageError("Name nodes with a RANGE, or choose them with --where.")
    names = None if selected.range_ is None else names_of(selected.range_)
    if names is not None and not GROUPS.isdisjoint(selected.range_ or ""):  # the conductor resolves none
        selected = selected._replace(range_=",".join(names))
    is_one = names is not None and len(names) == 1 and not selected.where
    if names is not None and is_one and pace.is_plain and request.key is None:  # a node's key is the same in any range
        outcomes, summary = _ask_one(request, names[0], wait=wait, given=given), None
    elif request.dry_run:
        outcomes, summary = _foretell(request, selected, pace=pace, given=given), None
    else:
        outcomes, summary = _ask_many(request, selected, wait=wait, pace=pace, given=given)
    conclude(outcomes, reached if wait else _accepted_text(len(outcomes)), given, summary=summary or Summary())


def _foretell(request: AnyNodeRequest, selected: Selected, *, pace: Pace, given: Shared) -> list[Outcome]:
    """Have the bulk rehearsed. Nobody is asked whether so many are meant: nothing is done to them."""
    with connect(given) as client:
        try:
            return _run(client, request, selected, None, wait=False, pace=pace, given=given)[0]
        except NodeNotFound as error:
            raise _none(selected) if error.details.get("node") is None else error from None


def _ask_one(request: AnyNodeRequest, node: str, *, wait: bool, given: Shared) -> list[Outcome]:
    verb = addressed(request, node, request.key, dry_run=request.dry_run)
    with connect(given, timeout_s=_answer_s(given, wait=wait)) as client:
        (outcome,) = send(client, [(node, verb)])
    if not wait or outcome.error is not None or request.dry_run:
        return [outcome]
    waiting = wait_for([outcome.result], given)
    (view,) = waiting.views.values()
    return [Outcome(node, result=view, error=waiting.error_of(view.id))]


def _answer_s(given: Shared, *, wait: bool) -> float | None:
    return min(TIMEOUT_S, given.timeout_s or TIMEOUT_S) if wait else given.timeout_s


def _ask_many(
    request: AnyNodeRequest, selected: Selected, *, wait: bool, pace: Pace, given: Shared
) -> tuple[list[Outcome], Summary]:
    most = None if pace.yes else pace.confirm_above
    with connect(given, timeout_s=_answer_s(given, wait=wait)) as client:
        try:
            return _run(client, request, selected, most, wait=wait, pace=pace, given=given)
        except NodeNotFound as error:
            raise _none(selected) if error.details.get("node") is None else error from None
        except BulkTooLarge as refused:
            if most is None or refused.details.get("what") != "at_most":
                raise
            count = int(refused.details["count"])
        confirm(count, most)
        return _run(client, request, selected, count, wait=wait, pace=pace, given=given)


def _none(selected: Selected) -> Stop:
    among = "" if selected.range_ is None else f" of {selected.range_}"
    return Stop(f"There is no node{among} of which {' and '.join(selected.where)} holds.", Exit.NOT_FOUND)


def _run(
    client: Client,
    request: AnyNodeRequest,
    selected: Selected,
    most: int | None,
    *,
    wait: bool,
    pace: Pace,
    given: Shared,
) -> tuple[list[Outcome], Summary]:
    terms = pace.terms()
    terms["wait"], terms["at_most"] = wait, most
    with Progress(0) as progress:
        bulk = client.nodes.bulk(
            request,
            selected.range_,
            where=selected.where,
            key=request.key,
            timeout_s=given.timeout_s if wait else None,
            told=lambda bulk: _show(progress, bulk),
            **terms,
        )
        lost: CastironError | None = None
        try:
            for _ in bulk:
                """`told` has drawn it."""
        except KeyboardInterrupt:
            raise Stop(_interrupted(bulk), Exit.INTERRUPTED) from None
        except (ConductorLost, ReplyTimeout) as error:
            if not bulk.names:
                raise
            lost = _given_up(bulk, error, given)
    outcomes = [_outcome(bulk, name, lost) for name in bulk.names]
    return outcomes, Summary(stopped=bulk.summary.stopped)


def _outcome(bulk: Bulk, name: str, lost: CastironError | None) -> Outcome:
    outcome = bulk.outcomes.get(name)
    if outcome is None:
        return Outcome(name, error=lost)
    return Outcome(name, result=outcome.forecast or outcome.request, error=error_of(outcome))


def _given_up(bulk: Bulk, error: CastironError, given: Shared) -> CastironError:
    """Return what to say of the nodes that nothing was heard of; those that were not started are not any more."""
    if isinstance(error, ReplyTimeout):
        if len(bulk.started) < len(bulk.names):
            bulk.cancel()
        message = f"It has not ended within {given.timeout_s:g} s. What was accepted goes on: `castiron request list`."
        return ReplyTimeout(message)
    message = f"{error.message} What was accepted goes on once a conductor runs there."
    return ConductorLost(message, details=error.details, applied=error.applied)


def _interrupted(bulk: Bulk) -> str:
    try:
        view = bulk.cancel(leave=True) or bulk.summary
    except CastironError as error:
        return f"Interrupted, and the rest could not be cancelled: {error.message}"
    ended = view.succeeded + view.failed
    rest = f"{view.running} go on, {view.not_sent} were not started"
    return f"Interrupted. {ended} of {view.total} had ended, {rest}. See `castiron request list`."


def _show(progress: Progress, bulk: BulkCourse) -> None:
    if bulk.lost is not None:
        progress.tell_away(bulk.lost)
    else:
        progress.follow(len(bulk.names), lambda: _standing(bulk), lambda: bulk_line(bulk))


def _standing(bulk: BulkCourse) -> "Standing":
    from castiron.cli.output.board import Going, Standing  # noqa: PLC0415 - rich: 40 ms

    rest = [name for name in bulk.names if name not in bulk.outcomes]
    running = [Going(name, "running") for name in rest if name in bulk.started]
    waiting = [Going(name, "not started") for name in rest if name not in bulk.started]
    return Standing(len(bulk.names), len(bulk.outcomes), bulk.summary.failed, [*running, *waiting])


def bulk_line(bulk: BulkCourse) -> str:
    """Return "12 of 20 ended, 1 failed; running: n[13-18]; not started: n[19-20]"."""
    summary = bulk.summary
    failed = f", {summary.failed} failed" if summary.failed else ""
    parts = [f"{len(bulk.outcomes)} of {len(bulk.names)} ended{failed}"]
    going = [name for name in bulk.names if name not in bulk.outcomes]
    for what, names in (
        ("running", [name for name in going if name in bulk.started]),
        ("not started", [name for name in going if name not in bulk.started]),
    ):
        if names:
            parts.append(f"{what}: {folded(names) if len(names) <= FOLDED else len(names)}")
    return "; ".join(parts)


def _accepted_text(count: int) -> Callable[[RequestView], str]:
    if count == 1:
        return lambda view: f"{_accepted(view)}; follow it with `castiron request wait {view.id}`"
    return _accepted


def _accepted(view: RequestView) -> str:
    return "joined an equal request" if view.merged else "accepted"
