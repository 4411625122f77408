"""What a bulk's actor is told. None of it is ever refused: there are two or three messages for each node, no more."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from castiron.actors.asking import Answer
from castiron.store.records import RequestRecord
from castiron.transport.errors import CastironError
from castiron.transport.replies import Forecast, RequestView


class Reason(StrEnum):
    """Why no further nodes are started."""

    FAILURES = "as many have failed as may"
    CANCELLED = "it was cancelled"
    GONE = "its client has gone"
    REPEATED = "its client has sent it again"
    DRAINING = "the conductor stops"


SILENT = frozenset({Reason.GONE, Reason.DRAINING})
"""Nobody hears what comes after it, or somebody else says it."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Time has passed, or the turn was over before the work was."""

    is_control: ClassVar[bool] = True

    is_timer: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """A node's request is on disk."""

    is_control: ClassVar[bool] = True

    number: int
    request: RequestView


@dataclass(frozen=True, slots=True)
class Ended:
    """A node's request has ended, however it ended."""

    is_control: ClassVar[bool] = True

    number: int
    request: RequestRecord


@dataclass(frozen=True, slots=True)
class Refused:
    """A node's request was not accepted."""

    is_control: ClassVar[bool] = True

    number: int
    error: CastironError


@dataclass(frozen=True, slots=True)
class Foretold:
    """A node has said what it would do."""

    is_control: ClassVar[bool] = True

    number: int
    forecast: Forecast


@dataclass(frozen=True, slots=True)
class Stop:
    """No further nodes are to be started."""

    is_control: ClassVar[bool] = True

    reason: Reason


@dataclass(frozen=True, slots=True)
class Cancel:
    """A user wants it stopped, and what waits in line withdrawn."""

    is_control: ClassVar[bool] = True

    answer: Answer
    leave: bool = False
    """Nobody listens to it any more."""


BulkMessage = GoOn | Taken | Ended | Refused | Foretold | Stop | Cancel
"""Everything that a bulk's actor takes."""
