"""What is read of runbooks: one, or a page of them. Any thread; no actor is asked."""

from castiron.actors.core.runbooks.index import RunbookIndex
from castiron.actors.core.runbooks.judging import found
from castiron.actors.core.runbooks.telling import runbook_view, summary
from castiron.actors.core.runbooks.using import is_for
from castiron.actors.services import Services
from castiron.transport.replies import RunbookListed, RunbookView
from castiron.transport.verbs import RunbookList, RunbookShow
from castiron.transport.vocabulary import EventSeq


def show(services: Services, verb: RunbookShow) -> tuple[RunbookView, EventSeq]:
    """Return a runbook, and the event number at which it holds.

    Raises:
        RunbookNotFound: there is none.
    """
    index, seq = services.runbooks.look(services.board)
    return runbook_view(found(index, verb.runbook), services.workers.shelf.catalogue), seq


def page(services: Services, index: RunbookIndex, verb: RunbookList, traits: tuple[str, ...] | None) -> RunbookListed:
    """Return a page of what there is: of a thousand runbooks, some 20 ms of work.

    Args:
        traits: only those that a node with these may be worked on by; None: all.
    """
    catalogue = services.workers.shelf.catalogue
    wanted = [one for one in index.sorted(verb.marker) if traits is None or is_for(one, traits)]
    shown = wanted[: verb.limit]
    marker = shown[-1].name if len(wanted) > len(shown) else None
    return RunbookListed(runbooks=[summary(one, catalogue) for one in shown], next_marker=marker)
