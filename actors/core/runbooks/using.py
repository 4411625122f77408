"""A runbook at its use: a request that names one becomes a request with its steps. Pure.

From then on the steps are the request's own: whatever becomes of the runbook changes nothing of it.
"""

from typing import NamedTuple

from castiron.actors.core.runbooks.index import RunbookIndex
from castiron.actors.core.runbooks.judging import found
from castiron.actors.core.runbooks.steps import wishes_of
from castiron.store.records import NodeRecord, RunbookRecord
from castiron.transport.errors import ArgumentInvalid, CastironError, RunbookTraitMissing
from castiron.transport.verbs import NodeProvisionSet


class Expanded(NamedTuple):
    """A request with the steps that it is to work through."""

    verb: NodeProvisionSet
    runbook: str | None
    """What the runbook is called that they were taken from."""


def expanded(index: RunbookIndex, verb: NodeProvisionSet, node: NodeRecord) -> Expanded:
    """Return a request with the steps of the runbook that it names, if it names one.

    Raises:
        ArgumentInvalid: it names steps, too.
        RunbookNotFound: there is no such runbook.
        RunbookTraitMissing: the node has none of the traits that it is for.
    """
    if verb.runbook is None:
        return Expanded(verb, None)
    if verb.steps is not None:
        message = "Name a runbook, or steps, not both: put all steps into one runbook."
        raise ArgumentInvalid(message, details={"path": "$.runbook"})
    record = found(index, verb.runbook)
    check_traits(record, node)
    return Expanded(verb.with_steps(wishes_of(record)), record.name)


def is_for(record: RunbookRecord, traits: tuple[str, ...]) -> bool:
    """Return whether a node with these traits may be worked on by a runbook."""
    return not _wanted(record).isdisjoint(traits)


def check_traits(record: RunbookRecord, node: NodeRecord) -> None:
    """Refuse a node that nobody has allowed the runbook for.

    Raises:
        RunbookTraitMissing: it has none of the traits.
    """
    if is_for(record, node.traits):
        return
    wants = sorted(_wanted(record))
    has = ", ".join(node.traits) or "none"
    message = (
        f"{node.name} needs the trait {' or '.join(wants)} for the runbook {record.name}. Its traits: {has}. "
        "`castiron node set` gives it one."
    )
    details = {"node": node.name, "runbook": record.name, "wants": wants, "traits": list(node.traits)}
    raise RunbookTraitMissing(message, details=details)


def of_runbook(error: CastironError, runbook: str | None) -> CastironError:
    """Return why steps were refused; of a runbook's steps, with its name, for whoever asks has not seen them."""
    if runbook is None:
        return error
    details = {**error.details, "path": "$.runbook", "runbook": runbook, "at": error.details.get("path")}
    return type(error)(f"The runbook {runbook} does not fit: {error.message}", details=details)


def _wanted(record: RunbookRecord) -> frozenset[str]:
    return frozenset(record.traits or (record.name,))
