"""What an action wants next, as data, and the limits that it is held to.

The machines of `power` and `boot` give one of these back for everything that happens to them; the node's decision turns
it into effects. Words only: no rule of any machine lives here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from castiron.actors.drivers.base import Operation
from castiron.actors.drivers.work import RunStep
from castiron.transport.errors import (
    BMCBusy,
    BMCCertificate,
    BMCCredentials,
    BMCUnreachable,
    BMCUnsupported,
    CastironError,
    DeadlineExceeded,
)
from castiron.transport.vocabulary import Instant


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the driver for this."""

    operation: Operation
    commit_first: bool = False
    """The action's place must be on disk before the driver hears of it: a successor could not tell otherwise."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until then."""

    until: Instant


@dataclass(frozen=True, slots=True)
class Delegate:
    """Have a worker do this."""

    work: RunStep


@dataclass(frozen=True, slots=True)
class Draw:
    """Have a password drawn, which the shell does: nothing that decides has a randomness of its own."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Do nothing until somebody tells how it ended, or until then."""

    until: Instant


@dataclass(frozen=True, slots=True)
class Succeeded:
    """It is done, and was seen to be done."""

    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """It has ended otherwise."""

    error: CastironError


Next = Ask | Wait | Succeeded | Failed
"""What drives one machine to one end."""

StepNext = Next | Delegate | Draw | Listen
"""What a step may want beside that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long an action may take, for one node and one request; all in seconds."""

    change_s: float
    """For each power state to be reached, or for a boot device to be set or read."""
    soft_off_s: float
    """For an operating system to shut down."""
    poll_initial_s: float
    poll_max_s: float
    settle_s: float
    """How long a command of unknown outcome is given to show an effect."""


HOPELESS: Final[tuple[type[CastironError], ...]] = (BMCCredentials, BMCCertificate, BMCUnsupported)
"""Failures that no patience mends: a read that meets one is not tried again."""

PASSING: Final[tuple[type[CastironError], ...]] = (BMCUnreachable, BMCBusy, DeadlineExceeded)
"""Failures after which a command that was not applied may be tried again while there is time."""


def longer(wait_s: float, limits: Limits) -> float:
    """Return the wait that follows a wait: twice as long, up to the limit."""
    return min(wait_s * 2, limits.poll_max_s)
