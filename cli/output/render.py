"""Tables, records and JSON on standard output; moments and ages in words.

For a person at a terminal rich draws; into a pipe go plain columns, one line a row, never wrapped, never coloured.
Whatever a conductor sends is shown harmless: control characters, which could move a terminal's cursor, are spelled out.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

from castiron.cli.options import is_terminal

GAP: Final = "  "
"""Between plain columns: two blanks, since values such as "power on" hold one."""

_STYLES: Final = {
    "power on": "green",
    "power off": "dim",
    "unknown": "yellow",
    "failed": "red",
    "expired": "red",
    "succeeded": "green",
    "running": "cyan",
}

_AGES: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def show_json(value: Any) -> None:
    """Print a value as one JSON document; Structs become objects with their fields' names."""
    click.echo(json.dumps(value, default=fields_of, indent=2))


def fields_of(struct: Any) -> dict[str, Any]:
    """Return a Struct as a map: what its fields hold, by their names."""
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a head."""
    safe = [[visible(cell) for cell in row] for row in rows]
    if is_terminal("stdout"):
        _draw(head, safe)
    else:
        for line in plain_columns([list(head), *safe]):
            click.echo(line)


def show_record(fields: Mapping[str, str]) -> None:
    """Print names and values, one a line."""
    width = max(map(len, fields))
    for name, value in fields.items():
        label = click.style(f"{name:{width}}", bold=True) if is_terminal("stdout") else f"{name:{width}}"
        click.echo(f"{label}{GAP}{visible(value)}".rstrip())


def plain_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [GAP.join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _draw(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - 35 ms that pipes and JSON do without
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, name in enumerate(head):
        table.add_column(name, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console().print(table)


def visible(text: str) -> str:
    """Return text with control characters and other invisible ones spelled out by their numbers."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def moment(at: float | None, now: float) -> str:
    """Return a moment as local ISO time and how far away it is: "2026-07-01 12:00:05+02:00 (12 s ago)"."""
    return "-" if at is None else f"{clock_time(at)} ({age(at, now)})"


def clock_time(at: float) -> str:
    """Return a moment as local ISO time: "2026-07-01 12:00:05+02:00"."""
    return datetime.fromtimestamp(at, UTC).astimezone().isoformat(sep=" ", timespec="seconds")


def age(at: float | None, now: float) -> str:
    """Return how far away a moment is: "12 s ago", "in 3 min", "-" for none."""
    if at is None:
        return "-"
    apart_s = now - at
    return f"in {length(-apart_s)}" if apart_s < 0 else f"{length(apart_s)} ago"


def length(seconds: float) -> str:
    """Return a length of time in its largest unit: "12 s", "3 min", "5 h", "2 d"."""
    for unit_s, unit in _AGES:
        if seconds >= unit_s:
            return f"{int(seconds / unit_s)} {unit}"
    return f"{seconds:.0f} s"


def word(value: object) -> str:
    """Return a value for a cell: "-" for nothing, "yes" and "no", text as it is, JSON for the rest."""
    if value is None or value in ("", {}, []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int | float) else json.dumps(value, default=fields_of)


def power_word(power_state: str | None) -> str:
    """Return a power state for people; one that nobody knows is "unknown"."""
    return "unknown" if power_state is None else str(power_state)
