"""Which nodes of a test or a simulation have something wrong with their BMCs: host range → `Faults`, or words for them.

    {"n[3-5]": "silent=true", "n7": Faults(loss_percent=5)}

Pure. Nodes are called n1, n2, … wherever castiron.testing makes them.
"""

from collections.abc import Mapping, Sequence

from castiron.testing.bmc import Faults
from castiron.testing.words import read_faults, say_faults
from castiron.transport.errors import ArgumentInvalid
from castiron.transport.ranges import expand

Ailments = Mapping[str, Faults | str]
"""Nodes as a host range → what is wrong with them; words are those of `castiron farm set`, with blanks between."""


def node_name(number: int) -> str:
    """Return what a node is called; they are numbered from 0."""
    return f"n{number + 1}"


def node_names(count: int) -> list[str]:
    """Return what so many nodes are called."""
    return [node_name(number) for number in range(count)]


def faults_of(ailments: Ailments, names: Sequence[str]) -> dict[str, Faults]:
    """Return each ailing node's faults; where two ranges name one node, the later one's.

    Raises:
        ValueError: no range, no faults, or a node that there is not; the message says which.
    """
    found: dict[str, Faults] = {}
    known = frozenset(names)
    for nodes, faults in ailments.items():
        named = _expanded(nodes)
        if strangers := [name for name in named if name not in known]:
            raise ValueError(f"faults= names {', '.join(strangers)}, and the nodes are {_span(names)}.")
        found |= dict.fromkeys(named, read(faults) if isinstance(faults, str) else faults)
    return found


def read(words: str) -> Faults:
    """Return the faults that words stand for.

    Raises:
        ValueError: they stand for none.
    """
    pairs = [word.partition("=") for word in words.split()]
    if not pairs or not all(name and sign for name, sign, _ in pairs):
        raise ValueError(f"faults= takes words as 'silent=true loss=5', not {words!r}.")
    try:
        return Faults(**read_faults({name: value for name, _, value in pairs}))
    except ValueError as failure:
        raise ValueError(f"faults= has {words!r}: {failure}") from None


def words_of(faults: Faults | str) -> str:
    """Return the words that stand for faults; the other way than `read`."""
    if isinstance(faults, str):
        return faults
    return " ".join(f"{name}={text}" for name, text in say_faults(faults).items()) or "silent=false"


def _expanded(nodes: str) -> list[str]:
    try:
        return expand(nodes)
    except ArgumentInvalid as error:
        raise ValueError(f"faults= has {nodes!r}: {error.message}") from None


def _span(names: Sequence[str]) -> str:
    return f"{names[0]} to {names[-1]}" if len(names) > 1 else ", ".join(names) or "none"
