"""Nodes from JSON: what `castiron node create -f` reads.

A line holds an object, or an array of objects, with the fields of node.create; one document over several lines is read,
too. What `castiron farm --format json` prints is understood: objects with address, port, username, password. Values may
be secrets, so no message here repeats one.
"""

import difflib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TextIO, cast

from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.transport.verbs import NodeCreate

STDIN: Final = "-"

_FARM: Final[Mapping[str, str]] = {
    "address": "ipmi_address",
    "port": "ipmi_port",
    "username": "ipmi_username",
    "password": "ipmi_password",
}
"""What a BMC's own fields are called in driver_info."""

Batch = list[tuple[str, NodeCreate]]
"""Names and verbs that can be sent together."""


def batches(path: str, *, force: bool = False, dry_run: bool = False) -> Iterator[Batch]:
    """Yield the nodes of a file: all at once; those from standard input line by line, for its writer may stay open.

    Args:
        path: the file, or STDIN.
        force: for all of them.
        dry_run: for all of them.

    Raises:
        Stop: the file cannot be read, is not JSON, or an object in it is no node.
    """
    if path == STDIN:
        for number, item in _documents(sys.stdin):
            yield _nodes(number, item, force=force, dry_run=dry_run)
        return
    try:
        with Path(path).open(encoding="utf-8") as file:
            yield [
                node for number, item in _documents(file) for node in _nodes(number, item, force=force, dry_run=dry_run)
            ]
    except OSError as failure:
        raise Stop(f"Cannot read {path}: {failure.strerror}.", Exit.NOT_FOUND) from None
    except UnicodeDecodeError:
        raise Stop(f"{path} is not text in UTF-8.", Exit.BAD_DATA) from None


def _documents(lines: TextIO) -> Iterator[tuple[int, Any]]:
    """Yield JSON documents with the number of the line that they begin at."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except ValueError as first:
            yield number, _rest_of_document(number, line + lines.read(), first)
            return
        except RecursionError:
            raise _too_deep(number) from None


def _rest_of_document(number: int, text: str, first: ValueError) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise _too_deep(number) from None
    except ValueError:
        reason = str(first).partition(":")[0]
        raise Stop(f"Line {number} is not JSON: {reason}. Write one object a line.", Exit.BAD_DATA) from None


def _too_deep(number: int) -> Stop:
    return Stop(f"Line {number}: maps and arrays are nested too deeply.", Exit.BAD_DATA)


def _nodes(number: int, item: Any, *, force: bool, dry_run: bool) -> Batch:
    items = cast("list[object]", item) if isinstance(item, list) else [item]
    return [_node(number, one, force=force, dry_run=dry_run) for one in items]


def _node(number: int, item: object, *, force: bool, dry_run: bool) -> tuple[str, NodeCreate]:
    if not isinstance(item, dict):
        raise Stop(f"Line {number}: a node is a JSON object with a name.", Exit.BAD_DATA)
    fields = _as_node(cast("dict[str, Any]", item))
    known = NodeCreate.__struct_fields__
    for key in fields:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(known)}."
            raise Stop(f"Line {number}: a node has no field {key!r}. {hint}", Exit.BAD_DATA)
    name = fields.get("name")
    if not isinstance(name, str):
        raise Stop(f"Line {number}: the node has no name. Give it one.", Exit.BAD_DATA)
    if force:
        fields["force"] = True
    if dry_run:
        fields["dry_run"] = True
    return name, NodeCreate(**fields)


def _as_node(item: dict[str, Any]) -> dict[str, Any]:
    """Move a BMC's own fields into driver_info, unless the object has one."""
    if "driver_info" in item:
        return {key: value for key, value in item.items() if key not in _FARM}
    info = {_FARM[key]: value for key, value in item.items() if key in _FARM}
    return {key: value for key, value in item.items() if key not in _FARM} | {"driver_info": info}
