"""Pages of the list of nodes: these names, of which these conditions hold, in this order, behind this mark.

Made from what is published; no actor is asked. What a condition means is `transport.selection`'s, whose functions are
given the published fields, secrets masked; so nothing about a secret can be found out by asking.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from heapq import nsmallest
from typing import Any, Final, TypeVar

from castiron.actors.core.views import field_of, node_view
from castiron.actors.delivery import node_not_found
from castiron.actors.published.board import Board, Published
from castiron.transport.replies import NodeListed
from castiron.transport.selection.conditions import check, chooser
from castiron.transport.selection.fields import Look, refuse_secret, secret_key
from castiron.transport.selection.order import Key, Order
from castiron.transport.verbs import NodeList
from castiron.transport.vocabulary import Instant

SHOWN: Final = 128
LOOKED_AT: Final = 256
"""Nodes that are made views of, or that conditions are tried on, between two pauses: half a millisecond's work."""

T = TypeVar("T")


class Listing:
    """One question for a list. Made where the question arrives; `page` may take its time."""

    def __init__(self, verb: NodeList, board: Board, ease: Callable[[], object]) -> None:
        """Check the question, and find the nodes that it names.

        Args:
            ease: called by `page` now and then; see Asking.ease.

        Raises:
            ArgumentInvalid: it makes no sense.
            NodeNotFound: some of the names are unknown; it names them all at once.
        """
        check(verb.where)
        self._verb = verb
        self._board = board
        self._ease = ease
        self._order = Order(verb.sort, descending=verb.descending)
        self._behind = None if verb.marker is None else self._order.behind(verb.marker)
        self._named = None if verb.nodes is None else _named(verb.nodes, board)

    def page(self, now: Instant) -> NodeListed:
        """Return the page.

        O(all nodes) with conditions or an order of its own, a few microseconds each; otherwise O(the page).

        Raises:
            ArgumentInvalid: it asks about a secret.
        """
        limit = self._verb.limit
        found = self._found(limit + 1, now)
        marker = self._order.marker(look_at(found[limit - 1], now)) if len(found) > limit else None
        shown = [node_view(published.state, now) for published in self._eased(found[:limit], SHOWN)]
        self._ease()  # to be sent, it is encoded in one go
        return NodeListed(nodes=shown, next_marker=marker)

    def _found(self, count: int, now: Instant) -> list[Published]:
        verb = self._verb
        if self._named is None and not verb.where and verb.sort is None and not verb.descending:
            return self._board.page(after=verb.marker, limit=count)
        candidates = self._board.nodes() if self._named is None else self._named
        self._refuse_secrets(candidates)
        chosen = chooser(verb.where)
        places: list[tuple[Key, Published]] = []
        for published in self._eased(candidates, LOOKED_AT):
            look = look_at(published, now)
            if not chosen(look):
                continue
            key = self._order.key(look)
            if self._behind is None or key > self._behind:
                places.append((key, published))
        return [published for _, published in nsmallest(count, places, key=_key)]

    def _eased(self, items: Sequence[T], count: int) -> Iterator[T]:
        """Yield the items, and let others come first between so many of them."""
        for begin in range(0, len(items), count):
            if begin:
                self._ease()
            yield from items[begin : begin + count]

    def _refuse_secrets(self, candidates: Iterable[Published]) -> None:
        asked = [(one.field, f"$.where[{number}].field") for number, one in enumerate(self._verb.where)]
        asked += [] if self._verb.sort is None else [(self._verb.sort, "$.sort")]
        refuse_secrets(asked, candidates)


def refuse_secrets(asked: Iterable[tuple[str, str]], candidates: Iterable[Published]) -> None:
    """Refuse questions about what is a secret of one of these nodes.

    Args:
        asked: fields, and where each stands in the question.

    Raises:
        ArgumentInvalid: one of them is.
    """
    keys = [(key, path, at) for path, at in asked if (key := secret_key(path)) is not None]
    for published in candidates if keys else ():
        for key, path, at in keys:
            if key in published.state.record.secret_keys:
                raise refuse_secret(path, at)


def look_at(published: Published, now: Instant) -> Look:
    """Return what tells a node's fields, as conditions ask for them."""
    look: Callable[[str], Any] = partial(field_of, published.state, now)
    return look


def _key(place: tuple[Key, Published]) -> Key:
    return place[0]


def _named(names: list[str], board: Board) -> list[Published]:
    """Return the nodes of these names or uuids, each once."""
    found = [(name, board.node(name)) for name in names]
    unknown = [name for name, published in found if published is None]
    if unknown:
        raise node_not_found(*unknown)
    return list({one.state.record.uuid: one for _, one in found if one is not None}.values())
