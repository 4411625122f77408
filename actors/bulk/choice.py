"""Which nodes a bulk is for: these names, of which these conditions hold; all of them known, or none is asked.

O(all nodes), so it runs in a bulk's own turn and never on the front door's thread. What a condition means is
`transport.selection`'s, what a host range is `transport.ranges`'.
"""

from collections.abc import Hashable
from functools import partial
from typing import NamedTuple

from castiron.actors.core.views import field_of
from castiron.actors.published.board import Board, Published
from castiron.actors.published.listing import look_at, refuse_secrets
from castiron.transport.errors import NodeNotFound
from castiron.transport.ranges import fold, named
from castiron.transport.selection.conditions import check, chooser
from castiron.transport.selection.fields import kind_of, value_of
from castiron.transport.selection.natural import natural_order
from castiron.transport.verbs import BulkRun
from castiron.transport.vocabulary import Instant, NodeName, NodeUUID


class Chosen(NamedTuple):
    """A node of a bulk."""

    uuid: NodeUUID
    name: NodeName
    group: Hashable
    """What it has in the field that `per` names; None where it has nothing there, or none was named."""


def choose(verb: BulkRun, board: Board, now: Instant) -> list[Chosen]:
    """Return the nodes of a bulk in the order in which they are to be started: as named, or by name.

    Raises:
        NodeNotFound: some names are unknown; it names them all at once. Or the conditions hold of no node.
        ArgumentInvalid: a wrong range, a condition or a `per` that makes no sense or is about a secret.
    """
    check(verb.where)
    if verb.per is not None:
        kind_of(verb.per, "$.per")
    candidates = _all(board) if verb.nodes is None else _known(named(verb.nodes), board)
    asked = [(one.field, f"$.where[{number}].field") for number, one in enumerate(verb.where)]
    refuse_secrets(asked if verb.per is None else [*asked, (verb.per, "$.per")], candidates)
    holds = chooser(verb.where)
    found = [published for published in candidates if holds(look_at(published, now))]
    if not found:
        raise NodeNotFound("There is no node of which the conditions hold. Nothing was done.", details={"node": None})
    return [_chosen(published, verb.per, now) for published in found]


def _chosen(published: Published, per: str | None, now: Instant) -> Chosen:
    record = published.state.record
    value = None if per is None else value_of(partial(field_of, published.state, now), per)
    # Attributes are free: a list is one value like any other, and 1 is not "1".
    return Chosen(record.uuid, record.name, None if value is None else repr(value))


def _all(board: Board) -> list[Published]:
    by_name = {published.state.record.name: published for published in board.nodes()}
    return [by_name[NodeName(name)] for name in natural_order(by_name)]


def _known(names: list[str], board: Board) -> list[Published]:
    """Return the nodes of these names or uuids, each once."""
    found = [(name, board.node(name)) for name in names]
    unknown = [name for name, published in found if published is None]
    if unknown:
        which = fold(unknown)
        count = "" if len(unknown) == 1 else f"{len(unknown)} of the nodes are unknown: "
        message = f"{count}there is no node {which!r}. `castiron node list` shows all. Nothing was done."
        raise NodeNotFound(message[0].upper() + message[1:], details={"node": which, "count": len(unknown)})
    return list({one.state.record.uuid: one for _, one in found if one is not None}.values())
