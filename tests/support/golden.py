"""The golden vectors of PROTOCOL.md, as they stand there."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import castiron.transport

DOCUMENT = Path(castiron.transport.__path__[0], "PROTOCOL.md").read_text()


class Vector(NamedTuple):
    """One message: its frames, and what stands beside each."""

    title: str
    frames: list[bytes]
    meanings: list[str]

    @property
    def parts(self) -> list[bytes]:
        """The frames without a delimiter."""
        return self.frames[1:] if self.frames[0] == b"" else self.frames

    @property
    def body(self) -> dict[str, Any]:
        """What the last frame means."""
        return dict(json.loads(self.meanings[-1]))


def vectors() -> list[Vector]:
    """Read them from the document."""
    found: list[Vector] = []
    for title, block in re.findall(r"^([^\n]+)\n\n```golden\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL):
        rows = [line.split(" | ", 1) for line in block.splitlines()]
        found.append(Vector(title, [bytes.fromhex(row[0].strip("- ")) for row in rows], [row[1] for row in rows]))
    return found
