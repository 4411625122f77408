"""One verb for each of many nodes: sent pipelined, collated, equal answers folded into one line.

    n[1-18]: power on
    n[19-20]: bmc.unreachable: No answer from 127.0.0.19:623.

What is sent and how an answer reads is the commands' business.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import click

from castiron.cli.options import Shared
from castiron.cli.output.exits import Exit, exit_of_all
from castiron.cli.output.faults import Stop, code_of, error_map, tell
from castiron.cli.output.render import show_json, visible
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import BulkStopped, CastironError, ConductorLost
from castiron.transport.replies import Forecast
from castiron.transport.verbs import Verb

dry_run_option: Final = click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")


GROUPS: Final = frozenset("@*?")
"""In a RANGE with groups or wildcards there is one of these, and a plain one, which costs less, has none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the verb for one node."""

    node: str
    result: Any = None
    """The Struct that was answered; None if there was no answer but an error."""
    error: CastironError | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told of all nodes together, beside their outcomes."""

    stopped: str | None = None
    """Why some were not asked."""


def names_of(text: str) -> list[str]:
    """Return the names that a RANGE stands for.

    Raises:
        ArgumentInvalid: it is not a host range.
    """
    if not GROUPS.isdisjoint(text):
        from castiron.cli.inventory.groups import names_in  # noqa: PLC0415 - as below

        return names_in(text)
    from castiron.transport.ranges import expand  # noqa: PLC0415 - 15 ms that other commands do without

    return expand(text)


def folded(names: Iterable[str]) -> str:
    """Return the shortest host range for these names; those that no node could have stand behind it as they are."""
    listed = list(names)
    if len(listed) == 1:
        return visible(listed[0])
    from castiron.transport.ranges import fold, is_name  # noqa: PLC0415 - 15 ms that other commands do without

    could_be = [name for name in listed if is_name(name)]
    others = [visible(name) for name in listed if not is_name(name)]
    return ", ".join([fold(could_be), *others] if could_be else others)


def send(client: Client, verbs: Sequence[tuple[str, Verb]]) -> list[Outcome]:
    """Send each node's verb, and return the outcomes in the verbs' order.

    Where the conductor is lost on the way, the nodes whose verb was not sent have that as their outcome.

    Args:
        client: whom to ask.
        verbs: node and verb.

    Raises:
        Stop: interrupted; says how far it came.
    """
    answers: dict[int, object] = {}
    lost: CastironError | None = None
    try:
        for verb, answer in client.send_many(verb for _, verb in verbs):
            answers[id(verb)] = answer
    except ConductorLost as error:
        lost = error
    except KeyboardInterrupt:
        count = sum(not isinstance(answer, CastironError) for answer in answers.values())
        message = f"Interrupted. {count} of {len(verbs)} were accepted and go on; some more may have been."
        raise Stop(f"{message} See `castiron node list` and `castiron request list`.", Exit.INTERRUPTED) from None
    return [_outcome(node, answers.get(id(verb), lost)) for node, verb in verbs]


def _outcome(node: str, answer: object) -> Outcome:
    return Outcome(node, error=answer) if isinstance(answer, CastironError) else Outcome(node, result=answer)


def conclude(
    outcomes: Sequence[Outcome],
    describe: Callable[[Any], str],
    given: Shared,
    *,
    summary: Summary | None = None,
) -> NoReturn:
    """Print what became of all nodes, and end the command with the exit code that follows.

    A single node's error is raised as it is, so that it reads like any other command's.

    Args:
        outcomes: in the order in which JSON output shall have them.
        describe: says in a few words what an answer means.
        given: the shared options.
        summary: make JSON output one object of outcomes and their summary; None: a list of outcomes.
    """
    if given.is_json:
        maps = [as_map(one) for one in outcomes]
        show_json(maps if summary is None else {"nodes": maps, "summary": _summary_map(outcomes, summary)})
    elif len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    else:
        tell_outcomes(outcomes, describe)
    leave(outcomes)


def leave(outcomes: Sequence[Outcome]) -> NoReturn:
    """End the command with the exit code that follows, and say how many failed, and how many were not asked."""
    errors = [one.error for one in outcomes if one.error is not None]
    failures = [error for error in errors if not isinstance(error, BulkStopped)]
    if failures:
        tell(f"{len(failures)} of {len(outcomes)} failed.")
    if len(failures) < len(errors):
        tell(f"{len(errors) - len(failures)} of {len(outcomes)} were not started.")
    click.get_current_context().exit(exit_of_all(failures or errors))


def _summary_map(outcomes: Sequence[Outcome], summary: Summary) -> dict[str, Any]:
    errors = [one.error for one in outcomes if one.error is not None]
    not_sent = sum(isinstance(error, BulkStopped) for error in errors)
    return {
        "total": len(outcomes),
        "ok": len(outcomes) - len(errors),
        "failed": len(errors) - not_sent,
        "not_sent": not_sent,
        "stopped": summary.stopped,
    }


def as_map(one: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON output has it."""
    error = None if one.error is None else error_map(one.error)
    return {"node": one.node, "result": one.result, "error": error}


def tell_outcomes(outcomes: Sequence[Outcome], describe: Callable[[Any], str]) -> None:
    """Print a line for each kind of outcome: what succeeded to standard output, failures to standard error."""
    done: dict[str, list[str]] = {}
    failed: dict[str, list[Outcome]] = {}
    for one in outcomes:
        if one.error is None:
            text = one.result.text if isinstance(one.result, Forecast) else describe(one.result)
            done.setdefault(text, []).append(one.node)
        else:
            failed.setdefault(_kind(one.error), []).append(one)
    for text, nodes in done.items():
        click.echo(f"{folded(nodes)}: {visible(text)}")
    for kind, some in failed.items():
        click.echo(f"{folded(one.node for one in some)}: {kind}: {visible(_told(some))}", err=True)


def _kind(error: CastironError) -> str:
    """Return what makes two failures equal: their messages name nodes and addresses, and differ for ever."""
    return code_of(error) + (f" (applied: {error.applied.value})" if error.applied else "")


def _told(some: Sequence[Outcome]) -> str:
    texts = [one.error.message for one in some if one.error is not None]
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]} ({some[0].node}; the others alike)"
