"""Inventories in CSV and TOML.

    name,driver,driver_info.ipmi_address,driver_info.ipmi_password,resource_class,traits,properties.cpus
    n1,ipmi,192.0.2.1,@secret,baremetal,HW_CPU_X86_VMX CUSTOM_GPU,32

    [defaults]                                  [nodes.n1]
    driver = "ipmi"                             driver_info.ipmi_address = "192.0.2.1"

A column may also be a key of driver_info by itself (ipmi_address). An empty cell says nothing. In TOML what [defaults]
says holds for every node that does not say otherwise, key by key in maps; [[nodes]] with a name will do as well.
"""

import csv
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from castiron.cli.inventory.entries import FIELDS, MAPS, Entry, Mistake, entry, read_json

_INFO_PREFIXES: Final = ("ipmi_", "redfish_", "fake_")
"""With these begin keys of driver_info, and nothing else."""

_WORDS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def from_csv(text: str) -> Iterator[Entry | list[Mistake]]:
    """Yield the entries of a table whose first line names the columns.

    Raises:
        ValueError: it is no such table.
    """
    rows = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        columns = [name.strip() for name in next(rows, list[str]())]
        _check(columns)
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield _row(f"line {rows.line_num}", columns, cells)
    except csv.Error as failure:
        raise ValueError(f"line {rows.line_num}: {failure}") from None


def _check(columns: list[str]) -> None:
    if "name" not in columns:
        raise ValueError("line 1: no column is called name. The first line names the columns")
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"line 1: two columns are called {twice}")


def _row(where: str, columns: list[str], cells: list[str]) -> Entry | list[Mistake]:
    if len(cells) != len(columns):
        return [Mistake(where, "", f"it has {len(cells)} cells, and the first line {len(columns)}.")]
    fields: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for column, cell in zip(columns, cells, strict=True):
        if not cell.strip():
            continue
        group, _, key = _place(column)
        try:
            value = _value(group, cell.strip() if group != "driver_info" else cell)
        except ValueError as wrong:
            mistakes.append(Mistake(where, column, str(wrong)))
            continue
        if key:
            fields.setdefault(group, {})[key] = value
        else:
            fields[group] = value
    return mistakes or entry(where, fields)


def _place(column: str) -> tuple[str, str, str]:
    """Return which field a column is about, and which key of it."""
    if column.startswith(_INFO_PREFIXES):
        return "driver_info", ".", column
    group, dot, key = column.partition(".")
    return (group, dot, key) if group in MAPS else (column, "", "")


def _value(name: str, text: str) -> Any:
    """Read a cell. Never repeats it in an error: it may be a secret in the wrong column."""
    if name == "traits":
        return text.replace(";", " ").split()
    if name in {"disable_power_off", "retired"}:
        if text.lower() not in _WORDS:
            raise ValueError("it must be true or false.")
        return _WORDS[text.lower()]
    if name.endswith("_s") and name in FIELDS:
        try:
            return float(text)
        except ValueError:
            raise ValueError("it must be a number of seconds.") from None
    return _json_or_text(text) if name in {"properties", "extra"} else text


def _json_or_text(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text


def from_toml(text: str) -> Iterator[Entry | list[Mistake]]:
    """Yield the entries of a TOML file.

    Raises:
        ValueError: it is not TOML, or has no nodes.
    """
    document = tomllib.loads(text)
    for name in document:
        if name not in {"defaults", "nodes"}:
            raise ValueError(f"there is no table {name} in an inventory: it has defaults and nodes")
    defaults, nodes = document.get("defaults", {}), document.get("nodes")
    if not isinstance(defaults, dict):
        raise ValueError("defaults is not a table")  # noqa: TRY004 - one kind of error from all readers
    if isinstance(nodes, dict):
        named = cast("dict[str, Any]", nodes)
        items: list[tuple[str, object, dict[str, Any]]] = [
            (f"nodes.{name}", one, {"name": name}) for name, one in named.items()
        ]
    elif isinstance(nodes, list):
        items = [(f"entry {number}", one, {}) for number, one in enumerate(cast("list[object]", nodes), start=1)]
    else:
        raise ValueError("it has no nodes. Write [nodes.NAME], or [[nodes]] with a name")  # noqa: TRY004 - as above
    for where, one, named_so in items:
        if isinstance(one, dict):
            yield entry(where, _joined(cast("dict[str, Any]", defaults), cast("dict[str, Any]", one) | named_so))
        else:
            yield [Mistake(where, "", "it is not a table.")]


def _joined(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    maps = {
        name: {**defaults[name], **own[name]}
        for name in MAPS
        if isinstance(defaults.get(name), dict) and isinstance(own.get(name), dict)
    }
    return {**defaults, **own, **maps}
