"""Files in TOML or JSON that a person wrote: read, and where in them something stands.

What is in them may be a secret, so no message here ever repeats it.
"""

import json
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.pairs import MAX_FILE_BYTES

STDIN: Final = "-"

_PLACE: Final = re.compile(r"\$\.(?P<field>\w+)(?:\[(?P<number>\d+)\])?(?P<rest>[\w.]*)")


@dataclass(frozen=True)
class Document:
    """A file as it was read."""

    path: str
    text: str
    content: Any

    def line_of(self, place: str) -> int | None:
        """Return the line of a place as "$.steps[1].args.seconds", or of what it is in; None: the file does not say.

        Only of TOML: there a list of tables has a head for each, and every field a line.
        """
        found = _PLACE.match(place)
        if found is None or not self.path.endswith(".toml"):
            return None
        lines = self.text.splitlines()
        begin, end = 0, len(lines)
        if found["number"] is not None:
            heads = _lines_like(lines, rf"\[\[\s*{found['field']}\s*\]\]")
            number = int(found["number"])
            if number >= len(heads):
                return None
            begin, end = heads[number], (*heads, end)[number + 1]
        keys = [found["field"], *found["rest"].strip(".").split(".")][::-1]
        for key in map(re.escape, filter(None, keys)):
            for line in _lines_like(lines[begin:end], rf'((.*[{{,]\s*)?"?{key}"?\s*=|\[+\s*{key}\s*\])'):
                return begin + line + 1
        return begin + 1


def read_document(path: str) -> Document:
    """Read a file: TOML if its name ends so, JSON otherwise; STDIN is JSON.

    Raises:
        Stop: it cannot be read, or is not what its name says.
    """
    text = _text(path)
    try:
        return Document(path, text, tomllib.loads(text) if path.endswith(".toml") else json.loads(text))
    except (ValueError, RecursionError) as failure:
        what = "TOML" if path.endswith(".toml") else "JSON"
        raise Stop(f"{path} is not {what}: {_place(failure)}.", Exit.BAD_DATA) from None


def _lines_like(lines: list[str], pattern: str) -> list[int]:
    like = re.compile(rf"\s*{pattern}")
    return [number for number, line in enumerate(lines) if like.match(line)]


def _text(path: str) -> str:
    try:
        if path == STDIN:
            text = sys.stdin.read(MAX_FILE_BYTES + 1)
        else:
            with Path(path).open(encoding="utf-8") as file:
                text = file.read(MAX_FILE_BYTES + 1)
    except OSError as failure:
        raise Stop(f"Cannot read {path}: {failure.strerror}.", Exit.NOT_FOUND) from None
    except UnicodeDecodeError:
        raise Stop(f"{path} is not text in UTF-8.", Exit.BAD_DATA) from None
    if len(text) > MAX_FILE_BYTES:
        raise Stop(f"{path} is larger than {MAX_FILE_BYTES} bytes.", Exit.BAD_DATA)
    return text


def _place(failure: Exception) -> str:
    """Return where reading failed, without what stands there."""
    if isinstance(failure, json.JSONDecodeError):
        return f"line {failure.lineno}, column {failure.colno}"
    found = re.search(r"\(at (line \d+, column \d+)\)", str(failure))
    return found[1] if found else "its end, or too deeply nested"
