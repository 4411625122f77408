"""Nodes put into an order by whoever has them all: a client that has gathered its pages."""

from collections.abc import Iterable
from functools import partial

from castiron.transport.replies import NodeView
from castiron.transport.selection.fields import is_masked, refuse_secret, value_of
from castiron.transport.selection.order import Order


def in_order(views: Iterable[NodeView], sort: str | None = None, *, descending: bool = False) -> list[NodeView]:
    """Return nodes sorted by a field, and by name where they have the same there.

    Raises:
        ArgumentInvalid: a node has no such field, or it is a secret.
    """
    by_name = sorted(views, key=lambda view: view.name)
    if sort is None:
        return by_name[::-1] if descending else by_name
    order = Order(sort, descending=descending)
    if any(is_masked(sort, value_of(partial(getattr, view), sort)) for view in by_name):
        raise refuse_secret(sort, "$.sort")
    return sorted(by_name, key=lambda view: order.place(partial(getattr, view)))
