"""Values typed as KEY=VALUE: plain, from a file (`KEY=@FILE`), or asked for without an echo (`KEY=-`).

A value may be a secret, so no message here ever repeats one.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from castiron.cli.options import is_terminal
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop

MAX_FILE_BYTES: Final = 65_536
"""Of a file named by @FILE: what fits into one message."""


def text_pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Read KEY=VALUE arguments whose values are text, as driver_info's are.

    Args:
        option: the option that they were given with, for messages.
        given: as typed.

    Raises:
        Stop: an argument is not KEY=VALUE, or a file cannot be read.
    """
    pairs: dict[str, str] = {}
    for text in given:
        key, value = _split(option, text)
        if key in pairs:
            raise click.UsageError(f"{option} {key}=… is given twice.")
        pairs[key] = _fetched(option, key, value)
    return pairs


def json_pairs(option: str, given: Sequence[str]) -> dict[str, Any]:
    """Read KEY=VALUE arguments whose values are JSON where they can be read as it, and text otherwise."""
    return {key: _json_or_text(value) for key, value in text_pairs(option, given).items()}


def _split(option: str, text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise click.UsageError(
            f"{option} takes KEY=VALUE; what was given has no {'key' if separator else 'equals sign'}."
        )
    return key, value


def _fetched(option: str, key: str, value: str) -> str:
    if value == "-":
        return _asked(key)
    return _read(option, key, Path(value[1:])) if value.startswith("@") else value


def _asked(key: str) -> str:
    if is_terminal("stdin"):
        answer: str = click.prompt(key, hide_input=True, err=True)
        return answer
    line = sys.stdin.readline()
    if not line:
        raise click.UsageError(f"{key}=-: standard input ended before there was a line for it.")
    return line.removesuffix("\n")


def _read(option: str, key: str, path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except OSError as failure:
        raise Stop(f"{option} {key}: cannot read {path}: {failure.strerror}.", Exit.NOT_FOUND) from None
    except UnicodeDecodeError:
        raise Stop(f"{option} {key}: {path} is not text in UTF-8.", Exit.BAD_DATA) from None
    if len(text) > MAX_FILE_BYTES:
        raise Stop(f"{option} {key}: {path} is larger than {MAX_FILE_BYTES} bytes.", Exit.BAD_DATA)
    return text.removesuffix("\n")


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
