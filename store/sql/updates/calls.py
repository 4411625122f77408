"""Rows of many changes, in as few calls as keep the order of each row's own writes. Pure."""

from collections.abc import Iterable, Iterator

from castiron.store.sql.updates.moving import Write


def calls(writes: Iterable[Write], *, in_order: frozenset[str] = frozenset()) -> Iterator[tuple[str, list[Write]]]:
    """Yield statements, each with the writes that it is for.

    Writes of different rows may change places, those of one row never do.

    Args:
        in_order: statements that overtake nothing, and are overtaken by nothing: what they do concerns other rows.
    """
    waiting: dict[str, list[Write]] = {}
    keys: set[str] = set()
    is_alone = False
    for write in writes:
        is_ordered = write.statement in in_order
        if write.key in keys or ((is_ordered or is_alone) and write.statement not in waiting):
            yield from waiting.items()
            waiting, keys = {}, set()
        is_alone = is_ordered
        waiting.setdefault(write.statement, []).append(write)
        keys.add(write.key)
    yield from waiting.items()
