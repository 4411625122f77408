"""Host ranges: `n[01-20,33]` to names and back. The only home of ClusterShell.

The syntax is ClusterShell's NodeSet: lists `a,b`, ranges `n[1-20]` with padding and steps `n[00-20/2]`, differences
`n[1-9]!n3`, intersections `n[1-9]&n[5-20]`, symmetric differences `^`; and Confluent's way to write a difference,
`n[1-9],-n3`. Group names (`@rack1`) are not resolved unless the caller brings who resolves them (groups.py):
ClusterShell's configuration may have files read and commands run.
"""

import re
from collections.abc import Iterable
from math import prod
from typing import Any, Final

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

from castiron.transport.errors import ArgumentInvalid
from castiron.transport.selection.natural import natural_order
from castiron.transport.verbs import NAME_PATTERN

MAX_NAMES: Final = 100_000
"""Names in one range: ten times a large conductor's. `n[1-999999999]` is a slip, and would fill the memory."""

MAX_DIGITS: Final = 18
"""Of one number in a range: what fits into 64 bits."""

_NodeSet: Final[Any] = NodeSet  # it has no types; what it gives gets them where it is called
_NAME: Final = re.compile(NAME_PATTERN)
_PATTERN: Final = re.compile(r"(?:\[[^\]]*\]|[^,!&^\[])+")
"""One name with its brackets, between two operators."""
_BRACKETS: Final = re.compile(r"\[([^\]]*)\]")
_WITHOUT: Final = re.compile(r"(\[[^\]]*\]?)|,\s*-(?!-)")
"""A bracket, which stays as it is, or what says that the next name is taken away."""
_SPAN: Final = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?(?:/\s*(\d+)\s*)?\Z")
_DIGITS: Final = re.compile(r"\d+")


def expand(text: str, *, limit: int = MAX_NAMES, resolver: object = RESOLVER_NOGROUP) -> list[str]:
    """Return the names that a host range stands for, each once, in natural order.

    Args:
        text: a host range; blanks around names do not count.
        limit: how many names it may spell out, those that it takes away again included.
        resolver: who resolves groups; by default nobody does.

    Raises:
        ArgumentInvalid: wrong syntax, more than `limit` names, or something that is not a name.
    """
    if not text.strip():
        raise _refused(text, "it names nothing")
    count = spelled_out(text)
    if count > limit:
        raise _refused(text, f"it spells out {count} names, and {limit} are the most")
    try:
        folded = _NodeSet(_WITHOUT.sub(lambda found: found[1] or "!", text), resolver=resolver)
        names = [str(name) for name in folded]
    except (NodeSetException, ValueError) as failure:  # "0[-1]" escapes the parser as the latter
        raise _refused(text, str(failure)) from None
    wrong = next((name for name in names if not _NAME.match(name)), None)
    if wrong is not None:
        raise _refused(text, f"{wrong!r} is not a name")
    return natural_order(names)


def named(entries: Iterable[str], *, limit: int = MAX_NAMES) -> list[str]:
    """Return the names that several entries stand for, each once, in the order of the entries.

    A plain name, which most are where there are many, costs a fortieth of what a range with one name does.

    Args:
        entries: names, uuids, host ranges.
        limit: as in `expand`, for all of them together.

    Raises:
        ArgumentInvalid: as `expand`.
    """
    names: dict[str, None] = {}
    for entry in entries:
        if _NAME.match(entry):
            names[entry] = None
        else:
            names.update(dict.fromkeys(expand(entry, limit=limit)))
        if len(names) > limit:
            raise _refused(entry, f"with it there are more than {limit} names")
    return list(names)


def is_name(text: str) -> bool:
    """Return whether a node could have this name."""
    return _NAME.match(text) is not None


def fold(names: Iterable[str]) -> str:
    """Return the shortest host range that stands for these names; expanding it gives them back.

    Args:
        names: each one that a node could have; see `is_name`.
    """
    folded = _NodeSet.fromlist(list(names), resolver=RESOLVER_NOGROUP)
    return str(folded)


def spelled_out(text: str) -> int:
    """Count the names that a range spells out, without making them; what is not understood counts as one.

    Raises:
        ArgumentInvalid: a number in it has more than MAX_DIGITS digits.
    """
    if any(len(digits) > MAX_DIGITS for inside in _BRACKETS.findall(text) for digits in _DIGITS.findall(inside)):
        raise _refused(text, f"a number has more than {MAX_DIGITS} digits")
    return sum(
        prod(sum(_span(part) for part in inside.split(",")) for inside in _BRACKETS.findall(pattern))
        for pattern in _PATTERN.findall(text)
    )


def _span(text: str) -> int:
    matched = _SPAN.match(text)
    if matched is None or matched[2] is None:
        return 1
    first, last, step = int(matched[1]), int(matched[2]), int(matched[3] or 1)
    return max(1, (last - first) // max(1, step) + 1)


def _refused(text: str, reason: str) -> ArgumentInvalid:
    shown = text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line of a terminal
    message = f"{shown!r} is not a host range: {reason}. Write it as n[1-20], n[01-20,33], n1,n2 or n[1-20],-n3."
    return ArgumentInvalid(message, details={"path": "$.nodes"})
