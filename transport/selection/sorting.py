"""What a client does with long lists: names cut to fit into messages, nodes put into order once all pages are there."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from castiron.transport.replies import NodeView
from castiron.transport.selection.fields import is_masked, refuse_secret, value_of
from castiron.transport.selection.order import Order

MAX_NAMES_BYTES: Final = 49_152
"""Names in one `node.list`: three quarters of a message."""


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


def pieces(names: Sequence[str], *, limit: int) -> Iterator[list[str]]:
    """Cut a list of names into lists that fit into a message each, of at most `limit` names."""
    chunk: list[str] = []
    size_bytes = 0
    for name in names:
        name_bytes = len(name.encode()) + 3  # what msgpack puts before a string of up to 64 KiB
        if chunk and (len(chunk) == limit or size_bytes + name_bytes > MAX_NAMES_BYTES):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(name)
        size_bytes += name_bytes
    if chunk:
        yield chunk
