"""What a worker can be asked: a step, to be carried out, verified or taken back. Words only.

A worker is no driver: what it does may block, and is written by anybody. It answers as drivers do, with an Outcome; so
does the shell, where a decision needs randomness.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """Carry a step out. Value: a map, its result; Deferred; or, asked to `verify`, whether it was done."""

    interface: str
    step: str
    args: Mapping[str, Any] = field(repr=False)
    what: str
    """"execute", "revert" or "verify"."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A password that was drawn."""

    text: str = field(repr=False)


class Deferred(NamedTuple):
    """The step has begun, and somebody else will say how it ended."""

    timeout_s: float | None = None
    """How long whoever that is may be silent; None: as long as the step may take."""
