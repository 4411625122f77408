"""Entries of an inventory: what is to be known of each node, and where in the file it stands.

Values may be secrets: no message repeats one. All that is wrong with a file is told at once, and then nothing is done.
"""

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

from castiron.transport.ranges import is_name
from castiron.transport.replies.machines import MASK
from castiron.transport.verbs import NodeCreate

MAX_BYTES: Final = 64 << 20
"""Of a file: 100,000 nodes with 600 bytes each."""

MAX_ENTRIES: Final = 100_000
"""Ten times a large conductor's."""

MAX_TOLD: Final = 20
"""Mistakes told: more of them say the same again."""

MAPS: Final = ("driver_info", "properties", "extra")
FIELDS: Final = tuple(name for name in NodeCreate.__struct_fields__ if name not in {"force", "dry_run"})
"""What an entry may say of a node."""


class Mistake(NamedTuple):
    """Something that an entry cannot mean."""

    where: str
    """"line 3", "entry 2"."""
    field: str
    told: str

    def __str__(self) -> str:
        return f"{self.where}: {self.field}: {self.told}" if self.field else f"{self.where}: {self.told}"


class Mistaken(Exception):
    """A file has mistakes."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(f"{len(mistakes)} mistakes")
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One node of an inventory."""

    where: str
    name: str
    fields: Mapping[str, Any] = field(repr=False)
    """Of `FIELDS`, without the name; what the file leaves open is missing. Kept out of repr: secrets are in it."""
    left_out: tuple[str, ...] = ()
    """Fields that say something and that castiron has no place for."""
    masked: tuple[str, ...] = ()
    """Keys of driver_info whose secret the file does not tell."""


def entry(where: str, given: Mapping[str, Any], *, left_out: Iterable[str] = ()) -> Entry | list[Mistake]:
    """Return the entry that these fields make, or what is wrong with them."""
    said = {name: value for name, value in given.items() if value is not None}
    mistakes = [Mistake(where, name, _unknown(name)) for name in said if name not in FIELDS]
    mistakes += [
        Mistake(where, name, told) for name in FIELDS if name in said and (told := _wrong(name, said[name])) is not None
    ]
    name = said.pop("name", None)
    if name is None:
        mistakes.append(Mistake(where, "name", "the node has none."))
    if mistakes:
        return mistakes
    info = said.get("driver_info", {})
    masked = tuple(sorted(key for key, value in info.items() if value == MASK))
    if masked:
        said["driver_info"] = {key: value for key, value in info.items() if value != MASK}
    return Entry(where=where, name=str(name), fields=said, left_out=tuple(left_out), masked=masked)


def judged(found: Iterable[Entry | list[Mistake]]) -> list[Entry]:
    """Return the entries of a file.

    Raises:
        Mistaken: something is wrong with one of them, or two have the same name.
    """
    entries: list[Entry] = []
    mistakes: list[Mistake] = []
    seen: dict[str, str] = {}
    for one in found:
        if isinstance(one, list):
            mistakes += one
            continue
        if one.name in seen:
            mistakes.append(Mistake(one.where, "name", f"{one.name} stands at {seen[one.name]} already."))
        seen.setdefault(one.name, one.where)
        entries.append(one)
    if len(entries) > MAX_ENTRIES:
        mistakes.append(Mistake("the file", "", f"it has {len(entries)} entries; {MAX_ENTRIES} are the most."))
    if mistakes:
        raise Mistaken(mistakes)
    return entries


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, FIELDS, n=1)
    return f"a node has no such field. {f'Did you mean {near[0]}?' if near else 'It has: ' + ', '.join(FIELDS) + '.'}"


def _wrong(name: str, value: Any) -> str | None:
    """Return what is wrong with a value as far as its kind goes; the rest is the conductor's to judge."""
    kind = "maps" if name in MAPS else "seconds" if name.endswith("_s") else name
    fits, told = _KINDS.get(kind, (_is_anything, ""))
    return None if fits(value) else told


def _is_anything(_: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


_TEXT: Final = (_is_text, "it must be text.")
_SWITCH: Final = (_is_switch, "it must be true or false.")
_KINDS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "name": (
        lambda value: isinstance(value, str) and is_name(value),
        "it must be of letters, digits, and . - _ between them.",
    ),
    "maps": (lambda value: isinstance(value, dict), "it must be a map of keys and values."),
    "seconds": (
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "it must be a number of seconds.",
    ),
    "traits": (
        lambda value: isinstance(value, list) and all(isinstance(one, str) for one in cast("list[object]", value)),
        "it must be a list of words.",
    ),
    **dict.fromkeys(("driver", "resource_class", "retired_reason"), _TEXT),
    **dict.fromkeys(("disable_power_off", "retired"), _SWITCH),
}
"""Field, or kind of field → whether a value is one, and what to say otherwise."""


def read_json(text: str) -> Any:
    """Read a JSON document; a ValueError names the line."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("maps and arrays are nested too deeply") from None
