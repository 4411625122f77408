"""Verbs that become requests: sent for each node, and followed to their end where the command waits."""

from collections.abc import Callable, Sequence

from castiron.cli.bulk import Outcome, conclude, send
from castiron.cli.options import Shared
from castiron.cli.reach import connect
from castiron.cli.terms import terms_for
from castiron.cli.waiting import wait_for
from castiron.transport.clients.client import TIMEOUT_S
from castiron.transport.clients.delivery import Terms, on_terms
from castiron.transport.replies import RequestView
from castiron.transport.verbs import AnyNodeRequest


def carry_out(
    verbs: Sequence[tuple[str, AnyNodeRequest]],
    reached: Callable[[RequestView], str],
    *,
    terms: Terms,
    wait: bool,
    given: Shared,
) -> None:
    """Send verbs, print what became of them, and end the command.

    Args:
        verbs: node and verb.
        reached: says what a request that succeeded brought.
        terms: how the requests are to be treated.
        wait: follow the requests to their end; `--timeout` is then for that, and not for each answer.
        given: the shared options.
    """
    wait = wait and not any(verb.dry_run for _, verb in verbs)  # what is only foretold has no end
    answer_s = min(TIMEOUT_S, given.timeout_s or TIMEOUT_S) if wait else given.timeout_s
    with connect(given, timeout_s=answer_s) as client:
        outcomes = send(client, [(node, on_terms(verb, **terms_for(terms, node))) for node, verb in verbs])
    if wait:
        outcomes = _ended(outcomes, given)
    conclude(outcomes, reached if wait else _accepted_text(len(outcomes)), given)


def _ended(outcomes: Sequence[Outcome], given: Shared) -> list[Outcome]:
    waiting = wait_for([one.result for one in outcomes if one.error is None], given)
    return [
        one
        if one.error is not None
        else Outcome(one.node, result=waiting.views[one.result.id], error=waiting.error_of(one.result.id))
        for one in outcomes
    ]


def _accepted_text(count: int) -> Callable[[RequestView], str]:
    if count == 1:
        return lambda view: f"{_accepted(view)}; follow it with `castiron request wait {view.id}`"
    return _accepted


def _accepted(view: RequestView) -> str:
    return "joined an equal request" if view.merged else "accepted"
